"""Lip synchronisation: networks, inference, training and measurement.

Three lines do the work::

    syncer = lipsync_core.load("auto")
    waveform = lipsync_core.read_audio("speech.wav")
    frames = (f.pasted() for f in syncer(lipsync_core.read_frames("talk.mp4"), waveform, 25.0))

`load` gives every network, by name or from a file: a ready `LipSyncer` for a generator, the network itself
for the expert, SyncNet and the discriminators.

Names are imported from their modules when they are first used: ``import lipsync_core`` loads nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lipsync_core.errors import (
        CheckpointError,
        InvalidInputError,
        LipSyncError,
        MediaError,
        MissingModelError,
        NoFaceError,
    )
    from lipsync_core.evaluate import lse, score_video
    from lipsync_core.inference import FacePatch, LipSyncer, SyncedFrame, load_syncer, paste
    from lipsync_core.loading import load
    from lipsync_core.media import VideoWriter, probe_media, read_audio, read_frames
    from lipsync_core.patches import PatchWriter, read_patches
    from lipsync_core.recipe import published_recipe
    from lipsync_core.sync import sync_video

__all__ = [
    "CheckpointError",
    "FacePatch",
    "InvalidInputError",
    "LipSyncError",
    "LipSyncer",
    "MediaError",
    "MissingModelError",
    "NoFaceError",
    "PatchWriter",
    "SyncedFrame",
    "VideoWriter",
    "load",
    "load_syncer",
    "lse",
    "paste",
    "probe_media",
    "published_recipe",
    "read_audio",
    "read_frames",
    "read_patches",
    "score_video",
    "sync_video",
]

_MODULES = {
    "errors": (
        "CheckpointError", "InvalidInputError", "LipSyncError",
        "MediaError", "MissingModelError", "NoFaceError",
    ),
    "evaluate": ("lse", "score_video"),
    "inference": ("FacePatch", "LipSyncer", "SyncedFrame", "load_syncer", "paste"),
    "loading": ("load",),
    "media": ("VideoWriter", "probe_media", "read_audio", "read_frames"),
    "patches": ("PatchWriter", "read_patches"),
    "recipe": ("published_recipe",),
    "sync": ("sync_video",),
}  # fmt: skip
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
