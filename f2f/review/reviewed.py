"""A translation with a person's edits in it: only what they touch is translated again."""

from __future__ import annotations

from dataclasses import replace

from f2f.results import Transcript, Translation
from f2f.review.applying import Edited, apply_edits, masked, removed_ids, table_lines
from f2f.review.files import edited_files, read_review, write_tables
from f2f.review.line_memory import LineMemory
from f2f.run import Run
from f2f.run_results import Shared
from f2f.workspace import Stored


def edit_transcript(
    run: Run, heard: Stored[Transcript], target: str
) -> tuple[Stored[Transcript], Edited | None]:
    """Return the transcript with the edits of one language in it; None without any."""
    review = read_review(run.workspace.root, target)
    if not review.edits:
        return heard, None
    edited = apply_edits(heard.result, review.edits)
    for line in edited.lost:
        run.tell(target, line)
    return heard.holding(edited.transcript(heard.result)), edited


def translate_reviewed(run: Run, shared: Shared, target: str) -> tuple[Shared, Stored[Translation]]:
    """Translate, with the edits in transcript and translation.

    Where a translation of the transcript as it was heard is stored, it is used, and only the segments whose
    text or time a person changed are translated anew, once; else all but those that a person translated.
    """
    heard = shared.transcript
    transcript, edited = edit_transcript(run, heard, target)
    if edited is None:
        return shared, run.translate(target, heard)
    stored = run.translate(target, heard) if run.has_translation(target, heard) else None
    wanted = edited.untranslated(is_heard_translated=stored is not None)
    memory = LineMemory.read(run.workspace.root, target, run.translation_scope(target, heard))
    anew = memory.find(wanted)
    missing = wanted.keys() - anew.keys()
    if missing or stored is None:
        asked = masked(transcript.result, missing)
        if not missing and memory.asked is not None:
            asked = memory.asked
        made = run.translate(target, heard.holding(asked))
        stored = stored or made
        if missing:
            memory = memory.with_lines(asked, made.result, missing)
            memory.write(run.workspace.root, target)
            anew = memory.find(wanted)
    edited_translation = stored.holding(edited.translation(stored.result, anew))
    return replace(shared, transcript=transcript), edited_translation


def refresh_tables(
    run: Run, target: str, transcript: Stored[Transcript], translation: Stored[Translation] | None
) -> None:
    """Bring table and subtitles up to date where there are any, or where the run stops for them."""
    request, root = run.request, run.workspace.root
    review = read_review(root, target)
    if request.until is None and not review.files:
        return
    said = translation.result if translation else None
    changes = {
        "written": tuple(table_lines(transcript.result, said, review.notes, removed_ids(review))),
        "is_translated": said is not None,
        "duration_s": run.duration_s,
    }
    edited = edited_files(request, target, review)
    if edited and not request.force:
        names = " and ".join(path.name for path in edited)
        run.observer.notice(f"{names}: edits that are not taken yet; f2f resume takes them")
        return
    write_tables(request, target, review.model_copy(update=changes))
