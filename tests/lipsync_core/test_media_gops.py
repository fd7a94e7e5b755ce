"""Where a video may be cut: tables, refusals, plans."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from synthetic import ffmpeg

from lipsync_core.errors import MediaError
from lipsync_core.media import ffmpeg_path, probe_media
from lipsync_core.media.gops import (
    GopTable,
    JoinPlan,
    NotCopyableError,
    PacketReader,
    Stretch,
    plan_stretches,
    read_gops,
)
from lipsync_core.media.h264 import AvcConfig

CONFIG = AvcConfig(100, 0, 13, 4, (b"\x67\0\0\0\x80",), (b"\x68\x80",))


def make_clip(path: Path, *options: str, rate: str = "25", before: tuple[str, ...] = ()) -> Path:
    ffmpeg(
        *before, "-f", "lavfi", "-i", f"testsrc2=size=128x96:rate={rate}:duration=3", "-c:v", "libx264",
        "-pix_fmt", "yuv420p", *options, path,
    )  # fmt: skip
    return path


@pytest.mark.parametrize(
    ("name", "rate", "options"),
    [
        ("b.mp4", "25", ("-g", "25", "-bf", "3")),
        ("b.mkv", "30000/1001", ("-g", "25", "-bf", "3")),
        ("none.mp4", "25", ("-g", "25", "-bf", "0")),
        ("base.mp4", "50", ("-g", "25", "-profile:v", "baseline")),
        ("inband.ts", "25", ("-g", "25")),
        ("repeated.mp4", "25", ("-g", "25", "-x264-params", "repeat-headers=1")),
        ("slices.mp4", "25", ("-g", "25", "-slices", "4")),
    ],
)
def test_closed_groups_are_found(tmp_path: Path, name: str, rate: str, options: tuple[str, ...]) -> None:
    clip = make_clip(tmp_path / name, "-sc_threshold", "0", *options, rate=rate)
    table = read_gops(clip, Fraction(rate))
    assert table.n_frames == round(3 * Fraction(rate))
    assert table.starts == tuple(range(0, table.n_frames, 25))
    assert table.delay == (0 if ("-bf" in options and "0" in options) or "baseline" in options else 2)
    listing = subprocess.run(
        [ffmpeg_path(), "-v", "error", "-i", str(clip), "-c", "copy", "-f", "framecrc", "pipe:1"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    packets = [line for line in listing.splitlines() if line.startswith("0,")]
    assert len(packets) == table.n_frames
    keys = [number for number, line in enumerate(packets) if "F=0x0" not in line]
    assert tuple(keys) == table.starts


def test_open_groups_are_no_places_to_cut(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "o.mp4", "-g", "25", "-sc_threshold", "0", "-x264-params", "open-gop=1")
    assert read_gops(clip, Fraction(25)).starts == (0,)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("c.avi", ("-c:v", "mpeg4"), "mpeg4, not H.264"),
        ("c.mp4", ("-pix_fmt", "yuv444p"), "yuv444p, not 8-bit"),
        ("c.mp4", ("-flags", "+ildct+ilme", "-x264-params", "tff=1"), "interlaced"),
        ("c.mkv", ("-vf", "select='not(eq(mod(n,7),3))'", "-fps_mode", "vfr"), "constant rate"),
    ],
)
def test_what_cannot_be_copied_says_why(
    tmp_path: Path, name: str, options: tuple[str, ...], words: str
) -> None:
    clip = make_clip(tmp_path / name, *options)
    with pytest.raises(NotCopyableError, match=words):
        read_gops(clip, Fraction(25))


def test_late_and_turned_pictures_and_other_rates_are_refused(tmp_path: Path) -> None:
    clip, sound = make_clip(tmp_path / "c.mkv"), tmp_path / "s.wav"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=3", sound)
    ffmpeg("-i", sound, "-itsoffset", "0.3", "-i", clip, "-c:v", "copy", tmp_path / "late.mkv")
    with pytest.raises(NotCopyableError, match="begin with the file"):
        read_gops(tmp_path / "late.mkv", Fraction(25))
    ffmpeg("-display_rotation", "90", "-i", clip, "-c", "copy", tmp_path / "turned.mp4")
    with pytest.raises(NotCopyableError, match="turned"):
        read_gops(tmp_path / "turned.mp4", Fraction(25))
    with pytest.raises(NotCopyableError, match="constant rate"):
        read_gops(clip, Fraction(50))
    with pytest.raises(NotCopyableError, match="no video"):
        read_gops(sound, Fraction(25))


def test_parameter_sets_that_change_are_refused(tmp_path: Path) -> None:
    one = make_clip(tmp_path / "1.ts", "-refs", "1")
    two = make_clip(tmp_path / "2.ts", "-refs", "4")
    both = tmp_path / "both.ts"
    ffmpeg("-i", f"concat:{one}|{two}", "-c", "copy", both)
    with pytest.raises(NotCopyableError, match="parameter sets change"):
        read_gops(both, Fraction(25))


def test_reading_may_stop_early_and_failures_have_words(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "c.mp4")
    video = probe_media(clip).video
    assert video is not None
    with PacketReader(clip, video) as reader:
        next(iter(reader))
        assert reader.config.profile == 100
    damaged = tmp_path / "d.mp4"
    damaged.write_bytes(b"no video" * 100)
    with PacketReader(damaged, video) as reader, pytest.raises(MediaError, match="reading the packets"):
        list(reader)
        _ = reader.config


def changes(n_frames: int, *frames: int) -> bytearray:
    out = bytearray(n_frames)
    for frame in frames:
        out[frame] = True
    return out


def test_plans_copy_whole_untouched_groups() -> None:
    table = GopTable(CONFIG, 100, (0, 30, 60, 90), 2)
    plan = plan_stretches(table, changes(100, 40), 100)
    assert plan == [Stretch(0, 30, True), Stretch(30, 60, False), Stretch(60, 100, True)]
    assert plan_stretches(table, changes(100), 100) == [Stretch(0, 100, True)]
    assert plan_stretches(table, changes(100, 0, 30, 60, 99), 100) == [Stretch(0, 100, False)]
    assert plan_stretches(table, changes(100, 29, 90), 100) == [
        Stretch(0, 30, False), Stretch(30, 90, True), Stretch(90, 100, False),
    ]  # fmt: skip


def test_results_that_are_longer_or_shorter_than_the_source() -> None:
    table = GopTable(CONFIG, 100, (0, 30, 60, 90), 2)
    held = plan_stretches(table, changes(100), 110)
    assert held == [Stretch(0, 90, True), Stretch(90, 110, False)]
    cut = plan_stretches(table, changes(100), 70)
    assert cut == [Stretch(0, 60, True), Stretch(60, 70, False)]
    plan = JoinPlan(Path("x.mp4"), table, held, Fraction(25))
    assert (plan.n_frames, plan.n_copied, plan.encoded_stretches()) == (110, 90, [held[1]])
