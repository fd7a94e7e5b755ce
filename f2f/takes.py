"""Takes that were spoken before, kept in the workspace: a segment that nobody touched is not spoken again.

A take is known by what was asked of the engine (text, voice, settings) and by the ``scope``: everything else
that makes one engine sound different from another. So an edited line costs one take, and the others stay
as they are, bit for bit.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from f2f.engines.speech import SpeakerProfile, SpeechEngine, Spoken
from f2f.results import EngineInfo
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

    def key(self, request: dict[str, Any]) -> str:
        """Return the name of the take that ``request`` asks for."""
        return make_key("take", 1, {"scope": self._scope, **request})

    def find(self, key: str, wav: Path) -> Spoken | None:
        """Put the take of that name at ``wav``; None if there is none, or it is damaged."""
        kept = self._folder / f"{key}.wav"
        try:
            facts = json.loads(kept.with_suffix(".json").read_text(encoding="utf-8"))
            if hash_file(kept) != facts["sha256"]:
                return None
            spoken = Spoken(int(facts["n_samples"]), int(facts["sample_rate_hz"]))
            shutil.copyfile(kept, wav)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return spoken

    def keep(self, key: str, wav: Path, spoken: Spoken) -> None:
        """Remember the take at ``wav``; it counts once its facts are written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = self._folder / f"{key}.wav"
        temporary = kept.with_name(f".{key}.{os.getpid()}.tmp")
        try:
            shutil.copyfile(wav, temporary)
            temporary.replace(kept)
        finally:
            temporary.unlink(missing_ok=True)
        facts = {**asdict(spoken), "sha256": hash_file(kept)}
        write_atomically(kept.with_suffix(".json"), json.dumps(facts))


class RememberingEngine:
    """A speech engine that looks a take up before it speaks.

    Args:
        engine: speaks what is not known yet.
        memory: of earlier takes.
    """

    def __init__(self, engine: SpeechEngine, memory: TakeMemory) -> None:
        self._engine = engine
        self._memory = memory
        self._asked: Counter[tuple[str, str]] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def info(self) -> EngineInfo:
        """Return what the engine says of itself."""
        return self._engine.info()

    def choose_voice(self, speaker: SpeakerProfile) -> str:
        """Return the engine's choice."""
        return self._engine.choose_voice(speaker)

    def say(self, text: str, speaker: SpeakerProfile, wav: Path, *manner: Any) -> Spoken:
        """Say it as :meth:`SpeechEngine.say` does, or as it was said before.

        Raises:
            SpeechProblemError: this text cannot be said.
        """
        request = {
            "text": text,
            "voice": self._engine.choose_voice(speaker),
            "speaker": speaker.index,
            "take": speaker.take,
            "cloned": speaker.reference is not None,
            "manner": [repr(one) for one in manner],
        }
        # An engine that is asked the very same twice for one file wants another take.
        asked = self._memory.key(request)
        self._asked[asked, wav.name] += 1
        key = self._memory.key({**request, "time": self._asked[asked, wav.name]})
        found = self._memory.find(key, wav)
        if found is not None:
            return found
        spoken = self._engine.say(text, speaker, wav, *manner)
        self._memory.keep(key, wav, spoken)
        return spoken

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()


def remembering(engine: SpeechEngine, memory: TakeMemory | None) -> SpeechEngine:
    """Return ``engine``, with a memory where there is one."""
    return engine if memory is None else RememberingEngine(engine, memory)
