from __future__ import annotations

import hashlib
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from made_results import Listener, context_in
from synthetic import ffmpeg, make_clip

from f2f.errors import UsageError
from f2f.results import SourceVideo
from f2f.stages.probe import probe
from lipsync_core.media import ffmpeg_path

TONE = ("-f", "lavfi", "-i", "sine=frequency=300:sample_rate=48000:duration=")


def probed(source: Path, tmp_path: Path) -> tuple[SourceVideo, Listener]:
    context, listener = context_in(tmp_path / "probe", "probe")
    return probe(source, context), listener


def card(path: Path, size: str, fps: str, seconds: float, *args: str, sound_s: float | None = None) -> Path:
    """Write a test card; ``args`` are output options."""
    ffmpeg(
        "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps}:duration={seconds}",
        *TONE[:-1], f"{TONE[-1]}{seconds if sound_s is None else sound_s}",
        "-pix_fmt", "yuv420p", *args, path,
    )  # fmt: skip
    return path


def decoded_frames(path: Path) -> int:
    """Count frames as ffmpeg's null muxer sees them."""
    command = [ffmpeg_path(), "-v", "error", "-stats", "-i", str(path), "-map", "0:v:0", "-f", "null", "-"]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return int(report.rsplit("frame=", 1)[1].split()[0])


@pytest.mark.parametrize(
    ("fps", "seconds"), [("25", 2.0), ("30000/1001", 1.5015), ("24000/1001", 2.002), ("5", 3.0)]
)
def test_length_is_the_picture_s(tmp_path: Path, fps: str, seconds: float) -> None:
    source = card(tmp_path / "a.mp4", "160x120", fps, seconds)
    video, listener = probed(source, tmp_path)
    assert Fraction(video.fps) == Fraction(fps)
    assert video.n_frames == decoded_frames(source)
    assert video.duration_s == pytest.approx(seconds, abs=1e-3)
    assert listener.notices == []


def test_reports_streams_and_hash(tmp_path: Path) -> None:
    source = card(
        tmp_path / "a.mkv", "322x242", "25", 1.0, "-ac", "6", "-c:a", "ac3",
        "-metadata:s:a:0", "language=deu", "-vf", "setsar=4/3",
    )  # fmt: skip
    video, listener = probed(source, tmp_path)
    assert video.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (video.width, video.height, video.sample_aspect_ratio) == (322, 242, "4:3")
    assert (video.audio_codec, video.audio_channels, video.audio_sample_rate_hz) == ("ac3", 6, 48_000)
    assert video.audio_language in ("deu", "ger")
    assert listener.progress[-1] == (source.stat().st_size, source.stat().st_size, "bytes")


def test_size_is_of_the_rotated_picture(tmp_path: Path) -> None:
    flat = card(tmp_path / "flat.mp4", "160x90", "25", 0.4)
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", "90", "-i", flat, "-c", "copy", turned)
    video, _ = probed(turned, tmp_path)
    assert (video.width, video.height) == (90, 160)


def test_variable_rate_is_made_constant_and_told(tmp_path: Path) -> None:
    source = tmp_path / "vfr.mp4"
    stretch = "setpts='(N+0.45*sin(N))/23.3/TB'"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=3", *TONE[:-1], f"{TONE[-1]}3",
        "-vf", f"settb=1/90000,{stretch}", "-fps_mode", "vfr", "-enc_time_base", "1:90000",
        "-pix_fmt", "yuv420p", source,
    )  # fmt: skip
    video, listener = probed(source, tmp_path)
    assert Fraction(video.fps) in {Fraction(24), Fraction(25), Fraction(24000, 1001)}
    assert any("frame rate" in notice for notice in listener.notices)
    assert video.duration_s == pytest.approx(75 / 23.3, abs=0.15)


def test_sound_that_goes_on_lengthens_the_video(tmp_path: Path) -> None:
    video, listener = probed(card(tmp_path / "a.mp4", "160x120", "25", 1.0, sound_s=2.0), tmp_path)
    assert video.n_frames == 50
    assert "last frame stays" in listener.notices[0]


def test_a_cut_off_file_has_the_length_it_holds(tmp_path: Path) -> None:
    whole = card(tmp_path / "whole.mp4", "320x240", "25", 12.0, "-g", "25", "-movflags", "+faststart")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    video, listener = probed(cut, tmp_path)
    assert 0 <= video.n_frames - decoded_frames(cut) <= 3  # B-frames whose successor is lost stay undecoded
    assert video.duration_s < 8
    assert "cut off" in listener.notices[0]


def test_unusable_inputs_are_one_clear_line(tmp_path: Path) -> None:
    silent, deaf = tmp_path / "silent.mp4", tmp_path / "deaf.m4a"
    ffmpeg("-i", make_clip(tmp_path / "a.mp4", 0.4), "-an", "-c", "copy", silent)
    ffmpeg("-i", tmp_path / "a.mp4", "-vn", "-c", "copy", deaf)
    text, empty = tmp_path / "text.mp4", tmp_path / "empty.mp4"
    text.write_text("no video at all\n" * 50)
    empty.touch()
    header = tmp_path / "header.mp4"
    header.write_bytes((tmp_path / "a.mp4").read_bytes()[:600])
    expected = {
        silent: "no sound", deaf: "no picture", text: "text.mp4", empty: "empty", header: "header.mp4",
        tmp_path / "nowhere.mp4": "no such file",
    }  # fmt: skip
    for k, (path, words) in enumerate(expected.items()):
        context, _ = context_in(tmp_path / f"probe{k}", "probe")
        with pytest.raises(UsageError) as error:
            probe(path, context)
        assert words in str(error.value) and "\n" not in str(error.value)
