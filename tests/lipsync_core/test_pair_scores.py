"""Scores of pairs: the numbers of the parts, resumption, and the command."""

import csv
import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from synthetic import ffmpeg, make_talking_face

from lipsync_core.__main__ import main
from lipsync_core.errors import InvalidInputError
from lipsync_core.loading import load
from lipsync_core.media import read_audio, read_frames
from lipsync_core.metrics.features import load_embedded_features
from lipsync_core.models import SyncNet, Wav2Lip
from lipsync_core.pair_runs import RESULTS_FILE, PairRun, mean_figures
from lipsync_core.pair_scores import PairJudge, score_pair
from lipsync_core.pairs import Pair
from lipsync_core.scoring import load_syncnet, score_frames

PAIR = Pair("speech", "face")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("root")
    make_talking_face(folder / "face.mp4", 1.6)
    ffmpeg("-f", "lavfi", "-i", "aevalsrc='0.2*sin(900*t)*sin(13*t)':s=16000:d=1.22", folder / "speech.wav")
    torch.manual_seed(0)
    save_file(Wav2Lip(0.25).state_dict(), folder / "generator.safetensors", metadata={"width": "0.25"})
    save_file(SyncNet(0.125).state_dict(), folder / "syncnet.safetensors", metadata={"width": "0.125"})
    (folder / "list.txt").write_text("speech face\nabsent face\n")
    return folder


@pytest.fixture(scope="module")
def syncnet(root):
    return load_syncnet(str(root / "syncnet.safetensors"))


@pytest.fixture(scope="module")
def judge(root, syncnet):
    syncer = load(str(root / "generator.safetensors"))
    return PairJudge("generated", syncnet, syncer, features=load_embedded_features(), weights_sha256="w")


def test_a_generated_pair_is_as_long_as_its_speech(root, judge, syncnet):
    score, features = score_pair(PAIR, root, judge)
    assert (score.n_frames, score.n_generated, score.n_windows, score.error) == (30, 30, 25, None)
    speech = read_audio(root / "speech.wav")
    frames = list(read_frames(root / "face.mp4", fps=Fraction(25)))[:30]
    made = [synced.pasted() for synced in judge.syncer(frames, speech, 25)]
    expected = score_frames(made, speech, syncnet).whole
    assert (score.lse_d, score.lse_c) == (expected.distance, expected.confidence)
    assert features.shape == (2, 6, judge.features.size)
    assert np.abs(features[0] - features[1]).max() > 0.01


def test_unsynced_and_real_pairs_are_not_generated(root, syncnet):
    unsynced, features = score_pair(PAIR, root, PairJudge("unsynced", syncnet))
    real, _ = score_pair(PAIR, root, PairJudge("real", syncnet))
    assert features is None and (unsynced.n_frames, unsynced.n_generated) == (30, 0)
    assert real.n_windows == 35 and unsynced.lse_d != real.lse_d


def test_what_goes_wrong_stands_in_the_score(root, syncnet):
    absent, _ = score_pair(Pair("absent", "face"), root, PairJudge("unsynced", syncnet))
    assert absent.lse_d is None and "no file" in absent.error
    short, _ = score_pair(PAIR, root, PairJudge("unsynced", syncnet, min_track_frames=101))
    assert short.lse_d is None and "4 s or longer" in short.error
    with pytest.raises(InvalidInputError, match="unsynced pairs and a generator"):
        PairJudge("unsynced", syncnet, load(str(root / "generator.safetensors")))


def test_a_run_goes_on_where_it_stopped(root, judge, syncnet, tmp_path, monkeypatch):
    first = PairRun(tmp_path / "out", judge).scores([PAIR], root)
    assert PairRun(tmp_path / "out", judge).frechet([PAIR]).n_pictures == 6
    results = tmp_path / "out" / RESULTS_FILE
    results.write_text(results.read_text() + '{"key": {}, "audio": "half a li')
    monkeypatch.setattr("lipsync_core.pair_runs.score_pair", lambda *_: pytest.fail("scored again"))
    again = PairRun(tmp_path / "out", judge)
    assert again.scores([PAIR], root) == first
    assert len(results.read_text().splitlines()) == 1
    monkeypatch.undo()
    other = PairRun(tmp_path / "out", PairJudge("unsynced", syncnet))  # other settings: not the same numbers
    assert other.scores([PAIR], root) != first
    assert PairRun(tmp_path / "out", judge).scores([PAIR], root) == first


def test_failed_pairs_are_tried_again(root, syncnet, tmp_path):
    judge = PairJudge("unsynced", syncnet)
    scores = PairRun(tmp_path, judge).scores([Pair("absent", "face"), PAIR], root)
    assert len((tmp_path / RESULTS_FILE).read_text().splitlines()) == 1
    means = mean_figures(scores)
    assert (means["n_pairs"], means["n_failed"], means["lse_d"]) == (1, 1, scores[1].lse_d)
    assert mean_figures([])["lse_d"] is None


def run(root, tmp_path, *more):
    return main(
        ["evaluate", "--pairs", str(root / "list.txt"), "--root", str(root), "--syncnet",
         str(root / "syncnet.safetensors"), "--out", str(tmp_path / "out"), *map(str, more)]
    )  # fmt: skip


def test_the_command_scores_a_list_and_repeats_its_numbers(root, tmp_path, capsys):
    weights = ("--weights", root / "generator.safetensors")
    for n in (1, 2):
        assert (
            run(root, tmp_path, *weights, "--json", tmp_path / f"{n}.json", "--csv", tmp_path / f"{n}.csv")
            == 0
        )
    printed = capsys.readouterr().out
    assert "not measured: absent face: no file" in printed and "1 pairs  LSE-D" in printed
    assert "Frechet distance (embedded SyncNet features)" in printed
    first, second = (json.loads((tmp_path / f"{n}.json").read_text()) for n in (1, 2))
    assert first == second and first["mean"]["n_failed"] == 1
    assert first["pairs"][0]["lse_d"] == pytest.approx(first["mean"]["lse_d"])
    rows = list(csv.DictReader((tmp_path / "1.csv").read_text().splitlines()))
    assert float(rows[0]["lse_d"]) == first["pairs"][0]["lse_d"] and rows[1]["error"]


def test_the_command_without_a_generator_and_its_refusals(root, tmp_path, capsys):
    assert run(root, tmp_path, "--unsynced", "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert content["way"] == "unsynced" and content["frechet"] is None
    assert run(root, tmp_path, "--weights", root / "syncnet.safetensors") in (2, 3)
    assert main(["evaluate", "--pairs", str(root / "list.txt")]) == 2
    assert "--root" in capsys.readouterr().err
