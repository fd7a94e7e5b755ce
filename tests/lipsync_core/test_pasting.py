"""Pasting: what must not change, what must not show."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import astronaut_frame, planar_frame

from lipsync_core.errors import InvalidInputError
from lipsync_core.faces.geometry import crop_resized
from lipsync_core.faces.pasting import FacePatch, lower_face_mask, paste

BOX = (150, 70, 240, 200)


def patch_of(frame: np.ndarray, box: tuple[int, int, int, int] = BOX, opacity: float = 1.0) -> FacePatch:
    return FacePatch(box, crop_resized(frame, box, 96), opacity)


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (90, 130), (91, 131), (300, 401)])
def test_mask_is_soft_and_ends_inside(size: tuple[int, int]) -> None:
    width, height = size
    mask = lower_face_mask(width, height)
    assert mask.shape == (height, width)
    assert mask[: -(-height // 2)].max(initial=0) == 0
    assert 0 <= mask.min() <= mask.max() <= 1
    if width >= 90:
        assert mask.max() == 1
        assert max(mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0
        assert np.abs(np.diff(mask, axis=0)).max() < 20 / height
        assert np.abs(np.diff(mask, axis=1)).max() < 12 / width
        assert np.allclose(mask, mask[:, ::-1], atol=1e-6)


def test_upper_half_and_outside_are_untouched() -> None:
    frame = astronaut_frame()
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    before = frame.copy()
    out = paste(frame, FacePatch(BOX, noise))
    assert np.array_equal(frame, before)
    x1, y1, x2, y2 = BOX
    changed = (out != frame).any(axis=2)
    rows, cols = np.nonzero(changed)
    assert rows.min() >= (y1 + y2) // 2
    assert rows.max() < y2
    assert cols.min() >= x1
    assert cols.max() < x2
    assert changed[y1 + 97, (x1 + x2) // 2]


@pytest.mark.parametrize("scale", [1, 3])
def test_pasting_the_face_itself_changes_next_to_nothing(scale: int) -> None:
    frame = astronaut_frame(384 * scale, 288 * scale)
    box = tuple(scale * v for v in BOX)
    out = paste(frame, patch_of(frame, box))
    assert np.abs(out.astype(int) - frame).mean() < 0.06
    x1, y1, x2, y2 = box
    assert np.abs(out[y1:y2, x1:x2].astype(int) - frame[y1:y2, x1:x2]).max() <= 36  # teeth and lips, 96 px


def test_a_colour_cast_is_matched_away() -> None:
    frame = astronaut_frame()
    face = crop_resized(frame, BOX, 96).astype(int)
    tinted = np.clip(0.92 * face + (14, -6, 8), 0, 255).astype(np.uint8)
    out = paste(frame, FacePatch(BOX, tinted)).astype(int)
    x1, y1, x2, y2 = BOX
    core = lower_face_mask(x2 - x1, y2 - y1) > 0.9
    shift = (out - frame)[y1:y2, x1:x2][core]
    assert np.abs(shift.mean(axis=0)).max() < 3


def test_content_is_not_matched_away() -> None:
    """A dark open mouth stays dark: only the surroundings decide on the colours."""
    frame = astronaut_frame()
    face = crop_resized(frame, BOX, 96)
    face[62:74, 36:60] = 20
    out = paste(frame, FacePatch(BOX, face))
    x1, y1, x2, y2 = BOX
    row, column = y1 + round(68 / 96 * (y2 - y1)), (x1 + x2) // 2
    assert out[row, column].max() < 45


def test_opacity_scales_the_change() -> None:
    frame = astronaut_frame()
    face = np.full((96, 96, 3), 90, np.uint8)
    full, half, none = (paste(frame, FacePatch(BOX, face, o)).astype(int) - frame for o in (1.0, 0.5, 0.0))
    assert not none.any()
    assert np.abs(half - full / 2).max() <= 1


def test_bad_patches_are_refused() -> None:
    face = np.zeros((96, 96, 3), np.uint8)
    for bad in ({"face_bgr": face[:50]}, {"box": (5, 5, 5, 9)}, {"box": (-1, 0, 9, 9)}, {"opacity": 1.1}):
        with pytest.raises(InvalidInputError):
            FacePatch(**({"box": (0, 0, 9, 9), "face_bgr": face} | bad))  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="another size"):
        paste(astronaut_frame(), FacePatch((300, 200, 400, 300), face))


@pytest.mark.parametrize("box", [BOX, (151, 71, 240, 201)])
def test_planar_frames_change_only_in_the_lower_face(box: tuple[int, int, int, int]) -> None:
    frame = planar_frame(astronaut_frame())
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    out = paste(frame, FacePatch(box, noise))
    x1, y1, x2, y2 = box
    for plane, before, per_sample in ((out.y, frame.y, 1), (out.u, frame.u, 2), (out.v, frame.v, 2)):
        rows, cols = np.nonzero(plane != before)
        assert per_sample * rows.min() >= (y1 + y2) // 2
        assert per_sample * (rows.max() + 1) <= y2
        assert per_sample * cols.min() >= x1
        assert per_sample * (cols.max() + 1) <= x2


def test_planar_and_bgr_frames_come_out_the_same() -> None:
    frame = planar_frame(astronaut_frame())
    face = np.clip(patch_of(frame.to_bgr()).face_bgr.astype(int) + 15, 0, 255).astype(np.uint8)
    face[60:75, 35:60] = 30
    patch = FacePatch(BOX, face)
    difference = paste(frame, patch).to_bgr().astype(int) - paste(frame.to_bgr(), patch)
    assert np.abs(difference).mean() < 0.1  # where they differ: colour edges finer than chroma samples
    assert np.abs(difference[BOX[1] : BOX[3], BOX[0] : BOX[2]]).mean() < 1


def test_skin_keeps_the_texture_that_no_generated_face_can_have() -> None:
    """Pores and freckles are finer than 96 pixels: they come from the frame, but for the lips."""
    import cv2

    box = (60, 40, 360, 340)
    smooth = cv2.GaussianBlur(astronaut_frame(420, 380), (0, 0), 6).astype(int)
    pores = np.random.default_rng(1).integers(-6, 7, smooth.shape)
    frame = np.clip(smooth + pores, 0, 255).astype(np.uint8)
    darker_jaw = crop_resized(frame, box, 96).astype(np.float32)
    darker_jaw[60:, 30:66] -= 25  # other content than the frame's: its coarse detail does not fit
    out = paste(frame, FacePatch(box, np.clip(darker_jaw, 0, 255).astype(np.uint8)))

    def fine(image: np.ndarray, rows: slice, columns: slice) -> float:
        grey = image[40:340, 60:360].astype(np.float32).mean(axis=2)
        return float((grey - cv2.GaussianBlur(grey, (0, 0), 2))[rows, columns].std())

    chin, lips = (slice(262, 285), slice(110, 190)), (slice(200, 230), slice(125, 175))
    assert fine(out, *chin) > 0.7 * fine(frame, *chin)
    assert fine(out, *lips) < 0.75 * fine(frame, *lips)
