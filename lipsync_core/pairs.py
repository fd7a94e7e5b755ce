"""File lists of speech and pictures to bring together: lines "AUDIO VIDEO".

The format of the published evaluation lists (Wav2Lip ``evaluation/test_filelists``): two names a line, parted
by white space, relative to a folder, without extension. A name with white space stands in double quotes, in
which ``\\"`` and ``\\\\`` mean ``"`` and ``\\``. Empty lines and lines that begin with ``#`` are skipped. A
name with its extension is taken as it is; without one, `AUDIO_SUFFIXES` or `VIDEO_SUFFIXES` are tried in
their order, so that the same list means the same files everywhere.
"""

from __future__ import annotations

import bisect
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lipsync_core.errors import InvalidInputError, MediaError
from lipsync_core.media import measure_duration

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg")
AUDIO_SUFFIXES = (*VIDEO_SUFFIXES, ".wav", ".flac", ".m4a", ".mp3", ".ogg", ".opus")
FRAME_S = 0.04  # of the 25 frames a second at which pairs are made

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


@dataclass(frozen=True)
class Pair:
    """Speech and the picture that shall say it, as names in a list."""

    audio: str
    video: str

    def line(self) -> str:
        """Return the line of a list, without line end."""
        return f"{_quoted(self.audio)} {_quoted(self.video)}"


def read_pairs(path: Path) -> list[Pair]:
    """Return the pairs of a list, in order.

    Raises:
        InvalidInputError: not readable, a line that is not two names, a pair of a name with itself, or a pair
            that stands there twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"cannot read the list {path}: {error}") from error
    pairs: dict[Pair, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        names = _names(line)
        if len(names) != 2:
            raise InvalidInputError(
                f'{path}, line {number}: {len(names)} names; needed is "AUDIO VIDEO", names with spaces in '
                "double quotes"
            )
        pair = Pair(*names)
        if pair.audio == pair.video:
            raise InvalidInputError(f"{path}, line {number}: {pair.audio} is paired with itself")
        if pair in pairs:
            raise InvalidInputError(f"{path}, line {number}: the pair of line {pairs[pair]} again")
        pairs[pair] = number
    if not pairs:
        raise InvalidInputError(f"{path} holds no pairs; needed are lines AUDIO VIDEO")
    return list(pairs)


def pairs_text(pairs: Iterable[Pair]) -> str:
    """Return a list as text."""
    return "".join(f"{pair.line()}\n" for pair in pairs)


def find_audio(root: Path, name: str) -> Path:
    """Return the file that a name of a list means as speech.

    Raises:
        MediaError: no such file.
    """
    return _find(root, name, AUDIO_SUFFIXES)


def find_video(root: Path, name: str) -> Path:
    """Return the file that a name of a list means as picture.

    Raises:
        MediaError: no such file.
    """
    return _find(root, name, VIDEO_SUFFIXES)


def _find(root: Path, name: str, suffixes: Sequence[str]) -> Path:
    exact = root / name
    if exact.suffix.lower() in suffixes and exact.is_file():
        return exact
    for suffix in suffixes:
        if (path := root / (name + suffix)).is_file():
            return path
    raise MediaError(f"no file {exact} (nor with {', '.join(suffixes)}): check the list and its root folder")


@dataclass(frozen=True)
class MediaFile:
    """A file that pairs can be drawn from.

    Attributes:
        name: as it stands in a list.
        speech_s: length of its sound, 0 without any.
        picture_s: length of its picture, 0 without any.
    """

    name: str
    speech_s: float
    picture_s: float


def list_media(root: Path) -> list[MediaFile]:
    """Return what lies below a folder, sorted by name; what cannot be read is left out.

    Where two files differ only in their extension, names keep it.

    Raises:
        InvalidInputError: no such folder.
    """
    if not root.is_dir():
        raise InvalidInputError(f"{root} is no folder to draw pairs from")
    below = [
        path.relative_to(root)
        for path in root.rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    namesakes = Counter(path.with_suffix("") for path in below)
    media = []
    for path in sorted(below, key=lambda p: p.as_posix()):
        stem = path.with_suffix("")
        name = stem.as_posix() if namesakes[stem] == 1 else path.as_posix()
        file = root / path
        has_picture = path.suffix.lower() in VIDEO_SUFFIXES
        found = MediaFile(name, _duration_s(file, "a:0"), _duration_s(file, "v:0") if has_picture else 0.0)
        if found.speech_s or found.picture_s:
            media.append(found)
    return media


def _duration_s(path: Path, stream: str) -> float:
    try:
        return measure_duration(path, stream)
    except MediaError:
        return 0.0


def draw_pairs(media: Sequence[MediaFile], count: int, seed: int) -> list[Pair]:
    """Draw pairs: no file with itself, no pair twice, speech no longer than the picture.

    "No longer" allows for one frame, by which pictures and sounds of one length differ in files. The draw
    is a chain of SHA-256 sums over the sorted names: it depends on names, lengths and ``seed`` alone, and a
    longer list begins with the shorter one.

    Args:
        media: from `list_media`.
        count: pairs wanted.
        seed: another seed, another draw.

    Raises:
        InvalidInputError: fewer than ``count`` pairs can be made.
    """
    speech = sorted((m for m in media if m.speech_s > 0), key=lambda m: m.name)
    pictures = sorted((m for m in media if m.picture_s > 0), key=lambda m: m.name)
    possible = _count_pairs(speech, pictures)
    if not 1 <= count <= possible:
        raise InvalidInputError(
            f"{count} pairs are wanted; {possible} can be made of {len(speech)} sounds and {len(pictures)} "
            "pictures (no file with itself, speech no longer than the picture)"
        )
    drawn: dict[Pair, None] = {}
    turn = 0
    while len(drawn) < count:
        digest = hashlib.sha256(f"{seed}:{turn}".encode()).digest()
        audio = speech[int.from_bytes(digest[:8], "big") % len(speech)]
        video = pictures[int.from_bytes(digest[8:16], "big") % len(pictures)]
        if _may_pair(audio, video):
            drawn[Pair(audio.name, video.name)] = None
        turn += 1
    return list(drawn)


def _count_pairs(speech: Sequence[MediaFile], pictures: Sequence[MediaFile]) -> int:
    lengths = sorted(m.speech_s for m in speech)
    own = {m.name: m for m in speech}
    with_self = sum(v.name in own and own[v.name].speech_s <= v.picture_s + FRAME_S for v in pictures)
    return sum(bisect.bisect_right(lengths, v.picture_s + FRAME_S) for v in pictures) - with_self


def _may_pair(audio: MediaFile, video: MediaFile) -> bool:
    return audio.name != video.name and audio.speech_s <= video.picture_s + FRAME_S


def _quoted(name: str) -> str:
    if name and not re.search(r'[\s"]', name) and not name.startswith("#"):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _names(line: str) -> list[str]:
    found = _TOKEN.findall(line)
    return [plain or re.sub(r"\\(.)", r"\1", quoted) for quoted, plain in found]
