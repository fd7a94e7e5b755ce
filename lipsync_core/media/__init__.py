"""The only door to ffmpeg: probe, decode as a stream, encode from a stream.

The binary is the static one that ``imageio-ffmpeg`` ships (it has no ffprobe, so ffmpeg's own listing is
parsed). All times are seconds after the container's start, which audio and video share.
"""

from lipsync_core.media.audio import read_audio, read_wav, write_wav
from lipsync_core.media.ffmpeg import ffmpeg_path, run_ffmpeg
from lipsync_core.media.frames import (
    read_frames,
    read_frames_backwards,
    read_pictures,
    read_pictures_backwards,
)
from lipsync_core.media.overlap import BackgroundWriter, queue_length, read_ahead
from lipsync_core.media.planar import conversion_notice, planar_layout
from lipsync_core.media.probe import VIDEO_SUFFIXES, MediaInfo, measure_duration, probe_media
from lipsync_core.media.streams import AudioStream, SubtitleStream, VideoStream
from lipsync_core.media.writer import EncodeOptions, VideoWriter

__all__ = [
    "VIDEO_SUFFIXES",
    "AudioStream",
    "BackgroundWriter",
    "EncodeOptions",
    "MediaInfo",
    "SubtitleStream",
    "VideoStream",
    "VideoWriter",
    "conversion_notice",
    "ffmpeg_path",
    "measure_duration",
    "planar_layout",
    "probe_media",
    "queue_length",
    "read_ahead",
    "read_audio",
    "read_frames",
    "read_frames_backwards",
    "read_pictures",
    "read_pictures_backwards",
    "read_wav",
    "run_ffmpeg",
    "write_wav",
]
