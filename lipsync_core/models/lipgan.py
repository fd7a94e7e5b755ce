"""LipGAN: the generator and the discriminator that Wav2Lip grew out of (mel branch).

Source: Prajwal et al., "Towards Automatic Face-to-Face Translation", ACM MM 2019, and the author's thesis,
tables 2.1-2.5; facts of the published Keras code (Rudrabha/LipGAN, branch ``fully_pythonic``). The state-dict
names are this package's own: published weights are Keras files.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lipsync_core.models.layers import scaled_channels
from lipsync_core.models.lipgan_layers import (
    LeakyNormUnit,
    ResidualUnit,
    SameUnit,
    Stride,
    UpUnit,
    ValidUnit,
)

MEL_WINDOW_COLUMNS = 27  # 337.5 ms at 80 mel columns a second
_SMALLEST_SQUARE = 1e-12  # below it the root's gradient would not be finite


class LipGANGenerator(nn.Module):
    """U-Net that redraws the lower half of a face to match 337.5 ms of speech.

    Args:
        width: channel multiplier; 1.0 is the network of the thesis (49,543,123 parameters).
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.width = width
        c = {n: scaled_channels(n, width) for n in (16, 32, 64, 128, 256, 512)}
        self.face_encoder = _face_encoder(c)
        self.mel_encoder = _mel_encoder(c)
        self.face_decoder = _face_decoder(c)
        self.output = nn.Sequential(
            SameUnit(2 * c[32], c[16], 3), SameUnit(c[16], c[16], 3), nn.Conv2d(c[16], 3, 1), nn.Sigmoid()
        )

    def forward(self, mel: Tensor, faces: Tensor) -> Tensor:
        """Generate faces.

        Args:
            mel: (N, 1, 80, 27), normalised mel in -4...4.
            faces: (N, 6, 96, 96), BGR in 0...1; channels 0-2 are the reference face, channels 3-5 the
                target face with its lower half (rows >= 48) zero: the reverse of Wav2Lip's order.

        Returns:
            (N, 3, 96, 96), BGR in 0...1.
        """
        skips: list[Tensor] = []
        x = faces
        for block in self.face_encoder:
            x = block(x)
            skips.append(x)
        x = torch.cat((skips.pop(), self.mel_encoder(mel)), dim=1)
        for block in self.face_decoder:
            x = torch.cat((skips.pop(), block(x)), dim=1)
        return torch.as_tensor(self.output(x))


class LipGANDiscriminator(nn.Module):
    """Two branches that embed 337.5 ms of sound and one face; their distance says how far they are off.

    Args:
        width: channel multiplier; 1.0 is the network of the thesis.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.width = width
        c = {n: scaled_channels(n, width) for n in (32, 64, 128, 256, 512)}
        self.face_branch = nn.Sequential(
            LeakyNormUnit(3, c[64], 7, 2),
            LeakyNormUnit(c[64], c[128], 5, 2),
            LeakyNormUnit(c[128], c[256], 3, 2),
            LeakyNormUnit(c[256], c[512], 3, 2),
            LeakyNormUnit(c[512], c[512], 3, 2),
            nn.Conv2d(c[512], c[512], 3),
        )
        self.mel_branch = nn.Sequential(
            LeakyNormUnit(1, c[32], 3, 1),
            LeakyNormUnit(c[32], c[64], 3, 3),
            LeakyNormUnit(c[64], c[128], 3, (3, 1)),
            LeakyNormUnit(c[128], c[256], 3, 3),
            LeakyNormUnit(c[256], c[512], 3, 1, same=False),
            nn.Conv2d(c[512], c[512], 1),
        )

    def forward(self, mel: Tensor, face: Tensor) -> Tensor:
        """Return the Euclidean distance of both embeddings, small where they belong together.

        Args:
            mel: (N, 1, 80, 27), normalised mel in -4...4.
            face: (N, 3, 96, 96), BGR in 0...1, not masked.

        Returns:
            (N,) in 0...2.
        """
        # In float32 under autocast too: small distances are differences of nearly equal numbers.
        difference = self.embed_audio(mel) - self.embed_faces(face)
        return difference.square().sum(dim=1).clamp_min(_SMALLEST_SQUARE).sqrt()

    def embed_audio(self, mel: Tensor) -> Tensor:
        """Map (N, 1, 80, 27) to unit vectors (N, 512 * width)."""
        return F.normalize(self.mel_branch(mel).flatten(1).float(), dim=1)

    def embed_faces(self, face: Tensor) -> Tensor:
        """Map (N, 3, 96, 96) to unit vectors (N, 512 * width)."""
        return F.normalize(self.face_branch(face).flatten(1).float(), dim=1)


def _face_encoder(c: dict[int, int]) -> nn.ModuleList:
    """Return seven blocks that take (N, 6, 96, 96) down to (N, 512 * width, 1, 1)."""
    return nn.ModuleList(
        [
            nn.Sequential(SameUnit(6, c[32], 7)),
            _down(c[32], c[64], 5, 2, 2),
            _down(c[64], c[128], 3, 2, 3),
            _down(c[128], c[256], 3, 2, 2),
            _down(c[256], c[512], 3, 2, 2),
            _down(c[512], c[512], 3, 2, 0),
            nn.Sequential(ValidUnit(c[512], c[512], 3), ValidUnit(c[512], c[512], 1)),
        ]
    )


def _mel_encoder(c: dict[int, int]) -> nn.Sequential:
    """Return (N, 1, 80, 27) to (N, 512 * width, 1, 1), by way of 27x9, 9x9 and 3x3."""
    return nn.Sequential(
        _down(1, c[32], 3, 1, 2),
        _down(c[32], c[64], 3, 3, 2),
        _down(c[64], c[128], 3, (3, 1), 2),
        _down(c[128], c[256], 3, 3, 2),
        ValidUnit(c[256], c[512], 3),
        ValidUnit(c[512], c[512], 1),
    )


def _face_decoder(c: dict[int, int]) -> nn.ModuleList:
    """Return six blocks; each one's output is joined, behind it, with the encoder's map of the same size."""
    return nn.ModuleList(
        [
            _up(2 * c[512], c[512], 3, 0),
            _up(2 * c[512], c[512], 2, 2),
            _up(2 * c[512], c[256], 2, 2),
            _up(2 * c[256], c[128], 2, 2),
            _up(2 * c[128], c[64], 2, 2),
            _up(2 * c[64], c[32], 2, 0),
        ]
    )


def _down(c_in: int, c_out: int, kernel: int, stride: Stride, residuals: int) -> nn.Sequential:
    return nn.Sequential(
        SameUnit(c_in, c_out, kernel, stride), *[ResidualUnit(c_out) for _ in range(residuals)]
    )


def _up(c_in: int, c_out: int, stride: int, residuals: int) -> nn.Sequential:
    return nn.Sequential(UpUnit(c_in, c_out, stride), *[ResidualUnit(c_out) for _ in range(residuals)])
