"""What `probe_media` makes of ordinary and awkward files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from synthetic import ffmpeg, make_clip

from lipsync_core.errors import MediaError
from lipsync_core.media import measure_duration, probe_media, read_audio, read_frames
from lipsync_core.media.streams import _constant_rate, _rate, default_colour_matrix


def test_plain_clip(tmp_path: Path) -> None:
    info = probe_media(make_clip(tmp_path / "a clip.mp4", 2.0, "30000/1001", "320x240"))
    assert info.video is not None
    assert (info.video.width, info.video.height) == (320, 240)
    assert info.video.fps == Fraction(30000, 1001)
    assert not info.video.is_variable_rate
    assert info.video.sample_aspect_ratio == "1:1"
    assert info.duration_s == pytest.approx(2.0, abs=0.1)
    assert [(a.sample_rate_hz, a.channels, a.language) for a in info.audio] == [(16000, 1, None)]
    assert info.subtitles == ()


def test_languages_and_text_subtitles(tmp_path: Path) -> None:
    srt = tmp_path / "t.srt"
    srt.write_text("1\n00:00:00,000 --> 00:00:01,000\nhola\n", encoding="utf-8")
    clip, out = make_clip(tmp_path / "in.mp4", 1.0), tmp_path / "out.mp4"
    ffmpeg(
        "-i", clip, "-i", srt, "-map", "0:v", "-map", "0:a", "-map", "0:a", "-map", "1", "-c", "copy",
        "-c:s", "mov_text", "-metadata:s:a:0", "language=hin", "-metadata:s:s:0", "language=spa", out,
    )  # fmt: skip
    info = probe_media(out)
    assert [a.language for a in info.audio] == ["hin", None]
    assert [(s.codec, s.language, s.is_text) for s in info.subtitles] == [("mov_text", "spa", True)]


def test_rotation_turns_size_and_aspect(tmp_path: Path) -> None:
    clip, turned = tmp_path / "in.mp4", tmp_path / "turned.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=160x90:rate=25:duration=1,setsar=4/3", clip)
    ffmpeg("-display_rotation", "90", "-i", clip, "-c", "copy", turned)
    video = probe_media(turned).video
    assert video is not None
    assert (video.width, video.height, video.sample_aspect_ratio) == (90, 160, "3:4")
    assert video.rotation in (90, 270)
    assert next(read_frames(turned)).shape == (160, 90, 3)


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    picture, song = tmp_path / "cover.png", tmp_path / "song.mp3"
    ffmpeg("-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1", picture)
    ffmpeg(
        "-f", "lavfi", "-i", "sine=duration=1", "-i", picture, "-map", "0", "-map", "1",
        "-c:v", "copy", "-disposition:v:0", "attached_pic", song,
    )  # fmt: skip
    info = probe_media(song)
    assert info.video is None
    assert len(info.audio) == 1
    with pytest.raises(MediaError, match="holds no video"):
        next(read_frames(song))


def test_colour_matrix_is_read_or_guessed(tmp_path: Path) -> None:
    tagged = tmp_path / "tagged.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc=size=64x64:duration=0.2,setparams=colorspace=bt709",
        "-colorspace", "bt709", "-pix_fmt", "yuv420p", tagged,
    )  # fmt: skip
    video = probe_media(tagged).video
    assert video is not None
    assert video.colour_matrix == "bt709"
    assert default_colour_matrix(640, 480) == "bt601"
    assert default_colour_matrix(1280, 720) == "bt709"


def test_duration_is_measured_where_the_header_has_none(tmp_path: Path) -> None:
    clip, live = make_clip(tmp_path / "in.mp4", 2.0), tmp_path / "live.mkv"
    ffmpeg("-i", clip, "-c", "copy", "-f", "matroska", "-live", "1", live)  # no duration in the header
    assert probe_media(live).duration_s == pytest.approx(2.0, abs=0.1)
    assert measure_duration(clip) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"<html><body>not found</body></html>" * 50, "reading"), (b"\x00" * 4000, "reading")],
)
def test_what_is_no_media_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "talk.mp4"
    file.write_bytes(content)
    with pytest.raises(MediaError, match=words) as caught:
        probe_media(file)
    assert "\n" not in str(caught.value)


def test_missing_file_and_odd_names(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such file"):
        probe_media(tmp_path / "absent.mp4")
    odd = make_clip(tmp_path / "-i a:b 'c'.mp4", 0.4)
    assert len(list(read_frames(odd))) == 10


@pytest.mark.parametrize(
    ("average", "timebase", "interlaced", "rate", "varies"),
    [
        ("29.97", "29.97", False, Fraction(30000, 1001), False),
        ("23.98", "23.98", False, Fraction(24000, 1001), False),
        ("59.94", "59.94", False, Fraction(60000, 1001), False),
        ("25", "25", False, Fraction(25), False),
        ("12.50", "12.50", False, Fraction(25, 2), False),
        ("25", "50", True, Fraction(25), False),
        ("29.98", "30", False, Fraction(30), False),
        ("10.51", "90k", False, Fraction(25), True),
        ("15.20", "30", False, Fraction(30), True),
    ],
)
def test_constant_rate(average: str, timebase: str, interlaced: bool, rate: Fraction, varies: bool) -> None:
    listed = f", {average} fps, {timebase} tbr, 90k tbn"
    assert _constant_rate(_rate(listed, "fps"), _rate(listed, "tbr"), interlaced) == (rate, varies)


@pytest.mark.parametrize(
    ("name", "size", "seconds", "n_frames"),
    [
        ("face_ok_1s.mp4", (1080, 720), 1.07, 30),
        ("face_fragmented_bogus_duration.mp4", (1080, 720), 1.07, 32),
        ("face_rotate_and_reflect.mp4", (720, 1080), 1.07, 30),
        ("face_video_only.mp4", (1080, 720), 1.0, 30),
        ("first_pts_10s.mp4", (800, 640), 4.0, 120),
        ("vfr_nonmonotonic_dts.mp4", (1280, 720), 2.38, 59),
    ],
)
def test_robust_videos(
    shared_media: Path, name: str, size: tuple[int, int], seconds: float, n_frames: int
) -> None:
    info = probe_media(shared_media / "robust" / name)
    assert info.video is not None
    assert (info.video.width, info.video.height) == size
    assert info.duration_s == pytest.approx(seconds, abs=0.02)
    shapes = [frame.shape for frame in read_frames(info.path)]
    assert shapes == [(size[1], size[0], 3)] * n_frames


@pytest.mark.parametrize("name", ["broken_free_box.mp4", "zero_bytes.webm", "header_only.wav"])
def test_robust_failures(shared_media: Path, name: str) -> None:
    with pytest.raises(MediaError) as caught:
        probe_media(shared_media / "robust" / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_robust_audio_only(shared_media: Path) -> None:
    info = probe_media(shared_media / "robust" / "audio_only.mp4")
    assert info.video is None
    assert read_audio(info.path).size / 16000 == pytest.approx(1.04, abs=0.05)
