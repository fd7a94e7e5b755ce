"""Accuracy of experts against counting by hand, and the choice of a threshold."""

import json

import numpy as np
import pytest
import torch

from lipsync_core.__main__ import main
from lipsync_core.checkpoints import load_state_dict
from lipsync_core.errors import InvalidInputError
from lipsync_core.models import LipSyncExpert
from lipsync_core.training.accuracy import (
    ClipScores,
    accuracy_of,
    by_identity,
    choose_threshold,
    expert_accuracy,
    expert_similarity,
    score_clips,
)
from lipsync_core.training.expert_report import ExpertOptions, _Run, report_expert, table_lines
from lipsync_core.training.tasks.held_out import split_clips


def scores_of(seed=0, n=9, identity="a"):
    rng = np.random.default_rng(seed)
    return ClipScores(identity, rng.random((n, n)).astype(np.float32), rng.random(n) < 0.6)


def counted(clips, threshold, selection, distance):
    """The protocol spelt out: every window against every other moment of its clip."""
    off, true, rank = [], [], []
    for clip in clips:
        n = len(clip.cosine)
        for v in range(n):
            if selection != "all" and not clip.is_speech[v]:
                continue
            true.append(clip.cosine[v, v] > threshold)
            others = [w for w in range(n) if abs(w - v) >= distance]
            if selection == "speech_pairs":
                others = [w for w in others if clip.is_speech[w]]
            if others:
                off.append(np.mean([clip.cosine[v, w] <= threshold for w in others]))
                rank.append(np.mean([clip.cosine[v, w] < clip.cosine[v, v] for w in others]))
    return np.mean(off), np.mean(true), np.mean(rank), len(true)


@pytest.mark.parametrize("selection", ["all", "speech", "speech_pairs"])
@pytest.mark.parametrize("distance", [1, 3, 6])
def test_accuracy_equals_counting(selection, distance):
    clips = [scores_of(seed, n) for seed, n in enumerate((9, 5, 12))]
    found = accuracy_of(clips, 0.55, selection, distance)
    got = (found.off_sync, found.in_sync, found.ranking, found.n_windows)
    assert got == pytest.approx(counted(clips, 0.55, selection, distance))


def test_no_pairs_give_no_figure():
    silent = ClipScores("a", np.ones((5, 5), np.float32), np.zeros(5, bool))
    assert accuracy_of([silent], selection="speech") is None
    assert accuracy_of([], 0.5) is None
    assert accuracy_of([silent], min_distance_frames=5) is None


def separable(border=0.7):
    """True pairs at 0.9 or just above the border, false ones below it."""
    cosine = np.full((20, 20), border - 0.02, np.float32)
    np.fill_diagonal(cosine, 0.9)
    cosine[0, 0] = border + 0.02
    return ClipScores("a", cosine, np.ones(20, bool))


def test_threshold_of_highest_balanced_accuracy():
    chosen = choose_threshold([separable()])
    assert chosen.threshold == pytest.approx(0.68, abs=0.0051)  # the lowest of equals
    assert (chosen.off_sync, chosen.in_sync, chosen.balanced) == (1.0, 1.0, 1.0)


def test_threshold_of_a_wanted_off_sync_accuracy():
    clips = [scores_of(seed, 15) for seed in range(5)]
    chosen = choose_threshold(clips, "off_sync", 0.8)
    assert chosen.off_sync >= 0.8
    below = accuracy_of(clips, chosen.threshold - 0.005, "speech")
    assert below.off_sync < 0.8 and below.in_sync >= chosen.in_sync
    with pytest.raises(InvalidInputError, match="110"):
        choose_threshold(clips, "off_sync", 1.1)
    with pytest.raises(InvalidInputError, match="'best'"):
        choose_threshold(clips, "best")
    with pytest.raises(InvalidInputError, match="no windows"):
        choose_threshold([])


def test_threshold_sees_only_windows_with_speech():
    clip = separable(0.7)
    noisy = clip.cosine.copy()
    noisy[10:] = 0.95  # silence, where everything fits
    heard = ClipScores("a", noisy, np.arange(20) < 10)
    assert choose_threshold([heard]).threshold == pytest.approx(0.68, abs=0.0051)


class BrightnessExpert(LipSyncExpert):
    """Sees the mean brightness of its frames and hears the mean level of its sound, as angles."""

    def embed_faces(self, faces):
        angle = faces.mean(dim=(1, 2, 3)) * 2
        return torch.stack((angle.cos(), angle.sin()), dim=1)

    def embed_audio(self, mel):
        angle = (mel.mean(dim=(1, 2, 3)) + 4) / 8 * 2
        return torch.stack((angle.cos(), angle.sin()), dim=1)


def test_similarity_is_of_the_right_windows(prepared):
    clip = prepared.clips[0]
    cosine = expert_similarity(BrightnessExpert(0.25).eval(), prepared, clip)
    n = prepared.last_start(clip) + 1
    assert cosine.shape == (n, n)
    v, w = 3, 20
    frames = prepared.faces(clip, v, 5)[:, 12:108, 12:108][:, 48:]
    seen = frames.mean() / 255 * 2
    heard = (prepared.mel_at(clip, w).mean() + 4) / 8 * 2
    assert cosine[v, w] == pytest.approx(np.cos(seen - heard), abs=2e-3)


@pytest.mark.parametrize("window_frames", [1, 3])
def test_short_experts_see_the_central_frames(prepared, window_frames):
    clip = prepared.clips[0]
    expert = BrightnessExpert(0.25).eval()
    expert.window_frames = window_frames
    cosine = expert_similarity(expert, prepared, clip)
    lead = (5 - window_frames) // 2
    frames = prepared.faces(clip, 7 + lead, window_frames)[:, 12:108, 12:108][:, 48:]
    heard = (prepared.mel_at(clip, 7).mean() + 4) / 8 * 2
    assert cosine[7, 7] == pytest.approx(np.cos(frames.mean() / 255 * 2 - heard), abs=2e-3)


def test_expert_accuracy_is_that_of_its_scores(prepared):
    expert = BrightnessExpert(0.25).eval()
    clips = prepared.clips[:3]
    scores = score_clips(expert, prepared, clips)
    assert expert_accuracy(expert, prepared, clips, 0.9) == accuracy_of(scores, 0.9)
    assert expert_accuracy(expert, prepared, clips, 0.9, speech_only=True) == accuracy_of(
        scores, 0.9, "speech"
    )
    with pytest.raises(InvalidInputError, match="0 clips"):
        expert_accuracy(expert, prepared, [])


def test_threshold_is_chosen_on_what_the_run_held_out(prepared):
    clips = prepared.clips
    told, words = _Run({"val_clips": 0.25, "val_by": "clip", "seed": 3}).held_out(clips)
    assert told == split_clips(clips, 0.25, "clip", 3)[1]
    assert words == "2 clips that the run held out"
    people, _ = _Run({"val_clips": 0.3, "val_by": "identity", "seed": 3}).held_out(clips)
    assert len({c.identity for c in people}) == 1
    assert "may have trained on" in _Run({}).held_out(clips)[1]
    assert _Run({"expert_mel_offset_frames": 1.0}).mel_offset_frames == 1.0


@pytest.fixture(scope="module")
def expert_file(tmp_path_factory):
    from safetensors.torch import save_file

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("expert") / "expert.safetensors"
    save_file(LipSyncExpert(0.25).state_dict(), path, metadata={"width": "0.25"})
    return path


def test_report_by_person_with_a_threshold_of_training_clips(expert_file, prepared_folder):
    report = report_expert(
        expert_file, prepared_folder, ExpertOptions(threshold_from=prepared_folder, seen=("a",))
    )
    assert list(report.groups) == ["everyone", "people seen in training", "unseen people", "a", "b", "c"]
    assert report.threshold == report.chosen_on.threshold
    assert report.chosen_on.n_windows < report.groups["everyone"]["all"].n_windows
    everyone = report.groups["everyone"]["all"]
    parts = [report.groups[name]["all"] for name in "abc"]
    assert everyone.n_windows == sum(p.n_windows for p in parts) == 36 * 8
    assert everyone.in_sync * everyone.n_windows == pytest.approx(sum(p.in_sync * p.n_windows for p in parts))
    assert len(table_lines(report)) == 3 + sum(len(found) for found in report.groups.values())
    with pytest.raises(InvalidInputError, match="exclude each other"):
        report_expert(
            expert_file, prepared_folder, ExpertOptions(threshold=0.4, threshold_from=prepared_folder)
        )


def test_command_prints_the_table_and_writes_json(expert_file, prepared_folder, tmp_path, capsys):
    out = tmp_path / "expert.json"
    arguments = ["evaluate", "--expert", str(expert_file), "--data", str(prepared_folder)]
    assert main([*arguments, "--threshold", "0.25", "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "threshold 0.250 (given)" in printed
    written = json.loads(out.read_text())
    share = written["groups"]["everyone"]["all"]["off_sync"]
    assert f"{share:.1%}" in printed and written["window_frames"] == 5
    assert main(arguments[:3]) == 2
    assert "needs --data" in capsys.readouterr().err


def test_published_containers_and_names_are_read(expert_file, prepared_folder, tmp_path, capsys):
    state = {f"module.{k}": v for k, v in load_state_dict(expert_file).items()}
    torch.save({"state_dict": state, "optimizer": {}}, tmp_path / "expert.pth")
    arguments = ["evaluate", "--data", str(prepared_folder), "--json", "--expert"]
    found = []
    for choice in (str(expert_file), str(tmp_path / "expert.pth"), "embedded", "no_such_expert"):
        code = main([*arguments, choice])
        found.append((code, capsys.readouterr().out))
    groups = [json.loads(out)["groups"] for code, out in found[:3] if code == 0]
    assert groups[0] == groups[1] != groups[2]
    assert found[3] == (2, "")


def test_people_are_kept_apart():
    clips = [scores_of(identity=name) for name in ("b", "a", "b")]
    assert {name: len(found) for name, found in by_identity(clips).items()} == {"a": 1, "b": 2}
