"""Takes that were made before, kept in the workspace: a segment that nobody touched is not spoken again.

A take is known by what was to be said (texts, voice, speaker, time there is) and by the ``scope``: everything
else that makes one run sound different from another. So an edited line costs one take, and the others stay
as they are, bit for bit, whatever was learnt of the voice's speed in between.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from f2f.engines.speech import SpeakerProfile, SpeechEngine
from f2f.results import Take, TranslatedSegment
from f2f.take_making import MadeTake, TakeMaker
from f2f.workspace import hash_file, make_key, write_atomically

FOLDER_NAME = "takes"


class TakeMemory:
    """Takes of one source in one language by one engine.

    Args:
        root: folder of the workspace.
        scope: changes with the source, what was heard in it, the language, the engine and its settings.
    """

    def __init__(self, root: Path, scope: str) -> None:
        self._folder = root / FOLDER_NAME
        self._scope = scope

    def key(self, one: TranslatedSegment, voice: str, speaker: SpeakerProfile, slot_s: float) -> str:
        """Return the name of the take of a segment."""
        wanted: dict[str, Any] = {
            "scope": self._scope,
            "texts": [one.text, *one.alternatives],
            "voice": voice,
            "speaker": speaker.index,
            "cloned": speaker.reference is not None,
            "take": one.take,
            "slot_s": round(slot_s, 3),
            "own_s": round(one.segment.end_s - one.segment.start_s, 3),
        }
        return make_key("take", 1, wanted)

    def find(self, key: str, wav: Path, segment_id: int) -> MadeTake | None:
        """Put the take of that name at ``wav``; None if there is none, or it is damaged."""
        kept = self._folder / f"{key}.wav"
        try:
            facts = json.loads(kept.with_suffix(".json").read_text(encoding="utf-8"))
            if hash_file(kept) != facts["sha256"]:
                return None
            take = Take.model_validate({**facts["take"], "wav": wav.name, "segment_id": segment_id})
            shutil.copyfile(kept, wav)
            return MadeTake(take, tuple(facts["problems"]))
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            return None

    def keep(self, key: str, wav: Path, made: MadeTake) -> None:
        """Remember the take at ``wav``; it counts once its facts are written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = self._folder / f"{key}.wav"
        temporary = kept.with_name(f".{key}.{os.getpid()}.tmp")
        try:
            shutil.copyfile(wav, temporary)
            temporary.replace(kept)
        finally:
            temporary.unlink(missing_ok=True)
        facts = {"take": made.take.model_dump(), "problems": made.problems, "sha256": hash_file(kept)}
        write_atomically(kept.with_suffix(".json"), json.dumps(facts, ensure_ascii=False))


class RememberingMaker:
    """Makes takes, unless they were made before.

    Args:
        maker: makes what is not known yet.
        engine: which it speaks with.
        memory: of earlier takes; None has none.
        folder: where wavs go.
    """

    def __init__(
        self, maker: TakeMaker, engine: SpeechEngine, memory: TakeMemory | None, folder: Path
    ) -> None:
        self._maker, self._engine, self._memory, self._folder = maker, engine, memory, folder

    def make(self, one: TranslatedSegment, speaker: SpeakerProfile, slot_s: float, name: str) -> MadeTake:
        """Make the take as :meth:`TakeMaker.make` does, or as it was made before.

        Raises:
            SpeechProblemError: it cannot be said.
        """
        if self._memory is None:
            return self._maker.make(one, speaker, slot_s, name)
        wav = self._folder / f"{name}.wav"
        key = self._memory.key(one, self._engine.choose_voice(speaker), speaker, slot_s)
        made = self._memory.find(key, wav, one.segment.id)
        if made is None:
            made = self._maker.make(one, speaker, slot_s, name)
            self._memory.keep(key, wav, made)
        return made
