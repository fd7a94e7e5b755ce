"""Weights as small as the networks allow, never trained: for tests of the plumbing, not of the picture."""

from __future__ import annotations

from pathlib import Path

WIDTH = 0.125


def write_tiny_weights(folder: Path) -> Path:
    """Write ``wav2lip.safetensors`` and ``syncnet.safetensors`` as the package would hold them."""
    import torch
    from safetensors.torch import save_file

    from lipsync_core.models import SyncNet, Wav2Lip

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    for kind, network in (("wav2lip", Wav2Lip(WIDTH)), ("syncnet", SyncNet(WIDTH))):
        metadata = {"architecture": kind, "width": str(WIDTH), "mel_offset_frames": "0"}
        save_file(network.state_dict(), folder / f"{kind}.safetensors", metadata=metadata)
    return folder
