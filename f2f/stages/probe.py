"""probe: what the input holds, and at what rate and length every later stage works."""

from __future__ import annotations

import hashlib
import subprocess
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from f2f.errors import UsageError
from f2f.results import CODEC_PADDING_S, SourceVideo
from f2f.stage import StageContext
from lipsync_core.errors import LipSyncError

if TYPE_CHECKING:
    from lipsync_core.media import AudioStream, MediaInfo, VideoStream

VERSION = 1
_HASH_BLOCK_BYTES = 1 << 20
MAX_PIXELS = 40_000_000  # 8K has 33 million
MAX_DURATION_S = 48 * 3600.0
_LOST_TAIL_S = 0.5  # a file that states so much more than it holds was cut off


def probe(source: Path, context: StageContext) -> SourceVideo:
    """Look into the input video.

    The output will have ``n_frames`` frames at ``fps``: as many as the picture lasts, or the sound where it
    goes on after the picture (the last frame then stays).

    Args:
        source: the input file.
        context: told how many bytes are hashed and of anything unusual.

    Raises:
        UsageError: no such file, no picture, no sound, no length, or it cannot be decoded.
    """
    info = inspect(source)
    video, audio = _require_streams(info)
    picture_end_s = _picture_end_s(source, video)
    duration_s = _duration_s(info, picture_end_s, context)
    fps = _frame_rate(video, context)
    n_frames = round(duration_s * fps)
    if n_frames < 1:
        raise UsageError(
            f"{source.name} lasts {duration_s:g} s, less than one frame: export or download it again"
        )
    return SourceVideo(
        sha256=_sha256(source, context),
        duration_s=float(n_frames / fps),
        width=video.width,
        height=video.height,
        sample_aspect_ratio=video.sample_aspect_ratio,
        fps=f"{fps.numerator}/{fps.denominator}",
        n_frames=n_frames,
        audio_codec=audio.codec,
        audio_sample_rate_hz=audio.sample_rate_hz,
        audio_channels=audio.channels,
        audio_language=audio.language,
        subtitle_languages=tuple(stream.language or "und" for stream in info.subtitles if stream.is_text),
    )


def inspect(source: Path) -> MediaInfo:
    """Check that the input can be used: picture and sound are there, and the beginning of both decodes.

    Raises:
        UsageError: it cannot be used; says why.
    """
    from lipsync_core.media import probe_media

    try:
        info = probe_media(source)
        video, audio = _require_streams(info)
        _require_size(info, video)
        _require_decodable(source, audio)
    except LipSyncError as error:
        raise UsageError(f"cannot use {source}: {error}") from error
    return info


def _require_streams(info: MediaInfo) -> tuple[VideoStream, AudioStream]:
    if info.video is None:
        raise UsageError(f"{info.path.name} holds sound but no picture: give the video file of the lecture")
    if not info.audio:
        raise UsageError(
            f"{info.path.name} has no sound, so there is nothing to translate: give a video with speech"
        )
    return info.video, info.audio[0]


def _require_size(info: MediaInfo, video: VideoStream) -> None:
    """Look whether pictures and length, as stated, can be worked on; a small file may state anything."""
    if video.width * video.height > MAX_PIXELS:
        raise UsageError(
            f"{info.path.name} has pictures of {video.width}×{video.height}; at most {MAX_PIXELS:,} pixels "
            "are taken: scale it down first"
        )
    if info.duration_s > MAX_DURATION_S:
        raise UsageError(
            f"{info.path.name} lasts {info.duration_s / 3600:,.1f} hours; at most {MAX_DURATION_S / 3600:g} "
            "are taken: cut it into parts"
        )


def _require_decodable(source: Path, audio: AudioStream) -> None:
    """Decode the first frame and the first block of sound, which a header alone does not promise."""
    from lipsync_core.media import read_frames, run_ffmpeg

    with closing(read_frames(source)) as frames:
        next(frames, None)  # raises by itself when there is none
    what = f"decoding the sound of {source}"
    maps = ["-map", f"0:{audio.index}", "-frames:a", "1", "-f", "s16le", "pipe:1"]
    if not run_ffmpeg(["-i", f"file:{source}", *maps], what=what):
        raise UsageError(
            f"{source.name}: its sound ({audio.codec}) cannot be decoded: export or download it again"
        )


def _picture_end_s(source: Path, video: VideoStream) -> float:
    """Return where the last video packet ends, seconds after the container's start; nothing is decoded."""
    from lipsync_core.media import ffmpeg_path

    command = [
        ffmpeg_path(), "-hide_banner", "-nostdin", "-loglevel", "quiet", "-i", f"file:{source}",
        "-map", f"0:{video.index}", "-c", "copy", "-f", "framecrc", "pipe:1",
    ]  # fmt: skip
    time_base, end = Fraction(1), 0
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("#tb 0:"):
                time_base = Fraction(line.split(":")[1].strip())
            elif not line.startswith("#"):
                _, dts, pts, length, *_ = (field.strip() for field in line.split(","))
                start = pts if pts.lstrip("-").isdigit() else dts
                end = max(end, int(start) + int(length)) if start.lstrip("-").isdigit() else end
    return float(end * time_base)


def _duration_s(info: MediaInfo, picture_end_s: float, context: StageContext) -> float:
    from lipsync_core.media import measure_duration

    if picture_end_s <= 0:  # raw streams without timestamps
        return info.duration_s
    if info.duration_s <= picture_end_s + CODEC_PADDING_S:
        return picture_end_s
    # The header states more than the picture: sound that goes on, or a download that was cut off.
    held_s = max(picture_end_s, measure_duration(info.path))
    if held_s < info.duration_s - _LOST_TAIL_S:
        context.notice(
            f"{info.path.name} states {info.duration_s:.1f} s but holds {held_s:.1f} s: it was cut off, "
            "and what is there is translated"
        )
    duration_s = min(held_s, info.duration_s) if held_s < info.duration_s - _LOST_TAIL_S else info.duration_s
    if duration_s > picture_end_s + _LOST_TAIL_S:
        context.notice(
            f"the picture of {info.path.name} ends at {picture_end_s:.1f} s, its sound at "
            f"{duration_s:.1f} s: the last frame stays until then"
        )
    return duration_s


def _frame_rate(video: VideoStream, context: StageContext) -> Fraction:
    if video.is_variable_rate:
        context.notice(
            "the source has no constant frame rate that can be kept; "
            f"the output has {float(video.fps):.5g} frames a second"
        )
    return video.fps


def _sha256(source: Path, context: StageContext) -> str:
    digest, n_bytes = hashlib.sha256(), source.stat().st_size
    done = 0
    with source.open("rb") as file:
        while block := file.read(_HASH_BLOCK_BYTES):
            digest.update(block)
            done += len(block)
            context.progress(done, n_bytes, "bytes")
    return digest.hexdigest()
