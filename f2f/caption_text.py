"""Bytes of a caption file → text of one canonical shape that a parser cannot stumble over.

Files come in every encoding and with every liberty; ``pysubs2`` parses well-formed ones. So the bytes are
decoded here, and the three formats whose cues hang on a timing line (SubRip, WebVTT, YouTube's SBV) are
brought to strict SubRip: comments, style blocks and identifiers gone, times in one notation.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from f2f.errors import CaptionError

if TYPE_CHECKING:
    from charset_normalizer import CharsetMatch

MAX_BYTES = 50 * 2**20  # captions of a whole day are below 5 MB
MAX_CUES = 100_000  # more than one a second for a whole day
_GUESS_BYTES = 2**20  # enough to guess an encoding by

_BOMS = (  # the longer first: a UTF-32 mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# Code pages in which captions of a language were written before Unicode (https://encoding.spec.whatwg.org,
# section "Names and labels", and the defaults of browsers by locale).
_LANGUAGES_OF_PAGES = {
    "ar": ["cp1256", "iso8859_6"],
    "bg mk": ["cp1251"],
    "bs": ["cp1250"],
    "cs hr hu pl ro sk sl": ["cp1250", "iso8859_2"],
    "el": ["cp1253", "iso8859_7"],
    "fa ur": ["cp1256"],
    "he": ["cp1255", "iso8859_8"],
    "ja": ["cp932", "euc_jp"],
    "ko": ["cp949"],
    "lt lv": ["cp1257"],
    "ru": ["cp1251", "koi8_r"],
    "sr": ["cp1250", "cp1251"],
    "th": ["tis_620"],
    "tr": ["cp1254"],
    "uk": ["cp1251", "koi8_u"],
    "vi": ["cp1258"],
    "zh": ["gb18030", "big5"],
    "da de en es fi fr id is it ms nb nl no pt sv": ["cp1252"],
}
_CODE_PAGES = {code: pages for codes, pages in _LANGUAGES_OF_PAGES.items() for code in codes.split()}

_TIME = r"-?(?:\d+:)?\d{1,3}:\d{1,2}(?:[.,:]\d{1,3})?"
_ARROW = re.compile(rf"^\s*({_TIME})\s*[-–—]+>\s*({_TIME})(?:\s.*)?$")
_COMMA = re.compile(rf"^({_TIME}),({_TIME})\s*$")  # SBV
_CLOCK = re.compile(r"^(?:(\d+):)?(\d{1,3}):(\d{1,2})(?:[.,:](\d{1,3}))?$")
_CUE_SIGNS = ("-->", "\nDialogue:", "<p", "<SYNC", "<Sync", "<sync", "\n{")  # of SubRip … MicroDVD
_INVISIBLE = re.compile("[\ufeff\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069]")


@dataclass(frozen=True)
class CaptionText:
    """Decoded captions.

    Attributes:
        text: content with "\\n" line ends; strict SubRip if ``is_subrip``, else the file's own format.
        encoding: codec that the bytes were read with.
        language_tag: language that the file states of itself (WebVTT header), or None.
    """

    text: str
    is_subrip: bool
    encoding: str
    language_tag: str | None = None


def decode_captions(data: bytes, name: str, language: str | None = None) -> CaptionText:
    """Decode ``data`` and bring it to the canonical shape.

    Args:
        data: content of the file.
        name: file name, for messages.
        language: primary code of the captions' language where it is known; decides between code pages.

    Raises:
        CaptionError: empty, too large, or not text.
    """
    if not data.strip(b"\0 \t\r\n"):
        raise CaptionError(
            f"{name} is empty ({len(data)} bytes): export the captions again, or take another file with "
            "--captions FILE"
        )
    if len(data) > MAX_BYTES:
        raise CaptionError(
            f"{name} has more than {MAX_BYTES // 2**20} MB, more than captions of a whole day: is this the "
            "right file?"
        )
    text, encoding = _decode(data, name, language)
    text = _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if re.match(r"\s*(<!doctype html|<html)", text, re.I):
        raise CaptionError(f"{name} is a web page, not captions: the download went wrong, fetch it again")
    lines = text.split("\n")
    n_cues = sum(map(text.count, _CUE_SIGNS))
    if n_cues > MAX_CUES:
        raise CaptionError(
            f"{name} holds about {n_cues:,} captions; at most {MAX_CUES:,} are read: is this the right file?"
        )
    if not any(_ARROW.match(line) or _COMMA.match(line) for line in lines) or "[Script Info]" in text[:2000]:
        return CaptionText(text, is_subrip=False, encoding=encoding)
    is_vtt = lines[0].lstrip().startswith("WEBVTT")
    tag = re.search(r"^Language:\s*(\S+)", text[:500], re.M) if is_vtt else None
    return CaptionText(_to_subrip(lines, is_vtt=is_vtt), True, encoding, tag[1] if tag else None)


def _decode(data: bytes, name: str, language: str | None) -> tuple[str, str]:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace"), encoding
    if b"\0" in data:
        return _decode_utf16(data, name)
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _decode_legacy(data, name, language)


def _decode_utf16(data: bytes, name: str) -> tuple[str, str]:
    """Decode UTF-16 without a mark: digits, arrows and line ends have their zero byte on one side."""
    even, odd = data[0::2].count(0), data[1::2].count(0)
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    text = data[: len(data) // 2 * 2].decode(encoding, errors="replace")
    if max(even, odd) < 4 * min(even, odd) or text.count("\ufffd") > len(text) // 100 or "\0" in text:
        raise CaptionError(f"{name} is a binary file, not captions: give an .srt or .vtt file")
    return text, encoding


def _decode_legacy(data: bytes, name: str, language: str | None) -> tuple[str, str]:
    try:
        from charset_normalizer import from_bytes
    except ImportError as exc:
        raise CaptionError(
            f"{name} is not in Unicode and its encoding must be guessed: pip install charset-normalizer, or "
            "save the file as UTF-8"
        ) from exc
    # Timing lines are ASCII and only dilute what tells encodings apart.
    telling = b"\n".join(line for line in data.splitlines() if not line.isascii())[:_GUESS_BYTES]
    telling = telling if len(telling) < _GUESS_BYTES else telling[: telling.rfind(b"\n") + 1] or telling
    pages = _CODE_PAGES.get(language or "", [])
    matches = [*(from_bytes(telling, cp_isolation=pages) if pages else ()), *from_bytes(telling)]

    def rank(match: CharsetMatch) -> tuple[bool, float, float, bool]:
        return match.encoding not in pages, match.chaos, -match.coherence, match.encoding != "cp1252"

    for match in sorted(matches, key=rank):
        try:
            return data.decode(match.encoding), str(match.encoding)
        except UnicodeDecodeError:
            continue
    raise CaptionError(f"{name} is in no known text encoding: save it as UTF-8 and try again")


def _to_subrip(lines: list[str], *, is_vtt: bool) -> str:
    """Return strict SubRip: numbered cues, ``HH:MM:SS,mmm`` times, no comment, style or identifier."""
    cues: list[tuple[str, list[str]]] = []
    after_blank, in_comment = True, is_vtt  # the header of WebVTT runs to the first empty line
    for line in lines:
        timing = _ARROW.match(line) or _COMMA.match(line)
        if timing:
            if cues:
                _drop_identifier(cues[-1][1], is_vtt=is_vtt)
            cues.append((f"{_clock(timing[1])} --> {_clock(timing[2])}", []))
            in_comment = False
        elif in_comment:
            in_comment = bool(line.strip())
        elif is_vtt and after_blank and re.match(r"(NOTE|STYLE|REGION)(\s|$)", line):
            in_comment = True
        elif cues:
            cues[-1][1].append(line.rstrip())
        after_blank = not line.strip()
    if cues and not is_vtt:
        _drop_cut_off_number(cues[-1][1])
    blocks = [f"{i}\n{times}\n" + "\n".join(text).strip() for i, (times, text) in enumerate(cues, 1)]
    # The closing number belongs to no cue; without it pysubs2 takes a last line such as "42" for one.
    return "\n\n".join([*blocks, str(len(blocks) + 1)]) + "\n"


def _drop_identifier(payload: list[str], *, is_vtt: bool) -> None:
    """Remove the line before a timing line from the text of the cue above it, where it names the next cue."""
    if payload and (
        payload[-1].strip().isdigit() or (is_vtt and len(payload) > 1 and not payload[-2].strip())
    ):
        payload.pop()


def _drop_cut_off_number(payload: list[str]) -> None:
    """Remove the number of a further cue from the text of the last one, where the file was cut off there."""
    while payload and not payload[-1].strip():
        payload.pop()
    if len(payload) > 1 and payload[-1].strip().isdigit() and not payload[-2].strip():
        payload.pop()


def _clock(time: str) -> str:
    """Return a time as ``HH:MM:SS,mmm``; times before the start of the video become its start."""
    if time.startswith("-"):
        return "00:00:00,000"
    hours, minutes, seconds, fraction = _CLOCK.findall(time)[0]
    milliseconds = int((fraction or "0").ljust(3, "0"))
    total = ((int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + milliseconds
    total = min(total, 359_999_999)  # 99:59:59,999 is the last time that SubRip can hold
    return f"{total // 3_600_000:02d}:{total // 60_000 % 60:02d}:{total // 1000 % 60:02d},{total % 1000:03d}"
