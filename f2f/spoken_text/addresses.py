"""Web and mail addresses as a person reads them out."""

from __future__ import annotations

import re

from f2f.spoken_text.phrases import Phrases

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})+"
# Without "http" or "www" only these endings make an address: "word.Next" is a missing space.
_ENDINGS = "com|org|net|edu|gov|io|in|ai|info|eu|de|fr|es|it|pt|br|uk|ac|dev"
_MAIL = re.compile(rf"\b[A-Za-z0-9._+-]+@{_HOST}")
_URL = re.compile(
    rf"\b(?:https?://(?:www\.)?(?P<a>{_HOST}|localhost)|www\.(?P<b>{_HOST})|(?P<c>(?:{_LABEL}\.)+(?:{_ENDINGS})))\b"
    r"(?::\d+)?(?P<path>/[\w./~%+-]*[\w/])?(?:[?#][\w=&%.+/-]*\w)?/?"
)


def expand_addresses(text: str, phrases: Phrases) -> str:
    """Replace addresses; scheme, ``www`` and what follows ``?`` or ``#`` are not read out."""
    text = _MAIL.sub(lambda match: _spell(match[0], phrases), text)
    return _URL.sub(lambda match: _url(match, phrases), text)


def _url(match: re.Match[str], phrases: Phrases) -> str:
    host = match["a"] or match["b"] or match["c"]
    return _spell(host + (match["path"] or "").rstrip("/"), phrases)


def _spell(address: str, phrases: Phrases) -> str:
    names = {
        ".": phrases.dot, "/": phrases.slash, "-": phrases.dash, "_": phrases.underscore, "@": phrases.at
    }  # fmt: skip
    return "".join(f" {names[one]} " if one in names else one for one in address)
