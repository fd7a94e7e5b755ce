"""Which captions hold what is spoken in a video, and in which language they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from f2f.captions import (
    Captions,
    find_sidecar,
    find_text_track,
    list_sidecars,
    read_captions,
    read_embedded_captions,
)
from f2f.errors import UsageError
from f2f.languages import Language, detect_language, find_language


def choose_captions(
    source: Path, language: Language | None, given: Path | None = None, targets: Sequence[str] = ()
) -> Path | None:
    """Return the captions of what is spoken: a file, or ``source`` itself for a text track in it.

    Args:
        source: the video.
        language: spoken language, None where it is not said.
        given: file that was named by the user; nothing else is looked for then.
        targets: codes of the languages to translate into; captions in them are translations.

    Raises:
        UsageError: several files qualify and nothing tells which language is spoken.
    """
    if given is not None:
        return given
    if language is not None:
        found = find_sidecar(source, language.code, unnamed=True)
    else:
        found = find_sidecar(source, None) or _only_named(source, targets)
    return found or (source if _track_language(source, language) is not None else None)


def load_captions(
    path: Path, source: Path, language: Language | None
) -> tuple[Captions, Language, list[str]]:
    """Read what :func:`choose_captions` found.

    Returns:
        (captions, their language, what a person must know about it).

    Raises:
        CaptionError: the captions cannot be used.
        UsageError: their language is not said and cannot be recognised.
    """
    if path == source:
        from lipsync_core.media import probe_media

        track_language = _track_language(source, language) or ""
        captions = read_embedded_captions(source, probe_media(source), track_language or None)
        stated = find_language(track_language)
    else:
        captions = read_captions(path, language.code if language else None)
        stated = _language_in_name(path) or captions.language
    notices = list(captions.notes)
    if language is None and stated is not None:
        return captions, stated, notices
    detected = detect_language(captions.text)
    if language is not None:
        if detected and not detected.matches(language) and detected.primary != language.primary:
            notices.append(f"{captions.name} looks like {detected}, but {language} was said to be spoken")
        return captions, language, notices
    found = detected or audio_language(source)
    if found is None:
        raise UsageError(
            f"the language of {captions.name} is not said and its text does not tell: add --from LANG"
        )
    notices.append(f"language of {captions.name} recognised as {found}; say otherwise with --from LANG")
    return captions, found, notices


def audio_language(source: Path) -> Language | None:
    """Return the language that the video's first tagged audio stream states, None without one."""
    from lipsync_core.errors import LipSyncError
    from lipsync_core.media import probe_media

    try:
        streams = probe_media(source).audio
    except LipSyncError:
        return None
    return next((tag for tag in (find_language(one.language) for one in streams) if tag is not None), None)


def _only_named(source: Path, targets: Sequence[str]) -> Path | None:
    wanted = [language for language in map(find_language, targets) if language is not None]
    left = [
        one
        for one in list_sidecars(source)
        if one.language and _is_served(one.language) and not any(one.language.matches(two) for two in wanted)
    ]
    if len({one.language for one in left}) > 1:
        spoken = audio_language(source)
        matching = [one for one in left if one.language and spoken and one.language.matches(spoken)]
        if not matching:
            names = ", ".join(one.path.name for one in left)
            raise UsageError(
                f"captions in several languages are beside {source.name} ({names}): say which one is spoken "
                "with --from LANG"
            )
        left = matching
    return left[0].path if left else None


def _track_language(source: Path, language: Language | None) -> str | None:
    """Return the tag of the text track to read, ``""`` for the only one without tag, None without a track."""
    from lipsync_core.errors import LipSyncError
    from lipsync_core.media import probe_media

    try:
        info = probe_media(source)
    except LipSyncError:
        return None
    spoken = language or next((tag for one in info.audio if (tag := find_language(one.language))), None)
    track = find_text_track(info, spoken.code if spoken else None)
    if track is None and language is None:
        track = find_text_track(info, None)
    return None if track is None else (track.language or "")


def _language_in_name(path: Path) -> Language | None:
    parts = path.stem.split(".")
    found = (find_language(part) for part in parts[1:])
    return next((language for language in found if language is not None and _is_served(language)), None)


def _is_served(language: Language) -> bool:
    """Whether some engine knows it: "lecture.new.srt" is hardly in Newari."""
    return any((language.nllb, language.m2m100, language.whisper))
