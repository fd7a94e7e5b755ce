"""fit: the takes become one wav as long as the video, each at its time and tempo.

Loudness: every take is brought to the level of the source's speech (RMS without pauses, held between −30
and −20 dBFS, which leaves room for the peaks), or as near to it as leaves its true peak at −1 dBFS. Takes
are not normalised by their peaks, which would make short lines jump out.
"""

from __future__ import annotations

import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from f2f.config import FitConfig
from f2f.dubbed_lines import dubbed_lines, keeps_sound
from f2f.fitting import FitPlan, plan_fit
from f2f.results import FittedSpeech, Placement, Speech, Take, Translation
from f2f.stage import StageContext
from f2f.tempo_filter import ROUGHER, has_rubberband, tempo_filter

if TYPE_CHECKING:
    from f2f.loudness import Waveform

VERSION = 3
SAMPLE_RATE_HZ = 48_000
WAV_NAME = "speech.wav"
_DEFAULT_LEVEL_DBFS = -20.0
_LEVEL_RANGE_DBFS = (-30.0, -20.0)
_PEAK_CEILING_DBFS = -1.0
_FADE_S = 0.005
_TAIL_S = 0.1  # of silence given to the time stretch, which otherwise loses the last samples
_SILENCE_BLOCK = SAMPLE_RATE_HZ  # samples


def fit(
    translation: Translation,
    speech: Speech,
    speech_folder: Path,
    video_duration_s: float,
    config: FitConfig,
    context: StageContext,
) -> FittedSpeech:
    """Place the takes by ``f2f.fitting`` and write them as one 48 kHz mono 16-bit wav.

    The wav has exactly ``round(video_duration_s · 48,000)`` samples, more only where the last line overflows.

    Args:
        translation: segments with their source times.
        speech: takes, and the level of the source's speech.
        speech_folder: where the takes' wavs are.
        video_duration_s: of the source.
        config: tempo limits.
        context: folder and observer.

    Raises:
        lipsync_core.errors.MediaError: a take cannot be read.
    """
    takes = {take.segment_id: take for take in speech.takes}
    plan = plan_fit(dubbed_lines(translation, speech), video_duration_s, config)
    for warning in plan.warnings:
        context.notice(warning)
    n_samples = round(plan.duration_s * SAMPLE_RATE_HZ)
    level = _target_level(speech)
    scratch = context.folder / "take.wav"
    stretcher = _choose_stretcher(plan, context)
    with _open_wav(context.folder / WAV_NAME) as wav:
        position = 0
        for done, placement in enumerate(plan.placements):
            context.progress(done, len(plan.placements), "segments")
            take = takes[placement.segment_id]
            samples = _render(speech_folder / take.wav, take, placement, stretcher, scratch)
            start = max(position, round(placement.start_s * SAMPLE_RATE_HZ))
            _write_silence(wav, start - position)
            _write(wav, _finish(samples, level))
            position = start + len(samples)
        _write_silence(wav, n_samples - position)
        n_samples = max(n_samples, position)
    scratch.unlink(missing_ok=True)
    context.progress(len(plan.placements), len(plan.placements), "segments")
    return FittedSpeech(
        wav=WAV_NAME,
        sample_rate_hz=SAMPLE_RATE_HZ,
        duration_s=n_samples / SAMPLE_RATE_HZ,
        overflow_s=plan.overflow_s,
        placements=plan.placements,
        warnings=plan.warnings,
        source_gain_db=_source_gain_db(speech),
        undubbed=tuple(one.segment.id for one in translation.segments if keeps_sound(one, takes)),
    )


def _render(take_wav: Path, take: Take, placement: Placement, stretcher: str, scratch: Path) -> Waveform:
    """Return the take at 48 kHz and at its tempo: exactly as many samples as planned."""
    from lipsync_core.media import read_wav, run_ffmpeg

    filters = [f"apad=pad_dur={_TAIL_S}"]
    if placement.tempo != 1:
        filters.append(f"{stretcher}={placement.tempo:.6f}")
    filters.append(f"aresample={SAMPLE_RATE_HZ}")
    arguments = ["-i", f"file:{take_wav}", "-af", ",".join(filters), "-ac", "1", "-c:a", "pcm_s16le"]
    run_ffmpeg([*arguments, "-f", "wav", f"file:{scratch}"], what=f"placing {take_wav.name}")
    samples, _ = read_wav(scratch)
    # What lies beyond is the padding: the stretch keeps durations to a few ms, far less than _TAIL_S.
    return samples[: round(take.duration_s / placement.tempo * SAMPLE_RATE_HZ)]


def _choose_stretcher(plan: FitPlan, context: StageContext) -> str:
    """Return the ffmpeg filter that changes tempo and keeps pitch."""
    if not has_rubberband() and any(placement.tempo != 1 for placement in plan.placements):
        context.notice(ROUGHER)
    return tempo_filter()


def _target_level(speech: Speech) -> float:
    from f2f.loudness import from_dbfs

    return from_dbfs(_target_dbfs(speech))


def _target_dbfs(speech: Speech) -> float:
    level_dbfs = _DEFAULT_LEVEL_DBFS if speech.source_level_dbfs is None else speech.source_level_dbfs
    lowest, highest = _LEVEL_RANGE_DBFS
    return min(max(level_dbfs, lowest), highest)


def _source_gain_db(speech: Speech) -> float:
    """Return what makes the source's speech as loud as the dub's, so that undubbed lines do not jump."""
    own_dbfs = speech.source_level_dbfs
    return 0.0 if own_dbfs is None else round(_target_dbfs(speech) - own_dbfs, 2)


def _finish(samples: Waveform, level: float) -> Waveform:
    """Bring one take to ``level`` without clipping, and fade its edges."""
    import numpy as np

    from f2f.loudness import from_dbfs, speech_rms, true_peak

    rms = speech_rms(samples, SAMPLE_RATE_HZ)
    if rms == 0:
        return samples
    n_fade = min(round(_FADE_S * SAMPLE_RATE_HZ), len(samples) // 2)
    ramp = np.linspace(0, 1, n_fade, endpoint=False, dtype=np.float32)
    faded = samples.copy()
    faded[:n_fade] *= ramp
    faded[len(faded) - n_fade :] *= ramp[::-1]
    gain = min(level / rms, from_dbfs(_PEAK_CEILING_DBFS) / true_peak(faded))
    return faded * np.float32(gain)


@contextmanager
def _open_wav(path: Path) -> Iterator[wave.Wave_write]:
    """Open a 48 kHz mono 16-bit wav for writing; it appears under its name when all is written."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as raw, wave.open(raw, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE_HZ)
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write(file: wave.Wave_write, samples: Waveform) -> None:
    import numpy as np

    file.writeframes(np.round(samples * 32767).astype("<i2").tobytes())


def _write_silence(file: wave.Wave_write, n_samples: int) -> None:
    for start in range(0, n_samples, _SILENCE_BLOCK):
        file.writeframes(bytes(2 * min(_SILENCE_BLOCK, n_samples - start)))
