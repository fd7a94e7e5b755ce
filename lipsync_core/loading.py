"""One door to every network: by name, or from a file that need not be told what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, overload

from torch import nn

from lipsync_core import weights
from lipsync_core.checkpoints import load_recognised
from lipsync_core.errors import InvalidInputError
from lipsync_core.faces import FaceDetector
from lipsync_core.inference import LipSyncer, refuse_absent_device, syncer_of
from lipsync_core.models.registry import KINDS
from lipsync_core.weights import REGISTRY
from lipsync_core.weights.fetch import Progress
from lipsync_core.weights.registry import EMBEDDED


@overload
def load(
    name_or_path: Literal["auto", "embedded", "wav2lip", "wav2lip_gan", "embedded_wav2lip"] = "auto",
    device: str = "cpu",
    *,
    detector: FaceDetector | str = "auto",
    parity: bool = False,
    allow_download: bool = True,
    progress: Progress | None = None,
) -> LipSyncer: ...


@overload
def load(
    name_or_path: str | Path,
    device: str = "cpu",
    *,
    detector: FaceDetector | str = "auto",
    parity: bool = False,
    allow_download: bool = True,
    progress: Progress | None = None,
) -> LipSyncer | nn.Module: ...


def load(
    name_or_path: str | Path = "auto",
    device: str = "cpu",
    *,
    detector: FaceDetector | str = "auto",
    parity: bool = False,
    allow_download: bool = True,
    progress: Progress | None = None,
) -> LipSyncer | nn.Module:
    """Return what weights are for: a ready `LipSyncer` for a generator, else the network itself.

    A generator of any kind (Wav2Lip, LipGAN, Speech2Vid) comes back as a `LipSyncer`, which knows what that
    kind sees and hears. A network that judges (expert, SyncNet, discriminators) comes back as its
    ``nn.Module`` in evaluation mode without gradients; ``detector`` and ``parity`` then do not matter.

    Args:
        name_or_path: ``"auto"`` or ``"embedded"`` for a Wav2Lip generator, a name in
            `lipsync_core.weights.REGISTRY` such as ``"syncnet_v2"`` or ``"embedded_lipsync_expert"``, or a
            file in any published container; what it holds is told by its tensors.
        device: torch device.
        detector: a face detector, or the name of one.
        parity: see `LipSyncer`.
        allow_download: whether weights may be fetched.
        progress: told how many bytes are done while they are.

    Raises:
        InvalidInputError: no such device here, no weights of that name, or ``parity`` with a generator
            other than Wav2Lip.
        MissingModelError: weights or detector are not here.
        CheckpointError: the file is damaged or of no known network.
    """
    refuse_absent_device(device)
    chosen = weights.resolve(_kind_of(str(name_or_path)), str(name_or_path), allow_download=allow_download)
    loaded = load_recognised(chosen.path or weights.fetch(chosen, progress), device)
    if KINDS[loaded.kind].generator is None:
        return loaded.network
    return syncer_of(loaded, chosen.name, device, detector=detector, parity=parity)


def _kind_of(name: str) -> str:
    """Return under which kind `lipsync_core.weights.resolve` finds a name; a file may turn out another."""
    known = REGISTRY.get(name)
    if known is not None and known.kind in KINDS:
        return known.kind
    if known is None and (name in ("auto", EMBEDDED) or Path(name).expanduser().is_file()):
        return "wav2lip"
    names = ["auto", EMBEDDED, *(w.name for w in REGISTRY.values() if w.kind in KINDS)]
    hint = f" ({name} is a face detector: give it as detector)" if known is not None else ""
    raise InvalidInputError(
        f"no network {name!r}{hint}; allowed are {', '.join(names)} or an existing file with weights"
    )
