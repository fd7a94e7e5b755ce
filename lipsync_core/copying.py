"""Leave what did not change as it was encoded: generate first, then copy, and encode only the rest.

Which groups of pictures hold a synced face is known only when all of their frames have been seen, so faces
are generated in a first pass and stored without loss; the second decodes, pastes and encodes those groups.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from lipsync_core.faces.pasting import FacePatch, paste
from lipsync_core.inference import SyncedFrame
from lipsync_core.media import (
    BackgroundWriter,
    EncodeOptions,
    VideoWriter,
    planar_layout,
    probe_media,
    queue_length,
    read_ahead,
    read_pictures,
)
from lipsync_core.media.gops import (
    GopTable,
    JoinPlan,
    NotCopyableError,
    Stretch,
    plan_stretches,
)
from lipsync_core.media.joining import join_video
from lipsync_core.patches import PatchWriter, read_patches
from lipsync_core.pictures import Picture
from lipsync_core.sources import Source, no_face_error

SEEK_GAP_S = 5.0  # over shorter copied stretches the decoder runs on: seeking costs two processes


@dataclass(frozen=True)
class Written:
    """What was written; ``notice`` says why nothing was copied although that was asked for."""

    n_frames: int
    n_synced: int
    n_copied: int = 0
    notice: str | None = None


def plan_joining(
    path: Path, fps: Fraction, table: GopTable, changed: Sequence[int], n_frames: int
) -> JoinPlan:
    """Return what to copy of a video.

    Args:
        path: the video.
        fps: its rate.
        table: from `lipsync_core.media.gops.read_gops`.
        changed: for every decoded frame whether it changes.
        n_frames: of the result; frames beyond the source's show its last.

    Raises:
        NotCopyableError: nothing can be copied.
    """
    if len(changed) != table.n_frames:
        raise NotCopyableError(f"its {table.n_frames} packets give {len(changed)} frames")
    plan = JoinPlan(path, table, plan_stretches(table, changed, n_frames), fps)
    if plan.n_copied == 0:
        lacking = "it is one closed group of pictures" if len(table.starts) == 1 else ""
        raise NotCopyableError(lacking or "every closed group of pictures holds a frame that changes")
    return plan


def write_joined(
    out: Path,
    plan: JoinPlan,
    patches: Iterable[tuple[int, FacePatch]],
    encode: EncodeOptions,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write the result of a plan: `join_video` with the patches pasted.

    Args:
        out: output file.
        plan: see `plan_joining`.
        patches: (frame, generated face) in rising order, none of a copied frame.
        encode: as for `VideoWriter`; the layout is set here.
        progress: told how many frames are done.

    Raises:
        MediaError: ffmpeg fails.
    """
    video = probe_media(plan.source).video
    layout = None if video is None else planar_layout(video, as_tagged=True)
    pictures = patched_pictures(plan.source, plan.fps, plan.encoded_stretches(), patches)
    join_video(out, plan, pictures, replace(encode, layout=layout), progress)


def patched_pictures(
    path: Path, fps: Fraction, stretches: Iterable[Stretch], patches: Iterable[tuple[int, FacePatch]]
) -> Generator[Picture, None, None]:
    """Yield the finished frames of some stretches of a video; beyond its end the last one stays.

    Args:
        path: the video.
        fps: its rate.
        stretches: in order.
        patches: (frame, generated face) in rising order, all of them in the stretches.
    """
    waiting = iter(patches)
    patch_index, patch = next(waiting, (-1, None))
    reader: Generator[Picture, None, None] | None = None
    at, shown = 0, None
    try:
        for stretch in stretches:
            if reader is None or stretch.first - at > SEEK_GAP_S * fps:
                if reader is not None:
                    reader.close()
                reader, at = read_pictures(path, fps=fps, first_frame=stretch.first), stretch.first
            for index in range(at, stretch.stop):
                shown = next(reader, shown)
                if patch is not None and index == patch_index and shown is not None:
                    shown = paste(shown, patch)
                    patch_index, patch = next(waiting, (-1, None))
                if shown is not None and index >= stretch.first:
                    yield shown
            at = stretch.stop
    finally:
        if reader is not None:
            reader.close()


def sync_copying(
    frames: Iterable[SyncedFrame],
    source: Source,
    table: GopTable,
    out: Path,
    encode: EncodeOptions,
    progress: Callable[[int, int], None] | None = None,
) -> Written:
    """Write a synced video in which groups of pictures without a synced face are the source's packets.

    Args:
        frames: from the `LipSyncer`.
        source: that the frames came from.
        table: of the source.
        out: output file.
        encode: as for `VideoWriter`.
        progress: told (steps done, steps in all); a frame is one step to generate and one to write.

    Raises:
        NoFaceError: no face in any frame; nothing is written.
        MediaError: ffmpeg fails.
    """
    n_expected = source.n_frames_expected

    def tell(done: int) -> None:
        if progress is not None:
            progress(done, max(2 * n_expected, done))

    with tempfile.TemporaryDirectory(prefix="lipsync_core-") as folder:
        file = Path(folder) / "patches.mkv"
        changed, n_faces = _generate(frames, file, source.fps, tell)
        n_frames = len(changed)
        if n_faces == 0:
            raise no_face_error(source.path, n_frames)
        patches = read_patches(file) if any(changed) else iter(())
        try:
            plan = plan_joining(source.path, source.fps, table, changed, n_frames)
        except NotCopyableError as reason:
            _write_all(out, source, n_frames, patches, encode, tell)
            return Written(n_frames, sum(changed), 0, nothing_copied(reason))
        write_joined(out, plan, patches, encode, lambda done: tell(n_frames + done))
    return Written(n_frames, sum(changed), plan.n_copied)


def nothing_copied(reason: NotCopyableError) -> str:
    """Return the sentence that tells why all frames were encoded."""
    return f"no part of the picture could be copied ({reason}): all frames are encoded anew"


def _generate(
    frames: Iterable[SyncedFrame], file: Path, fps: Fraction, tell: Callable[[int], None]
) -> tuple[bytearray, int]:
    """Store the patches and return (for every frame whether it has one, how many frames have a face)."""
    changed, n_faces = bytearray(), 0
    writer: PatchWriter | None = None
    with contextlib.ExitStack() as stack:
        for frame in frames:
            if frame.patch is not None:
                writer = writer or stack.enter_context(PatchWriter(file, fps))
                writer.write(frame.index, frame.patch)
            changed.append(frame.patch is not None)
            n_faces += frame.face is not None
            tell(len(changed))
    return changed, n_faces


def _write_all(
    out: Path,
    source: Source,
    n_frames: int,
    patches: Iterable[tuple[int, FacePatch]],
    encode: EncodeOptions,
    tell: Callable[[int], None],
) -> None:
    size = (source.stream.width, source.stream.height)
    pictures = patched_pictures(source.path, source.fps, [Stretch(0, n_frames, False)], patches)
    ahead = read_ahead(pictures, queue_length(*size))
    writer = BackgroundWriter(VideoWriter(out, *size, source.fps, encode), queue_length(*size))
    with contextlib.closing(ahead), writer:
        for picture in ahead:
            writer.write(picture)
            tell(n_frames + writer.n_frames)
