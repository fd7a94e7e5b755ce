"""Who did what of a library that workers take, how often, and what it took; for ``two_hosts.py``."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect_setup import LECTURES, VIDEOS, Server, descendants

from f2f.library.lease import read_holder

SUFFIXES = (".es.mp4", ".es.srt", ".es.json", ".es.html")
STAGES = (
    "probe", "transcribe", "translate", "synthesize", "fit", "lipsync", "mux", "evaluate_source", "evaluate",
    "report",
)  # fmt: skip
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Watched:
    """A library under way.

    Attributes:
        server: whose runs these are.
        root: folder of the library.
        names: its lectures, without suffix.
        hosts: names of the hosts that had a lecture's lease, the first first.
    """

    server: Server
    root: Path
    names: list[str]
    hosts: dict[str, list[str]] = field(default_factory=dict)

    def look(self) -> dict[str, str]:
        """See who has which lecture now, and keep it in mind; often enough that nobody is missed."""
        now: dict[str, str] = {}
        for name in self.names:
            holder = read_holder(self.root / ".f2f" / name)
            if holder is not None:
                now[name] = holder.host
                seen = self.hosts.setdefault(name, [])
                if holder.host not in seen:
                    seen.append(holder.host)
        return now

    def lecture_runs(self, state: str | None = None) -> list[dict[str, Any]]:
        """Return the runs ``translate-lecture`` of this library."""
        runs = self.server.runs(LECTURES, state)
        return [run for run in runs if run["parameters"]["library"] == str(self.root)]

    def n_done(self) -> int:
        """Count the lectures whose run completed; looks, too. Ends the script if one failed."""
        self.look()
        runs = self.lecture_runs()
        for run in runs:
            if run["state_type"] == "FAILED":
                sys.exit(f"{run['name']}: {run['state']['message']}")
        return sum(run["state_type"] == "COMPLETED" for run in runs)

    def stages_done(self, name: str) -> Counter[str]:
        """Count how often each stage of a lecture was done; finding a stored result does not count."""
        source = str(self.root / f"{name}.mp4")
        ids = [run["id"] for run in self.server.runs(VIDEOS) if run["parameters"]["source"] == source]
        tasks = self.server.ask("/task_runs/filter", {"flow_runs": {"id": {"any_": ids}}})
        return Counter(task["name"].split()[0] for task in tasks if task["state_name"] == "Completed")

    def problems(self, crashed: str | None = None, *, are_alike: bool = False) -> list[str]:
        """Return what must not be once all is done.

        Args:
            crashed: the lecture that lost its host; one stage of it may have been done and not told.
            are_alike: all outputs are one and the same, which has one line of figures.
        """
        found = []
        for name in self.names:
            missing = [suffix for suffix in SUFFIXES if not (self.root / f"{name}{suffix}").is_file()]
            found += [f"{name} has no {', '.join(missing)}"] if missing else []
            done = self.stages_done(name)
            often = {stage: n for stage, n in done.items() if n > 1}
            found += [f"{name}: stages done more than once: {often}"] if often else []
            untold = set(STAGES) - set(done)
            if untold and (name != crashed or len(untold) > 1):
                found.append(f"{name}: stages that nobody did: {sorted(untold)}")
            if name != crashed and len(self.hosts.get(name, [])) != 1:
                found.append(f"{name} was held by {self.hosts.get(name)}")
        runs = Counter(run["parameters"]["lecture"] for run in self.lecture_runs("COMPLETED"))
        found += [f"{name} was completed by {n} runs" for name, n in runs.items() if n != 1]
        lines = (self.root / "library.jsonl").read_text("utf-8").splitlines()
        figures = Counter(json.loads(line)["lecture"] for line in lines)
        n_expected = 1 if are_alike else len(self.names)
        if len(figures) != n_expected or figures.total() != n_expected:
            found.append(f"library.jsonl has {figures.total()} lines for {len(figures)} lectures")
        return found + [f"left behind: {path}" for path in self.root.rglob(".*.tmp")]


def when(text: str) -> datetime:
    """Return a time of the server's."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def processor_s(roots: Iterable[int]) -> float:
    """Return the processor time of processes and everything below them, what has ended included."""
    total = 0
    for pid in {one for root in roots for one in descendants(root)}:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))  # user, system, and both of children that were waited for
    return total / _TICKS_PER_S


def machine_s() -> float:
    """Return the processor time of everything on this machine, on all cores."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return (sum(map(int, fields[:8])) - int(fields[3]) - int(fields[4])) / _TICKS_PER_S
