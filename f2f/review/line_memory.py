"""Translations of lines that a person changed: each is made once, however many other lines change later."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from pydantic import ValidationError

from f2f.results import Result, Segment, Transcript, TranslatedSegment, Translation
from f2f.review.files import FOLDER_NAME
from f2f.workspace import make_key, write_atomically


class LineMemory(Result):
    """What was translated, of one source into one language by one engine."""

    scope: str
    """Changes with engine and settings; what another scope made does not count."""
    asked: Transcript | None = None
    """What was asked for last; the translate stage has its answer stored."""
    lines: Mapping[str, TranslatedSegment] = {}

    @classmethod
    def read(cls, root: Path, target: str, scope: str) -> LineMemory:
        """Return what is known; nothing where the file is of another scope, or damaged."""
        try:
            memory = cls.model_validate_json(_path(root, target).read_text(encoding="utf-8"))
        except (OSError, ValueError, ValidationError):
            return cls(scope=scope)
        return memory if memory.scope == scope else cls(scope=scope)

    def write(self, root: Path, target: str) -> None:
        """Keep it."""
        write_atomically(_path(root, target), self.model_dump_json())

    def find(self, segments: Mapping[int, Segment]) -> dict[int, TranslatedSegment]:
        """Return the translations of those segments that are known, by id."""
        return {number: found for number, one in segments.items() if (found := self.lines.get(_key(one)))}

    def with_lines(self, asked: Transcript, made: Translation, wanted: Collection[int]) -> LineMemory:
        """Return a memory that also knows the ``wanted`` segments of what was made."""
        new = {_key(one.segment): one for one in made.segments if one.segment.id in wanted}
        return self.model_copy(update={"asked": asked, "lines": {**self.lines, **new}})


def _key(segment: Segment) -> str:
    span = {"start_s": round(segment.start_s, 3), "end_s": round(segment.end_s, 3)}
    return make_key("line", 1, {"text": segment.text, **span})


def _path(root: Path, target: str) -> Path:
    return root / FOLDER_NAME / f"{target}.lines.json"
