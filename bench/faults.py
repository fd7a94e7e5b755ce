"""Kills ``f2f batch`` again and again, at each stage and at random moments, and looks what becomes of it.

    python bench/faults.py [--times 50] [--seed 1] [--keep FOLDER]

Makes a library of short clips (captions and translation given, espeak, embedded weights) and begins to
translate it. At every kill (SIGKILL) one of three dies: the batch alone, its worker alone, or both with
everything they started, as in a power cut. Then the same command is given again, and there is always a
lecture that nobody has begun yet. At the end the command is given until it says that all is done. Meanwhile a
thread looks at every file under a final name as soon as it is there.

Fails unless every lecture is done in the end, no stage of a lecture was done twice, no file under a final
name was ever anything but whole, and a last run finds nothing to do.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from f2f.peak_memory import processes_below
from lipsync_core.media import run_ffmpeg

STAGES = ("probe", "transcribe", "translate", "synthesize", "fit", "lipsync", "mux", "evaluate", "report")
VICTIMS = ("batch", "worker", "all")
SUFFIXES = (".es.mp4", ".es.srt", ".es.json", ".es.html")
WAIT_S = 900.0
MAX_LAST_RUNS = 10
SRT = "1\n00:00:00,100 --> 00:00:00,900\n{}\n\n2\n00:00:01,000 --> 00:00:01,900\n{}\n"


@dataclass
class Library:
    """Clips with captions, and what the runs over them told."""

    root: Path
    names: list[str] = field(default_factory=list)
    made: Counter[tuple[str, str, str | None]] = field(default_factory=Counter)

    def add(self) -> None:
        """Add a lecture; each has another picture and other words, so that nothing of one serves another."""
        name = f"week{len(self.names) // 4 + 1}/lecture{len(self.names) + 1}"
        path = self.root / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        hue = f"hue=h={37 * len(self.names) % 360}"
        number = len(self.names)
        path.with_suffix(".en.srt").write_text(SRT.format("This is one.", f"That is {number}."), "utf-8")
        spanish = SRT.format("Esto es uno.", f"Eso es {number}.").replace(",", ".")
        path.with_suffix(".es.vtt").write_text(f"WEBVTT\n\n{spanish}", "utf-8")
        run_ffmpeg(
            [
                "-f", "lavfi", "-i", f"testsrc2=size=160x120:rate=25:duration=2,{hue}",
                "-f", "lavfi", "-i", "sine=frequency=300:sample_rate=16000:duration=2",
                "-preset", "ultrafast", "-pix_fmt", "yuv420p", f"file:{path}",
            ],
            what="making a clip",
        )  # fmt: skip
        self.names.append(name)

    def workspace(self, name: str) -> Path:
        """Return where everything about a lecture is kept."""
        path = self.root / name
        return path.parent / ".f2f" / path.name

    def untouched(self) -> list[str]:
        """Return the lectures that no run has begun."""
        return [name for name in self.names if not self.workspace(name).exists()]

    def command(self) -> list[str]:
        """Return the words that bring the library up to date."""
        settings = ("mux.preset=ultrafast", "slots.cpu=4")
        return [
            sys.executable, "-m", "f2f", "batch", str(self.root), "--to", "es", "--from", "en", "--json",
            "--profile", "embedded", "--device", "cpu", "--backoff", "0.2", "--attempts", "1000",
            *(word for one in settings for word in ("--set", one)),
        ]  # fmt: skip


class Run:
    """One run of the command, its events taken in as they come."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.states: Counter[str] = Counter()
        self.started: list[str] = []
        self.n_done = 0
        self._new = threading.Condition()
        environment = {**os.environ, "F2F_RUNNER": "inline", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            library.command(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
            start_new_session=True,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def _hear(self) -> None:
        assert self.process.stdout is not None
        under_way: dict[str, str | None] = {}
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):  # the last line of a killed process
                event = json.loads(line)
                with self._new:
                    if event["event"] == "stage_started":
                        under_way[event["stage"]] = event["target_language"]
                        self.started.append(event["stage"])
                    elif event["event"] == "stage_finished" and not event["reused"]:
                        self.n_done += 1
                        key = (event["lecture"], event["stage"], under_way.get(event["stage"]))
                        self.library.made[key] += 1
                    elif event["event"] == "language":
                        self.states[event["state"]] += 1
                    self._new.notify_all()

    def wait_for(self, stage: str) -> bool:
        """Wait until a stage starts; False if the run ends before."""
        deadline_s = time.monotonic() + WAIT_S
        with self._new:
            while stage not in self.started and self._thread.is_alive() and time.monotonic() < deadline_s:
                self._new.wait(0.2)
            return stage in self.started

    def kill(self, victim: str) -> bool:
        """Kill the batch, its worker, or all; False where that had ended already."""
        if self.process.poll() is not None:
            return False
        below = list(processes_below(self.process.pid))
        numbers = {"batch": [self.process.pid], "worker": below, "all": [self.process.pid, *below]}[victim]
        for number in numbers:  # none may see another's death and act upon it
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGSTOP)
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        return bool(numbers)

    def end(self) -> int:
        """Wait until it has ended and return its exit code."""
        code = self.process.wait(WAIT_S)
        self._thread.join(10)
        return code


class Watch:
    """Looks at each file under a final name when it changes: to the last byte it must be f2f's."""

    def __init__(self, library: Library) -> None:
        self.n_looks, self.broken = 0, list[str]()
        self._library, self._seen = library, dict[Path, tuple[int, int, int]]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextlib.contextmanager
    def watching(self) -> Iterator[Watch]:
        """Look all the time inside."""
        self._thread.start()
        yield self
        self._stop.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            self._look()

    def _look(self) -> None:
        for name in list(self._library.names):
            for suffix in SUFFIXES:
                path = self._library.root / f"{name}{suffix}"
                with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                    status = os.fstat(file.fileno())
                    state = (status.st_ino, status.st_size, status.st_mtime_ns)
                    if self._seen.get(path) != state:
                        self._seen[path] = state
                        self.n_looks += 1
                        digest = hashlib.sha256(file.read()).hexdigest()
                        ledger = (self._library.workspace(name) / "outputs.json").read_text("utf-8")
                        if digest not in json.loads(ledger):
                            self.broken.append(f"{path.name} ({status.st_size} bytes)")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=50, help="how often to kill")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    parser.add_argument("--keep", type=Path, help="leave the library there")
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = args.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["F2F_HOME"] = str(folder / "home")
        problems = torment(Library(folder / "library"), args.times, random.Random(args.seed))
    for problem in problems:
        print(f"FAILED: {problem}")
    sys.exit(bool(problems))


def torment(library: Library, times: int, chance: random.Random) -> list[str]:
    """Kill ``times`` times, bring the library to its end, print what was seen and return what is wrong."""
    started_s = time.monotonic()
    kills: Counter[tuple[str, str]] = Counter()
    with Watch(library).watching() as watch:
        while kills.total() < times:
            if not library.untouched():
                library.add()
            number = kills.total()
            # Each stage with each victim first, then moments that nobody chose.
            chosen = number < len(STAGES) * len(VICTIMS)
            place = (
                STAGES[4 * number % len(STAGES)] if chosen else "any moment"
            )  # early and late ones in turn
            victim = VICTIMS[(number + number // len(STAGES)) % len(VICTIMS)]
            if strike(library, place, victim, chance):
                kills[place, victim] += 1
        n_ends, last = bring_to_an_end(library)
    show(kills)
    print(
        f"{kills.total()} kills, {len(library.names)} lectures, done after {n_ends} more runs; "
        f"{library.made.total()} stages done, {watch.n_looks} files under final names looked at; "
        f"{time.monotonic() - started_s:.0f} s"
    )
    return find_problems(library, watch, last)


def strike(library: Library, place: str, victim: str, chance: random.Random) -> bool:
    """Start a run and kill it; False if it came to its end before."""
    run = Run(library)
    try:
        if place == "any moment":
            time.sleep(chance.uniform(0, 12))
        elif run.wait_for(place):
            time.sleep(chance.uniform(0, 0.3))
        was_killed = run.kill(victim)
        run.end()  # without its worker the batch goes on by itself
    except BaseException:
        run.kill("all")
        raise
    return was_killed


def bring_to_an_end(library: Library) -> tuple[int, Run]:
    """Give the command until all is done, and once more; return how often, and the last run."""
    n_runs = 1
    while Run(library).end() != 0 and n_runs < MAX_LAST_RUNS:
        n_runs += 1
    last = Run(library)
    last.end()
    return n_runs, last


def find_problems(library: Library, watch: Watch, last: Run) -> list[str]:
    """Return what must not be."""
    problems = [f"half-written: {one}" for one in watch.broken]
    for name in library.names:
        missing = [suffix for suffix in SUFFIXES if not (library.root / f"{name}{suffix}").is_file()]
        problems += [f"{name} has no {', '.join(missing)}"] if missing else []
        parts = list(library.workspace(name).rglob(".*.tmp")) + list(library.root.glob(f"{name}*.tmp"))
        problems += [f"left behind: {path}" for path in parts]
    problems += [f"{' '.join(map(str, key))} was done {n} times" for key, n in library.made.items() if n > 1]
    lines = Counter(
        json.loads(line)["lecture"]
        for line in (library.root / "library.jsonl").read_text("utf-8").splitlines()
    )
    problems += [f"{name} has {n} lines in library.jsonl" for name, n in lines.items() if n > 1]
    problems += [] if len(lines) == len(library.names) else [f"library.jsonl knows {len(lines)} lectures"]
    if last.n_done or set(last.states) != {"unchanged"}:
        problems.append(f"the last run still did {last.n_done} stages: {dict(last.states)}")
    return problems


def show(kills: Counter[tuple[str, str]]) -> None:
    """Print how often was killed where."""
    print(f"{'killed at':<12}" + "".join(f"{victim:>8}" for victim in VICTIMS))
    for place in (*STAGES, "any moment"):
        row = [kills[place, victim] for victim in VICTIMS]
        if any(row):
            print(f"{place:<12}" + "".join(f"{n:>8}" for n in row))


if __name__ == "__main__":
    main()
