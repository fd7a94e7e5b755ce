"""mux: frames, generated lips, mark, dub over background, original sound and subtitles in one encode."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from f2f.config import MuxConfig
from f2f.engines.status import Choice
from f2f.errors import StageError
from f2f.languages import parse_language
from f2f.mark import Mark, apply_mark, make_mark, mark_words
from f2f.mixing import write_mix
from f2f.models.bringing import bring
from f2f.results import (
    CODEC_PADDING_S,
    EngineInfo,
    FittedSpeech,
    LipSyncResult,
    MuxResult,
    SourceVideo,
    Transcript,
    Translation,
)
from f2f.sound_choice import Material, choose_background, plan_mix
from f2f.stage import StageContext
from f2f.subtitle_files import Subtitles, write_subtitles
from f2f.tracks import Tracks

if TYPE_CHECKING:
    from lipsync_core.inference import FacePatch
    from lipsync_core.media import EncodeOptions
    from lipsync_core.pictures import Picture

VERSION = 4
_VIDEO_NAME, _MIX_NAME = "video.mp4", "mix.flac"


@dataclass(frozen=True)
class MuxInputs:
    """What becomes one video.

    Attributes:
        source: the input file; its frames and its first sound are used.
        fitted_folder: where ``fitted.wav`` lies.
        lips_folder: where ``lips.patches`` lies.
    """

    source: Path
    video: SourceVideo
    transcript: Transcript
    translation: Translation
    fitted: FittedSpeech
    fitted_folder: Path
    lips: LipSyncResult
    lips_folder: Path


def plan(config: MuxConfig, profile: str) -> Choice:
    """Choose what happens to the source's sound under the dub; see `f2f.sound_choice.choose_background`."""
    return choose_background(config, profile)


def mux(inputs: MuxInputs, config: MuxConfig, context: StageContext) -> MuxResult:
    """Write the finished video and its subtitle files.

    The picture has exactly ``video.n_frames`` frames; only speech that overflows the end adds some, on
    which the last picture stays.

    Raises:
        StageError: the source yields no frame any more.
        EngineUnavailableError: speech is to be removed, and what does it is not here.
        MediaError: ffmpeg fails; nothing is left under the result's name.
    """
    from lipsync_core.media import EncodeOptions, conversion_notice, planar_layout, probe_media

    fps = Fraction(inputs.video.fps)
    n_frames = inputs.video.n_frames + math.ceil(round(inputs.fitted.overflow_s * fps, 3))
    parts = (inputs.transcript, inputs.translation, inputs.fitted)
    subtitles = write_subtitles(*parts, context.folder, float(n_frames / fps))
    tracks = _tracks(inputs, config, subtitles, n_frames / fps, context.folder / _MIX_NAME)
    stream = probe_media(inputs.source).video
    if stream is None:
        raise StageError("mux", "the source holds no picture any more: was the file moved or changed?")
    if notice := conversion_notice(stream):
        context.notice(notice)
    material = Material(inputs.source, *parts, inputs.fitted_folder)
    if config.background == "separate":
        bring(config.separation_model, context.progress)
    sound = write_mix(plan_mix(material, config, float(tracks.end_s), context.device), tracks.dub, context)
    options = EncodeOptions(
        crf=config.crf,
        preset=config.preset,
        sample_aspect_ratio=inputs.video.sample_aspect_ratio,
        layout=planar_layout(stream),
        extra_inputs=tracks.inputs(),
        output_args=tracks.output_args(),
    )
    path = context.folder / _VIDEO_NAME
    n_copied = _copy_untouched(inputs, config, options, n_frames, context) if config.copy_untouched else 0
    if n_copied == 0:
        _encode_all(inputs, config, options, n_frames, context)
    tracks.dub.unlink()
    return MuxResult(
        video=_VIDEO_NAME,
        target_subtitles=subtitles.target.name if subtitles.target else None,
        source_subtitles=subtitles.source.name if subtitles.source else None,
        n_frames=n_frames,
        n_copied=n_copied,
        duration_s=float(n_frames / fps),
        size_bytes=path.stat().st_size,
        engine=_engine(config),
        sound=sound,
    )


def _encode_all(
    inputs: MuxInputs, config: MuxConfig, options: EncodeOptions, n_frames: int, context: StageContext
) -> None:
    from lipsync_core.media import BackgroundWriter, VideoWriter, queue_length

    size, fps = (inputs.video.width, inputs.video.height), Fraction(inputs.video.fps)
    writer = VideoWriter(context.folder / _VIDEO_NAME, *size, fps, options)
    with (
        contextlib.closing(_composed(inputs, config, fps, n_frames)) as frames,
        BackgroundWriter(writer, queue_length(*size)) as background,
    ):
        for done, frame in enumerate(frames, start=1):
            background.write(frame)
            context.progress(done, n_frames, "frames")


def _copy_untouched(
    inputs: MuxInputs, config: MuxConfig, options: EncodeOptions, n_frames: int, context: StageContext
) -> int:
    """Write the video with parts of the source copied; return how many frames were (0: nothing written)."""
    from lipsync_core.copying import nothing_copied, plan_joining, write_joined
    from lipsync_core.inference import read_patches
    from lipsync_core.media.gops import NotCopyableError, read_gops
    from lipsync_core.patches import read_patch_frames

    lips = None if inputs.lips.patches is None else inputs.lips_folder / inputs.lips.patches
    fps = Fraction(inputs.video.fps)
    changed = bytearray(inputs.video.n_frames)
    for index in read_patch_frames(lips) if lips else ():
        changed[index] = True
    try:
        if config.mark:
            raise NotCopyableError("the mark is drawn on every frame: set mux.mark to false")
        plan = plan_joining(inputs.source, fps, read_gops(inputs.source, fps), changed, n_frames)
    except NotCopyableError as reason:
        context.notice(nothing_copied(reason))
        return 0
    patches = read_patches(lips) if lips else iter(())
    write_joined(
        context.folder / _VIDEO_NAME,
        plan,
        patches,
        options,
        lambda done: context.progress(done, n_frames, "frames"),
    )
    return plan.n_copied


def compose_frames(
    frames: Iterable[Picture],
    patches: Iterable[tuple[int, FacePatch]],
    mark: Mark | None,
    n_frames: int,
) -> Iterator[Picture]:
    """Yield exactly ``n_frames`` output frames.

    Frames without a patch pass untouched; if the source ends early its last frame stays.

    Args:
        frames: source frames, (H, W, 3) uint8 BGR or planar.
        patches: (frame number, generated lower face) in ascending order.
        mark: drawn on every frame, None draws nothing.
        n_frames: how many to yield.

    Raises:
        StageError: there is not one frame.
    """
    from lipsync_core.inference import paste

    source, waiting = iter(frames), iter(patches)
    index_of_patch, patch = next(waiting, (-1, None))
    shown: Picture | None = None
    for index in range(n_frames):
        frame = next(source, None)
        if frame is not None:
            if patch is not None and index_of_patch == index:
                frame = paste(frame, patch)
                index_of_patch, patch = next(waiting, (-1, None))
            shown = frame if mark is None else apply_mark(frame, mark)
        if shown is None:
            raise StageError("mux", "the source yields no frame any more: was the file moved or changed?")
        yield shown


def _composed(
    inputs: MuxInputs, config: MuxConfig, fps: Fraction, n_frames: int
) -> Generator[Picture, None, None]:
    from lipsync_core.inference import read_patches
    from lipsync_core.media import queue_length, read_ahead, read_pictures

    video = inputs.video
    mark = None
    if config.mark:
        words = mark_words(inputs.translation.target_language)
        sample_aspect_ratio = Fraction(video.sample_aspect_ratio.replace(":", "/"))
        mark = make_mark(video.width, video.height, words, sample_aspect_ratio=sample_aspect_ratio)
    patches = (
        iter(()) if inputs.lips.patches is None else read_patches(inputs.lips_folder / inputs.lips.patches)
    )
    n_ahead = queue_length(video.width, video.height)
    with contextlib.closing(read_ahead(read_pictures(inputs.source, fps=fps), n_ahead)) as pictures:
        yield from compose_frames(pictures, patches, mark, n_frames)


def _sound_end_s(source: Path, picture_end_s: Fraction) -> Fraction:
    """Return where the output ends: with the picture, or with the last block of the source's own sound.

    Codecs pad sound to whole blocks; cutting that off would make the output shorter than the source.
    """
    from lipsync_core.media import probe_media

    source_end_s = Fraction(probe_media(source).duration_s)
    is_padding = picture_end_s < source_end_s <= picture_end_s + CODEC_PADDING_S
    return source_end_s if is_padding else picture_end_s


def _tracks(
    inputs: MuxInputs, config: MuxConfig, subtitles: Subtitles, picture_end_s: Fraction, mix: Path
) -> Tracks:
    return Tracks(
        source=inputs.source,
        dub=mix,
        source_language=parse_language(inputs.transcript.language),
        target_language=parse_language(inputs.translation.target_language),
        target_subtitles=subtitles.target,
        source_subtitles=subtitles.source,
        end_s=_sound_end_s(inputs.source, picture_end_s),
        bitrate_kbps=config.audio_bitrate_kbps,
        has_new_lips=inputs.lips.patches is not None,
    )


def _engine(config: MuxConfig) -> EngineInfo:
    import imageio_ffmpeg

    return EngineInfo(
        name="x264",
        version=f"ffmpeg {imageio_ffmpeg.get_ffmpeg_version()}",
        licence="GPL-2.0-or-later (a program of its own)",
        detail=f"CRF {config.crf}, preset {config.preset}, AAC {config.audio_bitrate_kbps} kbit/s",
    )
