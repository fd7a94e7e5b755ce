"""Packs models that are here into one file, for machines without a network."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

from f2f.engines.status import package_version
from f2f.errors import EngineUnavailableError, UsageError
from f2f.models.bundle_format import (
    FORMAT,
    MANIFEST_NAME,
    BundledFile,
    BundledModel,
    BundleManifest,
    member_name,
)
from f2f.models.checking import find_damage
from f2f.models.places import Found, LocalFile
from f2f.models.progress import size_words
from f2f.models.registry import Model
from lipsync_core.containers import sha256_of

Told = Callable[[str], None]


def export(models: Sequence[Model], bundle: Path, told: Told) -> BundleManifest:
    """Write a bundle of models; it appears whole or not at all.

    Args:
        models: what to pack; models inside packages are left out, every installation has them, and so are
            copies that each machine makes itself.
        bundle: file to write; an existing one is replaced.
        told: called with a line for each model.

    Raises:
        EngineUnavailableError: a model is not here, or its files are not those that were published.
        UsageError: nothing to pack, no room, or the file cannot be written.
    """
    movable = [model for model in models if not model.place.is_packaged and not model.made_from]
    if not movable:
        raise UsageError(
            "nothing to export: no model is here but those inside packages and copies that are made anew"
        )
    found = _find_all(movable)
    _refuse_full_disk(bundle, sum(files.size_bytes for files in found))
    described = tuple(_describe(model, files, told) for model, files in zip(movable, found, strict=True))
    manifest = BundleManifest(format=FORMAT, made_by=f"f2f {package_version('f2f')}", models=described)
    part = bundle.with_name(f".{bundle.name}.{os.getpid()}.part")
    try:
        with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as archive:
            text = manifest.model_dump_json(indent=1).encode()
            archive.addfile(_member(MANIFEST_NAME, len(text)), io.BytesIO(text))
            for model, files in zip(described, found, strict=True):
                for entry, file in zip(model.files, files.files, strict=True):
                    with file.path.open("rb") as content:
                        archive.addfile(_member(member_name(model, entry), entry.size_bytes), content)
        part.replace(bundle)
    except OSError as error:
        raise UsageError(f"cannot write {bundle}: {error}; name another place") from error
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _find_all(models: Sequence[Model]) -> list[Found]:
    found = [(model, model.place.find()) for model in models]
    absent = [model.name for model, files in found if files is None]
    if absent:
        raise EngineUnavailableError(f"not here: {', '.join(absent)}; run f2f models pull {' '.join(absent)}")
    return [files for _, files in found if files is not None]


def _describe(model: Model, found: Found, told: Told) -> BundledModel:
    """Hash a model's files, and refuse to hand on what was damaged here."""
    told(f"{model.name}: {size_words(found.size_bytes)}, licence {model.licence}")
    if damage := find_damage(found):
        raise EngineUnavailableError(
            f"{model.name} is not exported: {damage}; run f2f models remove {model.name} and pull it again"
        )
    return BundledModel(
        name=model.name,
        licence=model.licence,
        commercial_use=model.commercial_use,
        revision=found.revision,
        source=model.place.sources[0],
        files=tuple(_describe_file(file, is_hub=bool(found.revision)) for file in found.files),
    )


def _describe_file(file: LocalFile, *, is_hub: bool) -> BundledFile:
    digest = file.digest
    return BundledFile(
        name=file.name,
        size_bytes=file.path.stat().st_size,
        sha256=digest.value if digest and digest.kind == "sha256" else sha256_of(file.path),
        git_sha1=digest.value if digest and digest.kind == "git" else None,
        is_blob=is_hub and digest is not None and digest.kind == "sha256",
    )


def _member(name: str, size_bytes: int) -> tarfile.TarInfo:
    """Return a header that says nothing of this machine: no owner, no time."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size_bytes, 0o644
    return member


def _refuse_full_disk(bundle: Path, size_bytes: int) -> None:
    if not bundle.parent.is_dir():
        raise UsageError(f"no folder {bundle.parent}: make it, or name another place for {bundle.name}")
    if bundle.is_dir():
        raise UsageError(f"{bundle} is a folder; give a file such as {bundle / 'models.tar'}")
    free = shutil.disk_usage(bundle.parent).free
    if size_bytes > free:
        raise UsageError(
            f"{bundle.name} needs {size_words(size_bytes)}, its folder has {size_words(free)} free: make room"
        )
