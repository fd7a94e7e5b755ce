"""Turn a training checkpoint into a small safetensors file.

``python -m lipsync_core.training.export CHECKPOINT OUT.safetensors [--grid] [--opponent]``. Kernels are
stored as float16, biases, batch-norm scales and running statistics as float32; what a reader must know stands
in the metadata.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lipsync_core.errors import CheckpointError
from lipsync_core.models import LipSyncExpert
from lipsync_core.models.registry import KINDS, described
from lipsync_core.training.loop import read_checkpoint
from lipsync_core.whole_files import whole_file

logger = logging.getLogger(__name__)

WEIGHTS_FORMAT_VERSION = "1"
GRID_CREDITS = {
    "licence": "MIT; trained on the GRID corpus (CC BY 4.0)",
    "attribution": (
        "Trained on clips of the GRID corpus: M. Cooke, J. Barker, S. Cunningham, X. Shao, An audio-visual "
        "corpus for speech perception and automatic speech recognition, JASA 120 (2006), CC BY 4.0."
    ),
}
UNKNOWN_CREDITS = {"licence": "as the data it was trained on allows; they are not named here"}


def export_checkpoint(
    checkpoint: Path, out: Path, *, opponent: bool = False, credits: Mapping[str, str] = UNKNOWN_CREDITS
) -> dict[str, str]:
    """Write the running average of a checkpoint's weights to ``out`` and return the metadata written.

    Args:
        checkpoint: ``checkpoint.pt`` of a run.
        out: safetensors file.
        opponent: write the discriminator, or the fine-tuned expert, in place of the network.
        credits: licence and attribution that the training data ask for.

    Raises:
        CheckpointError: the checkpoint is missing or damaged, or has no opponent.
    """
    from safetensors.torch import save_file  # training itself needs none

    saved = read_checkpoint(checkpoint)
    config, progress = saved["config"], saved["progress"]
    kind, state = _part(saved, checkpoint, opponent)
    network = _built(kind, config, state)
    offset = config["mel_offset_frames"] if KINDS[kind].generator else None
    metadata = {
        "format_version": WEIGHTS_FORMAT_VERSION,
        "architecture": kind,
        **described(kind, network, mel_offset_frames=offset),
        "steps": str(progress["step"] + progress["earlier_steps"]),
        "seconds": str(round(progress["seconds"] + progress["earlier_seconds"])),
        **credits,
    }
    with whole_file(out) as part:
        save_file(compact_state(state), part, metadata=metadata)
        part.chmod(0o644)  # save_file makes it private
    return metadata


def _part(saved: dict[str, Any], checkpoint: Path, opponent: bool) -> tuple[str, dict[str, Tensor]]:
    """Return kind and weights of the network or of its opponent."""
    kind = saved["config"]["kind"]
    if not opponent:
        return kind, saved["average"]
    if not saved.get("opponent"):
        raise CheckpointError(f"{checkpoint} is of a {kind} run without opponent: leave out --opponent")
    kinds = {"lipgan": "lipgan_discriminator", "wav2lip_gan": "visual_quality"}
    return kinds.get(kind, "lipsync_expert"), saved["opponent"]


def _built(kind: str, config: Mapping[str, Any], state: Mapping[str, Tensor]) -> nn.Module:
    """Return a network of the kind, filled."""
    known = KINDS[kind]
    # A network says its width itself; that of an opponent can only be told from its shapes.
    width = config["width"] if kind == config["kind"] else known.inferred_width(state)
    network = known.build(width=width, **known.options(state))
    network.load_state_dict(state)
    return network


def compact_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return kernels as float16 and everything else as it is, contiguous."""
    return {
        name: (value.half() if value.dim() > 1 and value.is_floating_point() else value).contiguous().clone()
        for name, value in state.items()
    }


def network_of(checkpoint: Path) -> nn.Module:
    """Return the averaged network of a training checkpoint in eval mode (for looking at a run under way)."""
    saved = read_checkpoint(checkpoint)
    return _built(saved["config"]["kind"], saved["config"], saved["average"]).eval()


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
    parser.add_argument("--grid", action="store_true", help="trained on GRID: write its licence and credits")
    parser.add_argument("--opponent", action="store_true", help="the discriminator or fine-tuned expert")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    credits = GRID_CREDITS if args.grid else UNKNOWN_CREDITS
    metadata = export_checkpoint(args.checkpoint, args.out, opponent=args.opponent, credits=credits)
    logger.info("wrote %s (%.1f MB): %s", args.out, args.out.stat().st_size / 1e6, metadata)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
