"""The slowed source: every frame of it, whatever the codec, its sound and its chapters."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from made_results import context_in
from synthetic import ffmpeg, make_clip

from f2f.results import SourceVideo
from f2f.slowed_video import held_pictures, slowed_chapters, write_slowed_video
from f2f.time_map import SlowedStretch, TimeMap
from lipsync_core.media import probe_media, read_pictures
from lipsync_core.media.sound import read_sound
from lipsync_core.pictures import Picture, Yuv420Frame


def planes(picture: Picture) -> list[np.ndarray]:
    return list(picture.planes()) if isinstance(picture, Yuv420Frame) else [picture]


def slow(source: Path, folder: Path, fps: str = "25/1", seconds: float = 4) -> tuple[Path, TimeMap, bool]:
    """Slow two stretches of a clip."""
    n_frames = round(seconds * Fraction(fps))
    stretches = (
        SlowedStretch(first_frame=20, n_frames=30, n_added=11),
        SlowedStretch(first_frame=n_frames - 20, n_frames=13, n_added=13),
    )
    time_map = TimeMap(fps=fps, n_frames=n_frames, slowed=stretches)
    stream = probe_media(source).video
    assert stream is not None
    video = SourceVideo(
        sha256="0", duration_s=seconds, width=stream.width, height=stream.height,
        sample_aspect_ratio="1:1", fps=fps, n_frames=n_frames, audio_codec="aac",
        audio_sample_rate_hz=16000, audio_channels=1,
    )  # fmt: skip
    context, _ = context_in(folder / "work")
    path = context.folder / "lecture.mkv"
    is_copied = write_slowed_video(source, video, time_map, path, context)
    assert list(path.parent.iterdir()) == [path]
    return path, time_map, is_copied


X264 = ("-c:v", "libx264", "-bf", "3", "-crf", "20", "-preset", "veryfast")


@pytest.mark.parametrize(
    ("name", "fps", "codec"),
    [
        ("lecture.mp4", "25/1", X264),
        ("lecture.ts", "25/1", X264),
        ("lecture.mkv", "30000/1001", X264),
        (
            "lecture.webm",
            "24/1",
            ("-c:v", "libvpx", "-b:v", "200k", "-deadline", "realtime", "-c:a", "libopus"),
        ),
    ],
)
def test_frames_are_the_sources_own_and_only_stay_longer(
    tmp_path: Path, name: str, fps: str, codec: tuple[str, ...]
) -> None:
    source = make_clip(tmp_path / "clip.mkv", 4, fps, "160x120")
    ffmpeg("-i", source, *codec, tmp_path / name)
    path, time_map, is_copied = slow(tmp_path / name, tmp_path, fps)
    assert is_copied
    expected = held_pictures(tmp_path / name, time_map)
    shown = read_pictures(path, fps=Fraction(fps))
    for one, other in zip(expected, shown, strict=True):
        assert all(map(np.array_equal, planes(one), planes(other)))


def test_packets_without_times_are_encoded_instead(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", 4, size="160x120")
    source = tmp_path / "lecture.avi"
    ffmpeg("-i", clip, "-c:v", "mpeg4", "-bf", "2", "-q:v", "3", "-c:a", "mp2", source)
    path, time_map, is_copied = slow(source, tmp_path)
    assert not is_copied
    n_frames = 0
    for one, other in zip(held_pictures(source, time_map), read_pictures(path), strict=True):
        off = [np.abs(a.astype(int) - b).mean() for a, b in zip(planes(one), planes(other), strict=True)]
        assert max(off) < 1.5
        n_frames += 1
    assert n_frames == time_map.n_frames + time_map.n_added


def test_turned_pictures_stay_turned_and_sound_is_as_long_as_the_picture(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 4, size="160x120")
    source = tmp_path / "lecture.mp4"
    ffmpeg("-display_rotation", "90", "-i", clip, "-c", "copy", source)
    path, time_map, is_copied = slow(source, tmp_path)
    info = probe_media(path)
    assert is_copied
    assert info.video is not None
    assert (info.video.width, info.video.height) == (120, 160)
    n_samples = sum(map(len, read_sound(path)))
    assert n_samples / 48_000 == pytest.approx(4 + time_map.added_s, abs=0.1)


def test_chapters_move_with_the_picture(tmp_path: Path) -> None:
    marks = tmp_path / "marks.txt"
    marks.write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2000\ntitle=Rockets\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=2000\nEND=4000\ntitle=START=3\n"
    )
    clip = make_clip(tmp_path / "clip.mp4", 4, size="160x120")
    source = tmp_path / "lecture.mp4"
    ffmpeg("-i", clip, "-i", marks, "-map_chapters", "1", "-c", "copy", source)
    path, time_map, _ = slow(source, tmp_path)
    ffmpeg("-i", path, "-f", "ffmetadata", tmp_path / "after.txt")
    after = (tmp_path / "after.txt").read_text()
    assert "title=Rockets" in after
    assert slowed_chapters(marks.read_text(), time_map).count("START=2440") == 1
    assert after.count("START=2440000000") == 1
