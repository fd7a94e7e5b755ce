import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from training_data import write_prepared

from lipsync_core.errors import InvalidInputError
from lipsync_core.training.dataset import PreparedClips, WindowSampler


def test_windows_have_frames_and_sound_up_to_the_last_start(prepared):
    clip = prepared.clips[3]
    last = prepared.last_start(clip)
    assert last == 35
    assert prepared.faces(clip, last).shape == (5, 120, 120, 3)
    assert prepared.heads(clip, last).shape == (5, 112, 112, 3)
    assert prepared.mfcc_at(clip, last).shape == (13, 20)
    assert not np.any(np.all(prepared.mel_at(clip, last) == -4, axis=0)), "all columns are real sound"


def test_windows_come_from_their_own_clip(prepared):
    first, second = prepared.clips[:2]
    np.testing.assert_array_equal(
        prepared.faces(second, 0, 1)[0], prepared.faces(first, first.n_frames, 1)[0]
    )
    np.testing.assert_array_equal(
        prepared.mel(second)[:, 0], prepared.mel(replace(first, first_mel=first.n_mel))[:, 0]
    )
    before_start = prepared.mel_at(second, 0, -2)
    assert np.all(before_start[:, :7] == -4), "never the end of the clip before"


def test_wide_windows_are_centred_on_the_middle_of_their_frame(prepared):
    clip = prepared.clips[1]
    wide = prepared.mel_at(clip, 20, columns=27)
    assert wide.shape == (80, 27)
    first = int(np.floor(3.2 * 20.5 - 13.5))
    np.testing.assert_array_equal(wide, prepared.mel(clip)[:, first : first + 27])


def test_shards_read_as_one_and_in_the_order_of_their_sources(tmp_path):
    write_prepared(tmp_path / "whole", ["a", "b", "c", "d"])
    (tmp_path / "parts").mkdir()
    for number, people in enumerate((["x", "z"], ["y"])):
        folder = write_prepared(tmp_path / "parts" / f"shard-0000{number}", people)
        index = json.loads((folder / "clips.json").read_text())
        for record in index["clips"]:
            record["source"] = f"{record['identity']}/one.mp4"
        (folder / "clips.json").write_text(json.dumps(index))
    data = PreparedClips(tmp_path / "parts")
    assert [c.identity for c in data.clips] == ["x", "y", "z"]
    assert len({c.first_frame for c in data.clips}) == 3
    lone = PreparedClips(tmp_path / "parts" / "shard-00001")
    for read in ("faces", "heads", "mfcc_at", "mel_at"):
        args = (7,) if read.endswith("at") else (3, 5)
        here, there = getattr(data, read)(data.clips[1], *args), getattr(lone, read)(lone.clips[0], *args)
        np.testing.assert_array_equal(here, there)


def test_a_truncated_array_is_refused_before_training(tmp_path):
    folder = write_prepared(tmp_path / "data", ["a"])
    faces = folder / "faces.u8"
    faces.write_bytes(faces.read_bytes()[:-1])
    with pytest.raises(InvalidInputError, match=r"faces\.u8 has \d+ bytes"):
        PreparedClips(folder)


def test_identities_are_balanced_by_power(prepared):
    rng = np.random.default_rng(0)

    def share_of_a(power):
        sampler = WindowSampler(prepared, power)
        return np.mean([sampler.clip(rng).identity == "a" for _ in range(2_000)])

    assert share_of_a(1.0) == pytest.approx(6 / 8, abs=0.04)
    assert share_of_a(0.0) == pytest.approx(1 / 3, abs=0.04)


@pytest.mark.parametrize(("count", "gap"), [(8, 2), (8, 4), (1, 2), (8, 5)])
def test_starts_keep_their_distance(prepared, count, gap):
    rng = np.random.default_rng(1)
    sampler = WindowSampler(prepared, 1.0)
    seen = set()
    for _ in range(200):
        starts = sampler.starts(rng, prepared.clips[0], count, gap)
        assert len(starts) == count
        assert all(b - a >= gap for a, b in itertools.pairwise(starts))
        assert starts[0] >= 0
        assert starts[-1] <= 35
        seen.update(starts)
    assert {0, 35} <= seen


def test_other_folders_and_versions_are_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="preprocess"):
        PreparedClips(tmp_path)
    (tmp_path / "clips.json").write_text(json.dumps({"format_version": 99, "clips": []}))
    with pytest.raises(InvalidInputError, match="99"):
        PreparedClips(tmp_path)
