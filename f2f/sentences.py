"""Cut text into sentences: translation models were trained on single ones and drop what follows."""

from __future__ import annotations

import re

MAX_CHARACTERS = 400  # about 100 tokens; longer input is where small models begin to leave words out

_WIDE_END = re.compile(r"(?<=[。！？।॥])\s*(?=[^\s\"'”’»」』)\]）])")
_END = re.compile(r"(?<=[.!?…؟۔։])[\"'”’»)\]]*\s+(?=[\"'“‘«(\[¿¡]*[^\W\d_]|[\"'“‘«(\[¿¡]*\d)")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|approx|Fig|fig|Eq|No|Inc|Ltd|Co|e\.g|i\.e|cf|ca|z\.B|bzw|"
    r"Sra|Srta|Dra|p\.ej|av|pág|डॉ|प्रो|श्री)\.$"
)
_MUSIC = "♪♫♩♬🎵🎶"
_SUNG = re.compile(rf"^\s*[{_MUSIC}].*[{_MUSIC}]\s*$", re.S)
_SOUND = re.compile(rf"(?<!\S)(?:\[[^\W\d_][^\[\]]*\]|【[^【】]*】)(?!\S)|[{_MUSIC}]+")
_ASIDE = re.compile(r"^\s*[(（]\s*(?:[^\W\d_]+\s*){1,3}[)）]\s*$")  # "(applause)", not "(which is important)"
_CLAUSE = re.compile(r"(?<=[,;:，、；：،؛—–])\s*|\s+")


def count_letters(text: str) -> int:
    """Number of letters of any script, marks not counted."""
    return sum(character.isalpha() for character in text)


def spoken_text(text: str) -> str:
    """Return ``text`` without what is heard but not said: "[Music]", "(applause)", "♪ la la la ♪".

    Brackets that belong to a word or hold a number ("x[0]", "[3]") stay.
    """
    if _SUNG.match(text) or _ASIDE.match(text):
        return ""
    return " ".join(_SOUND.sub(" ", text).split())


def split_sentences(text: str, max_characters: int = MAX_CHARACTERS) -> list[str]:
    """Return the sentences of ``text`` in order; what has no full stop for too long is cut at a clause."""
    sentences: list[str] = []
    for part in _cut(text):
        sentences += _shorten(part, max_characters)
    return sentences


def _cut(text: str) -> list[str]:
    parts: list[str] = []
    begin = 0
    places = [match.end() for pattern in (_END, _WIDE_END) for match in pattern.finditer(text)]
    for place in sorted(set(places)):
        before = text[begin:place].rstrip()
        if before and not _ABBREVIATION.search(before):
            parts.append(before)
            begin = place
    rest = text[begin:].strip()
    return [*parts, rest] if rest else parts


def _shorten(sentence: str, max_characters: int) -> list[str]:
    pieces: list[str] = []
    while len(sentence) > max_characters:
        places = [match.end() for match in _CLAUSE.finditer(sentence, 1, max_characters)]
        clauses = [place for place in places if sentence[:place].rstrip()[-1:] in ",;:，、；：،؛—–"]
        late = [place for place in clauses if place > max_characters // 3]
        cut = (late or places or [max_characters])[-1]
        pieces.append(sentence[:cut].strip())
        sentence = sentence[cut:].strip()
    return [*pieces, sentence] if sentence else pieces
