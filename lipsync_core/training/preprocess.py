"""Turns LRS2, LRS3 or GRID trees, or any folder of videos, into shards for training.

``python -m lipsync_core preprocess SRC DST``. Every shot is cut apart and every face followed; pictures are
taken at 25 frames a second and sound at 16 kHz; face crops, SyncNet crops, mel spectrogram and MFCC are
computed once and stored so that training maps them into memory. A stopped run goes on where it was when the
same command is given again.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lipsync_core.errors import InvalidInputError
from lipsync_core.terminal import StatusLine
from lipsync_core.training.clip_making import MIN_FACE_PX, ClipOptions
from lipsync_core.training.preprocess_report import Summary, summarise
from lipsync_core.training.preprocess_workers import WorkSettings, work_through
from lipsync_core.training.shard_writer import (
    SHARD_BYTES,
    SourceReport,
    locked,
    seal_leftovers,
    sealed_sources,
    write_atomically,
)
from lipsync_core.training.shards import FPS, INDEX_FILE, SHARDS_FILE, SHARDS_FORMAT_VERSION
from lipsync_core.training.sources import SPLITS, Source, find_sources
from lipsync_core.training.sync_filter import default_min_confidence

logger = logging.getLogger(__name__)

Progress = Callable[[SourceReport, int, int], None]
"""Called with what became of a source, and how many of how many are done."""


@dataclass(frozen=True)
class PreprocessOptions:
    """How a folder of videos is turned into shards.

    Attributes:
        workers: processes.
        is_filtered: keep only clips in sync, and shift the sound of those that are off by a constant offset.
        min_confidence: lowest LSE-C of the filter; None takes the SyncNet's own (`default_min_confidence`).
        syncnet: choice for `lipsync_core.scoring.load_syncnet`.
        min_seconds: shorter tracks are dropped.
        min_face_px: lower faces are dropped.
        filelists: take only the files listed in these.
        splits: take only files of these splits.
        shard_bytes: a shard is sealed when it has grown beyond.
    """

    workers: int = 1
    is_filtered: bool = True
    min_confidence: float | None = None
    syncnet: str = "auto"
    min_seconds: float = 1.0
    min_face_px: int = MIN_FACE_PX
    filelists: tuple[Path, ...] = ()
    splits: tuple[str, ...] = ()
    shard_bytes: int = SHARD_BYTES

    def __post_init__(self) -> None:
        if self.workers < 1 or not self.min_seconds >= 0.6 or self.min_face_px < 1:
            raise InvalidInputError(
                f"workers is {self.workers}, min_seconds {self.min_seconds} and min_face_px "
                f"{self.min_face_px}; needed are 1 or more, 0.6 or more and 1 or more"
            )


def preprocess(
    source: Path, target: Path, options: PreprocessOptions, progress: Progress | None = None
) -> Summary:
    """Write the shards of every video below ``source`` into ``target``, those already there left out.

    Args:
        source: folder of an LRS2, LRS3 or GRID tree, or of any videos.
        target: folder for the shards; may hold those of an earlier run with the same options.
        options: see `PreprocessOptions`.
        progress: told about every video done.

    Raises:
        InvalidInputError: no videos, other options than those ``target`` was begun with, or another process
            is writing to it.
        MissingModelError: face detector or SyncNet are not installed.
        LipSyncError: a worker cannot work at all.
    """
    sources = find_sources(source, options.filelists, options.splits)
    settings = _work_settings(target, options)
    if (target / INDEX_FILE).exists():
        raise InvalidInputError(f"{target} holds training data of format 1; give another folder")
    with locked(target):
        seal_leftovers(target)
        known = _begin(target, settings)
        todo = _not_done(sources, target)
        try:
            for done, report in enumerate(work_through(todo, settings, options.workers), 1):
                if progress is not None:
                    progress(report, len(sources) - len(todo) + done, len(sources))
        finally:
            seal_leftovers(target)
        summary = summarise(target)
        index = known | {"is_finished": True, "summary": summary.to_dict()}
        write_atomically(target / SHARDS_FILE, json.dumps(index, indent=1))
    return summary


def _work_settings(target: Path, options: PreprocessOptions) -> WorkSettings:
    """Resolve what is left open, before any process starts."""
    from lipsync_core.faces.centerface import centerface_path

    centerface_path()
    syncnet, name, min_confidence = None, None, 0.0
    if options.is_filtered:
        from lipsync_core.scoring import load_syncnet

        syncnet, name = options.syncnet, load_syncnet(options.syncnet).name
        chosen = options.min_confidence
        min_confidence = default_min_confidence(name) if chosen is None else chosen
        logger.info("sync filter: %s, LSE-C of %.2f or more", name, min_confidence)
    clip = ClipOptions(round(options.min_seconds * FPS), options.min_face_px, min_confidence)
    return WorkSettings(target, clip, syncnet, name, options.shard_bytes)


def _begin(target: Path, settings: WorkSettings) -> dict[str, Any]:
    """Note the settings in a new folder, or check that an old one was begun with the same."""
    clip = settings.clip
    decisive = {
        "syncnet": settings.syncnet_name,
        "min_confidence": clip.min_confidence,
        "min_frames": clip.min_frames,
        "min_face_px": clip.min_face_px,
    }
    index = {"format_version": SHARDS_FORMAT_VERSION, "fps": FPS, "settings": decisive, "is_finished": False}
    path = target / SHARDS_FILE
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8")).get("settings")
        if before != decisive:
            raise InvalidInputError(
                f"{target} was begun with {before}, now it is {decisive}: give the same options or another "
                "folder"
            )
    write_atomically(path, json.dumps(index, indent=1))
    return index


def _not_done(sources: Sequence[Source], target: Path) -> list[Source]:
    done = {report["source"] for report in sealed_sources(target)}
    todo = [source for source in sources if source.name not in done]
    if len(todo) < len(sources):
        logger.info("%d of %d videos were done before", len(sources) - len(todo), len(sources))
    return todo


class _Console:
    """One line of progress on a terminal, and a line for every video that could not be read."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._n_now = 0
        self._line = StatusLine()

    def __call__(self, report: SourceReport, done: int, total: int) -> None:
        """Tell what became of a video."""
        self._n_now += 1
        if report.error:
            self._line.keep(f"skipped {report.source}: {report.error}")
        is_last = done == total
        if not self._line.is_due(is_last=is_last):
            return
        rate = self._n_now / (time.monotonic() - self._began_s)
        minutes, seconds = divmod(round((total - done) / rate), 60)
        self._line.show(
            f"preprocessing: {done:,} of {total:,} videos, {rate:.1f} a second, "
            f"{minutes}:{seconds:02} min left ",
            is_last=is_last,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 done, 130 interrupted."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = PreprocessOptions(
        workers=args.workers,
        is_filtered=not args.no_filter,
        min_confidence=args.min_confidence,
        syncnet=args.syncnet,
        min_seconds=args.min_seconds,
        min_face_px=args.min_face_px,
        filelists=tuple(args.filelist),
        splits=tuple(args.split),
    )
    try:
        summary = preprocess(args.source, args.target, options, _Console())
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; give the same command again to go on\n")
        return 130
    if args.json is not None:
        write_atomically(args.json, json.dumps(summary.to_dict(), indent=1))
    sys.stdout.write("\n".join(summary.lines()) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lipsync_core preprocess",
        description="Turn LRS2, LRS3 or GRID trees, or any folder of videos, into shards for training.",
        epilog="A stopped run goes on where it was when the same command is given again.",
    )
    parser.add_argument("source", type=Path, metavar="SRC", help="folder of videos; folders tell who is seen")
    parser.add_argument("target", type=Path, metavar="DST", help="folder for the shards")
    parser.add_argument("--workers", type=int, default=1, help="processes (1)")
    parser.add_argument("--no-filter", action="store_true", help="keep clips out of sync too, as they are")
    parser.add_argument(
        "--min-confidence", type=float, help="lowest LSE-C kept (3 with syncnet_v2, 2 with embedded)"
    )
    parser.add_argument("--syncnet", default="auto", help="auto, embedded, syncnet_v2, or a file")
    parser.add_argument("--min-seconds", type=float, default=1.0, help="drop shorter tracks (1)")
    parser.add_argument(
        "--min-face-px", type=int, default=MIN_FACE_PX, help=f"drop lower faces ({MIN_FACE_PX})"
    )
    parser.add_argument(
        "--filelist", type=Path, nargs="+", default=(), help="only files listed here, one a line"
    )
    parser.add_argument("--split", nargs="+", default=(), choices=SPLITS, help="only files of these splits")
    parser.add_argument("--json", type=Path, help="also write the table here (it is in DST/shards.json too)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
