"""What a batch would take: hours of speech, time by what was measured here before, disk. Makes nothing."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from f2f.library.index_rows import visible
from f2f.library.lecture import Lecture, LibraryOptions, Refused
from f2f.library.metrics import METRICS_NAME, read_metrics
from f2f.library.planning import Plan, plan_lecture, utc_now
from f2f.library.store import StoreError
from f2f.preflight import estimate_bytes, existing_folder
from f2f.report.plot import clock
from f2f.stage_order import SHARED_STAGES
from lipsync_core.errors import LipSyncError

if TYPE_CHECKING:
    from rich.table import Table

_MAX_ROWS = 500
_ONCE = (*SHARED_STAGES, "evaluate_source")  # whatever the number of languages


@dataclass(frozen=True)
class Rates:
    """Seconds of work for a second of video, as outputs of this library took them.

    Attributes:
        shared: of the stages that all languages share.
        by_language: of the others, by language.
        elsewhere: of the others, over all languages.
        n_outputs: how many were measured.
    """

    shared: float
    by_language: dict[str, float]
    elsewhere: float
    n_outputs: int

    def seconds(self, duration_s: float, targets: Iterable[str]) -> float:
        """Return how long a video takes into some languages."""
        own = sum(self.by_language.get(target, self.elsewhere) for target in targets)
        return duration_s * (self.shared + own)


@dataclass
class Price:
    """What a batch would take.

    Attributes:
        counts: languages by what is to be done for them.
        rows: (lecture, its languages to make, its length in seconds) of the first lectures.
        n_lectures: lectures with something to make.
        video_s: their length together.
        output_s: length of everything that would be made.
        work_s: expected time of one batch, None where nothing was measured.
        n_measured: outputs on which that rests.
        bytes_needed: at most.
        bytes_free: where the outputs go.
        refused: what cannot be translated, with the reason.
    """

    counts: Counter[str] = field(default_factory=Counter)
    rows: list[tuple[str, tuple[str, ...], float]] = field(default_factory=list)
    n_lectures: int = 0
    video_s: float = 0.0
    output_s: float = 0.0
    work_s: float | None = None
    n_measured: int = 0
    bytes_needed: int = 0
    bytes_free: int = 0
    refused: list[Refused] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the price as JSON values, without the single lectures."""
        return {
            "counts": dict(self.counts),
            "lectures": self.n_lectures,
            "video_s": round(self.video_s, 3),
            "output_s": round(self.output_s, 3),
            "work_s": None if self.work_s is None else round(self.work_s, 1),
            "measured_outputs": self.n_measured,
            "bytes_needed": self.bytes_needed,
            "bytes_free": self.bytes_free,
            "refused": {one.name: one.reason for one in self.refused},
        }


def price_library(options: LibraryOptions, lectures: Iterable[Lecture | Refused]) -> Price:
    """Find out what bringing lectures up to date would take.

    Args:
        options: of the library.
        lectures: what was found, one at a time.
    """
    options.store.fetch_figures()
    rates = read_rates(options.output_dir / METRICS_NAME)
    price = Price(work_s=0.0 if rates else None, n_measured=rates.n_outputs if rates else 0)
    price.bytes_free = shutil.disk_usage(existing_folder(options.output_dir)).free
    for found in lectures:
        if isinstance(found, Refused):
            price.refused.append(found)
            continue
        plan = plan_lecture(found, options, utc_now())
        price.counts.update(plan.todo.values())
        if plan.targets:
            try:
                info = options.store.probe(found.source)
            except (LipSyncError, StoreError) as error:
                price.refused.append(Refused(found.name, str(error)))
                continue
            _add(price, plan, info.duration_s, rates)
            needed = estimate_bytes(info, len(plan.targets))
            # Of a library behind a URL one lecture at a time is here.
            has_all = options.store.has_videos
            price.bytes_needed = price.bytes_needed + needed if has_all else max(price.bytes_needed, needed)
    return price


def read_rates(path: Path) -> Rates | None:
    """Return what outputs took so far, the median of all; None where nothing was measured."""
    shared: list[float] = []
    own: dict[str, list[float]] = defaultdict(list)
    for line in read_metrics(path):
        factors = {stage: figures.real_time_factor for stage, figures in line.stages.items()}
        shared.append(sum(factors.get(stage, 0.0) for stage in _ONCE))
        own[line.language].append(sum(factor for stage, factor in factors.items() if stage not in _ONCE))
    if not shared:
        return None
    return Rates(
        shared=median(shared),
        by_language={language: median(values) for language, values in own.items()},
        elsewhere=median(value for values in own.values() for value in values),
        n_outputs=len(shared),
    )


def price_table(price: Price) -> Table:
    """Return the lectures with something to make as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("lecture", overflow="fold")
    table.add_column("to make", overflow="fold")
    table.add_column("duration", justify="right")
    for name, targets, duration_s in price.rows:
        table.add_row(Text(visible(name)), Text(", ".join(targets)), Text(clock(duration_s)))
    return table


def price_lines(price: Price, options: LibraryOptions) -> list[str]:
    """Return what stands below the table."""
    lines = [f"refused: {visible(one.name)}: {visible(one.reason)}" for one in price.refused]
    if price.n_lectures > len(price.rows):
        lines.insert(0, f"… and {price.n_lectures - len(price.rows)} lectures more")
    if price.counts:
        lines.append("languages: " + ", ".join(f"{n} {state}" for state, n in sorted(price.counts.items())))
    metrics = options.output_dir / METRICS_NAME
    lines.append(f"speech: {_hours(price.video_s)} of video, {_hours(price.output_s)} to make")
    if price.work_s is None:
        lines.append(f"time: nothing was measured yet; what is finished goes into {METRICS_NAME} and tells")
    else:
        lines.append(
            f"time: about {clock(price.work_s)} for one batch, on a machine like that which took the "
            f"{price.n_measured} times in {options.store.place(metrics)}"
        )
    what = "disk" if options.store.has_videos else "disk here, for one lecture at a time"
    disk = f"{what}: up to {price.bytes_needed / 1e9:.2f} GB, {price.bytes_free / 1e9:.2f} GB free"
    short = (
        "; make room, or choose another folder with -o DIR" if price.bytes_needed > price.bytes_free else ""
    )
    return [*lines, disk + short]


def _add(price: Price, plan: Plan, duration_s: float, rates: Rates | None) -> None:
    price.n_lectures += 1
    price.video_s += duration_s
    price.output_s += duration_s * len(plan.targets)
    if rates is not None and price.work_s is not None:
        price.work_s += rates.seconds(duration_s, plan.targets)
    if len(price.rows) < _MAX_ROWS:
        price.rows.append((plan.lecture.name, plan.targets, duration_s))


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"
