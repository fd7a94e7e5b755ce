"""The bench's harness against a stand-in for the published script, with its documented command line."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import make_talking_face

BENCH = Path(__file__).resolve().parents[2] / "bench" / "against_published.py"

# Checks what it is given, and answers with the clip in another quality, as slowly as it likes.
STAND_IN = """
import argparse, subprocess, sys, torch
from pathlib import Path
import imageio_ffmpeg
parser = argparse.ArgumentParser()
for name in ("checkpoint_path", "face", "audio", "outfile"):
    parser.add_argument(f"--{name}", required=True)
parser.add_argument("--box", nargs="+", type=int, default=[-1, -1, -1, -1])
args = parser.parse_args()
state = torch.load(args.checkpoint_path, weights_only=True)["state_dict"]
assert state["output_block.1.weight"].shape == (3, 8, 1, 1)  # the width asked for
assert Path("temp").is_dir()
print("box", args.box)
Path("boxes.txt").open("a").write(f"{args.box}\\n")
held = bytearray(150_000_000)
held[::4096] = bytes(len(held[::4096]))
ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
subprocess.run([ffmpeg, "-loglevel", "error", "-y", "-i", args.face, "-i", args.audio,
    "-map", "0:v", "-map", "1:a", "-crf", "40", "-preset", "ultrafast", args.outfile], check=True)
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_talking_face(tmp_path_factory.mktemp("bench") / "talk.mp4", 0.6)


def run_bench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rows_of(printed: str) -> list[dict[str, str]]:
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in printed.splitlines()
        if line.startswith("|") and "---" not in line
    ]
    return [dict(zip(lines[0], line, strict=True)) for line in lines if line != lines[0]]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_both_sides_are_run_and_compared(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "inference.py").write_text(STAND_IN)
    options = ("--width", "0.25", "--engines", "torch", "--preset", "ultrafast", "--skip-detection")
    done = run_bench(tmp_path, clip, clip, *options, "--box", 60, 200, 130, 270)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "boxes.txt").read_text() == "[60, 200, 130, 270]\n"
    script, ours, compact = rows_of(done.stdout)
    assert [row[""] for row in (script, ours, compact)] == [
        "published script", "ours, --parity, torch", "ours, --parity, embedded weights, torch",
    ]  # fmt: skip
    assert script["ratio"] == script["CPU ratio"] == "1.00"
    assert script["PSNR to published script, dB"] == "inf"
    assert 10 < float(ours["PSNR to published script, dB"]) < 45
    assert compact["PSNR to published script, dB"] == ""
    for row in (script, ours, compact):
        ratio = float(script["wall s"]) / float(row["wall s"])
        assert float(row["ratio"]) == pytest.approx(ratio, rel=0.2)
        assert 0 < float(row["CPU s"]) < 60
        assert float(row["with ffmpeg"]) >= float(row["peak of Python, MiB"]) > 150
    assert float(ours["over our imports"]) < float(ours["peak of Python, MiB"])
    assert float(ours["frames/s"]) * float(ours["wall s"]) == pytest.approx(12, abs=1.5)  # 15 less 3


def test_command_lines_are_the_documented_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH.parent)
    module = importlib.import_module("against_published")
    files = [tmp_path / name for name in ("w.pth", "v.mp4", "a.wav", "o.mp4")]
    command = module.published_command("py", *files, None)
    assert command == [
        "py", "inference.py", "--checkpoint_path", str(files[0]), "--face", str(files[1]),
        "--audio", str(files[2]), "--outfile", str(files[3]),
    ]  # fmt: skip
    assert module.published_command("py", *files, (1, 2, 3, 4)) == [*command, "--box", "1", "2", "3", "4"]


def test_a_failing_script_is_quoted_and_a_missing_one_named(clip: Path, tmp_path: Path) -> None:
    missing = run_bench(tmp_path, clip, clip)
    assert missing.returncode == 2
    assert "no inference.py" in missing.stderr
    (tmp_path / "inference.py").write_text("raise SystemExit('CUDA is wanted')")
    failing = run_bench(tmp_path, clip, clip, "--width", 0.25, "--box", 60, 200, 130, 270)
    assert failing.returncode == 1
    assert "CUDA is wanted" in failing.stderr
