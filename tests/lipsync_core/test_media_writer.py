"""Encoding: colours, sizes, atomicity, muxing, failures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipsync_core.errors import InvalidInputError, MediaError
from lipsync_core.media import (
    EncodeOptions,
    VideoWriter,
    planar_layout,
    probe_media,
    read_frames,
    read_pictures,
    write_wav,
)
from lipsync_core.media.planar import PlanarLayout
from lipsync_core.media.streams import ColourTags
from lipsync_core.pictures import ColourSpace, Yuv420Frame, frame_bytes, frame_from_bytes


def smooth_frame(width: int, height: int, shift: int = 0) -> np.ndarray:
    """Return a colour gradient without detail that 4:2:0 would lose."""
    x = np.linspace(30, 220, width)[None, :].repeat(height, 0)
    y = np.linspace(40, 200, height)[:, None].repeat(width, 1)
    return np.stack([x, y, 255 - x], axis=2).astype(np.uint8) // 2 + 40 + shift


@pytest.mark.parametrize(("width", "height", "matrix"), [(320, 240, "bt601"), (1280, 720, "bt709")])
def test_colours_survive(tmp_path: Path, width: int, height: int, matrix: str) -> None:
    frame = smooth_frame(width, height)
    with VideoWriter(
        tmp_path / "o.mp4", width, height, Fraction(25), EncodeOptions(preset="veryfast")
    ) as writer:
        for _ in range(3):
            writer.write(frame)
    video = probe_media(tmp_path / "o.mp4").video
    assert video is not None
    assert video.colour_matrix == matrix
    back = next(read_frames(tmp_path / "o.mp4")).astype(int)
    assert np.abs(back - frame).mean() < 1.5
    assert np.abs((back - frame).mean(axis=(0, 1))).max() < 0.6  # no cast


def test_exact_rate_aspect_and_layout(tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    with VideoWriter(tmp_path / "o.mp4", 64, 48, rate, EncodeOptions(sample_aspect_ratio="4:3")) as writer:
        for shift in range(45):
            writer.write(smooth_frame(64, 48, shift))
    video = probe_media(tmp_path / "o.mp4").video
    assert video is not None
    assert (video.fps, video.sample_aspect_ratio) == (rate, "4:3")
    data = (tmp_path / "o.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # faststart
    assert len(list(read_frames(tmp_path / "o.mp4"))) == writer.n_frames == 45


def test_odd_sizes_get_one_replicated_column_and_row(tmp_path: Path) -> None:
    frame = smooth_frame(63, 47)
    with VideoWriter(tmp_path / "o.mp4", 63, 47, Fraction(25), EncodeOptions(crf=0)) as writer:
        writer.write(frame)
    back = next(read_frames(tmp_path / "o.mp4")).astype(int)
    assert back.shape == (48, 64, 3)
    assert np.abs(back[:47, :63] - frame).mean() < 2
    assert np.abs(back[:47, 63] - frame[:, 62]).mean() < 4


def test_sound_and_metadata_in_the_same_run(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.full(16000, 0.1, np.float32), 16000)
    options = EncodeOptions(
        video_filter="drawbox=x=0:y=0:w=16:h=16:color=white:t=fill",
        extra_inputs=[["-i", str(tmp_path / "a.wav")]],
        output_args=[
            "-map",
            "1:a",
            "-c:a",
            "aac",
            "-metadata",
            "comment=synthetic",
            "-metadata:s:a:0",
            "language=hin",
        ],
    )
    with VideoWriter(tmp_path / "o.mp4", 64, 64, Fraction(25), options) as writer:
        for _ in range(25):
            writer.write(np.zeros((64, 64, 3), np.uint8))
    info = probe_media(tmp_path / "o.mp4")
    assert [a.language for a in info.audio] == ["hin"]
    assert b"synthetic" in (tmp_path / "o.mp4").read_bytes()
    frame = next(read_frames(tmp_path / "o.mp4"))
    assert frame[4, 4].min() > 200
    assert frame[40, 40].max() < 20


def test_failure_in_the_block_leaves_nothing_and_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "o.mp4"
    target.write_bytes(b"precious")
    with pytest.raises(RuntimeError, match="boom"), VideoWriter(target, 64, 64, Fraction(25)) as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
        raise RuntimeError("boom")
    assert target.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [target]


def test_ffmpeg_failure_carries_its_words(tmp_path: Path) -> None:
    options = EncodeOptions(output_args=["-c:a", "no_such_codec", "-map", "7:a"])
    frame = np.zeros((480, 640, 3), np.uint8)
    with (
        pytest.raises(MediaError, match="encoding") as caught,
        VideoWriter(tmp_path / "o.mp4", 640, 480, Fraction(25), options) as writer,
    ):
        for _ in range(50):
            writer.write(frame)
    assert caught.value.command
    assert caught.value.stderr_tail
    assert list(tmp_path.iterdir()) == []


def test_chatty_ffmpeg_does_not_block(tmp_path: Path) -> None:
    """More log lines than a pipe holds (64 KiB) must not stop the encoder."""
    options = EncodeOptions(video_filter="showinfo", output_args=["-loglevel", "info"], preset="ultrafast")
    with VideoWriter(tmp_path / "o.mp4", 16, 16, Fraction(25), options) as writer:
        for _ in range(600):
            writer.write(np.zeros((16, 16, 3), np.uint8))
    assert writer.n_frames == 600


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    for args in ((0, 64, Fraction(25)), (64, 64, Fraction(0))):
        with pytest.raises(InvalidInputError):
            VideoWriter(tmp_path / "o.mp4", *args)
    with pytest.raises(InvalidInputError, match="crf"):
        VideoWriter(tmp_path / "o.mp4", 64, 64, Fraction(25), EncodeOptions(crf=23))
    with pytest.raises(MediaError, match="folder"):
        VideoWriter(tmp_path / "absent" / "o.mp4", 64, 64, Fraction(25))
    with (
        pytest.raises(InvalidInputError, match="shape"),
        VideoWriter(tmp_path / "o.mp4", 64, 64, Fraction(25)) as w,
    ):
        w.write(np.zeros((32, 64, 3), np.uint8))
    with (
        pytest.raises(MediaError, match="not one frame"),
        VideoWriter(tmp_path / "o.mp4", 64, 64, Fraction(25)),
    ):
        pass


@pytest.mark.parametrize(
    ("size", "colour", "tags"),
    [
        ((64, 48), ColourSpace("bt601"), ColourTags("tv", "smpte170m", "smpte170m", "smpte170m")),
        ((64, 48), ColourSpace("bt709", True), ColourTags("pc", "bt709", "bt709", "bt709")),
        ((64, 48), ColourSpace("bt2020"), ColourTags("tv", "bt2020nc", "bt2020", "bt2020-10")),
        ((64, 48), ColourSpace("bt601"), ColourTags()),
        ((63, 47), ColourSpace("bt709"), ColourTags("tv", "bt709", "bt709", "bt709")),
    ],
)
def test_planes_reach_the_encoder_bit_for_bit(
    tmp_path: Path, size: tuple[int, int], colour: ColourSpace, tags: ColourTags
) -> None:
    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, (5, frame_bytes(*size)), dtype=np.uint8)
    frames = [frame_from_bytes(row, *size, colour) for row in data]
    options = EncodeOptions(crf=0, preset="ultrafast", layout=PlanarLayout(colour, tags))  # lossless
    with VideoWriter(tmp_path / "o.mp4", *size, Fraction(25), options) as writer:
        for frame in frames:
            writer.write(frame)
    video = probe_media(tmp_path / "o.mp4").video
    assert video is not None
    assert (video.colour_tags, video.pixel_format.replace("yuvj", "yuv")) == (tags, "yuv420p")
    back = list(read_pictures(tmp_path / "o.mp4"))
    assert len(back) == 5
    for wrote, read in zip(frames, back, strict=True):
        assert isinstance(read, Yuv420Frame)
        expected = wrote.padded_to_even().planes()
        assert all(np.array_equal(a, b) for a, b in zip(expected, read.planes(), strict=True))


def test_untagged_sources_are_tagged_with_what_players_assume(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "o.mp4", 64, 48, Fraction(25), EncodeOptions()) as writer:
        writer.write(smooth_frame(64, 48))
    video = probe_media(tmp_path / "o.mp4").video
    assert video is not None
    assert video.colour_tags == ColourTags("tv", "smpte170m", "smpte170m", "smpte170m")
    assert planar_layout(video) == PlanarLayout(ColourSpace("bt601"), video.colour_tags)


def test_the_other_layout_is_refused(tmp_path: Path) -> None:
    layout = PlanarLayout(ColourSpace("bt709"), ColourTags())
    planar = frame_from_bytes(np.zeros(frame_bytes(64, 48), np.uint8), 64, 48, layout.colour)
    other = frame_from_bytes(np.zeros(frame_bytes(64, 48), np.uint8), 64, 48, ColourSpace("bt601"))
    for options, frame in (
        (EncodeOptions(), planar),
        (EncodeOptions(layout=layout), np.zeros((48, 64, 3), np.uint8)),
        (EncodeOptions(layout=layout), other),
    ):
        with (
            pytest.raises(InvalidInputError, match="this file takes"),
            VideoWriter(tmp_path / "o.mp4", 64, 48, Fraction(25), options) as writer,
        ):
            writer.write(frame)
