"""Checks before the work: everything wrong at once, one line each, nothing written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from synthetic import ffmpeg, make_clip
from tiny_weights import write_tiny_weights

from f2f.config import Config, SynthesizeConfig, TranscribeConfig, TranslateConfig
from f2f.errors import PreflightError
from f2f.preflight import check, estimate_bytes
from f2f.request import Request
from lipsync_core.media import probe_media

SRT = "1\n00:00:00,200 --> 00:00:01,000\n{}\n"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("film") / "lecture.mp4", seconds=1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(autouse=True)
def _embedded(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lipsync_core.weights.lookup.PACKAGE_FOLDER", weights)


@pytest.fixture
def folder(film: Path, tmp_path: Path) -> Path:
    shutil.copy(film, tmp_path)
    (tmp_path / "lecture.en.srt").write_text(SRT.format("Hello there."))
    (tmp_path / "lecture.hi.srt").write_text(SRT.format("नमस्ते।"))
    return tmp_path


def request(folder: Path, *targets: str, name: str = "lecture.mp4", **fields: Any) -> Request:
    fields.setdefault("config", Config(profile="embedded"))
    fields.setdefault("output_dir", folder)
    return Request(folder / name, targets or ("hi",), "en", **fields)


def problems(wanted: Request) -> tuple[list[str], int]:
    with pytest.raises(PreflightError) as caught:
        check(wanted)
    return list(caught.value.problems), caught.value.exit_code


def test_a_good_request_passes_and_leaves_no_trace(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    assert check(request(folder)) == "cpu"
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(("target", "is_passing"), [("hi", True), ("ta", True), ("xx-nonsense", False)])
def test_a_device_that_is_away_may_come_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch, target: str, is_passing: bool
) -> None:
    """That the machine lacks an engine, too, does not make it the fault of the lecture."""
    monkeypatch.setattr("f2f.device._is_usable", lambda name: False)
    wanted = request(folder, target, config=Config(profile="embedded", device="cuda"))
    with pytest.raises(PreflightError, match="'cuda' is not usable") as caught:
        check(wanted)
    assert caught.value.is_passing == is_passing


def test_everything_wrong_is_said_at_once(folder: Path, tmp_path: Path) -> None:
    (folder / "lecture.hi.mp4").write_text("holiday")
    (folder / "lecture.en.srt").write_text("")
    lines, code = problems(request(folder, "hi", "xx-nonsense", "ta"))
    assert code == 2
    text = "\n".join(lines)
    for words in ("lecture.hi.mp4 was not made by f2f", "xx-nonsense", "lecture.en.srt", "Tamil"):
        assert words in text
    assert all("\n" not in line for line in lines)
    assert len(lines) >= 4


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "not a file"),
        (lambda path: path.touch(), "is empty"),
        (lambda path: path.write_text("<html>not a film</html>" * 99), "cannot use"),
        (lambda path: ffmpeg("-f", "lavfi", "-i", "sine=duration=1", path), "no picture"),
        (lambda path: ffmpeg("-f", "lavfi", "-i", "testsrc2=duration=1", path), "no sound"),
    ],
    ids=["absent", "folder", "empty", "text", "sound only", "silent film"],
)
def test_input_that_cannot_be_used_is_one_line(tmp_path: Path, make: Any, words: str) -> None:
    make(tmp_path / "odd.mp4")
    [line], code = problems(request(tmp_path, name="odd.mp4"))
    assert words in line
    assert code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_permissions_are_checked(folder: Path) -> None:
    (folder / "lecture.mp4").chmod(0)
    closed = folder / "closed"
    closed.mkdir(mode=0o500)
    lines, _ = problems(request(folder, output_dir=closed))
    assert any("may not be read" in line for line in lines)
    assert any("may not be written" in line for line in lines)


def test_a_file_in_place_of_a_folder_is_named(folder: Path) -> None:
    lines, code = problems(request(folder, output_dir=folder / "lecture.mp4" / "out"))
    assert code == 2
    assert any("lecture.mp4 is a file" in line for line in lines)


def test_no_target_language(folder: Path) -> None:
    [line], _ = problems(Request(folder / "lecture.mp4", (), "en", output_dir=folder))
    assert "--to hi" in line


def test_missing_engines_alone_are_exit_3_with_remedies(folder: Path) -> None:
    (folder / "lecture.hi.srt").unlink()
    lines, code = problems(request(folder))
    assert code == 3
    assert any("--translation FILE" in line and "lecture.hi.srt" in line for line in lines)

    config = Config(profile="embedded", synthesize=SynthesizeConfig(engine="coqui"))
    lines, code = problems(request(folder, "ta", config=config))
    assert code == 3
    assert len(lines) == 2


def test_missing_lip_weights_are_exit_3(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lipsync_core.weights.lookup.PACKAGE_FOLDER", tmp_path / "none")
    lines, code = problems(request(folder))
    assert code == 3
    assert any("wav2lip" in line for line in lines)
    assert any("syncnet" in line for line in lines)
    lines, _ = problems(request(folder, lipsync=False))
    assert not any("wav2lip" in line for line in lines)


def test_empty_captions_are_named(folder: Path) -> None:
    empty = folder / "empty.srt"
    empty.write_text("\ufeff\n")
    config = Config(
        transcribe=TranscribeConfig(engine="captions", captions=empty),
        translate=TranslateConfig(engine="captions", translation=folder / "absent.srt"),
    )
    lines, code = problems(request(folder, config=config))
    assert code == 2
    assert any("empty.srt" in line for line in lines)
    assert any("absent.srt" in line for line in lines)


def test_one_translation_cannot_serve_two_languages(folder: Path) -> None:
    given = TranslateConfig(engine="captions", translation=folder / "lecture.hi.srt")
    config = Config(profile="embedded", translate=given)
    lines, _ = problems(request(folder, "hi", "es", config=config))
    assert any("2 target languages" in line for line in lines)


def test_a_device_that_is_not_there(folder: Path) -> None:
    lines, code = problems(request(folder, config=Config(profile="embedded", device="mps")))
    assert code == 2
    assert any("'mps'" in line and "--device" in line for line in lines)


def test_too_little_room_is_said_with_figures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    lines, code = problems(request(folder))
    assert code == 2
    assert any("0.00 GB free" in line and "are needed" in line for line in lines)


def test_the_estimate_of_room_grows_with_length_size_and_languages(film: Path, tmp_path: Path) -> None:
    short = probe_media(film)
    long = probe_media(make_clip(tmp_path / "long.mp4", seconds=3))
    large = probe_media(make_clip(tmp_path / "large.mp4", seconds=1, size="1280x720"))
    assert estimate_bytes(short, 1) < estimate_bytes(short, 2)
    assert estimate_bytes(short, 1) < estimate_bytes(long, 1)
    assert estimate_bytes(short, 1) < estimate_bytes(large, 1)


def test_nothing_heavy_is_loaded(folder: Path, weights: Path) -> None:
    import subprocess
    import sys

    script = f"""
import sys
from pathlib import Path
import lipsync_core.weights.lookup as lookup
lookup.PACKAGE_FOLDER = Path({str(weights)!r})
from f2f.config import Config
from f2f.preflight import check
from f2f.request import Request
folder = Path({str(folder)!r})
check(Request(folder / "lecture.mp4", ("hi",), "en", folder, config=Config(profile="embedded")))
print([name for name in ("torch", "transformers", "whisper", "TTS", "prefect", "cv2") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
