"""What a batch did, language by language."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from f2f.errors import EXIT_DONE, EXIT_STAGE_FAILED

State = Literal["made", "unchanged", "failed", "quarantined", "waiting", "held", "refused"]


@dataclass(frozen=True)
class Row:
    """What became of one language of one lecture in a batch.

    Attributes:
        lecture: its name.
        target: the language; "" for what was refused as a whole.
        state: ``made`` now; ``unchanged`` since an earlier run; ``failed``, to be tried again;
            ``quarantined``, given up until something changes; ``waiting`` for the next attempt after an
            earlier batch's; ``held`` by somebody else; ``refused``, no lecture.
        duration_s: of the video, None if it is not known.
        seconds: wall time of the run, 0 where there was none.
        reason: why it is not made.
    """

    lecture: str
    target: str
    state: State
    duration_s: float | None = None
    seconds: float = 0.0
    reason: str = ""


@dataclass
class Summary:
    """The last word on everything a batch met.

    Attributes:
        rows: what was not simply unchanged, by lecture and language.
        n_unchanged: languages that were done already.
    """

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    n_unchanged: int = 0
    _unchanged: set[tuple[str, str]] = field(default_factory=set, init=False, repr=False)  # that come again

    def add(self, row: Row, *, comes_again: bool = False) -> bool:
        """Take a row in; it replaces an earlier one on the same language.

        Args:
            row: what became of the language.
            comes_again: there will be another row on it: only then is one that is unchanged remembered.

        Returns:
            Whether it says anything new.
        """
        key = (row.lecture, row.target)
        before = self.rows.get(key)
        if row.state != "unchanged":
            if key in self._unchanged:  # until now
                self._unchanged.remove(key)
                self.n_unchanged -= 1
            self.rows[key] = row
            return row != before
        is_known = key in self._unchanged or (before is not None and before.state == "made")
        if not is_known:
            self.rows.pop(key, None)  # somebody else has made it meanwhile
            self.n_unchanged += 1
            if comes_again:
                self._unchanged.add(key)
        elif not comes_again:
            self._unchanged.discard(key)
        return not is_known

    @property
    def counts(self) -> dict[str, int]:
        """How many languages are in which state."""
        counted = Counter[str](row.state for row in self.rows.values())
        counted["unchanged"] = self.n_unchanged
        return {state: count for state, count in counted.items() if count}

    @property
    def exit_code(self) -> int:
        """0 if everything is done, else 4."""
        is_done = all(row.state == "made" for row in self.rows.values())
        return EXIT_DONE if is_done else EXIT_STAGE_FAILED
