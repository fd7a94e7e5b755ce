"""The sound of a source whose picture was slowed: slowed with it, its pitch kept.

What lies between is the source's, sample for sample. ffmpeg's ``atempo`` does the slowing: it keeps the level
of rooms and music, in which Rubber Band makes holes (of 4 dB in a steady tone). One stretch at a time lies in
a scratch file; nothing grows with the length of the video.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from f2f.time_map import TimeMap

Sound = npt.NDArray[np.float32]  # (N, 2), left and right

RATE_HZ = 48_000
_FADE = 240  # samples in which one part passes into the next
_MARGIN = 4_800  # samples around a stretch that the filter hears too, so that it is in full swing at its ends
_KEPT = 2 * _MARGIN + _FADE  # samples that are read again at most
_LEAD = 1_024  # samples by which atempo is early: half its window at 48 kHz
_HEADROOM = 0.5  # decoders overshoot full scale


@dataclass(frozen=True)
class _Part:
    """Samples [start, stop) of the source that last ``n_output`` samples; both None: to the end."""

    start: int
    stop: int | None
    n_output: int | None

    @property
    def is_slowed(self) -> bool:
        return self.stop is not None and self.n_output != self.stop - self.start


def write_slowed_sound(
    source: Path, time_map: TimeMap, path: Path, progress: Callable[[float], None]
) -> None:
    """Write the source's first sound through a time map, as 48 kHz stereo FLAC.

    Args:
        source: the input file.
        time_map: where the picture is slowed.
        path: output file, ``.flac``; scratch files lie beside it while this runs.
        progress: told how many seconds of the output are done.

    Raises:
        MediaError: the sound cannot be decoded.
    """
    from lipsync_core.media.sound import SoundWriter, read_sound

    n_done = 0
    with (
        contextlib.closing(read_sound(source, sample_rate_hz=RATE_HZ)) as blocks,
        SoundWriter(path, RATE_HZ) as writer,
    ):
        tape = _Tape(blocks)
        for block in _joined(_sound(part, tape, path) for part in _parts(time_map)):
            writer.write(block)
            n_done += len(block)
            progress(n_done / RATE_HZ)


def _parts(time_map: TimeMap) -> list[_Part]:
    fps = Fraction(time_map.fps)
    parts, at, shift = [], 0, 0
    for one in time_map.slowed:
        start, stop = (round(frame / fps * RATE_HZ) for frame in (one.first_frame, one.stop_frame))
        after = round((one.stop_frame + shift + one.n_added) / fps * RATE_HZ)
        begun = round((one.first_frame + shift) / fps * RATE_HZ)
        if start > at:
            parts.append(_Part(at, start, start - at))
        parts.append(_Part(start, stop, after - begun))
        at, shift = stop, shift + one.n_added
    return [*parts, _Part(at, None, None)]


class _Tape:
    """A stream of blocks that may be read a little back from where it is; silence behind its end."""

    def __init__(self, blocks: Iterable[Sound]) -> None:
        self._blocks = iter(blocks)
        self._held = np.zeros((0, 2), np.float32)
        self._start = 0  # of what is held
        self._is_over = False

    def read(self, start: int, stop: int) -> Sound:
        """Return samples [start, stop); later calls may go back by `_KEPT` and no more."""
        while not self._is_over and self._start + len(self._held) < stop:
            self._more(start)
        silent = np.zeros((max(0, min(stop, 0) - start), 2), np.float32)  # before the beginning
        found = self._held[max(0, max(start, 0) - self._start) : max(0, stop - self._start)]
        missing = stop - start - len(silent) - len(found)
        return np.concatenate([silent, found, np.zeros((missing, 2), np.float32)])

    def until_end(self, start: int, stop: int) -> Sound:
        """Return samples [start, stop) without the silence behind the end."""
        return self.read(start, stop)[: max(0, self._start + len(self._held) - start)]

    def _more(self, wanted: int) -> None:
        block = next(self._blocks, None)
        if block is None:
            self._is_over = True
            return
        passed = min(len(self._held), max(0, wanted - _KEPT - self._start))
        self._held = np.concatenate([self._held[passed:], block])
        self._start += passed


def _sound(part: _Part, tape: _Tape, path: Path) -> Iterator[Sound]:
    """Yield a part with `_FADE` samples before it, in blocks."""
    if part.is_slowed:
        yield from _slowed(part, tape, path)
        return
    yield tape.read(part.start - _FADE, part.start)
    if part.stop is not None:
        for start in range(part.start, part.stop, RATE_HZ):
            yield tape.read(start, min(part.stop, start + RATE_HZ))
        return
    for start in itertools.count(part.start, RATE_HZ):
        block = tape.until_end(start, start + RATE_HZ)
        if len(block) == 0:
            return
        yield block


def _slowed(part: _Part, tape: _Tape, path: Path) -> Iterator[Sound]:
    from lipsync_core.media.sound import SoundWriter, filter_sound, read_sound

    assert part.stop is not None
    assert part.n_output is not None
    raw, slow = path.with_name(f"{path.stem}.raw.flac"), path.with_name(f"{path.stem}.slow.flac")
    factor = part.n_output / (part.stop - part.start)
    try:
        with SoundWriter(raw, RATE_HZ, gain=_HEADROOM) as writer:
            for start in range(part.start - _MARGIN, part.stop + _MARGIN, RATE_HZ):
                writer.write(tape.read(start, min(start + RATE_HZ, part.stop + _MARGIN)))
        filter_sound(raw, slow, [f"apad=pad_len={_MARGIN}", f"atempo={1 / factor:.9f}"])
        first = round(_MARGIN * factor) - _LEAD - _FADE
        with contextlib.closing(read_sound(slow, sample_rate_hz=RATE_HZ)) as blocks:
            wanted = _Tape(blocks)
            for start in range(first, first + _FADE + part.n_output, RATE_HZ):
                stop = min(start + RATE_HZ, first + _FADE + part.n_output)
                yield wanted.read(start, stop) / np.float32(_HEADROOM)
    finally:
        raw.unlink(missing_ok=True)
        slow.unlink(missing_ok=True)


def _joined(parts: Iterable[Iterator[Sound]]) -> Iterator[Sound]:
    """Yield the parts one after the other, the beginning of each faded in over the end of the one before.

    Each brings `_FADE` samples more, before its beginning; those of the first are dropped.
    """
    rise = np.linspace(0, 1, _FADE, endpoint=False, dtype=np.float32)[:, None]
    held: Sound | None = None  # the last samples of all that came
    for part in parts:
        rest = np.zeros((0, 2), np.float32)
        blocks = iter(part)
        while len(rest) < _FADE and (block := next(blocks, None)) is not None:
            rest = np.concatenate([rest, block])
        lead, rest = rest[:_FADE], rest[_FADE:]
        held = rest[:0] if held is None else held * (1 - rise[: len(held)]) + lead * rise
        for block in itertools.chain([rest], blocks):
            held = np.concatenate([held, block])
            if len(held) > _FADE:
                yield held[:-_FADE]
                held = held[-_FADE:]
    if held is not None and len(held):
        yield held
