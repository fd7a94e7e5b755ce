"""What was asked for is found again from any folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from f2f.config import Config, MuxConfig, TranscribeConfig
from f2f.errors import UsageError
from f2f.record import read_record, write_record
from f2f.request import Request


def test_a_request_comes_back_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = Config(mux=MuxConfig(crf=12), transcribe=TranscribeConfig(captions=Path("a.srt")))
    request = Request(
        Path("lecture.mp4"), ("hi", "es"), "en", Path("out"), Path("w"), config, lipsync=False, until="fit",
        library="physics",
    )  # fmt: skip
    write_record(request)
    monkeypatch.chdir("/")
    again = read_record(tmp_path / "w" / "lecture", "es")
    assert again is not None
    assert (again.source, again.targets, again.output_dir) == (
        tmp_path / "lecture.mp4",
        ("es",),
        tmp_path / "out",
    )
    assert (again.source_language, again.workdir, again.lipsync) == ("en", tmp_path / "w", False)
    assert again.config.transcribe.captions == tmp_path / "a.srt"
    assert again.config.mux == config.mux
    assert (again.until, again.library) == (None, "physics")
    assert read_record(tmp_path / "w" / "lecture", "fr") is None


def test_a_record_of_another_version_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "requests" / "hi.json"
    path.parent.mkdir()
    path.write_text('{"source": "x"}')
    with pytest.raises(UsageError, match="give the whole f2f translate command again"):
        read_record(tmp_path, "hi")
