"""Turn a training checkpoint into the small safetensors file that the package ships.

``python -m lipsync_core.training.export CHECKPOINT OUT.safetensors``. Kernels are stored as float16,
biases, batch-norm scales and running statistics as float32; what a reader must know stands in the metadata.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lipsync_core.errors import CheckpointError
from lipsync_core.models import LipSyncExpert, SyncNet, Wav2Lip
from lipsync_core.training.loop import read_checkpoint

logger = logging.getLogger(__name__)

WEIGHTS_FORMAT_VERSION = "1"
LICENCE = "MIT; trained on the GRID corpus (CC BY 4.0)"
ATTRIBUTION = (
    "Trained on clips of the GRID corpus: M. Cooke, J. Barker, S. Cunningham, X. Shao, An audio-visual "
    "corpus for speech perception and automatic speech recognition, JASA 120 (2006), CC BY 4.0."
)


def export_checkpoint(checkpoint: Path, out: Path) -> dict[str, str]:
    """Write the running average of a checkpoint's weights to ``out`` and return the metadata written.

    Raises:
        CheckpointError: the checkpoint is missing or damaged.
    """
    saved = read_checkpoint(checkpoint)
    config, progress = saved["config"], saved["progress"]
    metadata = {
        "format_version": WEIGHTS_FORMAT_VERSION,
        "architecture": config["kind"],
        "width": str(config["width"]),
        "steps": str(progress["step"] + progress["earlier_steps"]),
        "seconds": str(round(progress["seconds"] + progress["earlier_seconds"])),
        "licence": LICENCE,
        "attribution": ATTRIBUTION,
    }
    if config["kind"] == "wav2lip":
        metadata["mel_offset_frames"] = str(config["mel_offset_frames"])
    part = out.with_suffix(".part")
    save_file(compact_state(saved["average"]), part, metadata=metadata)
    part.chmod(0o644)  # save_file makes it private
    part.replace(out)
    return metadata


def compact_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return kernels as float16 and everything else as it is, contiguous."""
    return {
        name: (value.half() if value.dim() > 1 and value.is_floating_point() else value).contiguous().clone()
        for name, value in state.items()
    }


def load_exported(path: Path, network: nn.Module) -> nn.Module:
    """Fill a network of the right width from an exported file and return it in eval mode.

    Raises:
        CheckpointError: the file does not fit.
    """
    try:
        network.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path} does not fit a {type(network).__name__}: {error}") from error
    return network.eval()


def network_of(checkpoint: Path) -> nn.Module:
    """Return the averaged network of a training checkpoint in eval mode (for looking at a run under way)."""
    saved = read_checkpoint(checkpoint)
    classes = {"lipsync_expert": LipSyncExpert, "syncnet": SyncNet, "wav2lip": Wav2Lip}
    network: nn.Module = classes[saved["config"]["kind"]](saved["config"]["width"])
    network.load_state_dict(saved["average"])
    return network.eval()


def load_expert(path: Path) -> LipSyncExpert:
    """Load an expert of any width from safetensors or from a training checkpoint.

    Raises:
        CheckpointError: the file is damaged or no expert.
    """
    if path.suffix == ".safetensors":
        from lipsync_core.checkpoints import load_network

        network = load_network(path, "lipsync_expert")
    else:
        network = network_of(path)
    if not isinstance(network, LipSyncExpert):
        raise CheckpointError(f"{path} holds a {type(network).__name__}, needed is a lip-sync expert")
    return network


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m lipsync_core.training.export", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    metadata = export_checkpoint(args.checkpoint, args.out)
    logger.info("wrote %s (%.1f MB): %s", args.out, args.out.stat().st_size / 1e6, metadata)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
