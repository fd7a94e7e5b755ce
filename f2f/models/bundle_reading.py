"""Unpacks a bundle: nothing in it is believed until it was checked, nothing is placed until all was."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from f2f.errors import UsageError
from f2f.models.bundle_format import (
    FORMAT,
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    BundledFile,
    BundledModel,
    BundleError,
    BundleManifest,
    member_name,
)
from f2f.models.places import Digest, LocalFile
from f2f.models.progress import size_words
from f2f.models.pulling import existing_parent
from f2f.models.registry import Model, find_model

_BLOCK_BYTES = 1 << 20

Told = Callable[[str], None]


@dataclass(frozen=True)
class _Expected:
    """A member that the manifest lists, and where it is unpacked."""

    file: BundledFile
    path: Path


def import_bundle(bundle: Path, told: Told) -> list[Model]:
    """Put the models of a bundle where the engines find them.

    Everything is unpacked into hidden folders beside the caches and checked there; then each model is moved
    into place. A bundle with anything wrong in it changes nothing.

    Args:
        bundle: file that ``export`` wrote.
        told: called with a line for each model.

    Raises:
        UsageError: damaged, hostile or no bundle (`BundleError`), models that are not known here, or no room.
    """
    with contextlib.ExitStack() as stack:
        archive = stack.enter_context(_opened(bundle))
        manifest = _read_manifest(archive, bundle)
        models = [_known(entry) for entry in manifest.models]
        folders = [stack.enter_context(_staging(model, entry))
                   for model, entry in zip(models, manifest.models, strict=True)]  # fmt: skip
        expected = {
            member_name(entry, file): _Expected(file, folder / str(number))
            for entry, folder in zip(manifest.models, folders, strict=True)
            for number, file in enumerate(entry.files)
        }
        _unpack(archive, expected, bundle)
        arrived = [_local_files(entry, folder)
                   for entry, folder in zip(manifest.models, folders, strict=True)]  # fmt: skip
        for model, entry, files in zip(models, manifest.models, arrived, strict=True):
            model.place.accept(files, entry.revision)
            told(f"{model.name} is here, licence {model.licence}")
    return models


@contextlib.contextmanager
def _opened(bundle: Path) -> Iterator[tarfile.TarFile]:
    """Open as a stream of an uncompressed tar: members come in order, and nothing seeks."""
    try:
        with tarfile.open(bundle, "r|") as archive:
            yield archive
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise BundleError(f"{bundle} is no bundle, or is cut off ({error}): make or copy it again") from error
    except OSError as error:
        raise UsageError(f"{bundle} cannot be unpacked: {error}") from error


def _read_manifest(archive: tarfile.TarFile, bundle: Path) -> BundleManifest:
    member = archive.next()
    if member is None or member.name != MANIFEST_NAME or not _is_plain(member):
        raise BundleError(f"{bundle} does not begin with {MANIFEST_NAME}: f2f models export did not make it")
    if member.size > MAX_MANIFEST_BYTES:
        raise BundleError(f"{bundle}: its {MANIFEST_NAME} has {member.size:,} bytes, far too many")
    content = archive.extractfile(member)
    try:
        manifest = BundleManifest.model_validate_json(content.read() if content else b"")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(
            f"{bundle}: {MANIFEST_NAME} is wrong at {where or 'its beginning'}: {first['msg']}"
        ) from error
    if manifest.format != FORMAT:
        raise BundleError(
            f"{bundle} has format {manifest.format!r}; this f2f reads {FORMAT!r}: update the older one"
        )
    _refuse_repeats(manifest, bundle)
    return manifest


def _refuse_repeats(manifest: BundleManifest, bundle: Path) -> None:
    names = [model.name for model in manifest.models]
    names += [member_name(model, file) for model in manifest.models for file in model.files]
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:  # on some file systems "A" and "a" are one file
            raise BundleError(f"{bundle}: {MANIFEST_NAME} lists {name!r} twice")
        seen.add(name.casefold())


def _known(entry: BundledModel) -> Model:
    """Return what this machine knows of a model; the bundle's own words decide nothing."""
    try:
        model = find_model(entry.name)
    except UsageError as error:
        raise BundleError(f"the bundle holds {entry.name!r}, unknown to this f2f: update it") from error
    refusal = model.place.refusal([file.name for file in entry.files], entry.revision)
    if model.name != entry.name or refusal:
        raise BundleError(f"the bundle's {entry.name!r} {refusal or 'is not called so here'}")
    published = model.place.published()
    for file in entry.files:
        if file.name in published and published[file.name].value != file.sha256:
            raise BundleError(
                f"the bundle's {entry.name!r} is not the published one: the SHA-256 of {file.name} differs"
            )
    return model


@contextlib.contextmanager
def _staging(model: Model, entry: BundledModel) -> Iterator[Path]:
    """Give a hidden folder on the disk of the model's cache, if there is room; it goes afterwards."""
    parent = existing_parent(model.place.folder)
    size = sum(file.size_bytes for file in entry.files)
    free = shutil.disk_usage(parent).free
    if size > free:
        raise UsageError(
            f"{model.name} needs {size_words(size)}, {parent} has {size_words(free)} free: make room"
        )
    with tempfile.TemporaryDirectory(prefix=".f2f-import-", dir=parent) as folder:
        yield Path(folder)


def _unpack(archive: tarfile.TarFile, expected: dict[str, _Expected], bundle: Path) -> None:
    missing = dict(expected)
    while (member := archive.next()) is not None:
        wanted = missing.pop(member.name, None)
        if wanted is None:
            what = "comes twice" if member.name in expected else f"is not listed in {MANIFEST_NAME}"
            raise BundleError(f"{bundle}: {member.name!r} {what}; nothing was imported")
        if not _is_plain(member):
            raise BundleError(f"{bundle}: {member.name!r} is no plain file; nothing was imported")
        if member.size != wanted.file.size_bytes:
            raise BundleError(
                f"{bundle}: {member.name!r} has {member.size:,} bytes, {MANIFEST_NAME} says "
                f"{wanted.file.size_bytes:,}; nothing was imported"
            )
        content = archive.extractfile(member)
        if content is None or _copy(content, wanted.path) != wanted.file.sha256:
            raise BundleError(f"{bundle}: {member.name!r} is damaged (SHA-256 differs); nothing was imported")
    if missing:
        raise BundleError(f"{bundle} lacks {next(iter(missing))!r}: it is cut off; nothing was imported")


def _is_plain(member: tarfile.TarInfo) -> bool:
    """Whether a member is a file with content of its own: no link, folder, device or sparse file."""
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()


def _copy(content: IO[bytes], path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("xb") as file:
        while block := content.read(_BLOCK_BYTES):
            file.write(block)
            digest.update(block)
    return digest.hexdigest()


def _local_files(entry: BundledModel, folder: Path) -> list[LocalFile]:
    """Return the unpacked files with the hashes that a hub's cache names them by, those checked as well."""
    files = []
    for number, file in enumerate(entry.files):
        digest = Digest("sha256", file.sha256) if file.is_blob else None
        if file.git_sha1 is not None:
            digest = Digest("git", file.git_sha1)
            if not digest.fits(folder / str(number)):
                raise BundleError(
                    f"the bundle's {member_name(entry, file)!r} is damaged (its git hash differs)"
                )
        files.append(LocalFile(file.name, folder / str(number), digest))
    return files
