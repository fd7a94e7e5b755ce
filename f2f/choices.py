"""Which engine each stage will use: asked of the stages, then pinned into their configuration.

Checks, doctor and pipeline all ask here, so that what was announced is what is done. Nothing heavy is
loaded; weights are looked up, not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from f2f.engines.status import Choice
from f2f.stage_call import config_values

C = TypeVar("C", bound=BaseModel)


@dataclass(frozen=True)
class Pinned(Generic[C]):
    """A stage's configuration with ``auto`` replaced by what was chosen.

    Attributes:
        config: for the stage.
        choice: the engine and why.
    """

    config: C
    choice: Choice

    @property
    def key(self) -> dict[str, Any]:
        """Part of the stage's key: own configuration, engine, and the identity of its weights or files."""
        return {"config": config_values(self.config), "identity": self.choice.identity}

    @property
    def notice(self) -> str | None:
        """What a person must know of the choice."""
        return self.choice.notice
