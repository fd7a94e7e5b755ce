"""Works through videos in one process or several; a file that kills its process costs only itself."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from lipsync_core.errors import LipSyncError, MissingModelError
from lipsync_core.training.clip_making import ClipMaker, ClipOptions
from lipsync_core.training.people import with_people
from lipsync_core.training.shard_writer import SHARD_BYTES, ClipArrays, ShardWriter, SourceReport
from lipsync_core.training.sources import Source

NO_FACE = "no face"
MAX_DEATHS_IN_A_ROW = 8  # of worker processes without a single file done: then it is not the files


@dataclass(frozen=True)
class WorkSettings:
    """What every worker needs to know.

    Attributes:
        root: folder of the shards.
        clip: what makes a clip.
        syncnet: choice for `lipsync_core.scoring.load_syncnet`, None for no sync filter.
        syncnet_name: the network that this choice stands for.
        shard_bytes: a shard is sealed when it has grown beyond.
    """

    root: Path
    clip: ClipOptions
    syncnet: str | None
    syncnet_name: str | None = None
    shard_bytes: int = SHARD_BYTES


def work_through(sources: Sequence[Source], settings: WorkSettings, n_workers: int) -> Iterator[SourceReport]:
    """Store the clips of every source and yield what became of each, in the order in which they finish.

    Shards in work are sealed when the iterator ends or is closed, unless their process was killed.

    Raises:
        LipSyncError: a worker cannot work at all (models missing, disk full).
    """
    if n_workers == 1:
        yield from _work_here(sources, settings)
    else:
        yield from _Crew(settings, min(n_workers, len(sources))).work(sources)


def _work_here(sources: Sequence[Source], settings: WorkSettings) -> Iterator[SourceReport]:
    maker, writer = _maker(settings), ShardWriter(settings.root, settings.shard_bytes)
    try:
        for source in sources:
            yield store_clips(source, maker, writer)
    finally:
        writer.close()


def store_clips(source: Source, maker: ClipMaker, writer: ShardWriter) -> SourceReport:
    """Store the clips of one source; whatever is wrong with the file ends up in the report."""
    report = SourceReport(source.name)
    clips = maker.clips(source)
    while True:
        try:
            made = next(clips)
        except StopIteration:
            break
        except (MissingModelError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever one file brings about, the others go on
            writer.rewind()
            report = SourceReport(source.name, error=f"{' '.join(str(error).split())}" or repr(error))
            break
        if isinstance(made, ClipArrays):
            report.clips.append(writer.add(made))
        else:
            report.dropped.append(asdict(made))
    report.clips = with_people(report.clips, maker.track_spans)
    if not (report.error or report.clips or report.dropped):
        report.dropped.append({"reason": NO_FACE, "track": 0, "start_s": 0.0, "n_frames": 0})
    writer.commit(report)
    return report


def _maker(settings: WorkSettings) -> ClipMaker:
    from lipsync_core.faces.centerface import CenterFace

    if settings.syncnet is None:
        return ClipMaker(CenterFace(), None, settings.clip)
    from lipsync_core.scoring import load_syncnet

    return ClipMaker(CenterFace(), load_syncnet(settings.syncnet), settings.clip)


@dataclass
class _Worker:
    """One process, its line, and the source it has in hand."""

    process: BaseProcess
    line: Connection
    in_hand: Source | None = None
    is_ready: bool = False


class _Crew:
    """Several processes, each with a shard of its own in work."""

    def __init__(self, settings: WorkSettings, n_workers: int) -> None:
        self._settings = settings
        self._n_workers = n_workers
        self._context = multiprocessing.get_context("spawn")  # forking would copy locked threads
        self._workers: list[_Worker] = []
        self._n_deaths = 0

    def work(self, sources: Sequence[Source]) -> Iterator[SourceReport]:
        """See `work_through`."""
        todo = iter(sources)
        own_writer = ShardWriter(self._settings.root)  # for sources that killed their worker
        try:
            for source in itertools.islice(todo, self._n_workers):
                self._hire(source)
            while self._workers:
                for line in wait([worker.line for worker in self._workers]):
                    worker = next(w for w in self._workers if w.line is line)
                    report = self._hear(worker, own_writer)
                    if report is not None:
                        yield report
                        self._continue(worker, next(todo, None))
        finally:
            for worker in self._workers:  # only where something went wrong
                worker.process.terminate()
                worker.process.join()
            own_writer.close()

    def _hire(self, source: Source) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_worker_main, args=(theirs, self._settings), daemon=True)
        process.start()
        theirs.close()
        ours.send(source)
        self._workers.append(_Worker(process, ours, source))

    def _hear(self, worker: _Worker, own_writer: ShardWriter) -> SourceReport | None:
        """Take one message; a line that is cut means that the process died of its source."""
        try:
            kind, content = worker.line.recv()
        except (EOFError, OSError):
            return self._bury(worker, own_writer)
        if kind == "ready":
            worker.is_ready = True
            return None
        if kind == "stopped":
            raise LipSyncError(content)
        self._n_deaths = 0
        report: SourceReport = content
        return report

    def _bury(self, worker: _Worker, own_writer: ShardWriter) -> SourceReport:
        worker.process.join()
        self._n_deaths += 1
        code = worker.process.exitcode
        if not worker.is_ready or self._n_deaths >= MAX_DEATHS_IN_A_ROW:
            raise LipSyncError(
                f"worker processes die (exit code {code}): try --workers 1, or give them more memory"
            )
        assert worker.in_hand is not None
        report = SourceReport(worker.in_hand.name, error=f"it killed its process (exit code {code})")
        own_writer.commit(report)
        return report

    def _continue(self, worker: _Worker, source: Source | None) -> None:
        """Give a worker the next source, or a dead one a successor, or send it home."""
        if worker.process.exitcode is not None:
            self._workers.remove(worker)
            if source is not None:
                self._hire(source)
            return
        worker.in_hand = source
        worker.line.send(source)
        if source is None:
            self._workers.remove(worker)
            worker.process.join()


def _worker_main(line: Connection, settings: WorkSettings) -> None:
    """Work until told to stop or until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _use_one_core(settings)
    writer = ShardWriter(settings.root, settings.shard_bytes)
    try:
        maker = _maker(settings)
        line.send(("ready", None))
        while (source := line.recv()) is not None:
            line.send(("done", store_clips(source, maker, writer)))
    except (EOFError, BrokenPipeError):  # the parent was killed
        pass
    except (LipSyncError, OSError, MemoryError) as error:
        line.send(("stopped", f"{type(error).__name__}: {error}"))
    finally:
        writer.close()


def _die_with_parent() -> None:
    """End this process at once when its parent is killed: the next run seals the shard left in work.

    Else it could still be writing while that run has begun, and a source would be stored twice.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _use_one_core(settings: WorkSettings) -> None:
    import cv2

    cv2.setNumThreads(1)
    if settings.syncnet is not None:
        import torch

        torch.set_num_threads(1)
