"""Text, CSV, JSON and pictures of measurements."""

import csv
import io
import json
import math
import sys
from pathlib import Path

import cv2
import pytest

from lipsync_core.errors import InvalidInputError, MissingModelError
from lipsync_core.metrics.compare import Comparison
from lipsync_core.metrics.full_reference import Series
from lipsync_core.metrics.plots import plot_rows, require_plots
from lipsync_core.metrics.tables import (
    CSV_FIELDS,
    csv_rows,
    csv_text,
    number,
    summary_lines,
    table_lines,
    video_lines,
    write_json,
    write_text,
)
from lipsync_core.metrics.videos import VideoRow, summarise
from lipsync_core.scoring import Curve, SyncScore, VideoScore


def sync(distance, confidence, offset):
    return SyncScore(0.0, 3.0, distance, confidence, offset, 70)


def row(name, distance=7.0, confidence=5.0, offset=0, comparison=None):
    whole = sync(distance, confidence, offset)
    curve = Curve((0.1, 0.14), (7.0, 7.5), (5.0, 4.0))
    score = VideoScore(whole, (whole, sync(9.0, 1.0, 3)), curve, "net", "track")
    return VideoRow(Path(name), score, comparison)


def compared():
    def series(*values):
        return Series(values)

    return Comparison(
        "true.mp4", 2, series(30.0, math.inf), series(0.9, 1.0), series(25.0), series(0.8), None, ("scaled",)
    )


BAD = VideoRow(Path("/v/bad.mp4"), error="no sound")
ROWS = [row("/v/a/one.mp4"), row("/v/two.mp4", 9.0, 3.0, 4, compared()), BAD]


def test_table_has_a_row_each_and_the_mean():
    lines = list(table_lines(ROWS, summarise(ROWS, None, {})))
    assert lines[0].split() == [
        "LSE-D",
        "LSE-C",
        "offset",
        "PSNR",
        "SSIM",
        *["face", "PSNR", "face", "SSIM", "LMD"],
    ]
    assert lines[1].split() == ["a/one.mp4", "7.000", "5.000", "+0", *"–" * 5]
    assert lines[2].split() == ["two.mp4", "9.000", "3.000", "+4", "30.00", "0.9500", "25.00", "0.8000", "–"]
    assert lines[3].split()[0] == "bad.mp4" and lines[3].endswith("no sound")
    assert lines[4].split()[:6] == ["mean", "of", "2", "8.000", "4.000", "+2.00"]


def test_one_video_has_a_line_for_each_track():
    lines = list(video_lines(ROWS[1]))
    assert [line.split()[:2] for line in lines[:2]] == [["track", "1"], ["track", "2"]]
    assert "LSE-D   9.000" in lines[2] and lines[2].startswith("whole")
    assert (
        lines[3] == "against true.mp4: PSNR 30.00  SSIM 0.9500  face PSNR 25.00  face SSIM 0.8000  (2 frames)"
    )
    assert lines[4].startswith("1 frames are equal") and lines[5] == "note: scaled"
    assert list(video_lines(BAD)) == ["not measured: no sound"]


def test_summary_says_what_was_not_measured():
    lines = list(summary_lines(summarise(ROWS, None, {"lmd_px": "no weights"})))
    assert lines == ["offset within one frame: 50.0% of the videos", "LMD not measured: no weights"]


def test_csv_has_tracks_and_wholes():
    text = csv_text(CSV_FIELDS, csv_rows(ROWS))
    found = list(csv.DictReader(io.StringIO(text)))
    assert [(r["video"], r["track"]) for r in found] == [
        ("/v/a/one.mp4", "1"), ("/v/a/one.mp4", "2"), ("/v/a/one.mp4", "whole"),
        ("/v/two.mp4", "1"), ("/v/two.mp4", "2"), ("/v/two.mp4", "whole"), ("/v/bad.mp4", "whole"),
    ]  # fmt: skip
    assert found[1]["lse_d"] == "9.0" and found[1]["psnr_db"] == ""
    assert (found[5]["psnr_db"], found[5]["offset_frames"], found[5]["reference"]) == (
        "30.0",
        "4",
        "true.mp4",
    )
    assert found[6]["error"] == "no sound" and found[6]["lse_d"] == ""


def test_files_are_written_whole_and_errors_are_named(tmp_path, capsys):
    write_json(tmp_path / "x.json", {"a": "é"})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"a": "é"}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
    write_json("-", {"a": 1})
    assert capsys.readouterr().out == '{"a": 1}\n'
    with pytest.raises(InvalidInputError, match="absent"):
        write_text(tmp_path / "absent" / "x.csv", "")


def test_numbers_for_people():
    assert [number(v, "{:.1f}") for v in (1.25, None, math.inf)] == ["1.2", "–", "∞"]


@pytest.mark.parametrize("rows", [ROWS[:1], ROWS])
def test_plots_are_pictures(rows, tmp_path):
    plot_rows(rows, tmp_path / "p.png")
    picture = cv2.imread(str(tmp_path / "p.png"))
    assert picture.shape == (720, 1200, 3) and picture.std() > 5
    assert [p.name for p in tmp_path.iterdir()] == ["p.png"]


def test_plots_are_refused_early(tmp_path, monkeypatch):
    with pytest.raises(InvalidInputError, match=r"\.png, \.pdf, \.svg"):
        require_plots(tmp_path / "p.bmp")
    with pytest.raises(InvalidInputError, match="nothing to plot"):
        plot_rows([BAD], tmp_path / "p.png")
    with pytest.raises(InvalidInputError, match="cannot write"):
        plot_rows(ROWS, tmp_path / "absent" / "p.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingModelError, match="pip install matplotlib"):
        require_plots(tmp_path / "p.png")
