"""Everything that can be known to fail before any work, said all at once with the remedies."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from f2f import choices
from f2f.device import resolve_device
from f2f.errors import (
    EXIT_ENGINE_MISSING,
    EXIT_USAGE,
    EngineUnavailableError,
    F2FError,
    PreflightError,
    UsageError,
)
from f2f.outputs import foreign_outputs, foreign_words
from f2f.request import Request
from f2f.review.files import foreign_files
from f2f.stage_order import reaches
from lipsync_core.errors import LipSyncError, MissingModelError

if TYPE_CHECKING:
    from lipsync_core.media import MediaInfo

_PATCH_BYTES = 16_000  # one 96×96 lossless patch, measured 11–15 kB
_VIDEO_BITS_PER_PIXEL = 0.25  # x264 CRF 18 of noisy film; talking heads need a third of it
_SOUND_BYTES_PER_S = 3 * 96_000  # takes and fitted speech as 48 kHz 16-bit wav, and margin
_SPARE_BYTES = 100 * 2**20
_NAME_EXTRA_BYTES = len("..review.srt.4194304-0123abcd.tmp")  # about the stem and language of an output


@dataclass
class Problems:
    """Collects what is wrong; each line once, in order. ``passing`` are lines of ``usage``."""

    usage: list[str] = field(default_factory=list)
    passing: list[str] = field(default_factory=list)
    engines: list[str] = field(default_factory=list)

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Turn an error of the block into lines."""
        try:
            yield
        except (EngineUnavailableError, MissingModelError) as error:
            self._add(self.engines, str(error))
        except (F2FError, LipSyncError) as error:
            self._add(self.usage, str(error))

    def add(self, line: str) -> None:
        """Add one line about command, configuration or input."""
        self._add(self.usage, line)

    def add_passing(self, line: str) -> None:
        """Add one line about the state of this machine, which may be another one later."""
        self._add(self.passing, line)
        self.add(line)

    def _add(self, lines: list[str], text: str) -> None:
        lines += [line for line in text.splitlines() if line.strip() and line not in lines]

    def raise_any(self) -> None:
        """Raise everything that was collected.

        Raises:
            PreflightError: there is a problem; exit code 3 if only engines are missing, else 2.
        """
        if self.usage or self.engines:
            code = EXIT_USAGE if self.usage else EXIT_ENGINE_MISSING
            is_passing = bool(self.passing) and set(self.usage) == set(self.passing)
            raise PreflightError([*self.usage, *self.engines], exit_code=code, is_passing=is_passing)


def check(request: Request) -> str:
    """Check everything that can fail and return the device on which networks will run.

    Nothing is written and no network is loaded.

    Raises:
        PreflightError: with one line for every problem.
    """
    problems = Problems()
    _check_names(request, problems)
    problems.raise_any()  # what cannot be written cannot be in other lines either
    device: str = request.config.device
    try:
        device = resolve_device(device)
    except UsageError as error:  # a graphics processor that is away may come back
        problems.add_passing(str(error))
    info = _check_source(request, problems)
    known = _check_languages(request, problems)
    if info is not None:
        _check_engines(request, known, device, problems)
        _check_room(request, info, problems)
    _check_outputs(request, problems)
    problems.raise_any()
    return device


def _check_source(request: Request, problems: Problems) -> MediaInfo | None:
    from f2f.stages.probe import inspect

    source = request.source
    if not source.exists():
        problems.add(f"no such file: {source}; check the path")
    elif not source.is_file():
        problems.add(f"{source} is not a file; give the video itself")
    elif not os.access(source, os.R_OK):
        problems.add(f"{source} may not be read by this user; run: chmod u+r {source}")
    elif source.stat().st_size == 0:
        problems.add(f"{source} is empty; export or download it again")
    else:
        with problems.collect():
            return inspect(source)
    return None


def _check_names(request: Request, problems: Problems) -> None:
    """Check that the names can stand in texts, and the video's within those of its outputs."""
    paths = (request.source.absolute(), request.output_dir.absolute(), request.workspace_root.absolute())
    for path in paths:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            shown = os.fsencode(path).decode("utf-8", "replace")
            problems.add(f"the name {shown} is not in UTF-8; rename it")
            return
    longest = max((len(os.fsencode(target)) for target in request.targets), default=0)
    n_bytes = len(os.fsencode(request.source.stem)) + longest + _NAME_EXTRA_BYTES
    with suppress(OSError, ValueError):
        allowed = os.pathconf(existing_folder(request.output_dir), "PC_NAME_MAX")
        if n_bytes > allowed:
            problems.add(
                f"the name {request.source.name} is too long by {n_bytes - allowed} bytes for the names of "
                "its outputs; rename the video"
            )


def _check_languages(request: Request, problems: Problems) -> list[str]:
    """Check the languages' names and return the target languages that are known."""
    from f2f.languages import parse_language

    if not request.targets:
        problems.add("no target language; give at least one with --to, such as --to hi")
    if request.source_language is not None:
        with problems.collect():
            parse_language(request.source_language)
    known = []
    for target in request.targets:
        with problems.collect():
            known.append(parse_language(target).code)
    if request.config.translate.translation is not None and len(request.targets) > 1:
        problems.add(
            f"one translation file cannot serve {len(request.targets)} target languages; give one --to, or "
            f"put {request.source.stem}.LANG.srt beside the input for each"
        )
    return known


def _check_engines(request: Request, targets: list[str], device: str, problems: Problems) -> None:
    with problems.collect():
        choices.pin_transcribe(request)
    for target in targets:
        if reaches(request, "translate"):
            with problems.collect():
                choices.pin_translate(request, request.source_language, target)
        if reaches(request, "synthesize"):
            with problems.collect():
                choices.pin_synthesize(request, target)
    for stage, pin in (("lipsync", choices.pin_lipsync), ("evaluate", choices.pin_evaluate)):
        if reaches(request, stage):
            with problems.collect():
                pin(request, device)
    if reaches(request, "mux"):
        with problems.collect():
            choices.pin_mux(request)


def _check_room(request: Request, info: MediaInfo, problems: Problems) -> None:
    needed = estimate_bytes(info, max(1, len(request.targets)))
    if request.config.fit.video_stretch:  # a copy of the source for each language, with other times
        needed += max(1, len(request.targets)) * request.source.stat().st_size
    for folder in dict.fromkeys(
        (existing_folder(request.workspace_root), existing_folder(request.output_dir))
    ):
        free = shutil.disk_usage(folder).free
        if free < needed:
            problems.add_passing(
                f"{folder} has {free / 1e9:.2f} GB free, about {needed / 1e9:.2f} GB are needed; make room "
                "or choose other folders with -o DIR and --workdir DIR"
            )


def estimate_bytes(info: MediaInfo, n_targets: int) -> int:
    """Return about how much disk a run takes at most, outputs included."""
    if info.video is None:
        return _SPARE_BYTES
    n_frames = info.duration_s * float(Fraction(info.video.fps))
    picture = n_frames * info.video.width * info.video.height * _VIDEO_BITS_PER_PIXEL / 8
    per_target = picture + n_frames * _PATCH_BYTES + info.duration_s * _SOUND_BYTES_PER_S
    return int(n_targets * per_target) + _SPARE_BYTES


def _check_outputs(request: Request, problems: Problems) -> None:
    for what, folder in (("output", request.output_dir), ("work", request.workspace_root)):
        existing = existing_folder(folder)
        if not existing.is_dir():
            problems.add(f"{what} folder {folder}: {existing} is a file; choose another folder")
        elif not os.access(existing, os.W_OK | os.X_OK):
            problems.add_passing(
                f"{what} folder {folder}: {existing} may not be written by this user; choose another"
            )
    if request.until is not None and not request.force:
        with problems.collect():
            for line in foreign_files(request):
                problems.add(line)
    if not request.force:
        with problems.collect():
            for path in foreign_outputs(request):
                problems.add(foreign_words(path))


def existing_folder(folder: Path) -> Path:
    """Return ``folder`` or its nearest parent that exists."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())
