"""What one stage may take of this machine: a slot, memory, time. Around its work, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from f2f.config import DeadlinesConfig, SlotsConfig
from f2f.memory import check_memory, demand_key
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
        deadlines: how long a stage may take.
        duration_s: of the source, None as long as it is not known.
        n_pixels: of its pictures, 0 as long as they are not known.
    """

    slots: SlotsConfig = field(default_factory=SlotsConfig)
    deadlines: DeadlinesConfig = field(default_factory=DeadlinesConfig)
    duration_s: float | None = None
    n_pixels: int = 0


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


@dataclass(frozen=True)
class Needs:
    """What one stage needs.

    Attributes:
        stage: the stage's name.
        config: its own configuration, with the engine that was chosen.
        device: where networks run.
        purpose: what it does, in a few words for a person.
    """

    stage: str
    config: Mapping[str, Any]
    device: str
    purpose: str

    def demand_key(self, limits: Limits) -> str:
        """Return under which name the memory that it takes is kept."""
        return demand_key(self.stage, self.config, self.device, limits.n_pixels)


@contextmanager
def have_room(needs: Needs, limits: Limits, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold a slot inside, if the stage takes one, once it is sure that its memory is not hopelessly short.

    Raises:
        StageError: it is.
    """
    name = slot_name(needs.stage, needs.config, needs.device)
    with take_slot(name, getattr(limits.slots, name), needs.purpose, tell) if name else nullcontext():
        check_memory(needs.stage, needs.config, needs.demand_key(limits), tell)
        yield
