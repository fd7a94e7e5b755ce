"""Numbers of the published recipe, as they were measured on the published code."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lipsync_core.errors import InvalidInputError, NoFaceError
from lipsync_core.faces import FaceBox
from lipsync_core.recipe import RecipeOptions, chunk_starts, prepare_frame, published_recipe, smooth_boxes


def boxes_at(*xs: int) -> np.ndarray:
    return np.array([[x, 0, x + 50, 60] for x in xs], np.int64)


def test_smoothing_runs_ahead_and_truncates() -> None:
    assert smooth_boxes(boxes_at(0, 10, 20, 30, 40, 50, 60, 70))[:, 0].tolist() == [
        20, 30, 40, 50, 54, 56, 58, 57,
    ]  # fmt: skip


def test_smoothing_of_few_boxes_wraps() -> None:
    assert smooth_boxes(boxes_at(0, 10, 20))[:, 0].tolist() == [15, 15, 17]
    assert smooth_boxes(boxes_at(7))[:, 0].tolist() == [7]


def test_smoothing_leaves_its_input() -> None:
    boxes = boxes_at(0, 10, 20, 30, 40, 50)
    smooth_boxes(boxes)
    assert boxes[:, 0].tolist() == [0, 10, 20, 30, 40, 50]


@pytest.mark.parametrize(("fps", "missing"), [(24, 3), (25, 3), (30, 4), (50, 7), (60, 9)])
def test_output_is_short(fps: int, missing: int) -> None:
    """4 s of sound have 321 columns; the published script then makes this many frames too few."""
    starts = chunk_starts(1 + 4 * 16000 // 200, fps)
    assert 4 * fps - len(starts) == missing
    assert starts[-1] == 321 - 16
    assert starts[:3] == [0, int(80 / fps), int(160 / fps)]


class Fixed:
    """Answers one box, or none on black frames."""

    name = "fixed"

    def __init__(self, box: tuple[float, float, float, float]) -> None:
        self.box = box

    def detect(self, frame_bgr: np.ndarray) -> list[FaceBox]:
        if not frame_bgr.any():
            return []
        return [FaceBox(0, 0, 90, 70, 0.6), FaceBox(*self.box, 0.9)]


class Constant(nn.Module):
    """Generates one colour and remembers what it was given."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = level
        self.faces: list[Tensor] = []

    def forward(self, mel: Tensor, faces: Tensor) -> Tensor:
        self.faces.append(faces)
        return torch.full((len(mel), 3, 96, 96), self.level)


SPEECH = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)  # 1 s: 81 columns, 22 frames at 25


def frames_of(count: int) -> list[np.ndarray]:
    return [np.full((80, 100, 3), 40 + n, np.uint8) for n in range(count)]


def run(network: nn.Module, frames: list[np.ndarray], **options: object) -> list[np.ndarray]:
    detector = Fixed((-4.7, 10.9, 30.9, 50.2))
    settings = RecipeOptions(**options)  # type: ignore[arg-type]
    return list(published_recipe(network, lambda: iter(frames), SPEECH, 25.0, detector, options=settings))


def test_hard_rectangle_truncated_colours_and_box() -> None:
    frames = frames_of(30)
    out = run(Constant(100.9 / 255), frames)
    assert len(out) == 22
    for n, frame in enumerate(out):
        expected = np.full((80, 100, 3), 40 + n, np.uint8)
        expected[10:60, 0:30] = 100  # truncated, chin pad of 10, box clipped at 0 and truncated
        assert np.array_equal(frame, expected)
    assert all((f == 40 + n).all() for n, f in enumerate(frames))  # the source is not written to


def test_network_input_is_masked_first_from_row_48() -> None:
    network = Constant(0.5)
    run(network, frames_of(30))
    faces = torch.cat(network.faces)
    assert faces.shape == (22, 6, 96, 96)
    for n in range(22):
        value = torch.tensor((40 + n) / 255.0, dtype=torch.float64).float()
        assert (faces[n, 3:] == value).all()
        assert (faces[n, :3, :48] == value).all()
        assert (faces[n, :3, 48:] == 0).all()


def test_division_in_single_precision_equals_the_published_double() -> None:
    values = np.arange(256)
    assert np.array_equal(np.float32(values / 255.0), values.astype(np.float32) / np.float32(255))


def test_short_video_starts_again_and_static_keeps_one_frame() -> None:
    levels = [int(frame[70, 90, 0]) for frame in run(Constant(0.5), frames_of(8))]
    assert levels == [40 + n % 8 for n in range(22)]
    static = [int(frame[70, 90, 0]) for frame in run(Constant(0.5), frames_of(8), static=True)]
    assert static == [40] * 22


def test_frames_beyond_the_speech_are_not_looked_at() -> None:
    black_tail = frames_of(22) + [np.zeros((80, 100, 3), np.uint8)] * 5
    assert len(run(Constant(0.5), black_tail)) == 22


def test_a_frame_without_a_face_ends_it() -> None:
    frames = frames_of(20)
    frames[13] = np.zeros((80, 100, 3), np.uint8)
    with pytest.raises(NoFaceError, match="frame 13"):
        run(Constant(0.5), frames)


def test_fixed_box_is_top_bottom_left_right() -> None:
    (out, *_) = run(Constant(1.0), [np.zeros((80, 100, 3), np.uint8)] * 3, box=(20, 60, 5, 45))
    rows, cols = np.nonzero(out[:, :, 0])
    assert (rows.min(), rows.max() + 1, cols.min(), cols.max() + 1) == (20, 60, 5, 45)


def test_shrink_turn_crop_in_this_order() -> None:
    frame = np.arange(80 * 100 * 3, dtype=np.uint32).astype(np.uint8).reshape(80, 100, 3)
    turned = prepare_frame(frame, RecipeOptions(rotate=True))
    assert np.array_equal(turned, np.rot90(frame, -1))
    assert prepare_frame(frame, RecipeOptions(resize_factor=3)).shape == (26, 33, 3)
    cropped = prepare_frame(frame, RecipeOptions(rotate=True, crop=(10, -1, 5, 20)))
    assert np.array_equal(cropped, np.rot90(frame, -1)[10:, 5:20])


def test_too_little_sound() -> None:
    def no_frames() -> Iterator[np.ndarray]:
        return iter(())

    with pytest.raises(InvalidInputError, match="3000"):
        list(published_recipe(Constant(0.5), no_frames, SPEECH[:2999], 25.0, Fixed((0, 0, 9, 9))))
    with pytest.raises(InvalidInputError, match="no frames"):
        list(published_recipe(Constant(0.5), no_frames, SPEECH, 25.0, Fixed((0, 0, 9, 9))))
