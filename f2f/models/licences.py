"""What a licence allows: whether weights may be used to earn money.

Engines name their licences by SPDX identifiers where there are some, else in their publishers' words.
"""

from __future__ import annotations

import re

# "CC-BY-NC-4.0", "research and non-commercial use only", "Coqui Public Model License 1.0.0".
_FORBIDS = re.compile(r"\bNC\b|non-?commercial|\bresearch\b|\bCPML\b|Coqui Public Model", re.IGNORECASE)
# "unknown", "that of the captions", "weights as ID states": said by somebody else, elsewhere.
_ELSEWHERE = re.compile(r"\bunknown\b|\bthat of\b|\bstates?\b", re.IGNORECASE)
_ALLOWS = re.compile(
    r"\bMIT\b|\bApache\b|\bBSD\b|\bISC\b|\bMPL\b|\bL?GPL\b|\bUnlicense\b|\bCC0\b|\bCC[- ]BY(?:[- ]SA)?[- ]\d",
    re.IGNORECASE,
)


def commercial_use(licence: str) -> bool | None:
    """Return whether a licence allows commercial use, None where its words do not tell."""
    if _FORBIDS.search(licence):
        return False
    if _ELSEWHERE.search(licence):
        return None
    return True if _ALLOWS.search(licence) else None


def use_words(licence: str) -> str:
    """Say in one word or two whether a licence allows commercial use."""
    return {True: "allowed", False: "not allowed", None: "not known"}[commercial_use(licence)]
