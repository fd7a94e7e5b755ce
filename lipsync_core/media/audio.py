"""Decode sound to mono float, read and write wav files."""

from __future__ import annotations

import os
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lipsync_core.errors import InvalidInputError, MediaError
from lipsync_core.media.ffmpeg import QUIET, failure, ffmpeg_path, input_argument
from lipsync_core.media.probe import probe_media
from lipsync_core.whole_files import whole_file

Waveform = npt.NDArray[np.float32]  # (N,), -1...1
PCM_SCALE = 32_768.0
_BLOCK_SAMPLES = 1 << 20


def read_audio(path: Path | str, sample_rate_hz: int = 16_000, stream: int = 0) -> Waveform:
    """Return one audio stream of a file, mixed down to mono (mean of the channels).

    Sample 0 is the container's start, the same time zero as `read_frames`': a late start and gaps become
    silence. The samples lie in an unnamed temporary file that is mapped into memory, so hours of sound
    need no RAM of their own.

    Args:
        path: audio or video file.
        sample_rate_hz: rate to resample to.
        stream: number among the file's audio streams.

    Returns:
        (N,) float32 in -1...1, N >= 1.

    Raises:
        MediaError: no such stream, or nothing in it can be decoded.
    """
    info = probe_media(path)
    if stream >= len(info.audio):
        have = (
            f"it has {len(info.audio)} audio stream(s), counted from 0" if info.audio else "it has no sound"
        )
        raise MediaError(f"{path} has no audio stream {stream}: {have}")
    # Down-mixing with weights that sum to 1: the mean of stereo; of surround, the centre counts more.
    mono = f"out_chlayout=mono:rematrix_maxval=1.0:out_sample_rate={sample_rate_hz}"
    resample = f"aresample=async=1:first_pts=0:{mono}"
    command = [
        ffmpeg_path(), *QUIET, "-max_error_rate", "1", "-i", input_argument(path),
        "-map", f"0:{info.audio[stream].index}", "-af", resample, "-f", "f32le", "pipe:1",
    ]  # fmt: skip
    with tempfile.TemporaryFile() as file:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE, check=False
        )
        n_samples = file.seek(0, os.SEEK_END) // 4
        if n_samples == 0:
            raise failure(f"decoding the sound of {path}", command, done.stderr.decode("utf-8", "replace"))
        # Copy on write: torch refuses to wrap read-only arrays without a warning.
        return np.asarray(np.memmap(file, np.float32, mode="c", shape=(n_samples,)))


def write_wav(path: Path | str, waveform: npt.NDArray[np.floating], sample_rate_hz: int) -> None:
    """Write mono samples in -1...1 (beyond is clipped) as 16-bit wav, atomically.

    Raises:
        InvalidInputError: not one-dimensional, or not finite.
    """
    target = Path(path)
    if waveform.ndim != 1:
        raise InvalidInputError(f"waveform has shape {waveform.shape}; write_wav takes mono (N,)")
    with (
        whole_file(target) as part,
        part.open("wb") as raw,  # where wave cannot open a file itself it complains once more at its end
        wave.open(raw, "wb") as file,
    ):
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate_hz)
        for first in range(0, waveform.size, _BLOCK_SAMPLES):
            file.writeframes(_to_pcm16(waveform[first : first + _BLOCK_SAMPLES]).astype("<i2").tobytes())


def _to_pcm16(waveform: npt.NDArray[np.floating]) -> npt.NDArray[np.int16]:
    if not np.isfinite(waveform).all():
        raise InvalidInputError("waveform contains NaN or infinite samples")
    return np.clip(np.round(waveform * PCM_SCALE), -PCM_SCALE, PCM_SCALE - 1).astype(np.int16)


def read_wav(path: Path | str) -> tuple[Waveform, int]:
    """Return (waveform, sample_rate_hz) of a 16-bit wav file, channels averaged, rate unchanged.

    Raises:
        MediaError: not a readable 16-bit wav file; use `read_audio` for everything else.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            raw = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as exc:
        raise MediaError(f"{path} is not a readable wav file: {exc}") from exc
    if width != 2:
        raise MediaError(f"{path} has {8 * width}-bit samples; read_wav takes 16-bit, use read_audio")
    pcm = np.frombuffer(raw[: len(raw) // (2 * channels) * 2 * channels], "<i2").reshape(-1, channels)
    return (pcm.mean(axis=1, dtype=np.float32) / np.float32(PCM_SCALE)).astype(np.float32), rate
