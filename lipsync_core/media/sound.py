"""Sound as a stream of stereo blocks: decode, encode with filters, and measure loudness.

Everything here runs in memory that does not grow with the length of the sound. Blocks are (N, 2) float32,
left and right, 1 is full scale (and may be exceeded until the sound is written).
"""

from __future__ import annotations

import math
import re
import subprocess
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from lipsync_core.errors import InvalidInputError, MediaError
from lipsync_core.media.ffmpeg import (
    FfmpegFile,
    FfmpegProcess,
    failure,
    ffmpeg_path,
    input_argument,
    run_ffmpeg,
)
from lipsync_core.media.probe import probe_media
from lipsync_core.whole_files import whole_file

StereoBlock = npt.NDArray[np.float32]  # (N, 2), left and right
_SAMPLE_BYTES = 8  # of both channels
_SILENT_LUFS = -70.0  # what EBU R128 gates away in any case


@dataclass(frozen=True)
class Loudness:
    """What ITU-R BS.1770 says of a sound.

    Attributes:
        integrated_lufs: gated loudness of the whole; −inf where all is under the gate of −70 LUFS.
        true_peak_dbtp: highest peak between and at the samples; −inf for digital silence.
    """

    integrated_lufs: float
    true_peak_dbtp: float


def read_sound(
    path: Path | str, *, sample_rate_hz: int = 48_000, stream: int = 0, block_samples: int = 48_000
) -> Generator[StereoBlock, None, None]:
    """Yield one audio stream of a file as stereo blocks.

    Sample 0 is the container's start, as in `lipsync_core.media.read_audio`: a late start and gaps become
    silence. Mono goes to both channels at full level, surround is mixed down without clipping.

    Args:
        path: audio or video file.
        sample_rate_hz: rate to resample to.
        stream: number among the file's audio streams.
        block_samples: of every block but the last, which is shorter.

    Yields:
        (N, 2) float32, the caller's to keep and change.

    Raises:
        MediaError: no such stream, or nothing in it can be decoded.
    """
    info = probe_media(path)
    if stream >= len(info.audio):
        raise MediaError(f"{path} has no audio stream {stream}: it has {len(info.audio)}, counted from 0")
    sound = info.audio[stream]
    resample = f"aresample=async=1:first_pts=0:out_sample_rate={sample_rate_hz}"
    if sound.channels == 1:
        filters = f"{resample},pan=stereo|c0=c0|c1=c0"
    else:
        filters = f"{resample}:out_chlayout=stereo:rematrix_maxval=1.0"
    args = [
        "-max_error_rate", "1", "-i", input_argument(path), "-map", f"0:{sound.index}", "-af", filters,
        "-f", "f32le", "pipe:1",
    ]  # fmt: skip
    n_bytes = 0
    with FfmpegProcess(args, f"decoding the sound of {path}", is_read=True) as process:
        while data := process.output.read(block_samples * _SAMPLE_BYTES):
            n_bytes += len(data)
            whole = data[: len(data) // _SAMPLE_BYTES * _SAMPLE_BYTES]
            yield np.frombuffer(whole, "<f4").reshape(-1, 2).astype(np.float32)
        if n_bytes == 0:
            raise process.failure()


class SoundWriter:
    """Context manager that writes stereo blocks as lossless 24-bit FLAC; the file appears when all is well.

    Args:
        path: output file, ``.flac``.
        sample_rate_hz: of the blocks.
        gain: every sample is multiplied by it, to keep what exceeds full scale.

    Raises:
        InvalidInputError: a block has another shape (in `write`).
        MediaError: ffmpeg fails (in `write` or when leaving the context).
    """

    def __init__(self, path: Path | str, sample_rate_hz: int = 48_000, gain: float = 1.0) -> None:
        self.path = Path(path)
        self._gain = np.float32(gain)
        raw = ["-f", "f32le", "-ar", str(sample_rate_hz), "-ac", "2", "-i", "pipe:0"]
        self._file = FfmpegFile(self.path, [*raw, *_FLAC], f"writing {self.path.name}")

    def __enter__(self) -> SoundWriter:
        return self

    def write(self, block: StereoBlock) -> None:
        """Append a block."""
        if block.ndim != 2 or block.shape[1] != 2:
            raise InvalidInputError(f"sound block has shape {block.shape}; (N, 2) is wanted")
        self._file.write(np.ascontiguousarray(block * self._gain, "<f4").data.cast("B"))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._file.finish()
        finally:
            self._file.stop()


_FLAC = ("-c:a", "flac", "-sample_fmt", "s32", "-bits_per_raw_sample", "24", "-compression_level", "3")


def filter_sound(source: Path | str, target: Path | str, filters: Sequence[str]) -> None:
    """Write ``source`` through ffmpeg's audio ``filters`` as 48 kHz FLAC; the file appears when all is well.

    Raises:
        MediaError: ffmpeg fails.
    """
    arguments = ["-i", input_argument(source), "-af", ",".join(filters), "-ar", "48000", *_FLAC]
    with whole_file(Path(target)) as part:
        run_ffmpeg([*arguments, f"file:{part}"], what=f"filtering {Path(source).name}")


def measure_loudness(path: Path | str, *, stream: int = 0, gain_db: float = 0.0) -> Loudness:
    """Return loudness and true peak of one audio stream, as ffmpeg's ``ebur128`` measures them.

    Args:
        path: audio or video file.
        stream: number among the file's audio streams.
        gain_db: applied before the measurement (its gate is absolute).

    Raises:
        MediaError: no such stream, or nothing in it can be decoded.
    """
    info = probe_media(path)
    if stream >= len(info.audio):
        raise MediaError(f"{path} has no audio stream {stream}: it has {len(info.audio)}, counted from 0")
    command = [
        ffmpeg_path(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "info",
        "-i", input_argument(path), "-map", f"0:{info.audio[stream].index}",
        "-af", f"volume={gain_db}dB:precision=float,ebur128=peak=true:framelog=quiet", "-f", "null", "-",
    ]  # fmt: skip
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    said = done.stderr.decode("utf-8", "replace")
    summary = said[said.rfind("Summary:") :]
    integrated = re.search(r"I:\s+(-?[\d.]+|-?inf|nan) LUFS", summary)
    peak = re.search(r"Peak:\s+(-?[\d.]+|-?inf|nan) dBFS", summary)
    if done.returncode != 0 or integrated is None or peak is None:
        raise failure(f"measuring the loudness of {path}", command, said)
    lufs = float(integrated[1])
    return Loudness(-math.inf if not lufs > _SILENT_LUFS else lufs, float(peak[1]))
