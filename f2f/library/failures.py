"""What failed in a library and still does, by reason: gathered from the status of each lecture."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from f2f.library.status import LanguageStatus, LectureStatus, read_status

_MAX_REASONS = 500  # of more different ones only the first are told apart


@dataclass
class Reason:
    """One reason for failures.

    Attributes:
        text: its first words for it, as the first lecture had them.
        example: that lecture.
        n_failed: languages of lectures that are tried again.
        n_quarantined: languages of lectures that were given up.
        languages: how often by language.
        last: ISO time of the last failure.
    """

    text: str
    example: str
    n_failed: int = 0
    n_quarantined: int = 0
    languages: Counter[str] = field(default_factory=Counter)
    last: str = ""


@dataclass
class Outcomes:
    """States of all languages of all lectures, and why not all are done."""

    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: dict[str, Reason] = field(default_factory=dict)
    n_other: int = 0
    """Failures for reasons beyond those told apart."""
    failed_days: Counter[int] = field(default_factory=Counter)
    """Attempts that failed, by day (its number in the proleptic Gregorian calendar, UTC)."""

    def add(self, status: LectureStatus) -> None:
        """Take in one lecture."""
        for code, language in status.languages.items():
            self.states[code, language.state] += 1
            if language.state != "done":
                self._add_failure(status.name, code, language)
        for time in status.failures:
            with suppress(ValueError):
                self.failed_days[date.fromisoformat(time[:10]).toordinal()] += 1

    def _add_failure(self, name: str, code: str, language: LanguageStatus) -> None:
        text = " ".join((language.error or "no reason was kept").split())
        key = _without_names(text, name)
        if key not in self.reasons and len(self.reasons) >= _MAX_REASONS:
            self.n_other += 1
            return
        reason = self.reasons.setdefault(key, Reason(text, name))
        reason.languages[code] += 1
        reason.last = max(reason.last, language.finished)
        if language.state == "quarantined":
            reason.n_quarantined += 1
        else:
            reason.n_failed += 1

    @property
    def languages(self) -> list[str]:
        """Codes of all languages."""
        return sorted({code for code, _ in self.states})

    @property
    def most_common(self) -> list[Reason]:
        """Reasons, the most frequent first."""
        return sorted(self.reasons.values(), key=lambda each: -(each.n_failed + each.n_quarantined))


def read_outcomes(library: Path, output_dir: Path) -> Outcomes:
    """Gather what became of the lectures that are still there."""
    outcomes = Outcomes()
    for status in find_statuses(output_dir):
        if (library / status.name).exists():
            outcomes.add(status)
    return outcomes


def find_statuses(output_dir: Path) -> Iterator[LectureStatus]:
    """Give the status of every lecture whose outputs lie below a folder; one is in memory at a time."""
    for folder, names, _ in os.walk(output_dir):
        if ".f2f" in names:
            for workspace in sorted(Path(folder, ".f2f").iterdir()):
                status = read_status(workspace)
                if status is not None:
                    yield status
        names[:] = sorted(name for name in names if not name.startswith("."))


def _without_names(text: str, name: str) -> str:
    """Return a reason without the lecture's name and without numbers, so that equal ones meet."""
    stem = name.rpartition("/")[2].rpartition(".")[0]
    if stem:
        text = re.sub(rf"\S*{re.escape(stem)}\S*", "…", text)
    return re.sub(r"\d+(?:[.,]\d+)*", "#", text)
