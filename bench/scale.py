"""Measures the bookkeeping of large libraries, without media: is time linear, is memory small.

    python bench/scale.py [--sizes 1000 10000 100000] [--keep FOLDER]

For each size a library of empty videos is laid out, a hundred to a folder, and a process of its own goes
through what `f2f batch` and `f2f report` do beside the translation itself: find the lectures; plan them when
all are new; lay out what finished runs leave behind; plan them again, which is how every resumed batch begins
(all must be done); plan them after one in a hundred has changed (exactly these must be found); write the
index, the trends and the metrics. Pictures are laid out, too: taking them is ffmpeg's work.

Prints the processor's seconds for each step, microseconds a lecture, how these compare with those of the
smallest size (1: linear), and the peak of resident memory over that of a library of ten lectures.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

from f2f.library.index_page import write_index
from f2f.library.lecture import Lecture, LibraryOptions, workspace_of
from f2f.library.metrics import OutputMetrics, StageMetrics, SyncMetrics
from f2f.library.openmetrics import write_openmetrics
from f2f.library.planning import hash_settings, plan_lecture
from f2f.library.scanning import find_lectures
from f2f.library.status import LanguageStatus, LectureStatus, SourceFingerprint, write_status
from f2f.library.thumbnails import thumbnail_path
from f2f.library.trends import write_trends

TARGET, PER_FOLDER, CHANGED_EVERY = "hi", 100, 100
SHA = "0" * 64
FINISHED = "2026-01-01T00:00:00+00:00"


def lay_out(root: Path, n_lectures: int) -> None:
    """Make the videos: one byte each."""
    for i in range(n_lectures):
        path = root / f"{i // PER_FOLDER:05d}" / f"{i:06d}.mp4"
        if i % PER_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(b"v")


def finish(options: LibraryOptions) -> None:
    """Leave behind what a batch that made every lecture leaves."""
    with (options.output_dir / "library.jsonl").open("w", encoding="utf-8") as journal:
        for lecture in lectures(options):
            facts = lecture.source.stat()
            made = LanguageStatus(
                state="done",
                settings=hash_settings(lecture, options, TARGET),
                source_sha256=SHA,
                finished=FINISHED,
                seconds=60.0,
            )
            source = SourceFingerprint(size=facts.st_size, mtime_ns=facts.st_mtime_ns, sha256=SHA)
            status = LectureStatus(name=lecture.name, source=source, languages={TARGET: made})
            write_status(workspace_of(lecture, options), status)
            base = options.output_dir / lecture.name.removesuffix(".mp4")
            for suffix in (".mp4", ".json", ".html"):
                base.with_name(f"{base.name}.{TARGET}{suffix}").touch()
            stamp_ns = base.with_name(f"{base.name}.{TARGET}.json").stat().st_mtime_ns
            picture = thumbnail_path(options.folder, lecture.name)
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.write_bytes(b"p")
            os.utime(picture, ns=(stamp_ns, stamp_ns))
            figures = figures_of(lecture)
            journal.write(figures.model_dump_json() + "\n")
            newest = {"size": 0, "mtime_ns": stamp_ns, "figures": figures.model_dump()}
            (workspace_of(lecture, options) / "metrics.json").write_text(json.dumps({TARGET: newest}))


def lectures(options: LibraryOptions) -> Iterator[Lecture]:
    """Give the lectures of the library."""
    for found in find_lectures(options):
        if not isinstance(found, Lecture):
            raise SystemExit(f"{found.name} was refused: {found.reason}")
        yield found


def count_plans(options: LibraryOptions, todo: str) -> int:
    """Plan every lecture and return for how many this is to be done."""
    now = datetime.now(timezone.utc)
    return sum(plan_lecture(one, options, now).todo[TARGET] == todo for one in lectures(options))


def figures_of(lecture: Lecture) -> OutputMetrics:
    """Return invented figures of a lecture; the page and the trends read them, nobody else."""
    i = int(lecture.source.stem)
    sync = SyncMetrics(lse_d=7 + i % 13 / 10, lse_c=6 - i % 7 / 10, offset_frames=0, n_windows=1000)
    stage = StageMetrics(
        seconds=60.0, real_time_factor=0.5 + i % 5 / 10, peak_memory_mib=800.0, reused=False, engine="bench"
    )
    return OutputMetrics(
        time=datetime.fromtimestamp(1.7e9 + 60 * i, timezone.utc).isoformat(),
        lecture=lecture.name,
        language=TARGET,
        source_language="en",
        duration_s=3000.0,
        syncnet="bench",
        source=sync,
        output=sync,
        stages={"lipsync": stage, "evaluate": stage},
        peak_memory_mib=800.0,
        n_segments=500,
        n_spoken=490,
        n_warnings=i % 3,
        manifest=SHA,
    )


def measure(folder: Path, n_lectures: int) -> None:
    """Go through all steps for one size and print a JSON line for each."""
    root, out = folder / "library", folder / "out"
    root.mkdir(parents=True)
    out.mkdir()
    lay_out(root, n_lectures)
    options = LibraryOptions(root, out, (TARGET,))
    peak_before = peak_mib()

    @contextlib.contextmanager
    def step(name: str) -> Iterator[None]:
        started = time.process_time()
        yield
        seconds = time.process_time() - started
        print(json.dumps({"step": name, "seconds": seconds, "peak": peak_mib() - peak_before}), flush=True)

    with step("scan"):
        expect(sum(1 for _ in lectures(options)), n_lectures, "lectures")
    with step("plan, all new"):
        expect(count_plans(options, "new"), n_lectures, "new")
    finish(options)
    with step("plan, all done"):
        expect(count_plans(options, "done"), n_lectures, "done")
    changed = list(range(0, n_lectures, CHANGED_EVERY))
    for i in changed:
        (root / f"{i // PER_FOLDER:05d}" / f"{i:06d}.mp4").write_bytes(b"w2")
    with step("plan, 1 % changed"):
        expect(count_plans(options, "changed"), len(changed), "changed")
    writers: dict[str, Callable[[], object]] = {
        "index": lambda: write_index(options),
        "metrics": lambda: write_openmetrics(out),
        "trends": lambda: write_trends(root, out),
    }
    for name, write in writers.items():
        with step(name):
            write()


def peak_mib() -> float:
    """Return the most memory this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def expect(found: int, wanted: int, what: str) -> None:
    """Stop where the bookkeeping is wrong: then its time does not matter."""
    if found != wanted:
        raise SystemExit(f"found {found} lectures that are {what}, there are {wanted}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--keep", type=Path, help="keep the libraries below this new folder")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure is not None:
        with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(None):
            measure(Path(scratch), 10)  # loads what is loaded when it is needed
        measure(args.keep, args.measure)
        return
    with tempfile.TemporaryDirectory(prefix="f2f-scale-") as scratch:
        base: dict[str, float] = {}
        print(f"{'lectures':>9} {'step':18} {'seconds':>8} {'us each':>8} {'to first':>8} {'peak MiB':>8}")
        for size in args.sizes:
            folder = (args.keep or Path(scratch)) / str(size)
            command = [sys.executable, __file__, "--measure", str(size), "--keep", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr.strip().splitlines()[-1])
            for row in map(json.loads, done.stdout.splitlines()):
                each_us = row["seconds"] / size * 1e6
                ratio = each_us / base.setdefault(row["step"], each_us)
                print(
                    f"{size:9,} {row['step']:18} {row['seconds']:8.2f} {each_us:8.0f} {ratio:8.2f} "
                    f"{row['peak']:8.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
