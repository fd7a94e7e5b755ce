"""Losses of the expert, SyncNet, the generators and their discriminators."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lipsync_core.models import LipSyncExpert

FACE_ROWS_PX = 96
FEATURE_LAYERS = (3, 7, 10, 13, 16)  # of the expert: the last at each size, and the embedding


def matching_loss(similarity: Tensor) -> Tensor:
    """Multi-way matching: which of the K sounds of a clip belongs to this mouth, and the other way round.

    Source: Chung et al., "Perfect Match", ICASSP 2019.

    Args:
        similarity: (C, K, K) logits, mouth windows by sound windows, true pairs on the diagonal.
    """
    n_clips, n_windows, _ = similarity.shape
    target = torch.arange(n_windows, device=similarity.device).repeat(n_clips)
    by_mouth = F.cross_entropy(similarity.reshape(-1, n_windows), target)
    by_sound = F.cross_entropy(similarity.transpose(1, 2).reshape(-1, n_windows), target)
    return (by_mouth + by_sound) / 2


def pair_bce(cosine: Tensor) -> Tensor:
    """Binary cross entropy on cosines read as probabilities, true and false pairs weighted alike.

    Source: Wav2Lip, ``color_syncnet_train.py`` (cosine clamped: rounding can give 1.0000004).

    Args:
        cosine: (C, K, K), true pairs on the diagonal.
    """
    probability = cosine.float().clamp(1e-6, 1 - 1e-6)
    n_windows = cosine.shape[-1]
    in_sync = torch.eye(n_windows, dtype=torch.bool, device=cosine.device).expand_as(cosine)
    positive = -torch.log(probability[in_sync]).mean()
    negative = -torch.log1p(-probability[~in_sync]).mean()
    return (positive + negative) / 2


def sync_loss(audio: Tensor, faces: Tensor) -> Tensor:
    """The expert's loss on generated windows: -log of the cosine of unit vectors (N, D)."""
    cosine = (audio * faces).sum(dim=1).float()
    return -torch.log(cosine.clamp(1e-4, 1.0)).mean()


def sync_contrast(audio: Tensor, faces: Tensor, scale: float = 10.0) -> Tensor:
    """Which sound of the batch does each generated mouth say; unit vectors (N, D).

    Unlike `sync_loss` it gives nothing to a mouth that suits every sound a little.
    """
    own = torch.arange(len(audio), device=audio.device)
    return F.cross_entropy(scale * faces.float() @ audio.float().T, own)


def face_weights(lower_half: float, mouth: float) -> Tensor:
    """Return (1, 1, 96, 96) L1 weights of mean 1: base 1, more below row 48, more again around the mouth."""
    rows = torch.arange(FACE_ROWS_PX)[:, None]
    weight: Tensor = 1.0 + lower_half * (rows >= FACE_ROWS_PX // 2) + mouth * mouth_region()
    return (weight / weight.mean())[None, None]


def mouth_region() -> Tensor:
    """Return (96, 96) weights in 0...1, one at the mouth, falling to zero at the cheeks.

    With the chin margin of geometry.py mouths lie around row 69 of 96 and are about 34 columns wide.
    """
    rows = torch.arange(FACE_ROWS_PX, dtype=torch.float32)[:, None]
    columns = torch.arange(FACE_ROWS_PX, dtype=torch.float32)[None, :]
    distance = ((columns - 47.5) / 24) ** 2 + ((rows - 69) / 18) ** 2
    return torch.exp(-(distance**2))


def shape_loss(output: Tensor, target: Tensor, region: Tensor) -> Tensor:
    """Squared error of the mouth at a quarter of the resolution, as a share of 0.05 squared.

    L1 is content with the median, a mouth that hardly moves; squares ask for the mean that the sound implies,
    and pooling takes texture and noise out of the question.
    """
    error = F.avg_pool2d((output - target) * region, 4)
    return error.square().mean() / (region.mean() * 0.05**2)


def motion_loss(output: Tensor, target: Tensor, region: Tensor, n_windows: int) -> Tensor:
    """Squared error of how the mouth differs from its mean over the windows of a clip, at low resolution.

    All images of a clip share reference and augmentation, so appearance and position cancel out and only what
    moves is left, which the sound must explain.

    Args:
        output: (C * K * T, 3, 96, 96), clip by clip.
        target: like ``output``.
        region: (96, 96) weights.
        n_windows: K * T images per clip.
    """
    error = F.avg_pool2d((output - target) * region, 4)
    error = error.view(-1, n_windows, *error.shape[1:])
    moving = error - error.mean(dim=1, keepdim=True)
    return moving.square().mean() / (region.mean() * 0.05**2)


def change_weights(target: Tensor, reference: Tensor, strength: float) -> Tensor:
    """Return (N, 1, 96, 96) L1 weights, 1 and more where the reference differs from the target.

    A difference of 13 levels, averaged over 5x5 pixels, adds ``strength``; three times that is the most.
    """
    difference = F.avg_pool2d((target - reference).abs().mean(dim=1, keepdim=True), 5, 1, 2)
    return 1.0 + strength * (difference / 0.05).clamp(max=3.0)


def feature_loss(expert: LipSyncExpert, output: Tensor, target: Tensor) -> Tensor:
    """Relative L1 between the expert's features of generated and true windows (N, 15, 48, 96).

    The expert's layers respond to the shape of the mouth, so this is a perceptual loss for lips; cf. Johnson
    et al., "Perceptual Losses for Real-Time Style Transfer", ECCV 2016.
    """
    loss = output.new_zeros(())
    seen, true = output, target
    for index, layer in enumerate(expert.face_encoder):
        seen = layer(seen)
        with torch.no_grad():
            true = layer(true)
        if index in FEATURE_LAYERS:
            loss = loss + (seen - true).abs().mean() / (true.mean() + 1e-6)
    return loss / len(FEATURE_LAYERS)


def reconstruction_loss(output: Tensor, target: Tensor, weights: Tensor, gradient_weight: float) -> Tensor:
    """Weighted L1 of (N, 3, 96, 96) images, plus L1 between their gradients (sharp edges, less blur)."""
    error = output - target
    loss = (error.abs() * weights).mean()
    if gradient_weight:
        across = (error[..., :, 1:] - error[..., :, :-1]).abs() * weights[..., :, 1:]
        down = (error[..., 1:, :] - error[..., :-1, :]).abs() * weights[..., 1:, :]
        loss = loss + gradient_weight * (across.mean() + down.mean())
    return loss


def labelled_bce(cosine: Tensor, label: Tensor) -> Tensor:
    """Binary cross entropy of cosines (N,) read as probabilities; label 1 is in sync.

    Source: Wav2Lip, ``color_syncnet_train.py``. Rounding can give 1.0000004, hence the clamp.
    """
    probability = cosine.float().clamp(1e-6, 1 - 1e-6)
    return -(label * torch.log(probability) + (1 - label) * torch.log1p(-probability)).mean()


def max_margin_loss(distance: Tensor, margin: float) -> Tensor:
    """1/2 [y d^2 + (1 - y) max(m - d, 0)^2], true and false pairs weighted alike.

    Source: Chung and Zisserman, "Out of time", 2016, equation 1, without its batch mean over drawn pairs.

    Args:
        distance: (C, K, K) Euclidean distances, true pairs on the diagonal.
        margin: false pairs that are further apart cost nothing.
    """
    in_sync = torch.eye(distance.shape[-1], dtype=torch.bool, device=distance.device).expand_as(distance)
    near = distance[in_sync].square().mean()
    far = (margin - distance[~in_sync]).clamp(min=0).square().mean()
    return (near + far) / 2


def contrastive_loss(distance: Tensor, unsynced: bool, margin: float = 1.0) -> Tensor:
    """LipGAN's loss of distances (N,): d^2 for synced pairs, max(m - d, 0)^2 for others.

    Source: LipGAN, ``train.py``; the thesis's equation 2.1 has margin 2.
    """
    return ((margin - distance).clamp(min=0) if unsynced else distance).float().square().mean()


def adversarial_loss(fake_logits: Tensor, kind: str = "non_saturating") -> Tensor:
    """The generator's loss against a discriminator's logits: -log D(fake), or log(1 - D(fake)).

    Source: Wav2Lip's code has the first (``perceptual_forward``), the thesis writes the second.
    """
    logits = fake_logits.float()
    return F.softplus(-logits).mean() if kind == "non_saturating" else -F.softplus(logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Binary cross entropy of real as 1 plus that of fake as 0 (logits)."""
    return F.softplus(-real_logits.float()).mean() + F.softplus(fake_logits.float()).mean()
