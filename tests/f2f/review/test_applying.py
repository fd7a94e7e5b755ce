"""Edits on a transcript that is still the one they were made for, and on one that is not."""

from __future__ import annotations

from f2f.results import EngineInfo, Segment, Transcript, TranslatedSegment, Translation
from f2f.review.applying import UNCHANGED, apply_edits, masked, table_lines
from f2f.review.lines import Edit, anchor_of

ENGINE = EngineInfo(name="tiny", version="1", licence="MIT")


def heard(*spans: tuple[float, float], first_id: int = 1) -> Transcript:
    segments = [
        Segment(id=number, start_s=start_s, end_s=end_s, text=f"s{number}", confidence=0.5)
        for number, (start_s, end_s) in enumerate(spans, start=first_id)
    ]
    return Transcript(language="en", segments=tuple(segments), engine=ENGINE)


def edit_of(segment: Segment, **changes: object) -> Edit:
    same = {"start_s": segment.start_s, "end_s": segment.end_s, "source": segment.text}
    return Edit.model_validate(
        {"id": segment.id, "anchors": [anchor_of(segment).model_dump()], **same, **changes}
    )


def said(transcript: Transcript) -> Translation:
    segments = [TranslatedSegment(segment=one, text=f"t{one.id}") for one in transcript.segments]
    return Translation(source_language="en", target_language="hi", segments=tuple(segments), engine=ENGINE)


def test_a_text_or_a_voice_needs_no_translation() -> None:
    transcript = heard((0, 1), (2, 3), (4, 5))
    one, two, three = transcript.segments
    edits = (
        edit_of(one, target="T1", edited=("text",)),
        edit_of(two, voice="v", take=1, edited=("voice",)),
        edit_of(three, source="other", edited=("source",)),
    )
    edited = apply_edits(transcript, edits)
    assert set(edited.untranslated(is_heard_translated=True)) == {3}
    assert set(edited.untranslated(is_heard_translated=False)) == {2, 3}
    anew = {3: TranslatedSegment(segment=three, text="T3")}
    first, second, third = edited.translation(said(transcript), anew).segments
    assert (first.text, first.edited, first.segment.confidence) == ("T1", ("text",), 0.5)
    assert (second.text, second.voice, second.take) == ("t2", "v", 1)
    assert (third.text, third.segment.text, third.segment.confidence) == ("T3", "other", None)
    asked = masked(edited.transcript(transcript), {3})
    assert [segment.keep_original for segment in asked.segments] == [UNCHANGED, UNCHANGED, None]


def test_an_original_sound_that_a_person_gives_a_text_is_dubbed() -> None:
    transcript = heard((0, 1), (2, 3))
    music = [one.model_copy(update={"keep_original": "music"}) for one in transcript.segments]
    edits = (edit_of(music[0], target="words"), edit_of(music[1], voice="v"))
    edited = apply_edits(transcript.model_copy(update={"segments": tuple(music)}), edits)
    assert [one.keep_original for one, _, _ in edited.segments] == [None, "music"]
    lines = table_lines(edited.transcript(transcript), None, {}, ())
    assert lines[1].note == "the original sound stays: music"


def test_edits_find_their_place_in_another_transcript() -> None:
    before, after = heard((0, 1), (2, 3)), heard((0.1, 0.4), (0.4, 1.0), (1.1, 1.9), (2.1, 3.2), first_id=0)
    edits = tuple(edit_of(one, target=f"T{one.id}") for one in before.segments)
    edited = apply_edits(after, edits)
    assert edited.lost == ()
    assert [(one.id, one.start_s, edit and edit.target) for one, edit, _ in edited.segments] == [
        (1, 0, "T1"), (3, 1.1, None), (2, 2, "T2"),
    ]  # fmt: skip
    ids = [one.id for one, _, _ in edited.segments]
    assert len(set(ids)) == len(ids)


def test_an_edit_with_no_place_is_left_out_and_named() -> None:
    [one] = heard((20, 21)).segments
    edited = apply_edits(heard((0, 1)), (edit_of(one, target="far"),))
    assert [segment.start_s for segment, _, _ in edited.segments] == [0]
    assert edited.lost == ("the edit of line 1 (0:20.0, “far”) is left out: nothing is heard there any more",)


def test_lines_never_overlap_and_deleted_ones_give_way() -> None:
    transcript = heard((0, 1), (2, 3), (4, 5))
    one, two, three = transcript.segments
    edits = (
        edit_of(one, end_s=2.5, target="long", edited=("times", "text")),
        edit_of(two, target="", edited=("removed",)),
        Edit(id=9, anchors=(), start_s=3.5, end_s=4.5, target="new", edited=("new",)),
    )
    spans = [(a.id, a.start_s, a.end_s) for a, _, _ in apply_edits(transcript, edits).segments]
    assert spans == [(1, 0, 2.5), (9, 3.5, 4), (three.id, 4, 5)]
