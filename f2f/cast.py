"""Who speaks in the source, and which voice each of them gets."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from f2f.engines.speech import SpeakerProfile, SpeechEngine
from f2f.loudness import speech_rms, to_dbfs
from f2f.results import LibraryVoice, Segment
from f2f.source_speech import judge_gender, pick_reference, pick_speech
from f2f.speakers.turns import label_number

if TYPE_CHECKING:
    from f2f.library.voices import Person
    from f2f.loudness import Waveform

_LISTEN_RATE_HZ = 16_000
_REFERENCE_RATE_HZ = 24_000  # XTTS v2 speaks at this rate
_ATTEMPTS = 32  # to find a voice that nobody has; more people than voices share


def stable_index(speaker: str | None) -> int:
    """Return a number that is the same for the same person in every run and every video.

    Labels of a diarization ("S1", "S2" …) count from 0; a name's number comes from its letters alone.
    """
    if speaker is None:
        return 0
    number = label_number(speaker)
    return zlib.crc32(speaker.casefold().encode()) if number is None else number


def listen(
    source: Path, segments: Sequence[Segment], reference_folder: Path | None
) -> tuple[dict[str | None, SpeakerProfile], float | None]:
    """Return a profile for each speaker, in order of appearance, and the level of all speech in dBFS.

    Args:
        source: the video.
        segments: everything that is heard in it; what keeps its original sound is not taken for speech.
        reference_folder: where references for cloning go; None makes none.
    """
    from lipsync_core.media import read_audio, write_wav

    if not segments:
        return {}, None
    rate = _REFERENCE_RATE_HZ if reference_folder else _LISTEN_RATE_HZ
    sound: Waveform = read_audio(source, rate)
    profiles: dict[str | None, SpeakerProfile] = {}
    spoken = [segment for segment in segments if segment.keep_original is None]
    for number, speaker in enumerate(dict.fromkeys(segment.speaker for segment in spoken)):
        own = [segment for segment in spoken if segment.speaker == speaker]
        others = [segment for segment in segments if segment not in own]
        reference = None
        if reference_folder and (clip := pick_reference(sound, rate, own, others)) is not None:
            reference = reference_folder / f"speaker{number}.wav"
            write_wav(reference, clip, rate)
        gender = judge_gender(pick_speech(sound, rate, own), rate)
        profiles[speaker] = SpeakerProfile(stable_index(speaker), gender, reference)
    rms = speech_rms(pick_speech(sound, rate, spoken), rate)
    return profiles, to_dbfs(rms) if rms > 0 else None


def pin_people(
    profiles: Mapping[str | None, SpeakerProfile], people: Mapping[str | None, Person]
) -> dict[str | None, SpeakerProfile]:
    """Return the profiles, those of people of the library with what chooses their voices there.

    They come first, in the library's order, so that of two who share a stock voice it is the same one in
    every video who keeps it.
    """
    known = sorted((one for one in profiles if one in people), key=lambda one: people[one].number)
    pinned = {
        one: replace(profiles[one], index=people[one].index, gender=people[one].gender) for one in known
    }
    return {**pinned, **{one: profile for one, profile in profiles.items() if one not in pinned}}


def library_voices(
    engine: SpeechEngine,
    cast: Mapping[str | None, SpeakerProfile],
    people: Mapping[str | None, Person],
    notice: Callable[[str], None],
) -> tuple[LibraryVoice, ...]:
    """Return who of the library has which stock voice in this video, and tell a person."""
    voices: list[LibraryVoice] = []
    for speaker, profile in cast.items():
        if speaker not in people or profile.reference is not None:
            continue
        person, voice = people[speaker], engine.choose_voice(profile)
        own = engine.choose_voice(replace(profile, index=person.index))
        why = "" if voice == own else f" (the usual one, {own}, is somebody else's in this video)"
        notice(f"{speaker or 'the speaker'} is person {person.number} of the library, voice {voice}{why}")
        voices.append(LibraryVoice(speaker=speaker, person=person.number, voice=voice, usual_voice=own))
    return tuple(voices)


def cast_voices(
    engine: SpeechEngine, profiles: Mapping[str | None, SpeakerProfile]
) -> dict[str | None, SpeakerProfile]:
    """Return the profiles with indices that give every person another voice, as far as there are any.

    Whoever speaks first keeps the voice that belongs to the name; a clone is nobody else's anyway.
    """
    cast: dict[str | None, SpeakerProfile] = {}
    taken: set[str] = set()
    for speaker, profile in profiles.items():
        chosen = profile
        if profile.reference is None:
            candidates = (replace(profile, index=profile.index + step) for step in range(_ATTEMPTS))
            chosen = next((one for one in candidates if engine.choose_voice(one) not in taken), profile)
            taken.add(engine.choose_voice(chosen))
        cast[speaker] = chosen
    return cast
