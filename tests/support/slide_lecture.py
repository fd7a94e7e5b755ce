"""A small lecture of slides and a speaker, made here, with what is said in two languages."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from synthetic import astronaut_frame, write_wav

FPS = 25
WIDTH, HEIGHT = 320, 240
RATE_HZ = 16_000
Cue = tuple[float, float, str]


def slide_frame(index: int, title: str) -> np.ndarray:
    """Return (240, 320, 3) uint8 BGR: a slide over which a pointer of a few pixels wanders."""
    import cv2

    frame = np.full((HEIGHT, WIDTH, 3), 245, np.uint8)
    cv2.putText(frame, title, (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (90, 40, 20), 2, cv2.LINE_AA)
    for row in range(3):
        cv2.rectangle(frame, (30, 100 + 40 * row), (290 - 50 * row, 112 + 40 * row), (160, 140, 120), -1)
    x = 40 + index % 200
    cv2.line(frame, (x, 90), (x + 3, 93), (0, 0, 0), 1)
    return frame


def face_frame(index: int) -> np.ndarray:
    """Return a frame of a person who moves all the time."""
    angle = 2 * np.pi * index / FPS / 2
    return astronaut_frame(WIDTH, HEIGHT, 6 * np.sin(angle), 3 * np.cos(angle))


def lecture_frames(parts: Sequence[tuple[str, float]]) -> Iterable[np.ndarray]:
    """Yield the frames of parts (``"face"`` or a slide's title, seconds)."""
    index = 0
    for what, seconds in parts:
        for _ in range(round(seconds * FPS)):
            yield face_frame(index) if what == "face" else slide_frame(index, what)
            index += 1


def make_slide_lecture(path: Path, parts: Sequence[tuple[str, float]], *codec: str) -> Path:
    """Write the lecture with a tone for each part (220 Hz, 330 Hz, …), in syllables, over a room's noise."""
    import imageio_ffmpeg

    tones, position = [], 0
    for number, (_, seconds) in enumerate(parts):
        time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
        tones.append(np.sin(2 * np.pi * (220 + 110 * number) * time_s) * (time_s % 0.4 < 0.25))
        position += len(time_s)
    noise = np.random.default_rng(5).standard_normal(position)
    sound = write_wav(path.with_suffix(".sound.wav"), 0.2 * np.concatenate(tones) + 0.004 * noise, RATE_HZ)
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y",
        "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-",
        "-i", str(sound), *(codec or ("-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p")),
        "-c:a", "aac", str(path),
    ]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for frame in lecture_frames(parts):
            process.stdin.write(frame.tobytes())
        process.stdin.close()
        assert process.wait() == 0
    sound.unlink()
    return path


def write_srt(path: Path, cues: Sequence[Cue]) -> Path:
    """Write subtitles."""
    blocks = [f"{n}\n{_time(a)} --> {_time(b)}\n{text}\n" for n, (a, b, text) in enumerate(cues, start=1)]
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


def _time(seconds: float) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"
