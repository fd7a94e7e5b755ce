"""``python -m lipsync_core evaluate`` from outside: outputs, reasons, exit codes."""

import csv
import json
import sys

import cv2
import pytest
import torch
from safetensors.torch import save_file
from synthetic import make_talking_face

from lipsync_core.__main__ import main
from lipsync_core.models import SyncNet


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    torch.manual_seed(0)
    save_file(SyncNet(0.125).state_dict(), folder / "net.safetensors", metadata={"width": "0.125"})
    (folder / "videos").mkdir()
    make_talking_face(folder / "videos" / "talk.mp4", 1.08)
    (folder / "videos" / "broken.mp4").write_bytes(b"no video" * 20)
    return folder


def evaluate(folder, *arguments):
    return main(["evaluate", *map(str, arguments), "--syncnet", str(folder / "net.safetensors")])


def test_one_video_in_every_form(folder, tmp_path, capsys):
    talk = folder / "videos" / "talk.mp4"
    files = [tmp_path / name for name in ("x.json", "x.csv", "x.png")]
    assert evaluate(folder, talk, "--json", files[0], "--csv", files[1], "--plot", files[2]) == 0
    printed = capsys.readouterr().out
    content = json.loads(files[0].read_text())
    assert f"LSE-D {content['whole']['distance']:7.3f}" in printed and printed.count("track 1") == 1
    assert len(content["tracks"]) == 1 and len(content["curve"]["time_s"]) == content["whole"]["n_windows"]
    rows = list(csv.DictReader(files[1].read_text().splitlines()))
    assert [r["track"] for r in rows] == ["1", "whole"]
    assert float(rows[1]["lse_d"]) == content["whole"]["distance"]
    assert cv2.imread(str(files[2])) is not None


def test_a_folder_has_a_row_for_the_bad_file_too(folder, capsys):
    assert evaluate(folder, folder / "videos", "--json") == 0
    content = json.loads(capsys.readouterr().out)
    broken, talk = content["videos"]
    assert "broken.mp4" in broken["error"] and broken["whole"] is None
    assert content["summary"]["n_failed"] == 1
    assert content["summary"]["mean"]["lse_d"] == talk["whole"]["distance"]
    assert evaluate(folder, folder / "videos") == 0
    assert "mean of 1" in capsys.readouterr().out


def test_only_bad_files_are_an_error(folder, tmp_path, capsys):
    broken = folder / "videos" / "broken.mp4"
    assert evaluate(folder, broken) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert evaluate(folder, broken, tmp_path / "absent.mp4") == 2
    assert "no such file" in capsys.readouterr().out


def test_reference_gives_picture_metrics_and_says_what_is_not_measured(folder, capsys):
    talk = folder / "videos" / "talk.mp4"
    assert evaluate(folder, talk, "--reference", talk, "--json") == 0
    content = json.loads(capsys.readouterr().out)
    means = content["comparison"]["mean"]
    assert means["psnr_db"] == "inf" and means["ssim"] == 1.0 and means["lmd_px"] is None
    assert "pip install face-alignment" in content["not_measured"]["lmd_px"]
    assert content["frechet"]["distance"] == pytest.approx(0, abs=1e-4)
    assert content["frechet"]["name"].startswith("Frechet distance (embedded")


@pytest.mark.parametrize(
    ("module", "option", "package"),
    [("skimage.metrics", "--reference", "scikit-image"), ("matplotlib", "--plot", "matplotlib")],
)
def test_a_missing_package_is_one_line_with_the_command(
    folder, module, option, package, monkeypatch, tmp_path, capsys
):
    monkeypatch.setitem(sys.modules, module, None)
    talk = folder / "videos" / "talk.mp4"
    value = talk if option == "--reference" else tmp_path / "p.png"
    assert evaluate(folder, talk, option, value) == 3
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and f"pip install {package}" in captured.err and not captured.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to measure"),
        (("a.mp4", "--pairs", "b.txt"), "videos and --pairs to measure"),
        (("a.mp4", "--json", "--csv", "-"), "cannot both go to the console"),
        (("b.mp4", "--json", "a.mp4"), "would overwrite media"),
        (("--pairs", "b.txt", "--plot", "p.png"), "--plot draws videos only"),
        (("a.mp4", "--plot", "p.doc"), "p.doc"),
        (("a.mp4", "--device", "abacus"), "unknown device"),
        (("a.mp4", "--reference", "absent.mp4"), "absent.mp4"),
    ],
)
def test_refusals_are_one_line(folder, arguments, words, capsys):
    assert evaluate(folder, *arguments) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and words in message


def test_whole_frame_and_track_length_are_options(folder, capsys):
    talk = folder / "videos" / "talk.mp4"
    assert evaluate(folder, talk, "--whole-frame", "--json") == 0
    assert json.loads(capsys.readouterr().out)["mode"] == "whole_frame"
    assert evaluate(folder, talk, "--min-track-frames", "101") == 0
    assert "not measured: no face was followed, with sound, for 4 s or longer" in capsys.readouterr().out
