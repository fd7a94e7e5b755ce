"""What generators see and hear: crops and mel windows turned into the tensors that each kind takes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lipsync_core.errors import InvalidInputError
from lipsync_core.models.registry import KINDS, FacePart, GeneratorInputs

FACE_SIZE_PX = 96
MASK_ROW = FACE_SIZE_PX // 2  # 48: from here down the target is blank

ByteArray = npt.NDArray[np.uint8]


def inputs_of(kind: str) -> GeneratorInputs:
    """Return how a kind of generator is fed.

    Raises:
        InvalidInputError: no such kind, or one that makes no faces.
    """
    found = KINDS.get(kind)
    if found is None or found.generator is None:
        generators = [name for name, known in KINDS.items() if known.generator]
        raise InvalidInputError(f"{kind!r} is no generator; allowed are {', '.join(generators)}")
    return found.generator


def join_faces(kind: str, target: Tensor, reference: Tensor) -> Tensor:
    """Return what a generator of ``kind`` sees.

    Args:
        kind: ``wav2lip``, ``wav2lip_gan``, ``lipgan`` or ``speech2vid``.
        target: (N, 3, 96, 96), BGR in 0...1; its lower half is blanked in a copy.
        reference: (N, 3, 96, 96), BGR in 0...1, whole faces.

    Returns:
        (N, 6, 96, 96), for Speech2Vid (N, 3, 96, 96).
    """
    order = inputs_of(kind).faces
    parts: dict[FacePart, Tensor] = {"reference": reference, "masked": target}
    faces = torch.cat([parts[part] for part in order], dim=1)
    if "masked" in order:
        first = 3 * order.index("masked")
        faces[:, first : first + 3, MASK_ROW:] = 0.0
    return faces


def generator_inputs(
    kind: str,
    crops_bgr: ByteArray,
    reference_bgr: ByteArray,
    mels: npt.NDArray[np.float32],
    device: str | torch.device = "cpu",
) -> tuple[Tensor, Tensor]:
    """Return mel and faces as a generator of ``kind`` takes them.

    Args:
        kind: see `join_faces`.
        crops_bgr: (N, 96, 96, 3), target faces.
        reference_bgr: (N, 96, 96, 3), faces that show what the person looks like; at inference the very
            crops, as in the published scripts.
        mels: (N, 80, k), windows as wide as the kind needs.
        device: where the tensors shall live.

    Returns:
        Mel (N, 1, 80, k) in -4...4 and faces (N, 3 or 6, 96, 96), BGR in 0...1, channels last in memory.

    Raises:
        InvalidInputError: no generator of that kind, or mel windows of another width.
    """
    columns = inputs_of(kind).mel_columns
    if mels.ndim != 3 or mels.shape[2] != columns:
        raise InvalidInputError(f"mel windows have shape {mels.shape}; {kind} takes (N, 80, {columns})")
    target = _scaled(crops_bgr, device)
    reference = target if reference_bgr is crops_bgr else _scaled(reference_bgr, device)
    faces = join_faces(kind, target, reference).contiguous(memory_format=torch.channels_last)
    speech = torch.from_numpy(np.ascontiguousarray(mels, np.float32)).to(device)[:, None]
    return speech, faces


def _scaled(crops_bgr: ByteArray, device: str | torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(crops_bgr)).to(device).permute(0, 3, 1, 2).float() / 255.0
