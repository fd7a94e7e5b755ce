"""A lecture to try the translator on: 25 seconds, one real face, a slide, and captions in three languages.

The portrait's lips rest on each other and do not move: that is what ``translate`` adds.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from f2f.errors import StageError, UsageError
from f2f.sample.script import LANGUAGES, LINES, SLIDE_FACTS, SLIDE_LINES, SLIDE_TITLE
from f2f.stage import Observer, SilentObserver

if TYPE_CHECKING:
    from f2f.loudness import Waveform

DURATION_S = 25.0
FPS = Fraction(25)
VOICE = "en-us+f3"
_RATE = 150 / 175  # a lecturer's pace, of espeak's usual words per minute
_LEAD_S, _TAIL_S = 0.6, 1.2
_MIN_PAUSE_S = 0.5
_SLIDE_MARGIN_S = 0.24
_SPEECH_DBFS, _NOISE_DBFS = -20.0, -50.0
_SUFFIXES = (".mp4", ".mov", ".mkv")
_STATEMENT = (
    "Synthetic sample made by f2f: portrait of Eileen Collins (NASA, public domain) with closed lips and "
    "added head motion, voice by espeak-ng"
)


@dataclass(frozen=True)
class SampleFiles:
    """What ``make_sample`` wrote; iterates over all paths, the video first.

    Attributes:
        video: the lecture.
        captions: SRT file of each language code.
    """

    video: Path
    captions: dict[str, Path]

    def __iter__(self) -> Iterator[Path]:
        return iter((self.video, *self.captions.values()))


@dataclass(frozen=True)
class _Spoken:
    """The sound of the lecture and when each line is spoken."""

    waveform: Waveform
    sample_rate_hz: int
    times_s: tuple[tuple[float, float], ...]


def make_sample(path: Path, *, force: bool = False, observer: Observer | None = None) -> SampleFiles:
    """Write the sample lecture to ``path`` and ``.en.srt``, ``.hi.srt``, ``.es.srt`` beside it.

    All four appear when everything has succeeded, or none. The same installation writes the same lecture.

    Args:
        path: video to write: ``.mp4``, ``.mov`` or ``.mkv``.
        force: replace files of these names.
        observer: told of progress, as stage ``"sample"``.

    Raises:
        EngineUnavailableError: espeak or scikit-image is not installed.
        UsageError: another suffix, no such folder, or files that exist.
    """
    from f2f.captions import write_srt

    path = Path(path)
    files = SampleFiles(path, {code: path.with_suffix(f".{code}.srt") for code in LANGUAGES})
    _check(files, force=force)
    observer = observer or SilentObserver()
    with _scratch_folder(path.parent) as scratch:
        spoken = _speak(scratch)
        made = SampleFiles(
            scratch / path.name, {code: scratch / p.name for code, p in files.captions.items()}
        )
        for code, srt in made.captions.items():
            texts = [line[code] for line in LINES]
            write_srt(srt, [(*times, text) for times, text in zip(spoken.times_s, texts, strict=True)])
        _film(made.video, spoken, scratch, observer)
        for new, final in zip(reversed(list(made)), reversed(list(files)), strict=True):
            new.replace(final)  # the video last: where it is, the captions are
    return files


def _check(files: SampleFiles, *, force: bool) -> None:
    if files.video.suffix.lower() not in _SUFFIXES:
        raise UsageError(
            f"the sample is a video, not {files.video.name!r}: use a name such as lecture.mp4 "
            f"({', '.join(_SUFFIXES)})"
        )
    if not files.video.parent.is_dir():
        raise UsageError(f"there is no folder {files.video.parent}: make it, or choose another place")
    existing = [str(file) for file in files if file.exists()]
    if existing and not force:
        raise UsageError(
            f"already there: {', '.join(existing)}; add --force to replace, or choose another name"
        )


@contextlib.contextmanager
def _scratch_folder(parent: Path) -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix=".f2f-sample-", dir=parent)  # same disk: moves are atomic
    except OSError as error:
        raise UsageError(f"cannot write in {parent}: {error.strerror or error}") from error
    with folder as name:
        yield Path(name)


def _speak(scratch: Path) -> _Spoken:
    """Speak the English lines, spread over the lecture with equal pauses, in soft room noise."""
    import numpy as np

    from f2f.engines.espeak import EspeakEngine
    from f2f.engines.speech import Manner, SpeakerProfile, SpeechProblemError
    from f2f.loudness import from_dbfs, speech_rms
    from lipsync_core.media import read_wav

    takes = []
    rate = 0
    with EspeakEngine("en", VOICE) as engine:
        for line in LINES:
            try:
                engine.say(line["en"], SpeakerProfile(), scratch / "line.wav", Manner(_RATE))
            except SpeechProblemError as problem:
                raise StageError("sample", f"the sample's voice failed: {problem}") from problem
            waveform, rate = read_wav(scratch / "line.wav")
            takes.append(waveform)
    spoken_s = sum(len(take) for take in takes) / rate
    pause_s = max(_MIN_PAUSE_S, (DURATION_S - _LEAD_S - _TAIL_S - spoken_s) / (len(takes) - 1))
    sound = from_dbfs(_NOISE_DBFS) * _room_noise(round(DURATION_S * rate), rate)
    gain = from_dbfs(_SPEECH_DBFS) / speech_rms(np.concatenate(takes), rate)
    times, start_s = [], _LEAD_S
    for take in takes:
        first = round(start_s * rate)
        sound[first : first + len(take)] += gain * take[: len(sound) - first]
        times.append((start_s, start_s + len(take) / rate))
        start_s = times[-1][1] + pause_s
    return _Spoken(np.clip(sound, -1, 1).astype(np.float32), rate, tuple(times))


def _room_noise(n_samples: int, sample_rate_hz: int) -> Waveform:
    """Return pink noise of RMS 1 above 40 Hz, always the same."""
    import numpy as np

    spectrum = np.fft.rfft(np.random.default_rng(7).standard_normal(n_samples))
    frequency_hz = np.fft.rfftfreq(n_samples, 1 / sample_rate_hz)
    spectrum *= np.where(frequency_hz < 40, 0, 1 / np.sqrt(np.maximum(frequency_hz, 40)))
    noise = np.fft.irfft(spectrum, n_samples)
    scaled: Waveform = (noise / np.sqrt(np.mean(noise**2))).astype(np.float32)
    return scaled


def _film(video: Path, spoken: _Spoken, scratch: Path, observer: Observer) -> None:
    from f2f.sample.picture import HEIGHT, WIDTH, Portrait, draw_slide
    from lipsync_core.media import EncodeOptions, VideoWriter, write_wav

    sound = scratch / "sound.wav"
    write_wav(sound, spoken.waveform, spoken.sample_rate_hz)
    options = EncodeOptions(
        preset="veryfast",
        extra_inputs=(("-i", f"file:{sound}"),),
        output_args=(
            "-map", "1:a:0", "-c:a", "aac", "-b:a", "128k", "-ar", "48000",
            "-metadata:s:a:0", "language=eng", "-metadata", "title=How old is starlight?",
            "-metadata", f"comment={_STATEMENT}",
        ),
    )  # fmt: skip
    portrait, slide = Portrait(), draw_slide(SLIDE_TITLE, SLIDE_FACTS)
    slide_from_s = spoken.times_s[SLIDE_LINES[0]][0] - _SLIDE_MARGIN_S
    slide_to_s = spoken.times_s[SLIDE_LINES[1]][1] + _SLIDE_MARGIN_S
    n_frames = round(DURATION_S * FPS)
    with VideoWriter(video, WIDTH, HEIGHT, FPS, options) as writer:
        for i in range(n_frames):
            time_s = float(i / FPS)
            writer.write(slide if slide_from_s <= time_s < slide_to_s else portrait.frame(time_s))
            observer.stage_progress("sample", i + 1, n_frames, "frames")
