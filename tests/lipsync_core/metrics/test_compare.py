"""Videos against the true ones, frame by frame."""

import math

import numpy as np
import pytest
from synthetic import ffmpeg

from lipsync_core.errors import MediaError
from lipsync_core.media import read_frames
from lipsync_core.metrics.compare import compare_videos, mean_of
from lipsync_core.metrics.face_sets import FaceSets
from lipsync_core.metrics.features import load_embedded_features
from lipsync_core.metrics.full_reference import psnr_db, ssim


def test_every_frame_is_compared_with_its_own(short):
    made, true = short
    found = compare_videos(made, true)
    pairs = list(zip(read_frames(made), read_frames(true), strict=True))
    assert found.n_frames == len(pairs) == 10
    assert found.psnr_db.values == pytest.approx([psnr_db(a, b) for a, b in pairs])
    assert found.ssim.values[7] == pytest.approx(ssim(*pairs[7]))
    assert len(found.face_psnr_db.values) == 10
    assert found.face_psnr_db.mean < found.psnr_db.mean  # the damage is in the face
    assert found.lmd_px is None and found.notices == ()


def test_equal_videos_are_infinitely_near(short):
    found = compare_videos(short[1], short[1])
    assert found.psnr_db.mean == math.inf and found.ssim.mean == 1.0
    plain = found.to_dict()
    assert plain["n_identical_frames"] == 10 and plain["mean"]["psnr_db"] == "inf"
    assert plain["frames"]["psnr_db"] == ["inf"] * 10 and "lmd_px" not in plain["frames"]


def test_mouths_are_looked_for_in_the_box_of_the_true_face(short):
    asked = []

    def find(frame, box):
        asked.append((frame, box))
        points = np.array([[0.0, 0.0], [1.0, 0.0]]) * (1 + len(asked) % 2)
        return None if len(asked) == 2 else points

    found = compare_videos(*short, find_mouth=find)
    assert len(asked) == 20 and asked[0][1] == asked[1][1]
    assert asked[0][0].sum() != asked[1][0].sum()
    assert found.lmd_px.values == pytest.approx([0.5] * 9)  # the frame without a mouth is left out


def test_faces_of_every_fifth_frame_go_into_the_sets(short):
    sets = FaceSets(load_embedded_features())
    compare_videos(*short, sets)
    result = sets.frechet()
    assert (result.n_pictures, result.n_features) == (2, sets.features.size)
    assert result.distance > 0.01 and result.name.startswith("Frechet distance (embedded")
    assert FaceSets(sets.features).frechet() is None


def test_other_sizes_rates_and_lengths_are_told(short, tmp_path):
    small = tmp_path / "small.mp4"
    twice = tmp_path / "twice.mkv"
    ffmpeg("-stream_loop", "2", "-i", short[1], "-c", "copy", twice)
    ffmpeg("-i", short[1], "-vf", "scale=192:144,fps=50", "-t", "0.2", small)
    found = compare_videos(small, twice)
    assert found.n_frames == 5
    words = " ".join(found.notices)
    assert "192x144" in words and "not at the 50" in words and "the last 1.0 s of twice.mkv" in words


def test_sound_is_no_picture(short, tmp_path):
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", tmp_path / "s.wav")
    with pytest.raises(MediaError):
        compare_videos(tmp_path / "s.wav", short[1])


def test_means_leave_out_what_is_not_known():
    assert mean_of([1.0, None, 3.0, math.inf]) == 2.0
    assert mean_of([math.inf, None]) == math.inf
    assert mean_of([None]) is None
