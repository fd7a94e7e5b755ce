"""Loads weights from every container in which they are published, strictly and safely."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lipsync_core.containers import (
    is_safetensors,
    listed,
    read_container,
    read_metadata,
    refuse_impostor,
    sha256_of,
)
from lipsync_core.errors import CheckpointError, InvalidInputError, MissingModelError
from lipsync_core.models.registry import KINDS, ModelKind, recognised, same_network

__all__ = ["Recognised", "load_network", "load_recognised", "load_state_dict", "read_metadata", "sha256_of"]

_PREFIX = "module."  # nn.DataParallel
_COUNTER = "num_batches_tracked"  # never read in eval mode, and absent from some re-packed files


class Recognised(NamedTuple):
    """A network read from a file that did not have to be told what it is.

    Attributes:
        kind: name in `lipsync_core.models.registry.KINDS`.
        network: in eval mode, without gradients.
        metadata: text metadata of a safetensors file, else empty.
    """

    kind: str
    network: nn.Module
    metadata: dict[str, str]


def load_state_dict(path: str | Path, *, sha256: str | None = None) -> dict[str, Tensor]:
    """Read the name-to-tensor map of a weights file onto the CPU.

    Optimizer state is dropped and a leading ``module.`` is taken off every key.

    Args:
        path: a file in any published container (see the module's text).
        sha256: expected hash, checked before anything in the file is interpreted.

    Raises:
        MissingModelError: there is no such file.
        CheckpointError: another hash, a web page, a git-lfs pointer, a truncated or damaged file, a
            pickle that carries code, or no tensors inside.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingModelError(f"no weights file at {path}: check the path, or put the file there")
    refuse_impostor(path)
    if sha256 is not None and (found := sha256_of(path)) != sha256.lower():
        raise CheckpointError(
            f"{path} has SHA-256 {found}, expected is {sha256}: the file is damaged or another version; "
            "delete it and download it again"
        )
    return _tidied(read_container(path), path)


def load_network(
    path: str | Path, kind: str, device: str | torch.device = "cpu", *, sha256: str | None = None
) -> nn.Module:
    """Build the network that fits a weights file, fill it and return it in eval mode.

    The width comes from the metadata of a safetensors file, else from the tensors' shapes.

    Args:
        path: weights in any published container.
        kind: name in `lipsync_core.models.registry.KINDS`; ``"wav2lip"`` and ``"wav2lip_gan"`` are one
            network.
        device: where the network shall live.
        sha256: expected hash of the file.

    Raises:
        MissingModelError: there is no such file.
        CheckpointError: the file is unusable (see `load_state_dict`), or its keys or shapes are not
            exactly those of the network.
        InvalidInputError: unknown kind.
    """
    if kind not in KINDS:
        raise InvalidInputError(f"unknown kind of network {kind!r}; allowed are {', '.join(KINDS)}")
    path = Path(path)
    state = load_state_dict(path, sha256=sha256)
    metadata = read_metadata(path) if is_safetensors(path) else {}
    if not KINDS[kind].fits(state):
        really = recognised(state)
        hint = f"it is a {really.name} network" if really else f"its first keys are {listed(list(state))}"
        raise CheckpointError(f"{path} is not a {kind} network ({hint}): choose the weights made for it")
    return _built(KINDS[kind], state, path, metadata).to(device)


def load_recognised(
    path: str | Path, device: str | torch.device = "cpu", *, sha256: str | None = None
) -> Recognised:
    """Build, fill and return the network of a weights file, whatever kind it is.

    The names of the tensors tell the kind; metadata only tells apart kinds that share a network
    (``"wav2lip"``, ``"wav2lip_gan"``).

    Raises:
        MissingModelError: there is no such file.
        CheckpointError: the file is unusable, or of no network known here.
    """
    path = Path(path)
    state = load_state_dict(path, sha256=sha256)
    found = recognised(state)
    if found is None:
        raise CheckpointError(
            f"{path} is of no known network (its first keys are {listed(list(state))}); known are "
            f"{', '.join(KINDS)}"
        )
    metadata = read_metadata(path) if is_safetensors(path) else {}
    stated = metadata.get("kind", "")
    kind = stated if stated in KINDS and same_network(stated, found.name) else found.name
    return Recognised(kind, _built(KINDS[kind], state, path, metadata).to(device), metadata)


def _built(kind: ModelKind, state: dict[str, Tensor], path: Path, metadata: Mapping[str, str]) -> nn.Module:
    try:
        # On the meta device nothing is drawn that would be overwritten at once: half a second at width 1.
        with torch.device("meta"):
            network = kind.build(_width_of(kind, state, path, metadata), **kind.options(state))
    except ValueError as error:  # window_frames that no expert has
        raise CheckpointError(f"{path} does not fit the {kind.name} network: {error}") from error
    _fill(network, state, path, kind.name)
    return network.eval().requires_grad_(False)


def _tidied(content: object, path: Path) -> dict[str, Tensor]:
    """Unwrap ``state_dict``, take off ``module.`` and check that nothing but tensors is left."""
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(
            f"{path} holds a {type(content).__name__}, not weights: needed is a map of names to tensors, "
            "bare or under 'state_dict'"
        )
    strangers = [k for k, v in content.items() if not (isinstance(k, str) and isinstance(v, Tensor))]
    if strangers:
        raise CheckpointError(
            f"{path} has entries that are no tensors ({listed(strangers)}): needed is a map of names to "
            "tensors, bare or under 'state_dict'"
        )
    state = {str(k).removeprefix(_PREFIX): v for k, v in content.items()}
    if len(state) != len(content):
        raise CheckpointError(f"{path} holds some weights twice, with and without 'module.': re-export it")
    return state


def _width_of(kind: ModelKind, state: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> float:
    stated = metadata.get("width")
    try:
        width = float(stated) if stated else kind.inferred_width(state)
    except ValueError:
        width = 0.0
    if not 0 < width < float("inf"):
        raise CheckpointError(f"{path} states a width of {stated or 0}; needed is a positive number")
    return width


def _fill(network: nn.Module, state: dict[str, Tensor], path: Path, kind: str) -> None:
    """Fill a network that is on the meta device, strictly; only absent batch counters are forgiven."""
    own = network.state_dict()
    for key, value in own.items():
        if key.endswith(_COUNTER):
            state.setdefault(key, torch.zeros(value.shape, dtype=value.dtype))
    complaints = {
        "missing": [k for k in own if k not in state],
        "unexpected": [k for k in state if k not in own],
        "of another shape": [
            f"{k} {tuple(state[k].shape)}, needed {tuple(v.shape)}"
            for k, v in own.items()
            if k in state and state[k].shape != v.shape
        ],
    }
    said = [f"{len(keys)} {what} ({listed(keys)})" for what, keys in complaints.items() if keys]
    if said:
        raise CheckpointError(
            f"{path} does not fit the {kind} network: {'; '.join(said)}. Choose weights made for {kind}"
        )
    typed = {key: state[key].to(value.dtype) for key, value in own.items()}
    network.load_state_dict(typed, strict=True, assign=True)
