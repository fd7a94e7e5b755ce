"""Augmentation of face windows, in torch and NumPy alone (of sound: `lipsync_core.training.augment_sound`).

One draw holds for all frames of a window (and, in generator training, for its reference, apart from a small
jitter of its own): what changes from frame to frame must stay the mouth. Elastic warps, colour mixing and
multiplicative texture make new "people" from few, which a generator can only redraw by copying the reference.

What is drawn (`lipsync_core.training.augment_draws`) is small. What it does to pictures runs on batches, on
any device (`augmented_windows`, `blur_regions`); the functions without the plural do it to one NumPy window.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from lipsync_core.training.augment_draws import (
    ELASTIC_NODES,
    Geometry,
    Look,
    draw_geometry,
    draw_look,
    jittered,
)
from lipsync_core.training.augment_sound import augment_mel, augment_mfcc

__all__ = [
    "Geometry",
    "Look",
    "apply_look",
    "apply_looks",
    "augment_mel",
    "augment_mfcc",
    "augmented_windows",
    "blur_region",
    "blur_regions",
    "draw_geometry",
    "draw_look",
    "jittered",
    "warp_window",
    "warp_windows",
]

ByteArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
Rng = np.random.Generator

CHUNK_WINDOWS = 2  # worked on at once on a CPU: what stays in its cache
CPU = torch.device("cpu")


def warp_windows(
    frames: Tensor, geometries: Sequence[Geometry], crop_px: float, out_px: int, first_row: int = 0
) -> Tensor:
    """Resample windows of square frames, each by its own draw, bilinear, edges repeated.

    Args:
        frames: (N, T, S, S, 3) uint8 or float32.
        geometries: N draws for results of ``out_px``.
        crop_px: side of the centred source square that the result shows when nothing is drawn.
        out_px: side of the result.
        first_row: rows above are not computed (48 gives the expert's lower halves).

    Returns:
        (N, 3 T, out_px - first_row, out_px) levels 0...255, frame by frame: t0 B, G, R, t1 B, ... They are
        float32, but of the type of ``frames`` where no draw moves anything and no pixel falls between others.
    """
    size = frames.shape[2]
    if crop_px == out_px and (inset := _inset(size, out_px, geometries)) is not None:
        return _planes(frames[:, :, inset + first_row : inset + out_px, inset : inset + out_px]).flatten(1, 2)
    grids = np.stack([_sampling_grid(g, crop_px, size, out_px, first_row) for g in geometries])
    top = int(min(max(grids[..., 1].min(), 0.0), size - 2.0))  # rows above are not looked at
    grids[..., 1] -= top
    grids *= np.float32(2) / np.array([size - 1, size - 1 - top], np.float32)
    grids -= 1
    grid = torch.from_numpy(grids).to(frames.device)
    planes = _planes(frames[:, :, top:]).flatten(1, 2).float()
    return F.grid_sample(planes, grid, mode="bilinear", padding_mode="border", align_corners=True)


def _inset(size: int, out_px: int, geometries: Sequence[Geometry]) -> int | None:
    """Return where a centred square of whole pixels begins, None if something is moved or it is none."""
    inset, odd = divmod(size - out_px, 2)
    return inset if inset >= 0 and not odd and all(g.is_plain for g in geometries) else None


def _planes(frames: Tensor) -> Tensor:
    """Turn (N, T, H, W, 3) into (N, T, 3, H, W), of the same type."""
    if frames.device.type == "cpu":  # NumPy transposes bytes about twice as fast as torch
        return torch.from_numpy(np.ascontiguousarray(frames.numpy().transpose(0, 1, 4, 2, 3)))
    return frames.permute(0, 1, 4, 2, 3).contiguous()


def _sampling_grid(geometry: Geometry, crop_px: float, size: int, out_px: int, first_row: int) -> FloatArray:
    """Return (out_px - first_row, out_px, 2) positions x, y in pixels of the source, 0 to size - 1 inside."""
    offset = np.arange(out_px, dtype=np.float32) - np.float32((out_px - 1) / 2)
    columns, rows = (-offset if geometry.flip else offset), offset[first_row:, None]
    weights = _cubic_weights(ELASTIC_NODES, out_px)
    m = geometry.matrix
    zoom = np.float32(crop_px / out_px)
    grid = np.empty((out_px - first_row, out_px, 2), np.float32)
    for axis in (0, 1):
        bend = weights[first_row:] @ geometry.elastic[..., axis] @ weights.T
        bend += m[axis, 0] * columns + (m[axis, 1] * rows + geometry.shift[axis])
        np.add(bend * zoom, np.float32((size - 1) / 2), out=grid[..., axis])
    return grid


@lru_cache(maxsize=32)
def _cubic_weights(n_nodes: int, n_pixels: int) -> FloatArray:
    """Return (n_pixels, n_nodes): bicubic enlargement of control points, one axis."""
    nodes = torch.eye(n_nodes)[None, :, :, None]
    enlarged = F.interpolate(nodes, size=(n_pixels, 1), mode="bicubic", align_corners=False)
    return np.ascontiguousarray(enlarged[0, :, :, 0].T.numpy())


def warp_window(
    frames: ByteArray, geometry: Geometry, crop_px: float, out_px: int, first_row: int = 0
) -> ByteArray:
    """Resample one window; see `warp_windows`.

    Args:
        frames: (T, S, S, 3) uint8.
        geometry: drawn for results of ``out_px``.
        crop_px: side of the centred source square that the result shows when nothing is drawn.
        out_px: side of the result.
        first_row: rows above are not computed.

    Returns:
        (T, out_px - first_row, out_px, 3) uint8.
    """
    return _image_window(warp_windows(_tensor(frames)[None], [geometry], crop_px, out_px, first_row))


def apply_looks(rng: Rng, windows: Tensor, looks: Sequence[Look], full_px: int) -> Tensor:
    """Return windows in their new light.

    Args:
        rng: seeds the noise (whose values depend on the device).
        windows: (N, 3 T, H, W) levels 0...255, frame by frame, uint8 or float32 as from `warp_windows`.
        looks: N draws.
        full_px: height before a crop that left the lower H rows.

    Returns:
        (N, 3 T, H, W) float32 in 0...255, on the same device; ``windows`` itself where no draw changes it.
    """
    if all(look.is_plain for look in looks):
        return windows
    n, planes, height, width = windows.shape
    device = windows.device
    curves = torch.from_numpy(np.stack([look.curve[:, 0].T for look in looks])).to(device, torch.float32)
    which = torch.arange(n * 3, device=device, dtype=torch.int32).view(n, 1, 3, 1) * 256
    levels = windows.reshape(n, planes // 3, 3, -1)
    if levels.is_floating_point():
        levels = levels.round()
    curved = curves.reshape(-1).index_select(0, (levels.int() + which).view(-1))
    mixing = torch.from_numpy(np.stack([look.mixing for look in looks])).to(device)
    out = torch.matmul(mixing[:, None], curved.view(n, planes // 3, 3, -1)).clamp_(0, 255)
    out = out.view(n, planes, height, width)
    _blur(out, [look.blur_px for look in looks])
    if textured := [i for i, look in enumerate(looks) if look.texture is not None]:
        fields = [_texture_field(looks[i], full_px, height, width) for i in textured]
        _scale_some(out, textured, torch.from_numpy(np.stack(fields)).to(device)[:, None])
    if noisy := [i for i, look in enumerate(looks) if look.noise]:
        generator = torch.Generator(device).manual_seed(int(rng.integers(2**63)))
        noise = torch.randn((len(noisy), *out.shape[1:]), generator=generator, device=device)
        sigma = torch.tensor([looks[i].noise for i in noisy], device=device)
        if len(noisy) == n:
            out.addcmul_(noise, sigma[:, None, None, None])
        else:
            out.index_add_(0, torch.tensor(noisy, device=device), noise.mul_(sigma[:, None, None, None]))
    return out.clamp_(0, 255) if textured or noisy else out


def _scale_some(out: Tensor, chosen: list[int], factors: Tensor) -> None:
    if len(chosen) == len(out):
        out.mul_(factors)
    else:
        index = torch.tensor(chosen, device=out.device)
        out.index_copy_(0, index, out.index_select(0, index).mul_(factors))


def _texture_field(look: Look, full_px: int, height: int, width: int) -> FloatArray:
    """Return the lower ``height`` rows of the (full_px, width) field of a look that has a texture."""
    assert look.texture is not None
    nodes = len(look.texture)
    rows, columns = _cubic_weights(nodes, full_px), _cubic_weights(nodes, width)
    return np.asarray(rows[full_px - height :] @ look.texture[..., 0] @ columns.T, np.float32)


def _blur(windows: Tensor, sigmas_px: Sequence[float]) -> None:
    """Blur (N, C, H, W) float windows in place, each with its own Gaussian, those of sigma 0 not at all."""
    chosen = [i for i, sigma in enumerate(sigmas_px) if sigma]
    if not chosen:
        return
    height, width = windows.shape[-2:]
    device, index = windows.device, torch.tensor(chosen, device=windows.device)
    down = torch.from_numpy(np.stack([_blur_matrix(sigmas_px[i], height) for i in chosen])).to(device)
    across = down
    if width != height:
        across = torch.from_numpy(np.stack([_blur_matrix(sigmas_px[i], width) for i in chosen])).to(device)
    rows = windows.index_select(0, index).flatten(1, 2) @ across.transpose(1, 2)
    windows.index_copy_(0, index, down[:, None] @ rows.view(len(chosen), -1, height, width))


def _blur_matrix(sigma_px: float, size: int) -> FloatArray:
    """Return (size, size): Gaussian of three sigmas a side along one axis, mirrored at the ends.

    A product of matrices is faster here than a convolution of planes one by one.
    """
    radius = (round(6 * sigma_px + 1) | 1) // 2  # OpenCV's rule for 8-bit images
    steps = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (steps / sigma_px) ** 2)
    source = np.abs(np.arange(size)[:, None] + steps)
    source = (size - 1) - np.abs((size - 1) - source)
    flat = np.arange(size)[:, None] * size + source
    weights = np.broadcast_to(kernel / kernel.sum(), flat.shape)
    return np.bincount(flat.ravel(), weights.ravel(), size * size).reshape(size, size).astype(np.float32)


def apply_look(rng: Rng, frames: ByteArray, look: Look, full_px: int) -> ByteArray:
    """Return the (T, H, W, 3) window in its new light; ``full_px`` is the height before a crop."""
    return _image_window(apply_looks(rng, _plane_window(frames), [look], full_px))


def blur_regions(windows: Tensor, region: Tensor, blur_px: float = 7.0) -> Tensor:
    """Return (N, C, H, W) windows blurred where the (H, W) region is one, untouched where it is zero.

    Returns:
        float32 levels 0...255.
    """
    sharp = windows.float()
    soft = sharp.clone()
    _blur(soft, [blur_px] * len(soft))
    return torch.lerp(sharp, soft, region.to(sharp))


def blur_region(frames: ByteArray, region: FloatArray, blur_px: float = 7.0) -> ByteArray:
    """Return (T, H, W, 3) frames blurred where the (H, W) region is one, untouched where it is zero."""
    return _image_window(blur_regions(_plane_window(frames), torch.from_numpy(region), blur_px))


def _tensor(frames: ByteArray) -> Tensor:
    """Wrap an array; a read-only one (mapped from disk) is copied, since torch has no such tensors."""
    return torch.from_numpy(frames if frames.flags.writeable else frames.copy())


def _plane_window(frames: ByteArray) -> Tensor:
    """Turn (T, H, W, 3) into (1, 3 T, H, W)."""
    planes = _tensor(frames).permute(0, 3, 1, 2)
    return planes.reshape(1, -1, *planes.shape[2:])


def augmented_windows(
    rng: Rng,
    frames: Sequence[ByteArray],
    geometries: Sequence[Geometry],
    looks: Sequence[Look],
    crop_px: int,
    first_row: int = 0,
    device: torch.device = CPU,
) -> Tensor:
    """Warp windows to ``crop_px`` pixels, then light them; see `warp_windows` and `apply_looks`.

    On a CPU a few windows at a time, which stay in its cache.

    Args:
        rng: seeds the noise.
        frames: N windows (T, S, S, 3) uint8.
        geometries: N draws.
        looks: N draws.
        crop_px: side of the centred square that is shown, and of the result.
        first_row: rows above are not computed.
        device: where it is done and the result lies.

    Returns:
        (N, 3 T, crop_px - first_row, crop_px) uint8, frame by frame: t0 B, G, R, t1 B, ...
    """
    n, n_frames = len(frames), len(frames[0])
    out = torch.empty((n, 3 * n_frames, crop_px - first_row, crop_px), dtype=torch.uint8, device=device)
    inset = _inset(frames[0].shape[1], crop_px, geometries)
    if device.type == "cpu" and inset is not None and all(look.is_plain for look in looks):
        planes = out.view(n, n_frames, 3, crop_px - first_row, crop_px).numpy()
        for window, place in zip(frames, planes, strict=True):
            shown = window[:, inset + first_row : inset + crop_px, inset : inset + crop_px]
            place[:] = shown.transpose(0, 3, 1, 2)
        return out
    step = CHUNK_WINDOWS if device.type == "cpu" else n
    for rows in (slice(first, first + step) for first in range(0, n, step)):
        some = torch.from_numpy(np.stack(frames[rows])).to(device)
        warped = warp_windows(some, geometries[rows], crop_px, crop_px, first_row)
        lit = apply_looks(rng, warped, looks[rows], crop_px)
        out[rows] = lit.round_() if lit.is_floating_point() else lit
    return out


def _image_window(windows: Tensor) -> ByteArray:
    """Turn levels (1, 3 T, H, W) into (T, H, W, 3) uint8, whose memory stays plane by plane."""
    _, planes, height, width = windows.shape
    frames = windows.round().to(torch.uint8).view(planes // 3, 3, height, width)
    return np.asarray(frames.permute(0, 2, 3, 1).numpy())
