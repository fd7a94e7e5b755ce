"""Who the speakers of a lecture are in its library, found once and remembered in the lecture's workspace."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from f2f.library.voices import Heard, LibraryVoices, Notice, Person, is_name
from f2f.results import Segment, Speech
from f2f.source_speech import judge_gender, pick_speech
from f2f.speakers import voice_encoder
from f2f.speakers.prints import can_print, voice_prints
from f2f.speech_regions import SAMPLE_RATE_HZ
from f2f.workspace import write_atomically

MEMORY_FILE = "people.json"


@dataclass(frozen=True)
class SpokenSource:
    """A lecture in which people speak.

    Attributes:
        source: the video.
        segments: what is said in it.
        scope: changes when its speakers are told apart anew.
        workspace_root: where is remembered who they are.
        device: where networks run.
    """

    source: Path
    segments: Sequence[Segment]
    scope: str
    workspace_root: Path
    device: str = "cpu"


def find_people(path: Path, lecture: SpokenSource, notice: Notice) -> dict[str | None, Person]:
    """Return who the speakers are, without those of whom too little is known.

    Args:
        path: the library's file of voices.
        lecture: where they speak.
        notice: told what a person must know.
    """
    voices = LibraryVoices(path, notice)
    spoken = [one for one in lecture.segments if one.keep_original is None]
    speakers = list(dict.fromkeys(one.speaker for one in spoken))
    known, remembered = voices.read(), _Memory(lecture)
    numbers = remembered.read(known.library) if known else {}
    people = {one: known.find(number) for one, number in numbers.items() if number} if known else {}
    # A number that is gone from the file is as good as never met.
    missing = [one for one in speakers if one not in numbers or (numbers[one] and not people.get(one))]
    found = {one: person for one, person in people.items() if person is not None and one in speakers}
    if missing:
        heard = _listen(lecture, [one for one in spoken if one.speaker in missing], notice)
        met = voices.recognise(heard, [person.number for person in found.values()])
        if met is not None:
            library, new = met
            found |= new
            remembered.write(library, {one: found[one].number if one in found else None for one in speakers})
    return found


def voice_inputs(people: Mapping[str | None, Person]) -> dict[str, Any]:
    """Return what the stock voices of these people depend on; nothing without any, as ever."""
    facts = [[speaker, one.number, one.index, one.gender] for speaker, one in people.items()]
    return {"people": facts} if facts else {}


def note_voices(path: Path | None, language: str, speech: Speech) -> None:
    """Note in the library's file which voices its people have in a language."""
    voices = {one.person: one.usual_voice for one in speech.library}
    if path is not None and voices:
        LibraryVoices(path, lambda line: None).record_voices(language, voices)


def _listen(lecture: SpokenSource, spoken: Sequence[Segment], notice: Notice) -> dict[str | None, Heard]:
    from lipsync_core.media import read_audio

    speakers = list(dict.fromkeys(one.speaker for one in spoken))
    sound = read_audio(lecture.source, SAMPLE_RATE_HZ)
    prints = voice_prints(sound, spoken, lecture.device) if can_print() else {}
    if not can_print() and not all(map(is_name, speakers)):
        notice(
            "people are known in other videos of the library by their names in captions only; to know them "
            f"by their voices, too: {voice_encoder.INSTALL}"
        )
    heard = {}
    for speaker in speakers:
        own = pick_speech(sound, SAMPLE_RATE_HZ, [one for one in spoken if one.speaker == speaker])
        heard[speaker] = Heard(prints.get(speaker), judge_gender(own, SAMPLE_RATE_HZ))
    return heard


class _Memory:
    """``people.json`` in the workspace: who was who when this lecture was last listened to."""

    def __init__(self, lecture: SpokenSource) -> None:
        self._path = lecture.workspace_root / MEMORY_FILE
        # With a network to tell voices by there is more to be found.
        self._scope = f"{lecture.scope} {voice_encoder.identity() if can_print() else 'by name'}"

    def read(self, library: str) -> dict[str | None, int | None]:
        """Return the numbers of the speakers, None for those who could not be known."""
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))
            if (values["library"], values["scope"]) != (library, self._scope):
                return {}
            return dict(values["people"])
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def write(self, library: str, people: dict[str | None, int | None]) -> None:
        """Remember them."""
        values = {"library": library, "scope": self._scope, "people": list(people.items())}
        write_atomically(self._path, json.dumps(values, ensure_ascii=False))
