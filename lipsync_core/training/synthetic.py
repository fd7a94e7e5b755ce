"""Training data out of nothing: simple rendered faces whose mouths say what the sound says.

``python -m lipsync_core.training.synthetic DST``, or ``--data synthetic`` of ``train``. For trying a set-up,
for tests and for a first look at a network that learns; not for weights that shall work on people. Every
person has a skin tone, a shape and a voice of their own. Speech is a row of syllables, each a vowel between
two closures: its first formant opens the mouth, its second spreads the lips, its loudness does both.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lipsync_core.audio import SAMPLE_RATE_HZ, mel_spectrogram, mfcc
from lipsync_core.errors import InvalidInputError
from lipsync_core.training.shards import (
    FACE_STORE_PX,
    FORMAT_VERSION,
    FPS,
    HEAD_STORE_PX,
    INDEX_FILE,
    ClipRecord,
)

logger = logging.getLogger(__name__)

SYNTHETIC = "synthetic"  # --data of that name
CLIP_FRAMES = 50  # two seconds
CLIPS, PEOPLE = 24, 8
_VOWELS_HZ = ((300, 2_300), (500, 1_900), (750, 1_200), (500, 900), (320, 750))  # i e a o u: formants 1, 2
_FACE_UNIT_PX, _HEAD_UNIT_PX = 48.0, 44.0  # half a face crop, in pixels of either picture
_HEAD_CENTRE_ROW = 0.31  # SyncNet's crops are centred below the face
_REACH = 0.2  # how far around a shape its soft edge, and the sway of the head, can take it
_MOUTH_ROW = 0.45  # in units below the middle of the face crop

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Person:
    """What stays the same in all clips of one person."""

    skin_bgr: Floats
    lip_bgr: Floats
    hair_bgr: Floats
    width: float
    eye_row: float
    pitch_hz: float
    formant_scale: float


@dataclass(frozen=True)
class Speech:
    """One clip's sound, and what the mouth does in every frame.

    Attributes:
        waveform: samples at 16 kHz.
        opening: (frames,) in 0...1.
        spread: (frames,) in -1...1, round to wide.
    """

    waveform: Floats
    opening: Floats
    spread: Floats


def write_synthetic(target: Path, clips: int = CLIPS, people: int = PEOPLE, seed: int = 0) -> int:
    """Write training data of rendered clips into the new folder ``target`` and return how many.

    Raises:
        InvalidInputError: ``target`` exists, or fewer than one clip or person is asked for.
    """
    if target.exists():
        raise InvalidInputError(f"{target} exists; give a new folder or delete it first")
    if min(clips, people) < 1:
        raise InvalidInputError(f"{clips} clips of {people} people were asked for; needed is one or more")
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    cast = [_person(np.random.default_rng((seed, 1, number))) for number in range(people)]
    records = [
        _write_clip(
            part, number, number % people, cast[number % people], np.random.default_rng((seed, 2, number))
        )
        for number in range(clips)
    ]
    index = {"format_version": FORMAT_VERSION, "fps": FPS, "clips": [asdict(r) for r in records]}
    (part / INDEX_FILE).write_text(json.dumps(index, indent=1), encoding="utf-8")
    part.replace(target)
    return clips


def _write_clip(folder: Path, number: int, who: int, person: Person, rng: np.random.Generator) -> ClipRecord:
    """Append one clip to the arrays; all clips are equally long, so their places follow from the number."""
    speech = speak(rng, person)
    sway = np.cumsum(rng.normal(0, 0.004, (CLIP_FRAMES, 2)), axis=0)
    pcm = np.rint(speech.waveform * 32_767).astype(np.int16)
    faces = draw_faces(person, speech, sway, FACE_STORE_PX, _FACE_UNIT_PX, 0.0)
    heads = draw_faces(person, speech, sway, HEAD_STORE_PX, _HEAD_UNIT_PX, _HEAD_CENTRE_ROW)
    mel = mel_spectrogram(pcm / 32_768.0).T
    cepstra = mfcc(pcm).T
    rows = {"faces.u8": faces, "heads.u8": heads, "mel.f32": mel, "mfcc.f32": cepstra}
    for name, array in rows.items():
        with (folder / name).open("ab") as file:
            file.write(np.ascontiguousarray(array).tobytes())
    return ClipRecord(
        name=f"clip{number:04d}",
        identity=f"person{who:03d}",
        first_frame=number * CLIP_FRAMES,
        n_frames=CLIP_FRAMES,
        first_mel=number * len(mel),
        n_mel=len(mel),
        first_mfcc=number * len(cepstra),
        n_mfcc=len(cepstra),
        box=(0.0, 0.0, 2 * _FACE_UNIT_PX, 2 * _FACE_UNIT_PX),
    )


def _person(rng: np.random.Generator) -> Person:
    tone = rng.uniform(0.35, 0.95)
    return Person(
        skin_bgr=tone * np.array([0.66, 0.78, 1.0]) * rng.uniform(0.95, 1.05, 3),
        lip_bgr=tone * np.array([0.42, 0.40, 0.85]) * rng.uniform(0.85, 1.1, 3),
        hair_bgr=rng.uniform(0.05, 0.5) * np.array([0.5, 0.7, 1.0]),
        width=rng.uniform(0.70, 0.82),
        eye_row=rng.uniform(-0.25, -0.12),
        pitch_hz=rng.uniform(95, 240),
        formant_scale=rng.uniform(0.92, 1.15),
    )


def speak(rng: np.random.Generator, person: Person) -> Speech:
    """Draw a clip's syllables and return their sound and mouth."""
    n_samples = CLIP_FRAMES * SAMPLE_RATE_HZ // FPS
    time_s = np.arange(n_samples) / SAMPLE_RATE_HZ
    loudness, vowel = np.zeros(n_samples), np.zeros(n_samples, int)
    at_s = float(rng.uniform(0.0, 0.25))
    while at_s < time_s[-1]:
        length_s = float(rng.uniform(0.12, 0.30))
        inside = (time_s >= at_s) & (time_s < at_s + length_s)
        vowel[inside] = rng.integers(len(_VOWELS_HZ))
        loudness[inside] = np.sin(np.pi * (time_s[inside] - at_s) / length_s) * rng.uniform(0.7, 1.0)
        pause_s = 0.25 if rng.random() < 0.15 else 0.05
        at_s += length_s + float(rng.uniform(0.02, pause_s))
    middles = np.minimum(((np.arange(CLIP_FRAMES) + 0.5) * SAMPLE_RATE_HZ / FPS).astype(int), n_samples - 1)
    first_hz, second_hz = np.array(_VOWELS_HZ)[vowel[middles]].T
    loud = loudness[middles]
    waveform = 0.5 * loudness * _voice(time_s, person, vowel) + rng.normal(0, 0.0005, n_samples)
    return Speech(
        waveform=np.clip(waveform, -1, 1),
        opening=loud * (0.25 + 0.75 * np.clip((first_hz - 300) / 450, 0, 1)),
        spread=np.sqrt(loud) * np.clip((second_hz - 1_400) / 900, -1, 1),
    )


def _voice(time_s: Floats, person: Person, vowel: npt.NDArray[np.int_]) -> Floats:
    """Return harmonics of the pitch, loud near the two formants of each sample's vowel."""
    pitch_hz = person.pitch_hz * (1 + 0.05 * np.sin(2 * np.pi * 1.3 * time_s))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    formants_hz = person.formant_scale * np.array(_VOWELS_HZ)
    voice = np.zeros_like(time_s)
    for harmonic in range(1, int(4_000 / person.pitch_hz)):
        near = 1 / (1 + ((harmonic * person.pitch_hz - formants_hz) / 120) ** 2)
        gain = 0.02 + near @ np.array([1.0, 0.6])
        voice += gain[vowel] * np.sin(harmonic * phase)
    return np.asarray(voice / max(1e-9, float(np.abs(voice).max())))


def draw_faces(
    person: Person, speech: Speech, sway: Floats, size_px: int, unit_px: float, centre_row: float
) -> Bytes:
    """Render (frames, size, size, 3) BGR.

    Args:
        person: colours and shape.
        speech: what the mouth does.
        sway: (frames, 2) shift of the head, right and down, in units of half a face crop.
        size_px: side of the picture.
        unit_px: pixels of a unit.
        centre_row: what is in the middle of the picture, in units below the middle of the face crop.
    """
    axis = ((np.arange(size_px) - (size_px - 1) / 2) / unit_px).astype(np.float32)
    sway = sway.astype(np.float32)
    x = axis[None, None, :] - sway[:, 0, None, None]
    y = axis[None, :, None] + centre_row - sway[:, 1, None, None]
    picture = np.empty((*np.broadcast_shapes(x.shape, y.shape), 3), np.float32)
    picture[:] = (0.35, 0.33, 0.30)

    def paint(
        centre: tuple[float, float], rx: Floats | float, ry: Floats | float, colour_bgr: Floats
    ) -> None:
        """Paint an ellipse with a soft edge of a pixel; only the part of the picture it can reach."""
        across = _span(np.abs(axis - centre[0]) < np.max(rx) + _REACH)
        down = _span(np.abs(axis + centre_row - centre[1]) < np.max(ry) + _REACH)
        part = np.s_[:, down, across]
        distance = np.hypot((x[..., across] - centre[0]) / rx, (y[:, down] - centre[1]) / ry)
        inside = np.clip((1 - distance) * (unit_px * np.minimum(rx, ry)) + 0.5, 0, 1).astype(np.float32)
        picture[part] += inside[..., None] * (colour_bgr.astype(np.float32) - picture[part])

    paint((0, -0.25), person.width + 0.12, 1.15, person.hair_bgr)
    paint((0, 0.05), person.width, 1.0, person.skin_bgr)
    picture *= np.clip(1.08 - 0.25 * np.abs(x) - 0.08 * y, 0.5, 1.2)[..., None]
    for side in (-1, 1):
        paint((side * 0.3, person.eye_row), 0.13, 0.06, np.array([0.92, 0.92, 0.92]))
        paint((side * 0.3, person.eye_row), 0.05, 0.05, np.array([0.1, 0.12, 0.15]))
        paint((side * 0.3, person.eye_row - 0.17), 0.16, 0.025, person.hair_bgr)
    paint((0, 0.13), 0.07, 0.05, 0.85 * person.skin_bgr)
    opening, spread = speech.opening[:, None, None], speech.spread[:, None, None]
    half_width = 0.30 + 0.07 * spread
    paint((0, _MOUTH_ROW), half_width, 0.07 + 0.15 * opening, person.lip_bgr)
    paint((0, _MOUTH_ROW), half_width - 0.05, 0.02 + 0.15 * opening, np.array([0.08, 0.06, 0.12]))
    levels: Bytes = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return levels


def _span(inside: npt.NDArray[np.bool_]) -> slice:
    """Return the stretch from the first to the last that is inside."""
    (places,) = np.nonzero(inside)
    return slice(int(places[0]), int(places[-1]) + 1) if places.size else slice(0, 0)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m lipsync_core.training.synthetic", description=__doc__)
    parser.add_argument("target", type=Path, help="new folder for the training data")
    parser.add_argument("--clips", type=int, default=CLIPS, help="clips of two seconds")
    parser.add_argument("--people", type=int, default=PEOPLE, help="different faces and voices")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same data")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        count = write_synthetic(args.target, args.clips, args.people, args.seed)
    except InvalidInputError as error:
        logger.error("error: %s", error)
        return 2
    logger.info("wrote %d clips of rendered faces to %s", count, args.target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
