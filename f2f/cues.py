"""Cues: what stands in a caption file, put in order for speech.

Captions are made to be read; here they become lines to be spoken: every word once, in time order, without
overlap, cut at sentence ends.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from f2f.results import Segment

# Sizes that dubbed lines are comfortable in.
MIN_SEGMENT_S = 1.5
IDEAL_SEGMENT_S = 4.5
MAX_SEGMENT_S = 9.0
MAX_SEGMENT_CHARACTERS = 140
MAX_JOINED_PAUSE_S = 0.3

_CONTIGUOUS_S = 0.1
# None of these looks beyond the next sign of its kind, so that no line, however made, takes long.
_VOICE_TAG = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^<>]+)>", re.I)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<[\d:.]+>")
_SOUND = re.compile(r"\[[^\[\]]*\]|【[^【】]*】|[♪♫♩♬🎵🎶]+")
_WHOLE_LINE_ASIDE = re.compile(r"^\s*[(（][^()（）]*[)）]\s*$")
_DASH = re.compile(r"^\s*(?:>{2,}|[-–—‐](?=\s|[^\W\d]))\s*")
_CAPITAL_NAME = re.compile(r"^([A-Z][A-Z.' \-]{1,24}(?: \d+)?):\s+")
_SENTENCE_END = re.compile(r"[.!?…。！？।॥؟۔։።]['\"”’»)\]）」』]*$")
_UNSPACED = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f\u0e00-\u0eff\u1000-\u109f]"
)


@dataclass(frozen=True)
class Cue:
    """One caption.

    Attributes:
        start_s, end_s: seconds from the start of the video, ``end_s > start_s``.
        text: one line without markup.
        speaker: name given by the file (WebVTT voice tag, SSA name, "JOHN: …"), or None.
        confidence: 0…1 where a recogniser gave the text, else None.
    """

    start_s: float
    end_s: float
    text: str
    speaker: str | None = None
    confidence: float | None = None

    @property
    def duration_s(self) -> float:
        """Length of time it is shown."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class RawCue:
    """A caption as it stood in the file: its lines still apart, perhaps repeating what came before."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]
    speaker: str | None = None

    @property
    def tokens(self) -> tuple[str, ...]:
        """Words; a whole line where the script has no spaces."""
        return tuple(word for line in self.lines for word in line.split())


def clean_lines(text: str, speaker: str | None = None) -> tuple[tuple[str, ...], str | None]:
    """Return the spoken lines of a caption's text, without tags, sounds and dashes, and who says them."""
    voice = _VOICE_TAG.search(text)
    speaker = html.unescape(voice[1]).strip() if voice else speaker
    lines = []
    for line in html.unescape(_TAG.sub("", text)).replace("\u00a0", " ").split("\n"):
        line = "" if _WHOLE_LINE_ASIDE.match(line) else _SOUND.sub(" ", line)
        line = _DASH.sub("", line).strip()
        name = _CAPITAL_NAME.match(line)
        if name:
            speaker, line = speaker or name[1].title(), line[name.end() :]
        if line.strip():
            lines.append(" ".join(line.split()))
    return tuple(lines), speaker


def join_texts(first: str, second: str) -> str:
    """Join two pieces of running text, with a space where the script uses them."""
    if not first or not second:
        return first or second
    return first + ("" if is_unspaced(first[-1]) and is_unspaced(second[0]) else " ") + second


def is_unspaced(character: str) -> bool:
    """Whether the character's script puts no spaces between words."""
    return bool(_UNSPACED.match(character))


def tidy_cues(raw: Sequence[RawCue]) -> list[Cue]:
    """Return cues in time order, without repetition or overlap; no spoken word is lost."""
    ordered = sorted((cue for cue in raw if cue.lines), key=lambda cue: (cue.start_s, cue.end_s))
    ordered = _drop_copies(ordered)
    if _is_rolling(ordered):
        ordered = _unroll(ordered)
    cues = []
    for cue in ordered:
        text = ""
        for line in cue.lines:
            text = join_texts(text, line)
        cues.append(Cue(cue.start_s, cue.end_s, text, cue.speaker))
    return _separate(cues)


def _drop_copies(cues: Sequence[RawCue]) -> list[RawCue]:
    """Merge captions that say the same at the same time (shadows, outlines, doubled export)."""
    kept: list[RawCue] = []
    for cue in cues:
        twin = next((i for i, one in enumerate(kept[-4:], max(0, len(kept) - 4)) if _is_copy(one, cue)), None)
        if twin is None:
            kept.append(cue)
        else:
            kept[twin] = replace(kept[twin], end_s=max(kept[twin].end_s, cue.end_s))
    return kept


def _is_copy(one: RawCue, other: RawCue) -> bool:
    return one.lines == other.lines and other.start_s < one.end_s - 1e-3


def _repeated(before: RawCue, cue: RawCue) -> int:
    """Return how many leading tokens of ``cue`` are the last of ``before``, still on the screen."""
    if cue.start_s - before.end_s > _CONTIGUOUS_S:
        return 0
    old, new = before.tokens, cue.tokens
    first_line = len(cue.lines[0].split())
    for n in range(min(len(old), len(new)), 0, -1):
        if old[-n:] == new[:n] and (n >= 2 or n in (len(old), len(new), first_line)):
            return n
    return 0


def _is_rolling(cues: Sequence[RawCue]) -> bool:
    """Whether lines roll up, as live and automatic captions do: captions repeat what stands above them."""
    pairs = [pair for pair in pairwise(cues) if pair[1].start_s - pair[0].end_s <= _CONTIGUOUS_S]
    repeats = sum(_repeated(one, two) > 0 for one, two in pairs)
    return repeats >= 2 and repeats >= 0.4 * len(pairs)


def _unroll(cues: Sequence[RawCue]) -> list[RawCue]:
    spoken: list[RawCue] = []
    shown: RawCue | None = None
    for cue in cues:
        n = _repeated(shown, cue) if shown else 0
        shown = cue
        lines = _without_tokens(cue.lines, n)
        if lines:
            spoken.append(replace(cue, lines=lines))
        elif spoken:
            spoken[-1] = replace(spoken[-1], end_s=max(spoken[-1].end_s, cue.end_s))
    return spoken


def _without_tokens(lines: Sequence[str], n_tokens: int) -> tuple[str, ...]:
    kept = []
    for line in lines:
        words = line.split()
        skipped = min(n_tokens, len(words))
        n_tokens -= skipped
        if words[skipped:]:
            kept.append(" ".join(words[skipped:]))
    return tuple(kept)


def _separate(cues: Sequence[Cue]) -> list[Cue]:
    """Resolve overlaps: the earlier cue ends where the next begins, simultaneous ones become one."""
    apart: list[Cue] = []
    for cue in cues:
        before = apart[-1] if apart else None
        if before is None or cue.start_s >= before.end_s:
            apart.append(cue)
        elif cue.start_s - before.start_s >= 0.5:
            apart[-1] = replace(before, end_s=cue.start_s)
            apart.append(cue)
        else:
            speaker = before.speaker if before.speaker == cue.speaker else None
            text = join_texts(before.text, cue.text)
            apart[-1] = Cue(before.start_s, max(before.end_s, cue.end_s), text, speaker)
    return apart


def ends_sentence(text: str) -> bool:
    """Whether ``text`` closes with the full stop, question or exclamation mark of some script."""
    return bool(_SENTENCE_END.search(text.rstrip()))


def segments_from_cues(cues: Sequence[Cue]) -> tuple[Segment, ...]:
    """Cut cues at sentence ends: fragments of a sentence are joined, so that it is translated whole.

    A cue that is a whole sentence of at least 1.5 s stays as it is. Nothing is joined across speakers or
    pauses of 0.3 s, nor beyond 9 s or 140 characters; from 4.5 s on only the end of the sentence is added.
    """
    merged: list[Cue] = []
    for cue in cues:
        if merged and _belong_together(merged[-1], cue):
            merged[-1] = _joined(merged[-1], cue)
        else:
            merged.append(cue)
    return tuple(_segment(i, cue) for i, cue in enumerate(merged))


def _segment(number: int, cue: Cue) -> Segment:
    return Segment(
        id=number,
        start_s=round(cue.start_s, 3),
        end_s=round(cue.end_s, 3),
        text=cue.text,
        speaker=cue.speaker,
        confidence=None if cue.confidence is None else round(cue.confidence, 3),
    )


def _joined(first: Cue, second: Cue) -> Cue:
    confidence = first.confidence
    if first.confidence is not None and second.confidence is not None:
        weights = (first.duration_s, second.duration_s)
        confidence = (first.confidence * weights[0] + second.confidence * weights[1]) / sum(weights)
    text = join_texts(first.text, second.text)
    return replace(first, end_s=second.end_s, text=text, confidence=confidence)


def _belong_together(first: Cue, second: Cue) -> bool:
    if first.speaker != second.speaker or second.start_s - first.end_s >= MAX_JOINED_PAUSE_S:
        return False
    total_s = second.end_s - first.start_s
    if total_s > MAX_SEGMENT_S or len(first.text) + len(second.text) + 1 > MAX_SEGMENT_CHARACTERS:
        return False
    if ends_sentence(first.text):
        return first.duration_s < MIN_SEGMENT_S and total_s <= IDEAL_SEGMENT_S
    return total_s <= IDEAL_SEGMENT_S or ends_sentence(second.text)


def match_by_time(segments: Sequence[Segment], cues: Sequence[Cue]) -> tuple[list[str], list[bool]]:
    """Give each cue of the target language to the segment during which it is shown.

    Args:
        segments: of the source, in time order, without overlap.
        cues: of the target language, in time order, without overlap.

    Returns:
        (texts, covered): the text of each segment, ``""`` where no cue belongs to it; and whether some cue
        was shown during it, perhaps one that also spans, and was given to, an earlier segment.
    """
    texts = [""] * len(segments)
    covered = [False] * len(segments)
    first = 0
    for cue in cues:
        while first < len(segments) - 1 and segments[first].end_s <= cue.start_s:
            first += 1
        last = first
        while last < len(segments) - 1 and segments[last + 1].start_s < cue.end_s:
            last += 1
        near = range(max(first - 1, 0), last + 1)
        chosen = max(near, key=lambda i: (_overlap_s(segments[i], cue), -_distance_s(segments[i], cue)))
        for i in near:
            covered[i] = covered[i] or _is_within(segments[i], cue, 0.2)
        # One long cue over several short segments starts with the first of them.
        while chosen > 0 and not texts[chosen - 1] and _is_within(segments[chosen - 1], cue, 0.8):
            chosen -= 1
        texts[chosen] = join_texts(texts[chosen], cue.text)
        covered[chosen] = True
    return texts, covered


def _overlap_s(segment: Segment, cue: Cue) -> float:
    return max(0.0, min(segment.end_s, cue.end_s) - max(segment.start_s, cue.start_s))


def _distance_s(segment: Segment, cue: Cue) -> float:
    return max(segment.start_s - cue.end_s, cue.start_s - segment.end_s, 0.0)


def _is_within(segment: Segment, cue: Cue, share: float) -> bool:
    return _overlap_s(segment, cue) >= share * (segment.end_s - segment.start_s)
