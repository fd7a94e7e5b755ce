"""Losses of the expert, SyncNet and the generator."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

FACE_ROWS_PX = 96


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


def face_weights(lower_half: float, mouth: float) -> Tensor:
    """Return (1, 1, 96, 96) L1 weights of mean 1: base 1, more below row 48, more again around the mouth."""
    rows = torch.arange(FACE_ROWS_PX, dtype=torch.float32)[:, None]
    columns = torch.arange(FACE_ROWS_PX, dtype=torch.float32)[None, :]
    weight = torch.ones(FACE_ROWS_PX, FACE_ROWS_PX)
    weight = weight + lower_half * (rows >= FACE_ROWS_PX // 2)
    # With the chin margin of geometry.py mouths lie around row 69 of 96, about 34 wide.
    distance = ((columns - 47.5) / 22) ** 2 + ((rows - 69) / 17) ** 2
    weight = weight + mouth * torch.exp(-(distance**2))
    return (weight / weight.mean())[None, None]


def reconstruction_loss(output: Tensor, target: Tensor, weights: Tensor, gradient_weight: float) -> Tensor:
    """Weighted L1 of (N, 3, 96, 96) images, plus L1 between their gradients (sharp edges, less blur)."""
    error = output - target
    loss = (error.abs() * weights).mean()
    if gradient_weight:
        across = (error[..., :, 1:] - error[..., :, :-1]).abs() * weights[..., :, 1:]
        down = (error[..., 1:, :] - error[..., :-1, :]).abs() * weights[..., 1:, :]
        loss = loss + gradient_weight * (across.mean() + down.mean())
    return loss
