from __future__ import annotations

import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pysubs2
import pytest
from made_results import (
    context_in,
    make_fitted,
    make_transcript,
    make_translation,
    untouched_lips,
)
from synthetic import astronaut_frame, ffmpeg, make_clip, write_wav

from f2f.config import MuxConfig
from f2f.errors import StageError
from f2f.mark import apply_mark, make_mark, mark_words
from f2f.results import LipSyncResult, MuxResult
from f2f.stages.mux import MuxInputs, compose_frames, mux
from f2f.stages.probe import probe
from lipsync_core.errors import LipSyncError
from lipsync_core.inference import FacePatch, PatchWriter, paste, read_patches
from lipsync_core.media import ffmpeg_path, probe_media, read_audio, read_frames, read_pictures
from lipsync_core.media.sound import measure_loudness
from lipsync_core.pictures import Yuv420Frame

FAST = MuxConfig(preset="ultrafast")
TONE_HZ, DUB_HZ = 300, 700


def muxed(
    source: Path, tmp_path: Path, config: MuxConfig = FAST, *, target: str = "hi", overflow_s: float = 0.0
) -> tuple[Path, MuxResult, MuxInputs]:
    video = probe(source, context_in(tmp_path / "probe")[0])
    transcript = make_transcript()
    translation = make_translation(transcript, target)
    folder = tmp_path / "fit"
    folder.mkdir()
    fitted = make_fitted(folder, translation, video.duration_s, overflow_s, DUB_HZ)
    inputs = MuxInputs(
        source, video, transcript, translation, fitted, folder, untouched_lips(video), tmp_path
    )
    context, listener = context_in(tmp_path / "mux", "mux")
    result = mux(inputs, config, context)
    assert listener.progress[-1] == (result.n_frames, result.n_frames, "frames")
    assert not list((tmp_path / "mux").glob(".*")), "nothing unfinished may be left"
    return tmp_path / "mux" / result.video, result, inputs


def listing(path: Path) -> str:
    return subprocess.run(
        [ffmpeg_path(), "-hide_banner", "-i", str(path)], capture_output=True, text=True, check=False
    ).stderr


def complaints(path: Path) -> str:
    """Decode sound and picture completely and return what ffmpeg has to say."""
    command = [
        ffmpeg_path(),
        "-v",
        "warning",
        "-i",
        str(path),
        "-map",
        "0:v",
        "-map",
        "0:a",
        "-f",
        "null",
        "-",
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def opencv_frames(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.read()[0]:
        count += 1
    capture.release()
    return count


def loudest_hz(path: Path, stream: int) -> float:
    wave = read_audio(path, 16_000, stream)[1600:16_000]
    return float(np.argmax(np.abs(np.fft.rfft(wave * np.hanning(wave.size)))) * 16_000 / wave.size)


def test_output_has_all_tracks_and_says_that_it_is_synthetic(tmp_path: Path) -> None:
    output, result, _ = muxed(make_clip(tmp_path / "lecture.mp4", 2.0), tmp_path)
    info = probe_media(output)
    assert info.video is not None and info.video.codec == "h264"
    assert [audio.language for audio in info.audio] == ["hin", "eng"]
    assert [subtitle.language for subtitle in info.subtitles] == ["hin", "eng"]
    assert loudest_hz(output, 0) == pytest.approx(DUB_HZ, abs=4)
    assert loudest_hz(output, 1) == pytest.approx(TONE_HZ, abs=4)
    text = listing(output)
    for key in ("comment", "synopsis"):
        line = next(line for line in text.splitlines() if line.strip().startswith(key))
        for word in ("Synthetic", "AI", "English", "Hindi", "f2f"):
            assert word in line
    assert "Hindi (AI-dubbed)" in text and "English (original)" in text
    audio_lines = [line for line in text.splitlines() if ": Audio: " in line]
    assert "(default)" in audio_lines[0] and "(default)" not in audio_lines[1]
    assert result.size_bytes == output.stat().st_size
    assert complaints(output) == ""
    data = output.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat"), "the index must be in front"


def test_sound_is_wide_and_loud_as_it_should_be(tmp_path: Path) -> None:
    output, result, _ = muxed(make_clip(tmp_path / "lecture.mp4", 2.0), tmp_path)
    dub = probe_media(output).audio[0]
    assert (dub.channels, dub.sample_rate_hz) == (2, 48_000)
    loudness = measure_loudness(output)
    assert loudness.integrated_lufs == pytest.approx(-16, abs=0.5)
    assert loudness.true_peak_dbtp <= -1
    assert result.sound is not None and result.sound.background == "duck"
    assert result.sound.loudness_lufs == pytest.approx(loudness.integrated_lufs, abs=0.3)


def test_subtitles_are_at_the_dub_s_and_at_the_source_s_times(tmp_path: Path) -> None:
    output, result, inputs = muxed(make_clip(tmp_path / "lecture.mp4", 2.0), tmp_path)
    assert result.target_subtitles and result.source_subtitles
    target = pysubs2.load(str(output.parent / result.target_subtitles))
    assert [line.plaintext for line in target] == ["नमस्ते, सबका स्वागत है।", "आज हम रॉकेट पर बात करेंगे।"]
    assert [line.start for line in target] == [round(1000 * p.start_s) for p in inputs.fitted.placements]
    extracted = tmp_path / "track.srt"
    ffmpeg("-i", output, "-map", "0:s:1", extracted)
    source = pysubs2.load(str(extracted))
    assert [line.start for line in source] == [200, 1200]
    assert "Today: rockets." in source[1].plaintext


@pytest.mark.parametrize(
    ("name", "size", "fps", "options"),
    [
        ("odd.mp4", "161x121", "25", ("-pix_fmt", "yuv444p", "-ac", "6")),
        ("sar.mkv", "160x120", "30000/1001", ("-vf", "setsar=4/3", "-c:a", "libmp3lame", "-ac", "2")),
        ("flac.mkv", "160x120", "24", ("-c:a", "flac")),
        ("old.avi", "160x120", "25", ("-c:v", "mpeg4", "-c:a", "pcm_s16le")),
        (
            "stream.ts",
            "160x120",
            "25",
            (
                "-c:a",
                "aac",
            ),
        ),
    ],
)
def test_length_size_and_shape_are_the_source_s(
    tmp_path: Path, name: str, size: str, fps: str, options: tuple[str, ...]
) -> None:
    source = tmp_path / name
    ffmpeg(
        "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps}:duration=1.6",
        "-f", "lavfi", "-i", "sine=frequency=300:sample_rate=48000:duration=1.6",
        "-pix_fmt", "yuv420p", *options, source,
    )  # fmt: skip
    output, result, _ = muxed(source, tmp_path)
    before, after = probe_media(source), probe_media(output)
    assert before.video is not None and after.video is not None
    assert result.n_frames == opencv_frames(output) == sum(1 for _ in read_frames(source, fps=Fraction(fps)))
    assert after.duration_s == pytest.approx(before.duration_s, abs=1 / float(Fraction(fps)) + 0.005)
    assert after.video.fps == Fraction(fps)
    assert after.video.sample_aspect_ratio == before.video.sample_aspect_ratio
    assert (
        0 <= after.video.width - before.video.width <= 1
        and 0 <= after.video.height - before.video.height <= 1
    )
    assert after.audio[1].channels == before.audio[0].channels
    assert loudest_hz(output, 1) == pytest.approx(TONE_HZ, abs=4)
    assert complaints(output) == ""


def test_rotation_is_applied_once(tmp_path: Path) -> None:
    flat, turned = make_clip(tmp_path / "flat.mp4", 1.6, size="160x90"), tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", "90", "-i", flat, "-c", "copy", turned)
    output, _, _ = muxed(turned, tmp_path, MuxConfig(preset="ultrafast", crf=10, mark=False))
    video = probe_media(output).video
    assert video is not None and (video.width, video.height, video.rotation) == (90, 160, 0)
    upright = np.rot90(next(iter(read_frames(flat))), 1)  # ffmpeg's display rotation is counterclockwise
    seen = next(iter(read_frames(output)))
    assert np.abs(upright.astype(int) - seen).mean() < 6
    assert np.abs(np.rot90(upright, 2).astype(int) - seen).mean() > 30


def test_late_sound_stays_late_in_the_original_track(tmp_path: Path) -> None:
    source = tmp_path / "late.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=2",
        "-itsoffset", "0.6", "-f", "lavfi", "-i", "sine=frequency=300:sample_rate=48000:duration=1.4",
        "-pix_fmt", "yuv420p", "-c:a", "aac", source,
    )  # fmt: skip
    output, _, _ = muxed(source, tmp_path)
    wave = np.abs(read_audio(output, 16_000, 1))
    assert wave[: int(0.55 * 16_000)].max() < 0.01
    assert wave[int(0.65 * 16_000) : int(1.9 * 16_000)].max() > 0.05


@pytest.mark.parametrize("codec", ["aac", "flac"])
def test_both_sounds_start_together(tmp_path: Path, codec: str) -> None:
    source = tmp_path / "chirp.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=2",
        "-f", "lavfi", "-i", "aevalsrc=0.4*sin(2*PI*(200+400*t)*t):sample_rate=48000:duration=2",
        "-pix_fmt", "yuv420p", "-c:a", codec, source,
    )  # fmt: skip
    _, _, inputs = muxed(source, tmp_path)
    write_wav(inputs.fitted_folder / inputs.fitted.wav, read_audio(source, 48_000), 48_000)
    result = mux(inputs, FAST, context_in(tmp_path / "again", "mux")[0])
    dub, original = (read_audio(tmp_path / "again" / result.video, 16_000, k)[1600:28_000] for k in (0, 1))
    spectrum = np.fft.rfft(dub, 65_536) * np.conj(np.fft.rfft(original, 65_536))
    lag = int(np.argmax(np.fft.irfft(spectrum)))
    assert min(lag, 65_536 - lag) <= 16, "at most 1 ms"


def test_overflow_keeps_the_last_picture(tmp_path: Path) -> None:
    output, result, _ = muxed(make_clip(tmp_path / "a.mp4", 1.6), tmp_path, overflow_s=0.5)
    assert result.n_frames == opencv_frames(output) == 40 + 13
    frames = list(read_frames(output))
    assert np.abs(frames[-1].astype(int) - frames[40]).max() < 12
    dub = read_audio(output, 16_000, 0)
    assert np.abs(dub[int(1.7 * 16_000) : int(2.05 * 16_000)]).max() > 0.1


def test_frames_pass_bit_exact_and_the_mark_changes_only_its_corner(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", 0.6)
    decoded = list(read_frames(source))
    plain = list(compose_frames(read_frames(source), (), None, len(decoded)))
    assert all(np.array_equal(a, b) for a, b in zip(decoded, plain, strict=True))
    mark = make_mark(320, 240, mark_words("hi"))
    x1, y1, x2, y2 = mark.box
    for before, after in zip(decoded, compose_frames(decoded, (), mark, len(decoded)), strict=True):
        assert (after[y1:y2, x1:x2] != before[y1:y2, x1:x2]).any()
        after[y1:y2, x1:x2] = before[y1:y2, x1:x2]
        assert np.array_equal(before, after)


def test_only_frames_with_a_patch_change(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [astronaut_frame(dx=k) for k in range(6)]
    patches = [
        (k, FacePatch((140, 60, 240, 180), rng.integers(0, 255, (96, 96, 3)).astype(np.uint8), 1.0))
        for k in (1, 2, 4)
    ]
    with PatchWriter(tmp_path / "p.mkv", Fraction(25)) as writer:
        for index, patch in patches:
            writer.write(index, patch)
    composed = list(compose_frames(frames, read_patches(tmp_path / "p.mkv"), None, 6))
    for k, (before, after) in enumerate(zip(frames, composed, strict=True)):
        expected = paste(before, dict(patches)[k]) if k in dict(patches) else before
        assert np.array_equal(after, expected)
        assert (k in (1, 2, 4)) == bool((after != before).any())


def test_short_sources_are_held_and_long_ones_cut() -> None:
    frames = [np.full((4, 4, 3), k, np.uint8) for k in range(3)]
    held = [int(frame[0, 0, 0]) for frame in compose_frames(frames, (), None, 5)]
    cut = [int(frame[0, 0, 0]) for frame in compose_frames(frames, (), None, 2)]
    assert (held, cut) == ([0, 1, 2, 2, 2], [0, 1])
    with pytest.raises(StageError, match="no frame"):
        next(compose_frames([], (), None, 5))


def test_failure_leaves_no_video(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", 1.0)
    _, _, inputs = muxed(source, tmp_path)
    (inputs.fitted_folder / inputs.fitted.wav).write_bytes(b"no sound at all" * 100)
    context, _ = context_in(tmp_path / "again", "mux")
    with pytest.raises(LipSyncError, match=r"reading .*dub\.wav"):
        mux(inputs, FAST, context)
    assert not list((tmp_path / "again").rglob("*.mp4"))


def test_nothing_to_say_needs_no_subtitle_track(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", 1.0)
    video = probe(source, context_in(tmp_path / "probe")[0])
    transcript = make_transcript(spans=())
    translation = make_translation(transcript)
    fitted = make_fitted(tmp_path, translation, video.duration_s)
    inputs = MuxInputs(
        source, video, transcript, translation, fitted, tmp_path, untouched_lips(video), tmp_path
    )
    result = mux(inputs, FAST, context_in(tmp_path / "mux")[0])
    assert result.target_subtitles is None and result.source_subtitles is None
    assert probe_media(tmp_path / "mux" / result.video).subtitles == ()


def test_cues_beyond_the_end_are_clipped(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", 1.0)
    output, _, _ = muxed(source, tmp_path)  # its second segment lies at 1.2 s, behind the end
    assert probe_media(output).duration_s == pytest.approx(probe_media(source).duration_s, abs=0.04)


def planes_equal(one: object, other: object) -> bool:
    assert isinstance(one, Yuv420Frame) and isinstance(other, Yuv420Frame)
    return all(np.array_equal(a, b) for a, b in zip(one.planes(), other.planes(), strict=True))


def test_planes_pass_bit_exact_to_the_encoder(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", 0.6)
    output, _, _ = muxed(source, tmp_path, MuxConfig(preset="ultrafast", crf=0, mark=False))  # lossless
    pairs = list(zip(read_pictures(source), read_pictures(output), strict=True))
    assert len(pairs) == 15 and all(planes_equal(a, b) for a, b in pairs)


def test_the_mark_is_on_every_frame_of_the_file(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", 0.6)
    output, _, _ = muxed(source, tmp_path, MuxConfig(preset="ultrafast", crf=0))
    mark = make_mark(320, 240, mark_words("hi"))
    pairs = list(zip(read_pictures(source), read_pictures(output), strict=True))
    assert len(pairs) == 15
    assert all(planes_equal(apply_mark(before, mark), after) for before, after in pairs)


@pytest.fixture
def grouped(tmp_path: Path) -> Path:
    """60 frames in closed groups of ten."""
    raw, source = make_clip(tmp_path / "raw.mp4", 2.4), tmp_path / "a.mp4"
    ffmpeg("-i", raw, "-g", "10", "-sc_threshold", "0", "-c:a", "copy", source)
    return source


def with_lips(inputs: MuxInputs, folder: Path, frames: tuple[int, ...]) -> MuxInputs:
    face = np.random.default_rng(0).integers(0, 255, (96, 96, 3)).astype(np.uint8)
    with PatchWriter(folder / "patches.mkv", Fraction(25)) as writer:
        for frame in frames:
            writer.write(frame, FacePatch((100, 60, 200, 180), face, 1.0))
    lips = LipSyncResult(
        patches="patches.mkv", n_frames=60, n_synced=len(frames), stretches=(), engine=inputs.lips.engine
    )
    return replace(inputs, lips=lips, lips_folder=folder)


@pytest.mark.parametrize("overflow_s", [0.0, 0.5])
def test_parts_without_new_lips_are_copied(grouped: Path, tmp_path: Path, overflow_s: float) -> None:
    config = MuxConfig(preset="ultrafast", mark=False, copy_untouched=True)
    _, _, inputs = muxed(grouped, tmp_path, config, overflow_s=overflow_s)
    inputs = with_lips(inputs, tmp_path, (13, 14, 31))
    context, listener = context_in(tmp_path / "again", "mux")
    result = mux(inputs, config, context)
    assert result.n_frames == 60 + (13 if overflow_s else 0)
    assert result.n_copied == (30 if overflow_s else 40)  # the last group goes on where frames are held
    assert listener.notices == [] and listener.progress[-1] == (result.n_frames, result.n_frames, "frames")
    output = tmp_path / "again" / result.video
    frames, originals = list(read_pictures(output)), list(read_pictures(grouped))
    assert len(frames) == opencv_frames(output) == result.n_frames
    for number, (frame, original) in enumerate(zip(frames, originals, strict=False)):
        is_encoded = 10 <= number < 20 or 30 <= number < 40 or (overflow_s > 0 and number >= 50)
        assert is_encoded or planes_equal(frame, original)
        assert isinstance(frame, Yuv420Frame) and isinstance(original, Yuv420Frame)
        lower = np.abs(frame.y[130:160, 130:170].astype(int) - original.y[130:160, 130:170]).mean()
        assert (lower > 15) == (number in (13, 14, 31))
    assert [audio.language for audio in probe_media(output).audio] == ["hin", "eng"]
    assert complaints(output) == ""
    assert probe_media(output).duration_s == pytest.approx(
        probe_media(grouped).duration_s + overflow_s, abs=0.05
    )


def test_with_the_mark_nothing_can_be_copied(grouped: Path, tmp_path: Path) -> None:
    _, _, inputs = muxed(grouped, tmp_path)
    context, listener = context_in(tmp_path / "again", "mux")
    result = mux(inputs, MuxConfig(preset="ultrafast", copy_untouched=True), context)
    assert result.n_copied == 0 and opencv_frames(tmp_path / "again" / result.video) == 60
    assert "set mux.mark to false" in listener.notices[0]


def test_other_pixels_are_converted_and_said(tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    ffmpeg("-i", make_clip(tmp_path / "raw.mp4", 0.6), "-pix_fmt", "yuv422p", source)
    _, _, inputs = muxed(source, tmp_path)
    context, listener = context_in(tmp_path / "again", "mux")
    mux(inputs, FAST, context)
    assert "yuv422p" in listener.notices[0]
