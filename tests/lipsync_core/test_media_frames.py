"""Decoding: time zero, constant rate, colours, damage, and no processes left over."""

from __future__ import annotations

import logging
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from synthetic import ffmpeg, make_clip

from lipsync_core.errors import MediaError
from lipsync_core.media import (
    conversion_notice,
    ffmpeg_path,
    planar_layout,
    probe_media,
    read_audio,
    read_frames,
    read_frames_backwards,
    read_pictures,
    read_pictures_backwards,
)
from lipsync_core.pictures import Yuv420Frame, to_bgr


def make_counter(path: Path, n_frames: int, fps: str = "25", *options: str) -> Path:
    """Write frames whose grey level is 16 + 2 * index, losslessly."""
    ffmpeg(
        "-f", "lavfi", "-i", f"color=black:size=64x48:rate={fps},geq=lum='16+2*N':cb=128:cr=128",
        "-frames:v", str(n_frames), "-c:v", "libx264", "-qp", "0", "-g", "12", *options, path,
    )  # fmt: skip
    return path


def numbers(frames: object) -> list[int]:
    """Return the indices that the grey levels stand for."""
    return [round((float(frame.mean()) * 219 / 255) / 2) for frame in frames]  # type: ignore[attr-defined]


def test_every_frame_once_and_in_order(tmp_path: Path) -> None:
    clip = make_counter(tmp_path / "c.mp4", 60)
    assert numbers(read_frames(clip)) == list(range(60))


def test_frames_belong_to_the_caller(tmp_path: Path) -> None:
    first, second = list(read_frames(make_counter(tmp_path / "c.mp4", 2)))
    first[:] = 255
    assert second.max() < 30


@pytest.mark.parametrize("first", [0, 1, 11, 12, 13, 30, 59])
@pytest.mark.parametrize("name", ["c.mkv", "c.mp4", "c.ts"])
def test_seeking_is_exact(tmp_path: Path, first: int, name: str) -> None:
    clip = make_counter(tmp_path / name, 60, "30000/1001")
    assert numbers(read_frames(clip, first_frame=first)) == list(range(first, 60))


def test_backwards(tmp_path: Path) -> None:
    clip = make_counter(tmp_path / "c.mp4", 80)
    assert numbers(read_frames_backwards(clip, 80)) == list(range(79, -1, -1))


def test_other_rate_and_size(tmp_path: Path) -> None:
    clip = make_counter(tmp_path / "c.mp4", 50, "50")
    frames = list(read_frames(clip, fps=Fraction(25), size=(32, 24)))
    assert frames[0].shape == (24, 32, 3)
    assert len(frames) == 25
    assert np.all(np.abs(np.diff(numbers(frames)) - 2) <= 1)


def test_variable_rate_becomes_constant(tmp_path: Path) -> None:
    clip = tmp_path / "vfr.mkv"
    # Frames 0...9 at 25 a second, then every other one for a second.
    ffmpeg(
        "-f", "lavfi", "-i", "color=black:size=64x48:rate=25,geq=lum='16+2*N':cb=128:cr=128",
        "-frames:v", "35", "-vf", "select='lt(n,10)+not(mod(n,5))'", "-fps_mode", "vfr",
        "-c:v", "libx264", "-qp", "0", clip,
    )  # fmt: skip
    shown = numbers(read_frames(clip, fps=Fraction(25)))
    assert shown[:10] == list(range(10))
    assert shown[12:30] == [i // 5 * 5 for i in range(12, 30)]


def test_picture_and_sound_share_time_zero(tmp_path: Path) -> None:
    """A flash and a click at 1 s stay together however late either stream starts."""
    clip, late_video, late_audio = (tmp_path / f"{n}.mkv" for n in ("in", "video", "audio"))
    ffmpeg(
        "-f", "lavfi", "-i", "color=black:size=64x48:rate=25:duration=2,"
        "drawbox=color=white:t=fill:enable='gte(t,1)'",
        "-f", "lavfi", "-i", "aevalsrc='if(gte(t,1),0.5,0)':s=16000:d=2", "-c:v", "libx264",
        "-c:a", "pcm_s16le", clip,
    )  # fmt: skip
    ffmpeg(
        "-itsoffset", "0.4", "-i", clip, "-i", clip, "-map", "0:v", "-map", "1:a", "-c", "copy", late_video
    )
    ffmpeg(
        "-i", clip, "-itsoffset", "0.4", "-i", clip, "-map", "0:v", "-map", "1:a", "-c", "copy", late_audio
    )
    for file, flash_s, click_s in ((clip, 1.0, 1.0), (late_video, 1.4, 1.0), (late_audio, 1.0, 1.4)):
        bright = [frame.mean() > 128 for frame in read_frames(file)]
        loud = np.abs(read_audio(file)) > 0.25
        assert bright.index(True) / 25 == pytest.approx(flash_s, abs=0.04)
        assert int(np.argmax(loud)) / 16000 == pytest.approx(click_s, abs=0.005)


@pytest.mark.parametrize("matrix", ["bt709", "bt601"])
def test_colour_matrix_is_honoured(tmp_path: Path, matrix: str) -> None:
    """A saturated colour is off by over 10 levels when the other matrix is used."""
    tag = {"bt709": "bt709", "bt601": "smpte170m"}[matrix]
    clip = tmp_path / f"{matrix}.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "color=0xC83214:size=64x64:duration=0.2:rate=25,format=gbrp",
        "-vf", f"scale=out_color_matrix={matrix}:out_range=tv,format=yuv444p,setparams=colorspace={tag}",
        "-c:v", "libx264", "-qp", "0", "-colorspace", tag, clip,
    )  # fmt: skip
    assert np.abs(next(read_frames(clip)).mean(axis=(0, 1)) - (0x14, 0x32, 0xC8)).max() < 3


def test_damaged_tail_keeps_what_came_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = make_clip(tmp_path / "whole.mkv", 2.0)
    cut = tmp_path / "cut.mkv"
    data = bytearray(clip.read_bytes())
    start = len(data) * 2 // 3
    data[start:] = np.random.default_rng(0).integers(0, 256, len(data) - start, dtype=np.uint8).tobytes()
    cut.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        n_frames = sum(1 for _ in read_frames(cut))
    assert 20 <= n_frames <= 50
    assert "ffmpeg said" in caplog.text


def test_nothing_decodable_is_an_error(tmp_path: Path) -> None:
    clip = make_counter(tmp_path / "c.mp4", 3)
    with pytest.raises(MediaError, match="decoding"):
        next(read_frames(clip, first_frame=500))


def test_leaving_early_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    original = subprocess.Popen

    def recorded(*args: object, **kwargs: object) -> subprocess.Popen[bytes]:
        process = original(*args, **kwargs)  # type: ignore[call-overload]
        started.append(process)
        return process

    clip = make_clip(tmp_path / "long.mp4", 4.0, size="640x480")
    assert probe_media(clip).video is not None
    monkeypatch.setattr(subprocess, "Popen", recorded)
    frames = read_frames(clip)
    next(frames)
    frames.close()
    assert started
    assert all(process.poll() is not None for process in started)


PLANAR = {
    "plain.mp4": ("320x240", ("-pix_fmt", "yuv420p"), ("bt601", False)),
    "hd.mp4": ("1280x720", ("-pix_fmt", "yuv420p"), ("bt709", False)),
    "tagged.mp4": (
        "320x240",
        ("-vf", "scale=out_color_matrix=bt709,format=yuv420p,setparams=colorspace=bt709:range=tv"),
        ("bt709", False),
    ),
    "full.mp4": (
        "320x240",
        (
            "-vf",
            "scale=out_color_matrix=bt709:out_range=pc,format=yuv420p,setparams=colorspace=bt709:range=pc",
        ),
        ("bt709", True),
    ),
    "photo.avi": ("320x240", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "3"), ("bt601", True)),
    "odd.mkv": ("320x240", ("-vf", "scale=161:121,format=yuv420p", "-c:v", "ffv1"), ("bt601", False)),
    "turned.mp4": ("320x240", ("-pix_fmt", "yuv420p"), ("bt601", False)),
}


@pytest.mark.parametrize("name", PLANAR)
def test_planes_are_the_decoders_own(tmp_path: Path, name: str) -> None:
    size, options, (matrix, is_full_range) = PLANAR[name]
    clip = tmp_path / name
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration=0.32,gblur=4", *options, clip)
    if name == "turned.mp4":
        straight, clip = clip, tmp_path / "t.mp4"
        ffmpeg("-display_rotation", "90", "-i", straight, "-c", "copy", clip)
    video = probe_media(clip).video
    assert video is not None
    layout = planar_layout(video)
    assert layout is not None and conversion_notice(video) is None
    assert (layout.colour.matrix, layout.colour.is_full_range) == (matrix, is_full_range)
    frames = list(read_pictures(clip))
    assert len(frames) == 8
    command = [ffmpeg_path(), "-v", "error", "-i", str(clip), "-f", "rawvideo", "pipe:1"]
    decoded = subprocess.run(command, capture_output=True, check=True).stdout
    assert b"".join(p.tobytes() for f in frames for p in f.planes()) == decoded  # type: ignore[union-attr]
    for planar, bgr in zip(frames, read_frames(clip), strict=True):
        difference = to_bgr(planar).astype(int) - bgr
        assert np.abs(difference).mean() < 2  # ffmpeg takes chroma to lie half a pixel further right
        assert np.abs(difference.mean(axis=(0, 1))).max() < 1  # no cast


@pytest.mark.parametrize("pixels", ["yuv444p", "yuv422p", "yuv420p10le", "gbrp"])
def test_other_pixels_come_as_bgr(tmp_path: Path, pixels: str) -> None:
    clip = tmp_path / "c.mkv"
    codec = "libx264rgb" if pixels == "gbrp" else "libx264"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.12", "-c:v", codec,
        "-pix_fmt", "bgr24" if pixels == "gbrp" else pixels, clip,
    )  # fmt: skip
    video = probe_media(clip).video
    assert video is not None and video.pixel_format == pixels
    assert pixels in str(conversion_notice(video))
    pairs = list(zip(read_pictures(clip), read_frames(clip), strict=True))
    assert len(pairs) == 3
    assert all(isinstance(a, np.ndarray) and np.array_equal(a, b) for a, b in pairs)


def test_planar_frames_seek_and_go_backwards(tmp_path: Path) -> None:
    clip = make_counter(tmp_path / "c.mp4", 50)
    ffmpeg("-i", clip, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-crf", "1", tmp_path / "p.mp4")
    clip = tmp_path / "p.mp4"
    assert numbers(map(to_bgr, read_pictures(clip, first_frame=29))) == list(range(29, 50))
    frames = list(read_pictures_backwards(clip, 50))
    assert all(isinstance(frame, Yuv420Frame) for frame in frames)
    assert numbers(map(to_bgr, frames)) == list(range(49, -1, -1))
