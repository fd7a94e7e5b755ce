"""Stands in for a Prefect server where a library's ticks start runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any


@dataclass
class Pool:
    """A server's side of runs: takes each key once, and knows how the runs ended."""

    states: dict[str, str] = field(default_factory=dict)
    started: list[dict[str, Any]] = field(default_factory=list)
    crashes_to_tell: int = 0

    def runs(self, keys: list[str]) -> list[Any]:
        return [self._run(key, self.states[key]) for key in keys if key in self.states]

    def start(self, key: str, name: str, parameters: dict[str, Any], tags: list[str]) -> None:
        if key not in self.states:
            self.states[key] = "scheduled"
            self.started.append({"name": name, "parameters": parameters, "tags": tags})

    def end_all(self, state: str) -> None:
        self.states = dict.fromkeys(self.states, state)

    def has_crashed_since(self, since: datetime) -> bool:
        self.crashes_to_tell -= 1
        return self.crashes_to_tell >= 0

    @staticmethod
    def _run(key: str, state: str) -> Any:
        is_final = state in ("completed", "crashed", "cancelled")
        return SimpleNamespace(
            idempotency_key=key,
            state=SimpleNamespace(
                is_final=lambda: is_final,
                is_crashed=lambda: state == "crashed",
                timestamp=datetime.now(timezone.utc),
            ),
        )
