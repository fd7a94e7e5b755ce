"""The finished sound: the dub over what is left of the source's own, at the wanted loudness.

Two passes over the sound: the mix is written with headroom, then measured, raised and limited by ffmpeg.
Nothing grows with the length of the video.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from f2f.background import Presence, Span, duck_gain
from f2f.results import EngineInfo, SoundMix
from f2f.stage import StageContext

if TYPE_CHECKING:
    from f2f.separation import Separator, Sound
    from lipsync_core.media.sound import Loudness

RATE_HZ = 48_000
TRUE_PEAK_DBTP = -1.0
"""Highest true peak of the finished file."""
_CODEC_MARGIN_DB = 1.0  # by which AAC may overshoot what it is given
_OVERSAMPLED_HZ = 4 * RATE_HZ  # at which the peaks between samples are seen, as ITU-R BS.1770 asks
_HEADROOM_DB = 18.0  # of the unfinished mix
_MAX_GAIN_DB = 30.0  # what is quieter still holds no speech, only noise
_LOUDNESS_TOLERANCE_LU = 0.2
_MAX_PASSES = 3


@dataclass(frozen=True)
class MixPlan:
    """What is mixed and how.

    Attributes:
        source: whose first sound is the background.
        dub: 48 kHz wav of the dub alone.
        end_s: length of the finished sound.
        presence: where the dub replaces the source's speech.
        own_speech: stretches in which the source's own speech is to be heard.
        speech: stretches in which the source speaks, dubbed or not.
        method: what happens to the source's sound where it is replaced.
        duck_db: by how much it is lowered with ``"duck"``.
        source_gain_db: brings the source's speech to the dub's level.
        target_lufs: wanted loudness; None keeps the source's.
        separator: removes voices, for ``"separate"``.
        separator_info: what it is.
    """

    source: Path
    dub: Path
    end_s: float
    presence: Presence
    own_speech: tuple[Span, ...]
    speech: tuple[Span, ...]
    method: Literal["separate", "duck", "none"]
    duck_db: float = 20.0
    source_gain_db: float = 0.0
    target_lufs: float | None = -16.0
    separator: Separator | None = field(default=None, repr=False)
    separator_info: EngineInfo | None = None

    @property
    def n_samples(self) -> int:
        """Length of the finished sound at 48 kHz."""
        return math.ceil(self.end_s * RATE_HZ)


def write_mix(plan: MixPlan, target: Path, context: StageContext) -> SoundMix:
    """Write the finished sound as 48 kHz stereo FLAC.

    Args:
        plan: what to mix.
        target: output file, ``.flac``; scratch files lie beside it while this runs.
        context: told of the progress, in seconds of sound.

    Raises:
        MediaError: source or dub cannot be decoded.
    """
    from lipsync_core.media.sound import SoundWriter, measure_loudness

    scratch = target.with_name(f"{target.stem}.raw.flac")
    clean = target.with_name(f"{target.stem}.clean.flac")
    try:
        if plan.method == "separate":
            _write_clean(plan, clean, context)
        with SoundWriter(scratch, RATE_HZ, gain=10 ** (-_HEADROOM_DB / 20)) as writer:
            for block in _mixed(plan, clean):
                writer.write(block)
        wanted = plan.target_lufs
        if wanted is None:
            wanted = measure_loudness(plan.source).integrated_lufs
        loudness, gain_db = _finish(scratch, target, wanted)
    finally:
        scratch.unlink(missing_ok=True)
        clean.unlink(missing_ok=True)
    return SoundMix(
        background=plan.method,
        separator=plan.separator_info,
        duck_db=plan.duck_db if plan.method == "duck" else None,
        gain_db=round(gain_db, 2),
        loudness_lufs=_finite(loudness.integrated_lufs),
        true_peak_dbtp=_finite(loudness.true_peak_dbtp),
    )


def _write_clean(plan: MixPlan, path: Path, context: StageContext) -> None:
    """Write the source without voices, at the separator's rate."""
    from f2f.separation import without_speech
    from lipsync_core.media.sound import SoundWriter, read_sound

    assert plan.separator is not None
    rate_hz = plan.separator.sample_rate_hz
    n_samples, done = math.ceil(plan.end_s * rate_hz), 0
    with (
        contextlib.closing(read_sound(plan.source, sample_rate_hz=rate_hz, block_samples=rate_hz)) as blocks,
        SoundWriter(path, rate_hz) as writer,
    ):
        for piece in without_speech(blocks, n_samples, plan.separator, plan.presence):
            writer.write(piece)
            done += len(piece)
            context.progress(done / rate_hz, plan.end_s, "s of sound separated")


def _mixed(plan: MixPlan, clean: Path) -> Iterator[Sound]:
    """Yield the mix at its natural level, in blocks of a second."""
    from lipsync_core.media.sound import read_sound

    dub = _exactly(read_sound(plan.dub, sample_rate_hz=RATE_HZ), plan.n_samples)
    for voice, behind in zip(dub, _background(plan, clean), strict=True):
        yield voice + behind


def _background(plan: MixPlan, clean: Path) -> Iterator[Sound]:
    import numpy as np

    from f2f.room_tone import RoomListener, listen
    from lipsync_core.media.sound import read_sound

    gain = np.float32(10 ** (plan.source_gain_db / 20))
    source = _exactly(read_sound(plan.source, sample_rate_hz=RATE_HZ), plan.n_samples)
    others: Iterable[Sound | None] = itertools.repeat(None)
    room = None
    if plan.method == "separate":
        others = _exactly(read_sound(clean, sample_rate_hz=RATE_HZ), plan.n_samples)
    elif plan.method == "duck":
        listener = RoomListener(plan.speech, RATE_HZ)
        room = listen(read_sound(plan.source, sample_rate_hz=RATE_HZ), listener)
    heard = Presence(plan.own_speech)
    position = 0
    for block, other in zip(source, others, strict=False):
        start_s = position / RATE_HZ
        present = plan.presence.curve(start_s, len(block), RATE_HZ)[:, None]
        if other is not None:
            block = block * (1 - present) + other * present
        elif plan.method == "duck":
            factor = duck_gain(present, plan.duck_db)
            block = block * factor
            if room is not None:  # powers add up: the room stays as loud as it was
                block = block + room.block(position, len(block)) * np.sqrt(1 - factor**2)
        else:
            block = block * np.minimum(heard.curve(start_s, len(block), RATE_HZ)[:, None], 1 - present)
        position += len(block)
        yield block * gain


def _exactly(blocks: Iterable[Sound], n_samples: int) -> Iterator[Sound]:
    """Yield blocks of a second, cut or filled up with silence to ``n_samples`` in all."""
    import numpy as np

    stream = iter(blocks)
    for start in range(0, n_samples, RATE_HZ):
        block = next(stream, np.zeros((0, 2), np.float32))[: n_samples - start]
        missing = min(RATE_HZ, n_samples - start) - len(block)
        yield np.pad(block, ((0, missing), (0, 0))) if missing else block


def _finish(raw: Path, target: Path, wanted_lufs: float) -> tuple[Loudness, float]:
    """Bring the raw mix to the wanted loudness under the ceiling; return what was measured, and the gain."""
    from lipsync_core.media.sound import filter_sound, measure_loudness

    loudness = measure_loudness(raw, gain_db=_HEADROOM_DB)
    has_target = math.isfinite(loudness.integrated_lufs) and math.isfinite(wanted_lufs)
    gain_db = wanted_lufs - loudness.integrated_lufs if has_target else 0.0
    for _ in range(_MAX_PASSES):
        gain_db = min(gain_db, _MAX_GAIN_DB)
        filter_sound(raw, target, _filters(_HEADROOM_DB + gain_db))
        loudness = measure_loudness(target)
        short_db = wanted_lufs - loudness.integrated_lufs if has_target else 0.0
        if abs(short_db) <= _LOUDNESS_TOLERANCE_LU or gain_db >= _MAX_GAIN_DB:
            break
        gain_db += short_db  # the limiter has taken some
    return loudness, gain_db


def _filters(gain_db: float) -> list[str]:
    ceiling = 10 ** ((TRUE_PEAK_DBTP - _CODEC_MARGIN_DB) / 20)
    limiter = f"alimiter=limit={ceiling:.6f}:attack=5:release=60:level=disabled:latency=1"
    return [f"volume={gain_db:.3f}dB", f"aresample={_OVERSAMPLED_HZ}", limiter, f"aresample={RATE_HZ}"]


def _finite(value: float) -> float | None:
    return round(value, 2) if math.isfinite(value) else None
