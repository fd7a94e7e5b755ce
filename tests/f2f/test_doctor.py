"""What doctor says is what translate would do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from synthetic import make_clip
from tiny_weights import write_tiny_weights
from typer.testing import CliRunner

from f2f import cli
from f2f.config import Config
from f2f.doctor import Examination, Finding, examine
from f2f.memory import available_memory
from f2f.request import Request


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(autouse=True)
def _embedded(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lipsync_core.weights.lookup.PACKAGE_FOLDER", weights)


def finding(examination: Examination, part: str, name: str) -> Finding:
    return next(one for one in examination.findings if (one.part, one.name) == (part, name))


def engines(examination: Examination) -> dict[tuple[str, str | None], str | None]:
    return {(one.stage, one.target_language): one.engine for one in examination.chosen}


def doctor(*words: str | Path) -> Any:
    return CliRunner().invoke(cli.app, ["doctor", *map(str, words)])


def test_machine_and_engines_are_found() -> None:
    found = examine(Request(Path("lecture.mp4"), (), config=Config(profile="embedded")))
    assert finding(found, "machine", "device").words.startswith("cpu (")
    assert "ffmpeg version" in finding(found, "machine", "ffmpeg").words
    assert finding(found, "transcribe", "sphinx").ready
    assert finding(found, "synthesize", "espeak").ready
    assert finding(found, "lipsync", "embedded").ready
    assert not finding(found, "translate", "nllb").ready
    assert found.chosen == ()


@pytest.mark.parametrize(
    ("meminfo", "ready", "words"),
    [
        ("MemAvailable: 2048000 kB\nSwapFree: 0 kB\n", True, "2,000 MiB can be had, and 0 MiB of swap"),
        (None, False, "what is left is not known on this system"),
    ],
)
def test_memory_is_what_the_kernel_says_or_said_not_to_be_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meminfo: str | None, ready: bool, words: str
) -> None:
    if meminfo is not None:
        (tmp_path / "meminfo").write_text(meminfo)
    left = available_memory(tmp_path)
    monkeypatch.setattr("f2f.memory.available_memory", lambda: left)
    found = finding(examine(Request(Path("lecture.mp4"), ())), "machine", "memory")
    assert found.ready is ready and words in found.words


def test_a_missing_ffmpeg_is_a_finding_not_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from lipsync_core.errors import MissingModelError

    def gone() -> str:
        raise MissingModelError("run: pip install imageio-ffmpeg")

    monkeypatch.setattr("lipsync_core.media.ffmpeg_path", gone)
    found = examine(Request(Path("lecture.mp4"), (), config=Config(profile="embedded")))
    assert finding(found, "machine", "ffmpeg") == Finding(
        "machine", "ffmpeg", ready=False, words="run: pip install imageio-ffmpeg"
    )


def test_missing_weights_are_a_finding_not_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lipsync_core.weights.lookup.PACKAGE_FOLDER", tmp_path)
    found = examine(Request(Path("lecture.mp4"), ("hi",), config=Config(profile="embedded")))
    assert not any(one.ready for one in found.findings if one.part == "lipsync")
    assert engines(found)["lipsync", None] is None


def test_the_choice_follows_language_and_files(tmp_path: Path) -> None:
    film = make_clip(tmp_path / "lecture.mp4", seconds=1)
    request = Request(film, ("hi",), "en", tmp_path, config=Config(profile="embedded"))
    without = engines(examine(request, film))
    assert without["transcribe", None] == "sphinx"
    assert without["translate", "hi"] is None
    assert without["synthesize", "hi"] == "espeak"
    caption = "1\n00:00:00,100 --> 00:00:00,900\n{}\n"
    (tmp_path / "lecture.en.srt").write_text(caption.format("Hello there."))
    (tmp_path / "lecture.hi.srt").write_text(caption.format("नमस्ते।"))
    there = engines(examine(request, film))
    assert there["transcribe", None] == there["translate", "hi"] == "captions"


def test_the_command_prints_tables() -> None:
    done = doctor("--to", "hi", "--profile", "embedded")
    assert done.exit_code == 0
    for words in ("This machine", "ffmpeg", "ready", "missing", "translate would use", "espeak"):
        assert words in done.stdout


def test_the_command_prints_json() -> None:
    done = doctor("--to", "hi", "--from", "en", "--profile", "embedded", "--json")
    event = json.loads(done.stdout)
    assert event["event"] == "doctor"
    assert {"part": "machine", "name": "f2f"}.items() <= event["findings"][0].items()
    assert {one["stage"] for one in event["chosen"]} >= {"transcribe", "translate", "synthesize", "lipsync"}


def test_an_unknown_language_is_one_line() -> None:
    done = doctor("--to", "no such tongue")
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert "no such tongue" in done.stderr
