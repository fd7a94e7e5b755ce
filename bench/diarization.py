"""How well speakers are told apart, in conversations put together from clips of single people.

    python bench/diarization.py FOLDER [--half 1|2] [--engines clusters embeddings] [--turns 1.5 3 6]
    python bench/diarization.py FOLDER --prints

FOLDER holds one folder of clips (sound or video) for each person. Silence around the speech of a clip is cut
off, clips of one person are joined and cut into turns; no sound is used twice in one conversation. Turns
alternate at random with pauses of 0.2 to 0.5 s, all equally loud; people with little material speak seldom.
Speech is found by Silero VAD as in a run.

Half 1 holds every other person by the amount of speech, half 2 the others: thresholds are chosen on one, and
what is said of the engine is measured on the other. The error is the share of the detected speech that goes
to the wrong person under the best one-to-one naming (the confusion of the diarization error rate, no collar),
with the number of people given and with it found out. Speech that the detector missed, pauses inside turns
for the most part, is a column of its own and the same for all engines.

--prints shows by what people are known in other videos: how alike the prints of the two halves of
somebody's speech are, the second one as it is, with an echo, with noise and through a telephone, and how
alike the second one is to the nearest of all others.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import signal
from scipy.optimize import linear_sum_assignment

from f2f.config import TranscribeConfig
from f2f.speakers import Turn, find_turns
from f2f.speakers.prints import MIN_SPEECH_S
from f2f.speakers.voice_encoder import VoiceEncoder
from f2f.speech_regions import SAMPLE_RATE_HZ, Region, find_speech
from lipsync_core.media import read_audio

Waveform = npt.NDArray[np.float32]
_STEP_S = 0.02
_LEVEL = 0.05
_MOST_TURNS = 4  # of one person in one conversation
_MOST_CLIPS = 20
_LEAST_SHARE = 0.75  # of the wanted length, for the last turn of a person's material


@dataclass(frozen=True)
class Conversation:
    """Sound and the truth about it: (start_s, end_s, person) of each turn."""

    waveform: Waveform
    truth: list[tuple[float, float, int]]


@dataclass(frozen=True)
class Figures:
    """One cell of the table: means over conversations, in 0...1."""

    n_conversations: int
    error_given: float
    error_found: float
    right_number: float
    missed: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", type=int, choices=(1, 2), help="else everybody")
    parser.add_argument("--engines", nargs="+", default=["clusters", "embeddings"])
    parser.add_argument("--turns", nargs="+", type=float, default=[1.5, 3.0, 6.0], help="lengths in seconds")
    parser.add_argument("--people", nargs="+", type=int, default=[2, 3, 4, 5])
    parser.add_argument("--conversations", type=int, default=10, help="in each cell")
    parser.add_argument("--prints", action="store_true", help="compare voice prints instead")
    args = parser.parse_args()
    voices = choose_half(read_people(args.folder), args.half)
    print(
        f"{len(voices)} people, {sum(one.size for one in voices.values()) / SAMPLE_RATE_HZ:.0f} s of speech\n"
    )
    if args.prints:
        print_likeness(voices)
        return
    print("| engine | people | turns | n | error, number given | number found | number right | missed |")
    print("|---|---|---|---|---|---|---|---|")
    for name in args.engines:
        for n_people in args.people:
            for turn_s in args.turns:
                one = measure(name, list(voices.values()), n_people, turn_s, args.conversations)
                if one.n_conversations:
                    print(
                        f"| {name} | {n_people} | {turn_s:g} s | {one.n_conversations} "
                        f"| {one.error_given:.1%} | {one.error_found:.1%} | {one.right_number:.0%} "
                        f"| {one.missed:.1%} |",
                        flush=True,
                    )


def read_people(folder: Path) -> dict[str, Waveform]:
    """Return the speech of each person, clips joined, richest first."""
    people: dict[str, Waveform] = {}
    for person in sorted(path for path in folder.iterdir() if path.is_dir()):
        clips = [_speech(read_audio(clip, SAMPLE_RATE_HZ)) for clip in sorted(person.iterdir())[:_MOST_CLIPS]]
        if clips:
            people[person.name] = np.concatenate(clips)
    return dict(sorted(people.items(), key=lambda item: -item[1].size))


def choose_half(people: Mapping[str, Waveform], half: int | None) -> dict[str, Waveform]:
    """Return every other person, or everybody."""
    chosen = list(people) if half is None else list(people)[half - 1 :: 2]
    return {name: people[name] for name in chosen}


def measure(name: str, voices: Sequence[Waveform], n_people: int, turn_s: float, n: int) -> Figures:
    """Run an engine on ``n`` conversations; fewer people than wanted have that much to say: on none."""
    rows = []
    for seed in range(n):
        talk = converse(voices, n_people, turn_s, np.random.default_rng([seed, n_people, round(10 * turn_s)]))
        if talk is None:
            break
        regions = find_speech(talk.waveform)
        given = _run(name, talk.waveform, regions, TranscribeConfig(speakers=n_people))
        found = _run(name, talk.waveform, regions, TranscribeConfig())
        right = max(len({turn.speaker for turn in found}), 1) == n_people
        errors = error_rate(given, talk.truth), error_rate(found, talk.truth)
        rows.append((*errors, float(right), missed_share(regions, talk.truth)))
    return Figures(len(rows), *map(float, np.mean(rows or [(0.0,) * 4], axis=0)))


def converse(
    voices: Sequence[Waveform], n_people: int, turn_s: float, random: np.random.Generator
) -> Conversation | None:
    """Return a conversation of ``n_people`` chosen at random; None where too few have enough to say."""
    turns = [_turns(voice, turn_s, random) for voice in voices]
    able = [place for place, own in enumerate(turns) if own]
    if len(able) < n_people:
        return None
    left = {int(place): turns[place] for place in random.choice(able, n_people, replace=False)}
    parts: list[Waveform] = [_pause(random)]
    truth: list[tuple[float, float, int]] = []
    last = -1
    while any(left.values()):
        ready = [place for place, own in left.items() if own and place != last] or [last]
        most = max(len(left[place]) for place in ready)
        last = int(random.choice([place for place in ready if len(left[place]) == most]))
        if not left[last]:
            break
        sound, start_s = left[last].pop(), sum(part.size for part in parts) / SAMPLE_RATE_HZ
        parts += [sound * np.float32(_LEVEL / np.sqrt(np.mean(np.square(sound)))), _pause(random)]
        truth.append((start_s, start_s + sound.size / SAMPLE_RATE_HZ, last))
    return Conversation(np.concatenate(parts).astype(np.float32), truth)


def print_likeness(voices: Mapping[str, Waveform]) -> None:
    """Print the table of voice prints."""
    encoder = VoiceEncoder()
    known = {name: _vector(encoder, voice[: voice.size // 2]) for name, voice in voices.items()}
    print("| person | seconds | sound | own | nearest other |")
    print("|---|---|---|---|---|")
    for name, voice in voices.items():
        later = voice[voice.size // 2 :]
        if later.size < MIN_SPEECH_S * SAMPLE_RATE_HZ:
            continue
        for sound, change in _CHANNELS.items():
            heard = _vector(encoder, change(later))
            likeness = {other: float(vector @ heard) for other, vector in known.items()}
            own = likeness.pop(name)
            seconds = later.size / SAMPLE_RATE_HZ
            print(
                f"| {name} | {seconds:.1f} | {sound} | {own:.2f} | {max(likeness.values()):.2f} |", flush=True
            )


def _vector(encoder: VoiceEncoder, waveform: Waveform) -> npt.NDArray[np.float32]:
    ((_, windows),) = encoder.embed_regions(waveform, [(0.0, waveform.size / SAMPLE_RATE_HZ)])
    mean = windows.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def _echo(waveform: Waveform) -> Waveform:
    """A room whose echo fades by 60 dB in 0.4 s and is 3 dB below the direct sound."""
    length = round(0.4 * SAMPLE_RATE_HZ)
    tail = np.random.default_rng(0).normal(size=length) * np.exp(-6.9 * np.arange(length) / length)
    response = 0.7 * tail / np.linalg.norm(tail)
    response[0] += 1
    return np.asarray(signal.fftconvolve(waveform, response)[: waveform.size], np.float32)


def _noise(waveform: Waveform) -> Waveform:
    """White noise 15 dB below the speech."""
    level = np.sqrt(np.mean(np.square(waveform))) * 10 ** (-15 / 20)
    return np.asarray(waveform + np.random.default_rng(0).normal(0, level, waveform.size), np.float32)


def _telephone(waveform: Waveform) -> Waveform:
    band = signal.butter(4, [300, 3400], "band", fs=SAMPLE_RATE_HZ, output="sos")
    return np.asarray(signal.sosfilt(band, waveform), np.float32)


_CHANNELS: dict[str, Callable[[Waveform], Waveform]] = {
    "as it is": lambda waveform: waveform, "echo": _echo, "noise": _noise, "telephone": _telephone
}  # fmt: skip


def error_rate(turns: Sequence[Turn], truth: Sequence[tuple[float, float, int]]) -> float:
    """Return the share of the detected speech that is not its speaker's; no turns: all is one person's."""
    people = sorted({who for _, _, who in truth})
    n_found = max((turn.speaker for turn in turns), default=0) + 1
    shared = np.zeros((len(people), n_found))
    n_all = 0
    for start_s, end_s, who in truth:
        for time_s in np.arange(start_s, end_s, _STEP_S):
            own = [turn.speaker for turn in turns if turn.start_s <= time_s < turn.end_s] if turns else [0]
            for speaker in own[:1]:
                n_all += 1
                shared[people.index(who), speaker] += 1
    rows, columns = linear_sum_assignment(-shared)
    return 1.0 - float(shared[rows, columns].sum()) / max(n_all, 1)


def missed_share(regions: Sequence[Region], truth: Sequence[tuple[float, float, int]]) -> float:
    """Return the share of the speech that was not detected."""
    heard_s = sum(
        max(0.0, min(b, end_s) - max(a, start_s)) for start_s, end_s, _ in truth for a, b in regions
    )
    return 1.0 - heard_s / sum(end_s - start_s for start_s, end_s, _ in truth)


def _run(name: str, waveform: Waveform, regions: Sequence[Region], config: TranscribeConfig) -> list[Turn]:
    return find_turns(name, waveform, regions, config, "cpu", lambda line: None)


def _speech(waveform: Waveform) -> Waveform:
    regions = find_speech(waveform)
    if not regions:
        return np.zeros(0, np.float32)
    return waveform[round(regions[0][0] * SAMPLE_RATE_HZ) : round(regions[-1][1] * SAMPLE_RATE_HZ)]


def _turns(voice: Waveform, turn_s: float, random: np.random.Generator) -> list[Waveform]:
    """Return up to four turns of a person, from anywhere in what there is of them."""
    length = round(turn_s * SAMPLE_RATE_HZ)
    pieces = [voice[start : start + length] for start in range(0, voice.size, length)]
    pieces = [piece for piece in pieces if piece.size >= _LEAST_SHARE * length]
    return [pieces[place] for place in random.permutation(len(pieces))[:_MOST_TURNS]]


def _pause(random: np.random.Generator) -> Waveform:
    length = round(random.uniform(0.2, 0.5) * SAMPLE_RATE_HZ)
    return random.normal(0, 1e-4, length).astype(np.float32)


if __name__ == "__main__":
    main()
