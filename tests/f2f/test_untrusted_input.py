"""Names, captions and media that somebody made to do harm, or that nobody thought of."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from synthetic import ffmpeg, make_clip
from tiny_stages import install
from typer.testing import CliRunner

from f2f import cli
from f2f.captions import read_captions
from f2f.cues import clean_lines
from f2f.errors import CaptionError, PreflightError, UsageError
from f2f.library.lecture import Lecture, LibraryOptions, Refused
from f2f.library.scanning import find_lectures
from f2f.pipeline import translate_video
from f2f.preflight import check
from f2f.request import Request
from f2f.stages.probe import inspect
from lipsync_core.errors import MediaError
from lipsync_core.media import ffmpeg as ffmpeg_module
from lipsync_core.media import probe, probe_media

AWKWARD = [
    "-rf.mp4", "--help.mp4", "a b.mp4", "it's \"so\".mp4", "$(reboot);`x`&.mp4", "%d%s%%.mp4", "[1]*?{a}.mp4",
    "line\nbreak.mp4", "tab\tand\x01.mp4", "file:x|y.mp4", "data:,x.mp4", "back\\slash.mp4", "ü🎓हिन्दी.mp4",
    "a.b.c.mp4", "[red]rich[bold].mp4", "<script>alert(1).mp4",
    "x\nInput #0, mov, from 'y':\n  Stream #0:0: Video: h264, yuv420p, 9x9, 90 fps\n.mp4",
    "n" * 200 + ".mp4",
]  # fmt: skip


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("film") / "film.mp4", seconds=0.4, size="64x48")


@pytest.mark.parametrize("name", AWKWARD)
def test_ffmpeg_reads_the_file_of_any_name_and_nothing_of_the_name(
    film: Path, tmp_path: Path, name: str
) -> None:
    os.link(film, tmp_path / name)
    info = probe_media(tmp_path / name)
    assert info.video is not None and (info.video.width, info.video.height, info.video.fps) == (64, 48, 25)


def test_outputs_of_any_name_are_put_in_place_and_found_in_a_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = install(monkeypatch)
    for name in AWKWARD:
        (tmp_path / name).write_bytes(b"a film")
        [outputs] = translate_video(Request(tmp_path / name, ("hi",), output_dir=tmp_path))
        assert outputs.video.name == name.removesuffix(".mp4") + ".hi.mp4" and outputs.video.is_file()
    tiny.clear()
    found = list(find_lectures(LibraryOptions(tmp_path, tmp_path, ("hi",))))
    assert [one.name for one in found if isinstance(one, Lecture)] == sorted(AWKWARD)


def test_a_name_that_is_no_text_is_refused_in_one_line(film: Path, tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.mp4")
    shutil.copy(film, path)
    assert probe_media(path).video is not None
    done = CliRunner().invoke(cli.app, ["translate", path, "--to", "hi", "--runner", "inline"])
    assert done.exit_code == 2
    assert "is not in UTF-8; rename it" in done.stderr and done.stderr.count("\n") == 1
    [refused] = find_lectures(LibraryOptions(tmp_path, tmp_path, ("hi",)))
    assert isinstance(refused, Refused) and "not in UTF-8" in refused.reason


def test_a_name_that_leaves_no_room_for_those_of_its_outputs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".mp4")
    path.write_bytes(b"a film")
    with pytest.raises(PreflightError, match="is too long by 31 bytes for the names of its outputs"):
        check(Request(path, ("hi",), output_dir=tmp_path))


def test_captions_of_millions_are_refused_before_they_are_parsed(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\na\n\n" * 100_001)
    with pytest.raises(CaptionError, match="holds about 100,001 captions; at most 100,000 are read"):
        read_captions(path)


def test_of_a_file_without_end_no_more_is_read_than_captions_have(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(CaptionError, match=r"is empty \(52428801 bytes\)"):
        read_captions(path)


@pytest.mark.parametrize("sign", ["[", "【", "<v ", "<", "(", "&", "-", "-->"])
def test_no_line_takes_long_however_it_is_made(sign: str) -> None:
    clean_lines(sign * 400_000)  # 80 billion steps where each sign is followed to the end of the line


def test_entities_that_grow_without_end_are_refused(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    path = tmp_path / "a.ttml"
    path.write_text(
        f'<?xml version="1.0"?><!DOCTYPE tt [<!ENTITY e0 "ha">{entities}]>'
        '<tt xmlns="http://www.w3.org/ns/ttml"><body><div><p begin="0s" end="1s">&e11;</p></div></body></tt>'
    )
    with pytest.raises(CaptionError, match="no caption format that is known here"):
        read_captions(path)


def write_png(path: Path, side: int) -> None:
    """Write a black picture of ``side`` × ``side`` pixels, one bit each."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((1 + (side + 7) // 8) * side), 9)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def test_a_small_file_with_a_huge_picture_is_refused(film: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "bomb.png", 12000)
    ffmpeg(
        "-i",
        tmp_path / "bomb.png",
        "-i",
        film,
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-c",
        "copy",
        tmp_path / "b.mkv",
    )
    assert (tmp_path / "b.mkv").stat().st_size < 100_000
    with pytest.raises(UsageError, match=r"pictures of 12000×12000; at most 40,000,000 pixels are taken"):
        inspect(tmp_path / "b.mkv")


def test_a_small_file_that_lasts_for_weeks_is_refused(film: Path, tmp_path: Path) -> None:
    slow = "color=size=64x48:rate=1/100000:duration=300000"  # three pictures
    ffmpeg("-f", "lavfi", "-i", slow, "-i", film, "-map", "0:v", "-map", "1:a", tmp_path / "b.mkv")
    assert (tmp_path / "b.mkv").stat().st_size < 100_000
    with pytest.raises(UsageError, match=r"lasts [\d,.]+ hours; at most 48 are taken"):
        inspect(tmp_path / "b.mkv")


@pytest.fixture
def other_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Let a shell script stand for ffmpeg."""

    def take(script: str) -> None:
        path = tmp_path / "ffmpeg"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(path))
        ffmpeg_module.ffmpeg_path.cache_clear()

    yield take
    monkeypatch.undo()
    ffmpeg_module.ffmpeg_path.cache_clear()


def test_media_that_ffmpeg_crashes_on_is_one_line(film: Path, other_ffmpeg: Callable[[str], None]) -> None:
    other_ffmpeg("kill -SEGV $$")
    with pytest.raises(UsageError, match=r"cannot use .*film\.mp4.*ffmpeg crashed on it \(SIGSEGV\)"):
        inspect(film)
    with pytest.raises(MediaError, match="cutting it failed: ffmpeg crashed"):
        ffmpeg_module.run_ffmpeg([], what="cutting it")


def test_media_whose_header_has_no_end_is_given_up(
    film: Path, other_ffmpeg: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    other_ffmpeg("exec sleep 1000")
    monkeypatch.setattr(probe, "MAX_PROBE_S", 0.3)
    with pytest.raises(UsageError, match=r"does not come to an end of its header"):
        inspect(film)


def test_what_ffmpeg_may_allocate_at_once_is_limited(film: Path) -> None:
    with pytest.raises(MediaError):
        ffmpeg_module.run_ffmpeg(
            ["-max_alloc", "2000", "-i", f"file:{film}", "-f", "null", "-"], what="decoding"
        )
    assert "-max_alloc" in ffmpeg_module.QUIET
