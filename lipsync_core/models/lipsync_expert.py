"""Lip-sync expert, which judges whether this mouth says this sound.

Source: Prajwal et al., "A Lip Sync Expert Is All You Need", ACM MM 2020, section 3.1-3.2; layer table
from the published code (Rudrabha/Wav2Lip, ``SyncNet_color``).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from lipsync_core.models.layers import ConvUnit, mel_encoder, residual_units, scaled_channels

EXPERT_WINDOW_FRAMES = 5  # 200 ms at 25 frames a second
EXPERT_WINDOWS = (1, 3, 5)  # numbers of frames compared in the thesis, table 3.4


def expert_frames(window_frames: int) -> slice:
    """Return which frames of a five-frame window an expert of ``window_frames`` looks at: the central ones.

    The mel of 200 ms begins with the five-frame window whatever the expert sees of it.
    """
    first = (EXPERT_WINDOW_FRAMES - window_frames) // 2
    return slice(first, first + window_frames)


class LipSyncExpert(nn.Module):
    """Two branches that embed up to five frames of mouth and 200 ms of sound into one space.

    Args:
        width: channel multiplier; 1.0 is the published network (16,435,072 parameters).
        window_frames: frames seen at once, 5 (published), 3 or 1; see `expert_frames`.

    Raises:
        ValueError: ``window_frames`` is another number.
    """

    def __init__(self, width: float = 1.0, window_frames: int = EXPERT_WINDOW_FRAMES) -> None:
        super().__init__()
        if window_frames not in EXPERT_WINDOWS:
            raise ValueError(f"window_frames is {window_frames!r}; allowed are 1, 3 and 5")
        self.width = width
        self.window_frames = window_frames
        c = {n: scaled_channels(n, width) for n in (32, 64, 128, 256, 512)}
        self.face_encoder = nn.Sequential(
            ConvUnit(3 * window_frames, c[32], 7, 1, 3),
            # Padding 1 with a 5x5 kernel (46x47 maps) is odd, and what the published weights were trained on.
            ConvUnit(c[32], c[64], 5, (1, 2), 1),
            *residual_units(c[64], 2),
            ConvUnit(c[64], c[128], 3, 2, 1),
            *residual_units(c[128], 3),
            ConvUnit(c[128], c[256], 3, 2, 1),
            *residual_units(c[256], 2),
            ConvUnit(c[256], c[512], 3, 2, 1),
            *residual_units(c[512], 2),
            ConvUnit(c[512], c[512], 3, 2, 1),
            ConvUnit(c[512], c[512], 3, 1, 0),
            ConvUnit(c[512], c[512], 1, 1, 0),
        )
        self.audio_encoder = mel_encoder(width, deep_residuals=2)

    def forward(self, mel: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Embed both sides; their cosine, in 0...1, is read as the probability of being in sync.

        Args:
            mel: (N, 1, 80, 16), normalised mel in -4...4.
            faces: (N, 3 * window_frames, 48, 96), BGR in 0...1: lower halves of consecutive 96x96 face
                crops, frame-major (t0 B, G, R, t1 B, ...).

        Returns:
            Audio and face embeddings, each (N, 512 * width), non-negative, of unit length.
        """
        return self.embed_audio(mel), self.embed_faces(faces)

    def embed_audio(self, mel: Tensor) -> Tensor:
        """Map (N, 1, 80, 16) to unit vectors (N, 512 * width)."""
        return F.normalize(self.audio_encoder(mel).flatten(1), dim=1)

    def embed_faces(self, faces: Tensor) -> Tensor:
        """Map (N, 3 * window_frames, 48, 96) to unit vectors (N, 512 * width)."""
        return F.normalize(self.face_encoder(faces).flatten(1), dim=1)
