"""Where the source's sound steps back, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from made_results import ENGINE

from f2f.background import ATTACK_S, RELEASE_S, Presence, dubbed_spans, duck_gain, undubbed_spans
from f2f.results import FittedSpeech, Placement, Segment, Transcript, TranslatedSegment, Translation

Spans = list[tuple[float, float]]


def material(
    segments: Spans, placed: dict[int, tuple[float, float]], undubbed: tuple[int, ...] = ()
) -> tuple[Transcript, Translation, FittedSpeech]:
    """Return results for segments 0, 1, …, of which some are dubbed at the given times."""
    made = tuple(Segment(id=k, start_s=s, end_s=e, text="x") for k, (s, e) in enumerate(segments))
    placements = tuple(
        Placement(segment_id=k, start_s=s, end_s=e, slot_end_s=e, tempo=1) for k, (s, e) in placed.items()
    )
    entries = tuple(TranslatedSegment(segment=one, text="y") for one in made)
    return (
        Transcript(language="en", segments=made, engine=ENGINE),
        Translation(source_language="en", target_language="hi", segments=entries, engine=ENGINE),
        FittedSpeech(
            wav="x", sample_rate_hz=48000, duration_s=60, overflow_s=0, placements=placements,
            undubbed=undubbed,
        ),
    )  # fmt: skip


def close(spans: Spans, expected: Spans) -> bool:
    return np.allclose(np.array(spans).ravel(), np.array(expected).ravel(), atol=1e-9)


def test_old_voice_and_new_one_are_both_covered() -> None:
    # Speech from 2 to 4; the dub from 2 to 3 (shorter) in one case, to 5 (longer) in the other.
    assert close(dubbed_spans(*material([(2, 4)], {0: (2, 3)})), [(1.9, 4.2)])
    assert close(dubbed_spans(*material([(2, 4)], {0: (2, 5)})), [(1.9, 5.2)])


def test_short_pauses_are_held_and_long_ones_give_the_sound_back() -> None:
    held = material([(2, 4), (4.8, 6)], {0: (2, 4), 1: (4.8, 6)})
    assert close(dubbed_spans(*held), [(1.9, 6.2)])
    apart = material([(2, 4), (5.5, 7)], {0: (2, 4), 1: (5.5, 7)})
    assert close(dubbed_spans(*apart), [(1.9, 4.2), (5.4, 7.2)])


def test_a_segment_that_is_not_dubbed_keeps_its_sound() -> None:
    kept = material([(2, 4), (4.1, 6), (6.05, 8)], {0: (2, 4), 2: (6.05, 8)}, undubbed=(1,))
    assert close(dubbed_spans(*kept), [(1.9, 4.1), (6, 8.2)])
    assert undubbed_spans(*kept) == [(4.1, 6)]


def test_so_does_one_whose_sound_was_said_to_be_kept() -> None:
    transcript, translation, fitted = material([(2, 4), (5, 6)], {0: (2, 4)})
    song = transcript.segments[1].model_copy(update={"keep_original": "music"})
    transcript = transcript.model_copy(update={"segments": (transcript.segments[0], song)})
    translation = translation.model_copy(update={"segments": translation.segments[:1]})
    assert undubbed_spans(transcript, translation, fitted) == [(5, 6)]
    assert close(dubbed_spans(transcript, translation, fitted), [(1.9, 4.2)])


def test_but_not_where_a_late_line_lies_over_it() -> None:
    late = material([(2, 4), (4.1, 6)], {0: (2, 4.8)}, undubbed=(1,))
    assert close(dubbed_spans(*late), [(1.9, 4.8)])


def test_old_speech_without_words_of_its_own_is_replaced_too() -> None:
    # One caption over three segments is spoken from the first one on; the others have no text.
    assert close(dubbed_spans(*material([(2, 4), (4.1, 6)], {0: (2, 5.5)})), [(1.9, 6.2)])


def test_presence_is_full_within_and_ramps_outside_without_a_jump() -> None:
    rate = 1000
    curve = Presence(((1.0, 2.0), (4.0, 5.0))).curve(0.0, 6 * rate, rate)
    assert (curve[rate : 2 * rate] == 1).all() and (curve[4 * rate : 5 * rate] == 1).all()
    assert not curve[: round((1 - ATTACK_S) * rate)].any()
    assert not curve[round((2 + RELEASE_S) * rate) + 1 : round((4 - ATTACK_S) * rate)].any()
    assert np.abs(np.diff(curve)).max() < np.pi / 2 / (ATTACK_S * rate) + 1e-3


@pytest.mark.parametrize("block", [7, 480, 1000])
def test_blocks_give_the_same_curve_as_the_whole(block: int) -> None:
    rate, presence = 1000, Presence(((0.01, 0.9), (1.1, 2.0)))
    whole = presence.curve(0.0, 3000, rate)
    pieces = [presence.curve(k / rate, min(block, 3000 - k), rate) for k in range(0, 3000, block)]
    assert np.allclose(np.concatenate(pieces), whole, atol=1e-5)


def test_depth_is_the_chosen_one() -> None:
    gain = duck_gain(np.array([0, 0.5, 1], np.float32), 24.0)
    assert 20 * np.log10(gain) == pytest.approx([0, -12, -24], abs=1e-4)
