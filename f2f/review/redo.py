"""``f2f redo``: what single segments are to say, and in which voice, becomes edits in the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from f2f.errors import UsageError
from f2f.manifest import Manifest, SegmentEntry
from f2f.record import read_record
from f2f.review.files import read_review, write_review
from f2f.review.lines import REMOVED, Edit, Line
from f2f.review.merging import edit_of
from f2f.review.resume import Continuation, in_order
from f2f.stage import Observer
from f2f.workspace import Workspace


@dataclass(frozen=True)
class Redo:
    """What is to be done again.

    Attributes:
        segments: ids.
        text: what the segment says from now on; None keeps it.
        voice: who says it from now on; None keeps the voice.
    """

    segments: tuple[int, ...]
    text: str | None = None
    voice: str | None = None


def take_redo(manifest: Path, redo: Redo, workdir: Path | None, observer: Observer) -> Continuation:
    """Store what is to be done again as edits.

    Args:
        manifest: of the finished translation, ``lecture.hi.json``.
        redo: what is wanted.
        workdir: folder of intermediate results where it is not beside the outputs.
        observer: told while another run works there.

    Raises:
        UsageError: no such manifest, segment or stored run.
    """
    if redo.text is not None and len(redo.segments) > 1:
        raise UsageError(f"--text is for one segment, not for {len(redo.segments)}; run f2f redo for each")
    content = _read_manifest(manifest)
    root = (workdir or manifest.parent / ".f2f") / Path(content.source.name).stem
    target = content.output.language
    request = read_record(root, target)
    if request is None:
        raise UsageError(
            f"no stored run of {manifest.name} in {root}: give the --workdir DIR of that run, or repeat it "
            f"with: {content.command}"
        )
    if not request.source.is_file():
        raise UsageError(f"{request.source}, from which {manifest.name} was made, is gone; put it back there")
    request = replace(request, output_dir=manifest.parent.resolve(), workdir=workdir)
    entries = {entry.id: entry for entry in content.segments}
    unknown = [str(one) for one in redo.segments if one not in entries]
    if unknown:
        raise UsageError(
            f"{manifest.name} has no segment {', '.join(unknown)}; its segments are {_ranges(list(entries))}"
        )
    if redo.text is None and redo.voice is None:
        _require_variety(content)
    with Workspace(root).lock(observer):
        before = read_review(root, target)
        edits = {edit.id: edit for edit in before.edits}
        for number in dict.fromkeys(redo.segments):
            edits[number] = _redone(edits.get(number) or edit_of(_line(entries[number])), redo)
        write_review(root, target, before.model_copy(update={"edits": in_order(edits)}))
    return Continuation(request, before)


def _require_variety(manifest: Manifest) -> None:
    """Refuse another take where it would be the same, bit for bit.

    Raises:
        UsageError: the engine always says a text alike.
    """
    from f2f.engines.espeak import EspeakEngine

    names = {one.engine.name for one in manifest.stages if one.stage == "synthesize" and one.engine}
    if "espeak" in names and EspeakEngine.n_attempts == 1:
        raise UsageError("espeak always says the same text alike: give another --text or --voice")


def _redone(edit: Edit, redo: Redo) -> Edit:
    words = [name for name in ("text", "voice") if getattr(redo, name) is not None] or ["take"]
    kept = [word for word in edit.edited if word != REMOVED]
    changes: dict[str, object] = {"edited": tuple(dict.fromkeys((*kept, *words))), "take": edit.take + 1}
    if redo.text is not None:
        changes["target"] = " ".join(redo.text.split())
    if redo.voice is not None:
        changes["voice"] = redo.voice
    return edit.model_copy(update=changes)


def _line(entry: SegmentEntry) -> Line:
    return Line(
        id=entry.id,
        start_s=entry.source_start_s,
        end_s=entry.source_end_s,
        speaker=entry.speaker,
        source=" ".join(entry.source_text.split()),
    )


def _ranges(ids: Sequence[int]) -> str:
    """Return ``1–40, 43``."""
    spans: list[list[int]] = []
    for number in sorted(ids):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in spans) or "none"


def _read_manifest(path: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror or error}); give the manifest, such as lecture.hi.json"
        ) from error
    except (ValueError, ValidationError) as error:
        raise UsageError(
            f"{path} is no manifest of this version of f2f; give lecture.hi.json as f2f translate wrote it"
        ) from error
