"""Speech in silence is caught and told."""

from __future__ import annotations

import pytest

from f2f.doubts import SILENCE_REASON, describe_kept, keep_doubtful
from f2f.results import Segment


def segment(start_s: float, end_s: float, confidence: float | None = 0.8, kept: str | None = None) -> Segment:
    return Segment(
        id=0, start_s=start_s, end_s=end_s, text="Thanks for watching this film until the end",
        confidence=confidence, keep_original=kept,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (segment(1, 4), None),
        (segment(10, 14), SILENCE_REASON),
        (segment(4.8, 6, 0.1), SILENCE_REASON),
        (segment(4.8, 6, 0.8), None),
        (segment(4.8, 6, None), None),
        (segment(10, 14, kept="music"), "music"),
    ],
)
def test_text_where_no_voice_is_heard_keeps_the_original_sound(one: Segment, reason: str | None) -> None:
    (judged,) = keep_doubtful([one], [(0.5, 5.0), (20.0, 30.0)])
    assert judged.keep_original == reason
    assert judged.model_copy(update={"keep_original": one.keep_original}) == one


def test_each_reason_is_told_once_with_its_first_place() -> None:
    lines = describe_kept([segment(1, 2), segment(3, 4, kept="music"), segment(61, 62, kept="music")])
    assert lines == [
        "2 segments keep the original sound: music "
        "(the first at 3.0 s: “Thanks for watching this film until the…”)"
    ]
    assert describe_kept([segment(3, 4, kept="music")])[0].startswith(
        "1 segment keeps the original sound: music (at"
    )
