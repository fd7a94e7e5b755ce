"""What one stage may take of this machine: a slot, memory, time. Around its work, and nowhere else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from f2f.config import SlotsConfig
from f2f.slots import take_slot

# Where a stage can do without a network: the key of its configuration that tells, and engines that have none.
_LIGHT_ENGINES = {
    "transcribe": ("engine", {"captions", "sphinx"}),
    "translate": ("engine", {"captions", "none"}),
    "synthesize": ("engine", {"espeak"}),
    "lipsync": ("engine", {"none"}),
    "mux": ("background", {"duck", "none"}),
}
_ALWAYS_HEAVY = frozenset({"evaluate", "evaluate_source"})


@dataclass(frozen=True)
class Limits:
    """What the stages of a run may take.

    Attributes:
        slots: how many of each there are.
    """

    slots: SlotsConfig = field(default_factory=SlotsConfig)


def slot_name(stage: str, config: Mapping[str, Any], device: str) -> str | None:
    """Return which slot a stage takes; None for one that works without a network.

    Args:
        stage: the stage's name.
        config: its own configuration, with the engine that was chosen.
        device: where networks run.
    """
    key, light = _LIGHT_ENGINES.get(stage, ("", set()))
    if stage not in _ALWAYS_HEAVY and (not key or config.get(key) in light):
        return None
    return "cpu" if device == "cpu" else "gpu"


@contextlib.contextmanager
def hold_slot(limits: Limits, name: str | None, purpose: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold a slot of that name inside, if it is one."""
    if name is None:
        yield
        return
    with take_slot(name, getattr(limits.slots, name), purpose, tell):
        yield
