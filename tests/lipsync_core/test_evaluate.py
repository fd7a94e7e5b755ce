from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lipsync_core.errors import InvalidInputError
from lipsync_core.evaluate import LSE, ShiftDistances, lse, lse_of_distances

GOLDEN = Path(__file__).parent / "data" / "lse.npz"


def features(n: int, d: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def torch_reference(video: np.ndarray, audio: np.ndarray, max_shift: int) -> np.ndarray:
    """Mean distance per shift, spelt out with torch's own pairwise_distance."""
    padded = torch.nn.functional.pad(torch.from_numpy(audio), (0, 0, max_shift, max_shift))
    rows = [
        torch.nn.functional.pairwise_distance(
            torch.from_numpy(video[i : i + 1]).repeat(2 * max_shift + 1, 1), padded[i : i + 2 * max_shift + 1]
        )
        for i in range(len(video))
    ]
    return torch.stack(rows).mean(0).numpy()


def test_matches_the_published_computation() -> None:
    golden = np.load(GOLDEN)
    result = lse(golden["video"], golden["audio"])
    assert result.distance == pytest.approx(float(golden["distance"]), abs=1e-5)
    assert result.confidence == pytest.approx(float(golden["confidence"]), abs=1e-5)
    assert result.offset == int(golden["offset"])
    np.testing.assert_allclose(result.distances, golden["mean_distance"], atol=1e-5)
    assert result.n_windows == 60


@pytest.mark.parametrize("n", [1, 7, 40, 300])
@pytest.mark.parametrize("max_shift", [0, 3, 15])
def test_matches_torch_for_short_and_long_stretches(n: int, max_shift: int) -> None:
    video, audio = features(n, seed=1), features(n, seed=2)
    result = lse(video, audio, max_shift)
    np.testing.assert_allclose(result.distances, torch_reference(video, audio, max_shift), atol=1e-5)
    assert result.distances.shape == (2 * max_shift + 1,)


def test_identical_features_are_only_the_epsilon_apart() -> None:
    same = features(50, 16)
    result = lse(same, same)
    assert result.distance == pytest.approx(1e-6 * np.sqrt(16), rel=1e-6)
    assert result.offset == 0
    # The other 30 shifts compare independent vectors; the median is the 16th of the 31 values.
    assert result.confidence == pytest.approx(np.sort(result.distances)[15] - result.distance)


@pytest.mark.parametrize("shift", [-9, -1, 4])
def test_sign_of_the_offset(shift: int) -> None:
    long = features(120, 16)
    video, audio = long[20:100], long[20 - shift : 100 - shift]  # audio[v + shift] == video[v]
    assert lse(video, audio).offset == -shift


def test_zero_vectors_stand_beyond_both_ends() -> None:
    video = np.full((1, 4), 2.0, np.float32)
    result = lse(video, video, 1)
    assert result.distances == pytest.approx([4.0, 2e-6, 4.0], abs=1e-5)


def test_more_sound_than_picture_is_heard_and_more_picture_is_left_out() -> None:
    long = features(60)
    assert lse(long[:30], long).n_windows == 30
    assert lse(long, long[:30]).n_windows == 30
    # Shift +15 of the last window is a real feature, not a zero vector.
    expected = torch_reference(long[:30], long, 15)
    np.testing.assert_allclose(lse(long[:30], long).distances, expected, atol=1e-5)


def test_takes_tensors_with_gradient() -> None:
    same = torch.from_numpy(features(20)).requires_grad_()
    assert lse(same, same).offset == 0


@pytest.mark.parametrize("pieces", [[1] * 50, [20, 20, 10], [3, 40, 7], [50]])
def test_pieces_give_what_the_whole_gives(pieces: list[int]) -> None:
    video, audio = features(50, seed=3), features(50, seed=4)
    shifts = ShiftDistances(15)
    rows = []
    at = 0
    for count in pieces:
        shifts.push_audio(audio[at : at + count])
        rows.append(shifts.push_video(video[at : at + count]))
        at += count
    rows.append(shifts.finish())
    together = lse_of_distances(np.concatenate(rows))
    np.testing.assert_allclose(together.distances, lse(video, audio).distances, rtol=1e-12)


def test_held_features_do_not_grow() -> None:
    shifts = ShiftDistances(15)
    for _ in range(20):
        shifts.push_audio(features(50))
        shifts.push_video(features(50))
        assert shifts._audio is not None and shifts._video is not None
        assert len(shifts._audio) <= 30 + 50 and len(shifts._video) <= 50


@pytest.mark.parametrize(
    ("video", "audio", "words"),
    [
        (np.zeros((3, 4)), np.zeros((3, 5)), "4 numbers a window and audio features 5"),
        (np.zeros((0, 4)), np.zeros((3, 4)), r"\(0, 4\)"),
        (np.zeros(4), np.zeros((3, 4)), "windows, numbers"),
        (np.full((3, 4), np.nan), np.zeros((3, 4)), "NaN"),
    ],
)
def test_bad_features_are_refused(video: np.ndarray, audio: np.ndarray, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        lse(video, audio)


def test_negative_shift_and_empty_distances_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="-1"):
        lse(features(3), features(3), -1)
    with pytest.raises(InvalidInputError, match=r"\(0, 31\)"):
        lse_of_distances(np.zeros((0, 31)))


def test_result_is_frozen_and_named_as_promised() -> None:
    result = lse(features(5), features(5))
    assert isinstance(result, LSE)
    assert {"distance", "confidence", "offset"} <= set(LSE.__dataclass_fields__)
    with pytest.raises(AttributeError):
        result.distance = 0.0  # type: ignore[misc]
