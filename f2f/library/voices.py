"""One voice for each person throughout a library: a file of voice prints and of what each person got.

``voices.json`` is read, merged and written under a lease beside it, by any number of processes on any number
of hosts. A person is known by name where captions give one, else by the voice. What was found for a lecture
is remembered in its workspace, so that a second run gives it the same voices whatever was heard since.
"""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from f2f.engines.speech import Gender
from f2f.library.lease import Lease, take_lease
from f2f.results import Result
from f2f.speakers.prints import VoicePrint
from f2f.speakers.turns import label_number
from f2f.workspace import write_atomically

FILE_NAME = "voices.json"
ALIKE = 0.80
"""Cosine of two prints from which they are one person's. ``bench/diarization.py --prints``: same person and
sound 0.88 to 0.97, after an echo, noise or a telephone 0.60 to 0.86; the most alike of all others 0.78."""

NEW_FROM_S = 5.0
"""With less speech nobody is added: a poor print would match anybody."""

_MOST_S = 600.0  # of a known print that count against a new one
_LEASE_S = 20.0
_PATIENCE_S = 90.0

Notice = Callable[[str], None]


class Person(Result):
    """Somebody who speaks in the library.

    ``gender`` and ``index`` choose the stock voice, of every engine and in every language; whoever wants
    another voice for somebody changes them here.
    """

    number: int
    """From 1, in the order in which people were first heard."""
    names: tuple[str, ...] = ()
    gender: Gender | None = None
    """Which kind of voice fits, judged by pitch where the person was first heard."""
    index: int = 0
    """Which of the fitting voices; people of one gender are dealt them in turn."""
    prints: tuple[VoicePrint, ...] = ()
    """One of each engine."""
    voices: dict[str, str] = Field(default_factory=dict)
    """Voice that was last heard, by target language; for a person to read."""

    def is_named(self, name: str) -> bool:
        """Whether captions call this person so."""
        return name.casefold() in (one.casefold() for one in self.names)

    def likeness(self, heard: VoicePrint) -> float:
        """Return how alike a voice is to this person's."""
        return max((one.likeness(heard) for one in self.prints), default=0.0)

    def with_print(self, heard: VoicePrint) -> Person:
        """Return this person with a voice print more."""
        others = tuple(one for one in self.prints if one.engine != heard.engine)
        own = next((one.merged(heard, _MOST_S) for one in self.prints if one.engine == heard.engine), heard)
        return self.model_copy(update={"prints": (*others, own)})


class VoiceFile(Result):
    """Content of ``voices.json``."""

    format: Literal["f2f-voices/1"] = "f2f-voices/1"
    library: str
    """Changes when a file is begun anew: numbers of another one mean other people."""
    people: tuple[Person, ...] = ()

    def find(self, number: int) -> Person | None:
        """Return the person of that number."""
        return next((one for one in self.people if one.number == number), None)


@dataclass(frozen=True)
class Heard:
    """A speaker of one lecture.

    Attributes:
        print: None where there is too little speech, or no network to tell voices by.
        gender: judged by pitch.
    """

    print: VoicePrint | None
    gender: Gender | None


class LibraryVoices:
    """The file of one library.

    Args:
        path: the file; its folder is made when somebody is added.
        notice: told when the file cannot be used.
    """

    def __init__(self, path: Path, notice: Notice) -> None:
        self._path, self._notice = path, notice

    def read(self) -> VoiceFile | None:
        """Return what is in the file; None if it is not there or damaged."""
        try:
            return VoiceFile.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return None

    def recognise(
        self, heard: Mapping[str | None, Heard], others: Collection[int] = ()
    ) -> tuple[str, dict[str | None, Person]] | None:
        """Find the speakers of a lecture among the people of the library, and add those who are new.

        Args:
            heard: the speakers.
            others: numbers of people who are known to be somebody else in this lecture.

        Returns:
            Which library it is, and who each speaker is, without those of whom there is too little speech;
            None where the file cannot be written, which is told.
        """
        found: dict[str | None, Person] = {}

        def meet(known: VoiceFile) -> VoiceFile:
            people, who = match(known.people, heard, others)
            found.clear()
            found.update(who)
            return known.model_copy(update={"people": people})

        written = self._change(meet)
        return None if written is None else (written.library, found)

    def record_voices(self, language: str, voices: Mapping[int, str]) -> None:
        """Note for a person to read which voice each person, by number, has in a language."""

        def note(known: VoiceFile) -> VoiceFile:
            people = [
                one.model_copy(update={"voices": {**one.voices, language: voices[one.number]}})
                if one.number in voices
                else one
                for one in known.people
            ]
            return known.model_copy(update={"people": tuple(people)})

        known = self.read()
        if known is not None and note(known) != known:
            self._change(note)

    def _change(self, change: Callable[[VoiceFile], VoiceFile]) -> VoiceFile | None:
        """Read, change and write under the lease; None where that cannot be done, which is told."""
        try:
            with self._lease() as lease:
                known = self._read_or_begin()
                changed = change(known)
                if changed == known and self._path.exists():
                    return known
                if not lease.is_held():
                    raise TimeoutError(f"the lease of {self._path.name} was lost")
                text = changed.model_dump_json(indent=1)
                write_atomically(self._path, text + "\n")
                return changed
        except OSError as error:
            self._notice(
                f"{self._path} cannot be used ({error.strerror or error}): voices are chosen for this video "
                "alone; choose another file with --library-voices FILE"
            )
            return None

    @contextlib.contextmanager
    def _lease(self) -> Iterator[Lease]:
        deadline_s = time.monotonic() + _PATIENCE_S
        folder = self._path.with_name(f".{self._path.name}.lock")
        while (lease := take_lease(folder, _LEASE_S)) is None:
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"others have held it for {_PATIENCE_S:.0f} s")
            time.sleep(random.uniform(0.02, 0.1))
        with lease:
            yield lease

    def _read_or_begin(self) -> VoiceFile:
        """Return what is in the file; a damaged one is set aside, which is told."""
        try:
            return VoiceFile.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            pass
        except ValidationError as error:
            first = error.errors()[0]
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
            number = uuid.uuid4().hex[:8]
            aside = self._path.with_name(f"{self._path.stem}.damaged-{number}{self._path.suffix}")
            self._path.rename(aside)
            self._notice(
                f"{self._path} is damaged ({reason}): it was set aside as {aside.name}, and the library's "
                "voices are chosen anew; mend that file and put it back to have them again"
            )
        return VoiceFile(library=uuid.uuid4().hex)


def match(
    people: Sequence[Person], heard: Mapping[str | None, Heard], others: Collection[int] = ()
) -> tuple[tuple[Person, ...], dict[str | None, Person]]:
    """Return the people of a library after a lecture, and who of them each of its speakers is.

    Names come first; then voices, the most alike pair first, nobody twice in one lecture. A voice is not
    taken for somebody who is called otherwise.
    """
    known = {one.number: one for one in people}
    who: dict[str | None, int] = {}
    for speaker in heard:
        if speaker is not None and is_name(speaker):
            named = next((one.number for one in known.values() if one.is_named(speaker)), None)
            if named is not None and named not in {*others, *who.values()}:
                who[speaker] = named
    pairs = [
        (likeness, speaker, one.number)
        for speaker, own in heard.items()
        if speaker not in who and own.print is not None
        for one in known.values()
        if _may_be(one, speaker) and (likeness := one.likeness(own.print)) >= ALIKE
    ]
    for _, speaker, number in sorted(pairs, key=lambda pair: (-pair[0], pair[2])):
        if speaker not in who and number not in {*others, *who.values()}:
            who[speaker] = number
    for speaker, own in heard.items():
        if speaker not in who and _is_enough(speaker, own):
            number = max(known, default=0) + 1
            alike = sum(one.gender == own.gender for one in known.values())
            known[number] = Person(number=number, gender=own.gender, index=alike)
            who[speaker] = number
        if speaker in who:
            known[who[speaker]] = _met(known[who[speaker]], speaker, own)
    return tuple(known.values()), {speaker: known[number] for speaker, number in who.items()}


def is_name(speaker: str | None) -> bool:
    """Whether a speaker has a name, which captions or a person gave."""
    return speaker is not None and label_number(speaker) is None


def _may_be(person: Person, speaker: str | None) -> bool:
    return not is_name(speaker) or not person.names


def _is_enough(speaker: str | None, own: Heard) -> bool:
    return is_name(speaker) or (own.print is not None and own.print.seconds >= NEW_FROM_S)


def _met(person: Person, speaker: str | None, own: Heard) -> Person:
    if own.print is not None:
        person = person.with_print(own.print)
    if speaker is not None and is_name(speaker) and not person.is_named(speaker):
        person = person.model_copy(update={"names": (*person.names, speaker)})
    return person
