"""What the scripts that kill runs share: a library of short clips, and looks at what the runs leave there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lipsync_core.media import run_ffmpeg

STAGES = ("probe", "transcribe", "translate", "synthesize", "fit", "lipsync", "mux", "evaluate", "report")
ANY_MOMENT = "any moment"
SUFFIXES = (".es.mp4", ".es.srt", ".es.json", ".es.html")
SRT = "1\n00:00:00,100 --> 00:00:00,900\n{}\n\n2\n00:00:01,000 --> 00:00:01,900\n{}\n"


@dataclass
class Library:
    """Clips with captions, and what was seen to be made of them.

    Attributes:
        root: its folder; outputs lie beside the clips.
        names: of the lectures, without ``.mp4``.
        made: how often each stage of each lecture was done, by lecture, stage and language.
    """

    root: Path
    names: list[str] = field(default_factory=list)
    made: Counter[tuple[str, str, str | None]] = field(default_factory=Counter)

    def add(self) -> None:
        """Add a lecture; each has another picture and other words, so that nothing of one serves another."""
        number = len(self.names)
        name = f"week{number // 4 + 1}/lecture{number + 1}"
        path = self.root / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".en.srt").write_text(SRT.format("This is one.", f"That is {number}."), "utf-8")
        spanish = SRT.format("Esto es uno.", f"Eso es {number}.").replace(",", ".")
        path.with_suffix(".es.vtt").write_text(f"WEBVTT\n\n{spanish}", "utf-8")
        unseen = path.with_name(f".{path.name}")  # nobody may find half a clip
        run_ffmpeg(
            [
                "-f", "lavfi", "-i", f"testsrc2=size=160x120:rate=25:duration=2,hue=h={37 * number % 360}",
                "-f", "lavfi", "-i", "sine=frequency=300:sample_rate=16000:duration=2",
                "-preset", "ultrafast", "-pix_fmt", "yuv420p", f"file:{unseen}",
            ],
            what="making a clip",
        )  # fmt: skip
        unseen.replace(path)
        self.names.append(name)

    def workspace(self, name: str) -> Path:
        """Return where everything about a lecture is kept."""
        path = self.root / name
        return path.parent / ".f2f" / path.name

    def untouched(self) -> list[str]:
        """Return the lectures that no run has begun."""
        return [name for name in self.names if not self.workspace(name).exists()]

    def missing(self, name: str) -> list[str]:
        """Return the outputs that a lecture does not have."""
        return [suffix for suffix in SUFFIXES if not (self.root / f"{name}{suffix}").is_file()]

    def find_problems(self) -> list[str]:
        """Return what no library may look like in the end."""
        problems = []
        for name in self.names:
            missing = self.missing(name)
            problems += [f"{name} has no {', '.join(missing)}"] if missing else []
            parts = [*self.workspace(name).rglob(".*.tmp"), *self.root.glob(f"{name}*.tmp")]
            problems += [f"left behind: {path}" for path in parts]
        problems += [f"{' '.join(map(str, key))} was done {n} times" for key, n in self.made.items() if n > 1]
        lines = Counter(
            json.loads(line)["lecture"]
            for line in (self.root / "library.jsonl").read_text("utf-8").splitlines()
        )
        problems += [f"{name} has {n} lines in library.jsonl" for name, n in lines.items() if n > 1]
        problems += [] if len(lines) == len(self.names) else [f"library.jsonl knows {len(lines)} lectures"]
        return problems


class Looker:
    """Looks again and again in a thread.

    Args:
        every_s: pause between two looks.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look all the time inside, and once at the end."""
        self._thread.start()
        yield
        self._stop.set()
        self._thread.join()
        self.look()

    def look(self) -> None:
        """Look at what is new."""
        raise NotImplementedError

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self.look()


class Watch(Looker):
    """Looks at each file under a final name when it changes: to the last byte it must be f2f's.

    Attributes:
        n_looks: how many files it looked at.
        broken: those that were not whole.
    """

    def __init__(self, library: Library) -> None:
        super().__init__(0.02)
        self.n_looks, self.broken = 0, list[str]()
        self._library, self._seen = library, dict[Path, tuple[int, int, int]]()

    def look(self) -> None:
        """Look at what is new."""
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


def choose(number: int, times: int, victims: Sequence[str]) -> tuple[str, str]:
    """Return where and whom the kill of that number hits: each stage with each victim, then any moment.

    At least a third of ``times`` are for any moment, even if not every stage has met every victim by then.
    """
    n_rounds, one = divmod(number, len(STAGES))
    at_stages = min(len(STAGES) * len(victims), times - times // 3)
    place = STAGES[4 * one % len(STAGES)] if number < at_stages else ANY_MOMENT  # early and late in turn
    return place, victims[(one + n_rounds) % len(victims)]


def show_kills(kills: Counter[tuple[str, str]], victims: Sequence[str]) -> None:
    """Print how often was killed where."""
    print(f"{'killed at':<12}" + "".join(f"{victim:>10}" for victim in victims))
    for place in (*STAGES, ANY_MOMENT):
        row = [kills[place, victim] for victim in victims]
        if any(row):
            print(f"{place:<12}" + "".join(f"{n:>10}" for n in row))
