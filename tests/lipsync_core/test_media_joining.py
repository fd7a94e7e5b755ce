"""Joining copied packets with new ones, judged by decoding the result."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from synthetic import ffmpeg

from lipsync_core.copying import patched_pictures
from lipsync_core.errors import InvalidInputError, MediaError
from lipsync_core.media import (
    EncodeOptions,
    MediaInfo,
    ffmpeg_path,
    planar_layout,
    probe_media,
    read_audio,
    read_pictures,
)
from lipsync_core.media.gops import JoinPlan, plan_stretches, read_gops
from lipsync_core.media.joining import join_video
from lipsync_core.pictures import Picture, Yuv420Frame

CHANGED = (30, 31, 62)  # of 100 frames in groups of 20


def make_source(path: Path, rate: str, *options: str) -> Path:
    ffmpeg(
        "-f", "lavfi", "-i", f"testsrc2=size=160x120:rate={rate}:duration=8", "-f", "lavfi", "-i",
        "sine=frequency=300:duration=8", "-frames:v", "100", "-c:v", "libx264", "-pix_fmt", "yuv420p",
        "-g", "20", "-sc_threshold", "0", "-c:a", "aac", "-shortest", *options, path,
    )  # fmt: skip
    return path


def plan_of(source: Path, n_frames: int = 100) -> JoinPlan:
    video = probe_media(source).video
    assert video is not None
    table = read_gops(source, video.fps)
    changed = bytearray(table.n_frames)
    for index in CHANGED:
        changed[index] = True
    return JoinPlan(source, table, plan_stretches(table, changed, n_frames), video.fps)


def painted(picture: Picture) -> Yuv420Frame:
    assert isinstance(picture, Yuv420Frame)
    y = picture.y.copy()
    y[40:80, 60:100] = 200
    return replace(picture, y=y)


def finished(plan: JoinPlan) -> Iterator[Picture]:
    stretches = plan.encoded_stretches()
    numbers = (n for stretch in stretches for n in range(stretch.first, stretch.stop))
    pictures = patched_pictures(plan.source, plan.fps, stretches, ())
    for number, picture in zip(numbers, pictures, strict=True):
        yield painted(picture) if number in CHANGED else picture


def joined(plan: JoinPlan, out: Path, **options: object) -> MediaInfo:
    video = probe_media(plan.source).video
    assert video is not None
    encode = EncodeOptions(
        preset="veryfast",
        layout=planar_layout(video, as_tagged=True),
        sample_aspect_ratio=video.sample_aspect_ratio,
        extra_inputs=[["-i", str(plan.source)]],
        output_args=["-map", "1:a:0", "-c:a", "copy"],
    )
    join_video(out, plan, finished(plan), replace(encode, **options))  # type: ignore[arg-type]
    return probe_media(out)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, ((a.astype(float) - b) ** 2).mean())))


@pytest.mark.parametrize(
    ("source", "out", "rate", "options"),
    [
        ("b.mp4", "o.mp4", "25", ()),
        ("b.mkv", "o.mkv", "30000/1001", ()),
        ("b.mkv", "o.mp4", "30000/1001", ("-bf", "5", "-refs", "5")),
        ("plain.mp4", "o.mov", "50", ("-bf", "0", "-refs", "1")),
        ("base.mp4", "o.mp4", "25", ("-profile:v", "baseline")),
        ("main.mp4", "o.mp4", "24", ("-profile:v", "main")),
        ("inband.ts", "o.mp4", "25", ()),
        ("repeated.mp4", "o.mkv", "25", ("-x264-params", "repeat-headers=1")),
        ("numbered.mp4", "o.mp4", "25", ("-x264-params", "sps-id=1")),
        ("slices.mp4", "o.mp4", "25", ("-slices", "4")),
        ("sar.mp4", "o.mp4", "25", ("-vf", "setsar=4/3")),
        ("full.mp4", "o.mp4", "25", ("-vf", "scale=out_range=pc,format=yuv420p,setparams=range=pc")),
    ],
)
def test_copied_parts_are_bit_exact_and_the_rest_is_sound(
    tmp_path: Path, source: str, out: str, rate: str, options: tuple[str, ...]
) -> None:
    clip = make_source(tmp_path / source, rate, *options)
    plan, result = plan_of(clip), tmp_path / out
    assert [(s.first, s.stop) for s in plan.encoded_stretches()] == [(20, 40), (60, 80)]
    info, before = joined(plan, result), probe_media(clip)
    assert info.video is not None and before.video is not None
    assert (info.video.fps, info.video.sample_aspect_ratio) == (
        Fraction(rate),
        before.video.sample_aspect_ratio,
    )
    assert info.duration_s == pytest.approx(before.duration_s, abs=0.06)
    frames, originals = list(read_pictures(result, fps=plan.fps)), list(read_pictures(clip, fps=plan.fps))
    assert len(frames) == len(originals) == 100
    for number, (frame, original) in enumerate(zip(frames, originals, strict=True)):
        assert isinstance(frame, Yuv420Frame) and isinstance(original, Yuv420Frame)
        if 20 <= number < 40 or 60 <= number < 80:
            wanted = painted(original) if number in CHANGED else original
            assert psnr(wanted.y, frame.y) > 38, f"frame {number}"
        else:
            same = zip(frame.planes(), original.planes(), strict=True)
            assert all(np.array_equal(a, b) for a, b in same), f"frame {number}"
    check = [ffmpeg_path(), "-v", "warning", "-i", str(result), "-f", "null", "-"]
    assert subprocess.run(check, capture_output=True, text=True, check=True).stderr == ""


def test_another_decoder_finds_all_frames(tmp_path: Path) -> None:
    plan = plan_of(make_source(tmp_path / "a.mp4", "25"))
    joined(plan, tmp_path / "o.mp4")
    capture, n_frames = cv2.VideoCapture(str(tmp_path / "o.mp4")), 0
    while capture.read()[0]:
        n_frames += 1
    capture.release()
    assert n_frames == 100


def test_players_can_seek_into_every_part(tmp_path: Path) -> None:
    plan = plan_of(make_source(tmp_path / "a.mp4", "25"))
    joined(plan, tmp_path / "o.mp4")
    whole = list(read_pictures(tmp_path / "o.mp4"))
    for first in (0, 19, 20, 35, 40, 59, 61, 85):
        sought = next(read_pictures(tmp_path / "o.mp4", first_frame=first))
        assert isinstance(sought, Yuv420Frame) and isinstance(whole[first], Yuv420Frame)
        assert np.array_equal(sought.y, whole[first].y)  # type: ignore[union-attr]


def test_sound_is_the_same(tmp_path: Path) -> None:
    plan = plan_of(make_source(tmp_path / "a.mp4", "25"))
    joined(plan, tmp_path / "o.mp4")
    assert np.array_equal(read_audio(plan.source), read_audio(tmp_path / "o.mp4"))


def test_a_longer_result_holds_its_last_frame(tmp_path: Path) -> None:
    plan = plan_of(make_source(tmp_path / "a.mp4", "25"), 108)
    joined(plan, tmp_path / "o.mp4", output_args=())
    frames = list(read_pictures(tmp_path / "o.mp4"))
    assert len(frames) == 108
    last = frames[99], frames[107]
    assert isinstance(last[0], Yuv420Frame) and isinstance(last[1], Yuv420Frame)
    assert psnr(last[0].y, last[1].y) > 40


def test_all_or_nothing_copied(tmp_path: Path) -> None:
    plan = plan_of(make_source(tmp_path / "a.mp4", "25"))
    for is_copied in (True, False):
        whole = replace(plan, stretches=[replace(plan.stretches[0], stop=100, is_copied=is_copied)])
        assert whole.n_copied == 100 * is_copied
        joined(whole, tmp_path / "o.mp4")
        frames = list(read_pictures(tmp_path / "o.mp4"))
        assert len(frames) == 100


def test_many_short_stretches(tmp_path: Path) -> None:
    clip = make_source(tmp_path / "a.mp4", "25", "-g", "2", "-keyint_min", "1", "-bf", "0")
    table = read_gops(clip, Fraction(25))
    changed = bytearray(100)
    changed[::4] = b"\1" * 25
    plan = JoinPlan(clip, table, plan_stretches(table, changed, 100), Fraction(25))
    assert len(plan.stretches) == 50
    joined(plan, tmp_path / "o.mp4")
    frames, originals = list(read_pictures(tmp_path / "o.mp4")), list(read_pictures(clip))
    assert len(frames) == 100
    for number, (a, b) in enumerate(zip(frames, originals, strict=True)):
        assert isinstance(a, Yuv420Frame) and isinstance(b, Yuv420Frame)
        assert np.array_equal(a.y, b.y) if number % 4 > 1 else psnr(a.y, b.y) > 30 or number in CHANGED


@pytest.fixture
def plan(tmp_path: Path) -> JoinPlan:
    return plan_of(make_source(tmp_path / "a.mp4", "25"))


def options_of(plan: JoinPlan) -> EncodeOptions:
    video = probe_media(plan.source).video
    assert video is not None
    return EncodeOptions(preset="ultrafast", layout=planar_layout(video, as_tagged=True))


@pytest.mark.parametrize("error", [MediaError("disk fell over"), KeyboardInterrupt()])
def test_an_error_of_the_frames_is_raised_and_nothing_is_left(
    plan: JoinPlan, tmp_path: Path, error: BaseException
) -> None:
    def failing() -> Iterator[Picture]:
        yield from list(finished(plan))[:7]
        raise error

    target = tmp_path / "o.mp4"
    target.write_bytes(b"precious")
    threads = set(threading.enumerate())
    with pytest.raises(type(error)):
        join_video(target, plan, failing(), options_of(plan))
    assert target.read_bytes() == b"precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "o.mp4"]
    deadline = time.monotonic() + 10
    while set(threading.enumerate()) - threads and time.monotonic() < deadline:
        time.sleep(0.01)  # those that read ffmpeg's last words
    assert set(threading.enumerate()) <= threads


def test_failures_have_words(plan: JoinPlan, tmp_path: Path) -> None:
    options = options_of(plan)
    bad = replace(options, output_args=["-map", "7:a"])
    with pytest.raises(MediaError, match="writing"):
        join_video(tmp_path / "o.mp4", plan, finished(plan), bad)
    with pytest.raises(MediaError, match="encoding changed stretches"):
        join_video(tmp_path / "o.mp4", plan, finished(plan), replace(options, preset="none such"))
    few = iter(list(finished(plan))[:25])
    with pytest.raises(MediaError, match="encoding changed stretches"):
        join_video(tmp_path / "o.mp4", plan, few, options)
    with pytest.raises(MediaError, match="folder"):
        join_video(tmp_path / "absent" / "o.mp4", plan, finished(plan), options)
    with pytest.raises(InvalidInputError, match="crf"):
        join_video(tmp_path / "o.mp4", plan, finished(plan), replace(options, crf=30))
    with pytest.raises(InvalidInputError, match="layout"):
        join_video(tmp_path / "o.mp4", plan, finished(plan), EncodeOptions())
    shorter = replace(
        plan, table=replace(plan.table, n_frames=120), stretches=plan_of(plan.source, 120).stretches
    )
    longer = [replace(plan.stretches[0], stop=120, is_copied=True)]
    with pytest.raises(MediaError, match="fewer frames"):
        join_video(tmp_path / "o.mp4", replace(shorter, stretches=longer), iter(()), options)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
