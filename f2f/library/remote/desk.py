"""One lecture at work: what it needs is brought here, what is finished is taken to the store at once."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from f2f.console import Observers
from f2f.errors import F2FError
from f2f.library.child import LanguageResult, LostError
from f2f.library.lecture import LibraryOptions, request_for
from f2f.library.metrics import LATEST_NAME
from f2f.library.planning import Plan, config_files
from f2f.library.remote.figures import add_figures
from f2f.library.remote.mirror import BOOKS, Mirror
from f2f.library.remote.names import parts_below, why_no_name
from f2f.library.remote.objects import Entry, Objects
from f2f.library.remote.parcels import SUFFIX, find_results, pack, unpack
from f2f.library.store import Desk, StoreError
from f2f.library.thumbnails import has_picture, refresh_thumbnail, thumbnail_path
from f2f.outputs import LEDGER_NAME, read_ledger
from f2f.request import OUTPUT_SUFFIXES
from f2f.stage import Observer, SilentObserver
from lipsync_core.media import VIDEO_SUFFIXES

STAGES_FOLDER = ".f2f-stages"
_GENERATIONS = 2  # of results of each stage for each language; what is older hardly fits video and settings


class RemoteDesk(Desk):
    """Where a lecture of a library behind a URL is worked on.

    Args:
        mirror: the folders that stand for the library.
        plan: of the lecture; its lease is held.
        options: of the library.
        is_held: whether the lease still is; asked before anything goes to the store that counts there.
    """

    def __init__(
        self, mirror: Mirror, plan: Plan, options: LibraryOptions, is_held: Callable[[], bool]
    ) -> None:
        self._mirror, self._plan, self._options, self._is_held = mirror, plan, options, is_held
        self._root = plan.workspace_root
        self._outputs = self._root.parents[1]
        self._is_out_remote = mirror.holds(self._root)
        self._kept: set[Path] = set()

    def take_in(self) -> None:
        """Bring video, captions, files that the settings name, outputs and finished stages.

        Raises:
            StoreError: the store does not give them.
            OSError: they cannot be written here.
        """
        source = self._plan.lecture.source
        for path in dict.fromkeys((source, *self._small_files(), *self._settings_files())):
            if self._mirror.holds(path) and path.exists() and not self._mirror.fetch(path):
                raise StoreError(f"{self._mirror.where(path)[1]} was replaced while it was read; try again")
        if self._is_out_remote:
            self._clear_own_videos()
            self._take_in_stages()

    def clear(self) -> None:
        """Give back the room that the work took here; the store has what is to stay."""
        if self._is_out_remote:
            for path in self._root.iterdir() if self._root.is_dir() else ():
                if path.name not in BOOKS:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in (self._plan.lecture.source, *self._small_files(), *self._videos()):
            if self._mirror.holds(path):
                path.unlink(missing_ok=True)

    def watch(self, observer: Observer) -> Observer:
        """Also keep each stage when it is finished."""
        return Observers([observer, _StageKeeper(self, observer)]) if self._is_out_remote else observer

    def keep_stages(self) -> None:
        """Take the finished stages that are not in the store yet there.

        Raises:
            OSError: that does not work now.
        """
        objects, key = self._stages_key()
        for folder in find_results(self._root):
            if folder not in self._kept:
                archive = self._mirror.folder / f"{folder.name}{SUFFIX}"
                try:
                    pack(folder, archive)
                    objects.upload(archive, f"{key}/{folder.parent.name}/{folder.name}{SUFFIX}")
                finally:
                    archive.unlink(missing_ok=True)
                self._kept.add(folder)

    def publish(self, result: LanguageResult) -> None:
        """Take the outputs of a language to the store, behind the ledger by which they are known as ours."""
        if not self._is_out_remote or result.manifest is None:
            return
        self._upload(self._root / LEDGER_NAME)
        video, _, manifest, report = self._output_files(result.target)
        for path in (video, *([Path(result.subtitles)] if result.subtitles else []), report, manifest):
            self._upload(path)
        picture = thumbnail_path(self._options.folder, self._plan.lecture.name)
        if self._is_pictured(result.target) or not has_picture(picture):
            refresh_thumbnail(picture, video, manifest)
            self._upload(picture)

    def keep_books(self, result: LanguageResult) -> None:
        """Take figures and status to the store, the status last."""
        if not self._is_out_remote:
            return
        if result.manifest is not None and (figures := self._figures(result.target)):
            self._check_held()
            add_figures(self._mirror, self._options.output_dir, figures)
        for name in BOOKS:
            if (self._root / name).is_file():
                self._upload(self._root / name)

    def _is_pictured(self, target: str) -> bool:
        """Whether the picture is of this language's output: the same whichever ones a batch wants."""
        known = self._plan.status.languages if self._plan.status else ()
        there = (one for one in known if self._output_files(one)[0].is_file())
        return target == min((target, *self._plan.targets, *there))

    def _take_in_stages(self) -> None:
        objects, key = self._stages_key()
        self._root.mkdir(parents=True, exist_ok=True)
        by_stage = defaultdict[str, list[Entry]](list)
        for entry in objects.find(key):
            parts = parts_below(entry.key, key)
            if isinstance(parts, tuple) and len(parts) == 2 and parts[1].endswith(SUFFIX):
                by_stage[parts[0]].append(entry)
        known = self._plan.status.languages if self._plan.status else ()
        n_wanted = _GENERATIONS * len({*self._plan.lecture.targets, *known})
        for stage, entries in by_stage.items():
            for entry in sorted(entries, key=lambda one: one.stamp_ns)[-n_wanted:]:
                self._take_in_stage(objects, entry, stage)

    def _take_in_stage(self, objects: Objects, entry: Entry, stage: str) -> None:
        name = entry.name.removesuffix(SUFFIX)
        folder, archive = self._root / stage / name, self._mirror.folder / entry.name
        if why_no_name(name) or folder.parent.is_file() or folder.exists():
            return
        folder.parent.mkdir(exist_ok=True)
        try:
            if objects.download(entry, archive) and unpack(archive, folder):
                self._kept.add(folder)
        finally:
            archive.unlink(missing_ok=True)

    def _figures(self, target: str) -> dict[str, Any] | None:
        """Return the figures of a language; None where they could not be kept, which a person was told."""
        try:
            figures: dict[str, Any] = json.loads((self._root / LATEST_NAME).read_bytes())[target]["figures"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return figures

    def _upload(self, path: Path) -> None:
        self._check_held()
        self._mirror.upload(path)

    def _check_held(self) -> None:
        if not self._is_held():
            raise LostError

    def _clear_own_videos(self) -> None:
        """Remove the shapes of earlier outputs that are ours: without content they would look edited."""
        made = [(one["name"], one["size"]) for one in read_ledger(self._root).values()]
        for target in self._plan.targets:
            video = self._output_files(target)[0]
            if video.is_file() and (video.name, video.stat().st_size) in made:
                video.unlink()

    def _stages_key(self) -> tuple[Objects, str]:
        objects, key = self._mirror.where(self._options.output_dir)
        below = self._outputs.relative_to(self._options.output_dir) / self._root.name
        return objects, f"{key}/{STAGES_FOLDER}/{below.as_posix()}"

    def _output_files(self, target: str) -> list[Path]:
        return [self._outputs / f"{self._root.name}.{target}{suffix}" for suffix in OUTPUT_SUFFIXES]

    def _videos(self) -> list[Path]:
        return [self._output_files(target)[0] for target in self._plan.targets]

    def _small_files(self) -> Iterator[Path]:
        """Give captions, reports and manifests beside video and outputs, in whatever case they are named."""
        start = f"{self._root.name}.".lower()
        for folder in dict.fromkeys((self._plan.lecture.source.parent, self._outputs)):
            for path in list(folder.iterdir()) if folder.is_dir() else ():
                if (
                    path.name.lower().startswith(start)
                    and path.suffix.lower() not in VIDEO_SUFFIXES
                    and path.is_file()
                ):
                    yield path

    def _settings_files(self) -> Iterator[Path]:
        for target in self._plan.targets:
            with contextlib.suppress(F2FError):  # told when the work begins
                yield from config_files(request_for(self._plan.lecture, self._options, (target,)).config)


class _StageKeeper(SilentObserver):
    """Has each finished stage kept; what cannot be kept now is tried again with the next."""

    def __init__(self, desk: RemoteDesk, listener: Observer) -> None:
        self._desk, self._listener = desk, listener

    def stage_finished(self, stage: str, seconds: float, *, reused: bool) -> None:
        """Keep it."""
        if not reused:
            try:
                self._desk.keep_stages()
            except OSError as error:
                self._listener.notice(f"{stage} is finished, but not kept for other machines yet: {error}")
