"""Caption files: find them beside a video, read them whatever their shape, write them as SRT."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from f2f.caption_layout import format_srt
from f2f.caption_text import MAX_BYTES, CaptionText, decode_captions
from f2f.cues import Cue, RawCue, clean_lines, tidy_cues
from f2f.errors import CaptionError
from f2f.languages import Language, find_language

if TYPE_CHECKING:
    from lipsync_core.media import MediaInfo

SUFFIXES = (".srt", ".vtt", ".ass", ".ssa", ".sbv", ".ttml", ".smi", ".sub")


@dataclass(frozen=True)
class Captions:
    """Captions in order for speech.

    Attributes:
        cues: in time order, without overlap or repetition; never empty.
        name: the file or track, for messages.
        language: what the file itself states, or None.
        notes: what was repaired or left out, one line each.
    """

    cues: tuple[Cue, ...]
    name: str
    language: Language | None = None
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Cue]:
        return iter(self.cues)

    def __len__(self) -> int:
        return len(self.cues)

    @property
    def text(self) -> str:
        """All that is said, one line per cue."""
        return "\n".join(cue.text for cue in self.cues)


@dataclass(frozen=True)
class Sidecar:
    """A caption file beside a video; ``language`` is None where the name states none (``lecture.srt``)."""

    path: Path
    language: Language | None


def read_captions(path: Path, language: str | None = None) -> Captions:
    """Read a caption file: SRT, WebVTT, ASS/SSA, SBV, TTML, SAMI or MicroDVD, in any encoding.

    Args:
        path: the file.
        language: code of its language where known; helps with files that are not in Unicode.

    Raises:
        CaptionError: it cannot be read, or holds nothing to say.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise CaptionError(f"caption file {path} cannot be read: {exc.strerror or exc}") from exc
    return _parse(data, path.name, language)


def read_embedded_captions(source: Path, info: MediaInfo, language: str | None = None) -> Captions:
    """Read the text track of a video that is in ``language``.

    Args:
        source: the video.
        info: what ``lipsync_core.media.probe_media`` found in it.
        language: code of the wanted language; None takes the only text track.

    Raises:
        CaptionError: no such track, or nothing in it can be used.
    """
    from lipsync_core.errors import MediaError
    from lipsync_core.media import run_ffmpeg

    track = find_text_track(info, language)
    if track is None:
        have = ", ".join(f"{one.codec} ({one.language or 'no language'})" for one in info.subtitles) or "none"
        raise CaptionError(
            f"{source.name} has no text track in {language or 'its language'} (subtitle tracks: {have}); "
            "give captions with --captions FILE"
        )
    name = f"text track {track.index} of {source.name}"
    # A little more than what is too large is written at most.
    size = ["-fs", str(MAX_BYTES + 2**20)]
    args = ["-i", f"file:{source}", "-map", f"0:{track.index}", *size, "-f", "srt", "pipe:1"]
    try:
        data = run_ffmpeg(args, what=f"reading {name}")
    except MediaError as exc:
        raise CaptionError(f"{name} cannot be read: {exc}") from exc
    return _parse(data, name, language)


def find_text_track(info: MediaInfo, language: str | None = None) -> Any:
    """Return the subtitle stream of text in ``language``, or the only one where that fits; None without."""
    tracks = [one for one in info.subtitles if one.is_text]
    wanted = find_language(language)
    if wanted is None:
        return tracks[0] if len(tracks) == 1 else None
    tagged = [(one, find_language(one.language)) for one in tracks]
    exact = [one for one, tag in tagged if tag is not None and tag.matches(wanted)]
    untagged = [one for one, tag in tagged if tag is None]
    return exact[0] if exact else untagged[0] if len(untagged) == len(tracks) == 1 else None


def list_sidecars(source: Path) -> list[Sidecar]:
    """Return the caption files beside ``source``: ``lecture.srt``, ``lecture.en.vtt``, best format first.

    Files that ``f2f`` wrote as its output (among them ``lecture.hi.dub.srt``) or to be edited
    (``lecture.hi.review.srt``), and forced (partial) captions, are no sidecars.
    """
    stem, found = source.stem.lower() + ".", []
    try:
        files = sorted(source.parent.iterdir())
    except OSError:
        return []
    for path in files:
        name = path.name.lower()
        if not name.startswith(stem) or path.suffix.lower() not in SUFFIXES or path == source:
            continue
        parts = (
            path.name[len(stem) : -len(path.suffix)].split(".") if len(name) > len(stem + path.suffix) else []
        )
        language = find_language(parts[0]) if parts else None
        is_other = not {"forced", "dub", "review"}.isdisjoint(parts)
        if (parts and language is None) or is_other or not path.is_file() or is_own_output(path):
            continue
        found.append(Sidecar(path, language))
    return sorted(
        found, key=lambda one: (SUFFIXES.index(one.path.suffix.lower()), len(one.path.name), one.path.name)
    )


def find_sidecar(source: Path, language: str | None, *, unnamed: bool = False) -> Path | None:
    """Return the caption file beside ``source`` that is in ``language``.

    Args:
        source: the video.
        language: code of the wanted language; None finds only files whose name states no language.
        unnamed: take ``lecture.srt`` where no file names the language (it holds what is spoken).
    """
    wanted, sidecars = find_language(language), list_sidecars(source)
    named = [one for one in sidecars if wanted and one.language and one.language.matches(wanted)]
    exact = [one for one in named if wanted and one.language and one.language.code == wanted.code]
    bare = [one for one in sidecars if one.language is None and (unnamed or wanted is None)]
    return next((one.path for one in (*exact, *named, *bare)), None)


def is_own_output(path: Path) -> bool:
    """Whether ``path`` is an SRT that an earlier run of f2f made, and that nobody has edited since.

    The manifest beside it (``lecture.hi.json``) tells: its texts are those of the file, and they were not
    taken from captions in the first place.
    """
    manifest = path.with_suffix(".json")
    if path.suffix.lower() != ".srt" or not manifest.is_file():
        return False
    try:
        content = json.loads(manifest.read_text("utf-8"))
        if not str(content["format"]).startswith("f2f-manifest"):
            return False
        engines = [one["engine"]["name"] for one in content["stages"] if one["stage"] == "translate"]
        said = [one["target_text"] for one in content["segments"]]
        written = path.read_text("utf-8")
    except (OSError, ValueError, KeyError, TypeError):
        return False
    lines = [
        line for line in written.split("\n") if line.strip() and "-->" not in line and not line.isdigit()
    ]
    return "captions" not in engines and "".join(" ".join(lines).split()) == "".join(" ".join(said).split())


def write_srt(path: Path, cues: Iterable[tuple[float, float, str]]) -> None:
    """Write ``(start_s, end_s, text)`` as SRT (UTF-8), atomically; the same input gives the same bytes.

    Lines have at most 42 columns and a caption at most two; longer texts run over several captions that
    share the time by length. Captions do not overlap and no word is lost.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(format_srt(cues), encoding="utf-8", newline="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _parse(data: bytes, name: str, language: str | None) -> Captions:
    hint = find_language(language)
    content = decode_captions(data, name, hint.primary if hint else None)
    raw, notes = _raw_cues(content, name)
    cues = tidy_cues(raw)
    if not cues:
        raise CaptionError(
            f"{name} holds no spoken line (found {len(raw)} captions, all of them empty, sounds in brackets, "
            "or without a usable time): give other captions with --captions FILE"
        )
    if content.encoding not in ("utf-8", "ascii") and not content.encoding.startswith("utf"):
        notes.append(f"{name} is not in Unicode; it was read as {content.encoding}")
    return Captions(tuple(cues), name, find_language(content.language_tag), tuple(notes))


def _raw_cues(content: CaptionText, name: str) -> tuple[list[RawCue], list[str]]:
    try:
        import pysubs2
    except ImportError as exc:
        raise CaptionError('captions are read by pysubs2: pip install "f2f[standard]"') from exc
    try:
        kind = "srt" if content.is_subrip else None
        options = {"keep_html_tags": True} if content.is_subrip else {}
        events = pysubs2.SSAFile.from_string(content.text, kind, **options)
    except (
        pysubs2.exceptions.Pysubs2Error,
        ValueError,
        RuntimeError,
        SyntaxError,
        ArithmeticError,
    ) as exc:
        begin = " ".join(content.text.split())[:60]
        reason = "its frame rate is not stated" if "FPS" in type(exc).__name__ else "no timing line was found"
        raise CaptionError(
            f"{name} is no caption format that is known here ({reason}; it begins {begin!r}): convert it "
            "to SRT or WebVTT"
        ) from exc
    raw, n_backward = [], 0
    spoken = [event for event in events if event.is_text]
    for event, following in zip(spoken, [*spoken[1:], None], strict=False):
        lines, speaker = clean_lines(event.plaintext, event.name.strip() or None)
        start_s, end_s = event.start / 1000, event.end / 1000
        if lines and end_s <= start_s:
            n_backward += 1
            if end_s <= 0:  # wholly before the start of the video
                continue
            reading_s = max(1.0, sum(map(len, lines)) / 15)
            next_s = following.start / 1000 if following else start_s + reading_s
            end_s = min(start_s + reading_s, next_s) if next_s > start_s else start_s + reading_s
        raw.append(RawCue(start_s, end_s, lines, speaker))
    notes = (
        [f"{name}: {n_backward} captions end before they start; repaired or left out"] if n_backward else []
    )
    return raw, notes
