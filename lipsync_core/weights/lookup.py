"""Finds weights on this machine and picks those that a network shall use."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from dataclasses import replace
from pathlib import Path

from lipsync_core.containers import read_metadata, refuse_impostor, sha256_of
from lipsync_core.errors import CheckpointError, InvalidInputError, MissingModelError
from lipsync_core.weights.registry import EMBEDDED, REGISTRY, Weights
from lipsync_core.whole_files import whole_file

logger = logging.getLogger(__name__)

PACKAGE_FOLDER = Path(__file__).parent
_MARKER_SUFFIX = ".verified.json"


def cache_folder() -> Path:
    """Return the folder of downloaded weights: ``$LIPSYNC_CORE_HOME`` or ``~/.cache/lipsync_core``."""
    home = os.environ.get("LIPSYNC_CORE_HOME")
    return Path(home).expanduser() if home else Path.home() / ".cache" / "lipsync_core"


def torch_hub_folder() -> Path:
    """Return where ``torch.hub``, and with it face-alignment, keeps weights."""
    home = os.environ.get("TORCH_HOME")
    return (Path(home) if home else Path.home() / ".cache" / "torch") / "hub" / "checkpoints"


def resolve(kind: str, choice: str = "auto", *, allow_download: bool) -> Weights:
    """Pick the weights for a network.

    ``auto`` takes published weights that are here, else (if downloads are allowed) published ones that a
    mirror offers now, else the embedded ones.

    Args:
        kind: a name in `lipsync_core.models.registry.KINDS`, or ``s3fd``. Of kinds without published or
            embedded weights (``lipgan``, ``speech2vid``, ...) only files can be chosen.
        choice: ``auto``, ``embedded``, a name in `REGISTRY`, or the path of a file.
        allow_download: whether weights that must still be fetched may be the answer.

    Returns:
        Weights whose ``path`` is set, or None if they are still to be brought by `fetch`.

    Raises:
        InvalidInputError: unknown kind, or a choice that is no name of this kind and no file.
        MissingModelError: the choice is not on this machine and cannot be fetched.
        CheckpointError: the chosen file is there but damaged.
    """
    known = [weights for weights in REGISTRY.values() if weights.kind == kind]
    if not known:
        _refuse_unknown(kind)
    if choice == "auto" and known:
        return _automatic(kind, known, allow_download)
    wanted = REGISTRY.get(f"{EMBEDDED}_{kind}" if choice == EMBEDDED else choice)
    if wanted is not None and wanted.kind == kind:
        return _explicit(wanted, allow_download)
    path = Path(choice).expanduser()
    if path.is_file():
        own = Weights(path.stem, kind, path.name, None, None, (), "unknown", "your own file", path)
        return replace(own, kind=_stated_kind(path) or kind)
    has_embedded = f"{EMBEDDED}_{kind}" in REGISTRY
    names = ["auto"] * bool(known) + [EMBEDDED] * has_embedded
    names += [weights.name for weights in known if not weights.is_embedded]
    allowed = f"are {', '.join(names)} or an existing file" if names else "is only an existing file"
    raise InvalidInputError(f"no weights {choice!r} for {kind}; allowed {allowed}")


def verified_path(weights: Weights, path: Path | None = None) -> Path | None:
    """Return where the whole, right file of these weights lies on this machine, or None if it does not.

    A published file is hashed once; the result is kept beside it with size and time of change.

    Args:
        weights: from `REGISTRY`.
        path: where to look, if not in the package or `cache_folder`.

    Raises:
        CheckpointError: a file of that name is there, but it is not these weights.
    """
    path = path or (PACKAGE_FOLDER if weights.is_embedded else cache_folder()) / weights.file
    if not path.is_file():
        return None
    if weights.is_embedded:
        return _checked_embedded(path)
    if not _is_marked(path, weights.sha256):
        refuse_impostor(path)
        if weights.sha256 and (found := sha256_of(path)) != weights.sha256:
            raise CheckpointError(
                f"{path} is not {weights.name}: SHA-256 {found}, expected {weights.sha256}; delete it and "
                "download it again"
            )
        write_marker(path, weights.sha256)
    return path


def embedded_sums() -> dict[str, str]:
    """Return file name to SHA-256 of the embedded weights, from ``SHA256SUMS`` beside them.

    Made by ``sha256sum *.safetensors > SHA256SUMS`` in that folder.
    """
    manifest = PACKAGE_FOLDER / "SHA256SUMS"
    if not manifest.is_file():
        return {}
    pairs = (line.split() for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip())
    return {name.lstrip("*"): sha256 for sha256, name in pairs}


def _checked_embedded(path: Path) -> Path:
    expected = embedded_sums().get(path.name)
    if expected is not None and sha256_of(path) != expected:
        raise CheckpointError(f"{path} was changed or damaged: reinstall lipsync_core")
    return path


def how_to_get(weights: Weights, target: Path | None = None) -> str:
    """Return the sentence that tells a person how to put missing weights in place."""
    if not weights.urls:
        return "this installation lacks a file of its own package: reinstall lipsync_core"
    size = f" ({weights.size_bytes:,} bytes)" if weights.size_bytes else ""
    return f"download {weights.urls[0]}{size} and put it at {target or cache_folder() / weights.file}"


def _refuse_unknown(kind: str) -> None:
    from lipsync_core.models.registry import KINDS  # torch comes with it: not for kinds that have weights

    if kind not in KINDS:
        kinds = dict.fromkeys([*KINDS, *(weights.kind for weights in REGISTRY.values())])
        raise InvalidInputError(f"unknown kind {kind!r}; allowed are {', '.join(kinds)}")


def _stated_kind(path: Path) -> str:
    """Return the kind that a safetensors file of our own states, for reports; empty where there is none."""
    if path.suffix != ".safetensors":
        return ""
    with contextlib.suppress(CheckpointError):  # a damaged file is refused when it is opened
        return read_metadata(path).get("kind", "")
    return ""


def _automatic(kind: str, known: list[Weights], allow_download: bool) -> Weights:
    from lipsync_core.weights.fetch import is_fetchable

    published = [weights for weights in known if not weights.is_embedded]
    for weights in published:
        try:
            if path := verified_path(weights):
                return _found(weights, path)
        except CheckpointError as error:
            logger.warning("ignored: %s", error)
    if allow_download:
        for weights in published:
            if is_fetchable(weights):
                return weights
    embedded = REGISTRY.get(f"{EMBEDDED}_{kind}")
    if embedded is not None and (path := verified_path(embedded)):
        return _found(embedded, path)
    raise MissingModelError(f"no weights for {kind} on this machine: {how_to_get(published[0])}")


def _found(weights: Weights, path: Path) -> Weights:
    return replace(weights, path=path, sha256=weights.sha256 or embedded_sums().get(path.name))


def _explicit(wanted: Weights, allow_download: bool) -> Weights:
    from lipsync_core.weights.fetch import is_fetchable

    try:
        if path := verified_path(wanted):
            return _found(wanted, path)
    except CheckpointError:
        if not (allow_download and is_fetchable(wanted)):
            raise
    if allow_download and is_fetchable(wanted):
        return wanted
    tried = "no mirror answers" if allow_download and wanted.urls else "they are not on this machine"
    raise MissingModelError(f"weights {wanted.name} are missing ({tried}): {how_to_get(wanted)}")


def _marker(path: Path) -> Path:
    return path.with_name(path.name + _MARKER_SUFFIX)


def _is_marked(path: Path, sha256: str | None) -> bool:
    try:
        marker = json.loads(_marker(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(marker == _facts(path, sha256))


def write_marker(path: Path, sha256: str | None) -> None:
    """Note beside a file that it was hashed; a read-only folder only means hashing again next time."""
    marker = _marker(path)
    try:
        with whole_file(marker) as part:
            part.write_text(json.dumps(_facts(path, sha256)), encoding="utf-8")
    except OSError as error:
        logger.debug("could not write %s: %s", marker, error)


def _facts(path: Path, sha256: str | None) -> dict[str, object]:
    status = path.stat()
    return {"sha256": sha256, "size_bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
