"""Make the embedded weights again: ``python -m lipsync_core.training.embedded CLIPS [--work DIR]``.

Prepares the clips, trains expert, generator and SyncNet one after the other with the configurations in
``configs/``, and writes three safetensors files. A run that was broken off goes on where it was.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lipsync_core.training.__main__ import RunOptions, run_training
from lipsync_core.training.export import GRID_CREDITS, export_checkpoint
from lipsync_core.training.loop import CHECKPOINT_NAME, read_checkpoint
from lipsync_core.training.prepare import prepare

logger = logging.getLogger(__name__)

CONFIGS = Path("configs")  # of a checkout: the configurations are no part of the installed package


@dataclass(frozen=True)
class Phase:
    """One training run: its configuration, length, and the earlier run it goes on from."""

    name: str
    minutes: float  # on one core of a 2-core machine
    goes_on_from: str = ""
    exported_as: str = ""


PHASES = (
    Phase("train_embedded_expert_easy", 7),
    Phase("train_embedded_expert", 50, "train_embedded_expert_easy", "lipsync_expert"),
    Phase("train_embedded_wav2lip_images", 30),
    Phase("train_embedded_wav2lip_motion", 22, "train_embedded_wav2lip_images"),
    Phase("train_embedded_wav2lip", 35, "train_embedded_wav2lip_motion", "wav2lip"),
    Phase("train_embedded_syncnet", 46, "", "syncnet"),
)


def make_embedded_weights(clips: Path, work: Path, configs: Path = CONFIGS, share: float = 1.0) -> list[Path]:
    """Train everything below ``work`` and return the files written there.

    Args:
        clips: folder tree of clips, parent folder = identity.
        work: folder for data, checkpoints and results.
        configs: folder of the ``train_*.yaml`` files.
        share: of the usual length of every phase; 2 trains twice as long.

    Raises:
        LipSyncError: see the steps.
    """
    data = work / "data"
    work.mkdir(parents=True, exist_ok=True)
    if not data.exists():
        prepare(clips, data)
    written = []
    for phase in PHASES:
        out = work / phase.name
        checkpoint = out / CHECKPOINT_NAME
        minutes = phase.minutes * share
        if not _is_done(checkpoint, minutes):
            logger.info("%s: %.0f minutes", phase.name, minutes)
            earlier = work / phase.goes_on_from / CHECKPOINT_NAME if phase.goes_on_from else None
            expert = work / "train_embedded_expert" / CHECKPOINT_NAME
            options = RunOptions(data, out, minutes, checkpoint.exists(), earlier, expert)
            run_training(configs / f"{phase.name}.yaml", options)
        if phase.exported_as:
            written.append(work / f"{phase.exported_as}.safetensors")
            export_checkpoint(checkpoint, written[-1], credits=GRID_CREDITS)
    return written


def _is_done(checkpoint: Path, minutes: float) -> bool:
    return checkpoint.exists() and bool(read_checkpoint(checkpoint)["progress"]["seconds"] >= 60 * minutes)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m lipsync_core.training.embedded", description=__doc__)
    parser.add_argument("clips", type=Path, help="folder tree of clips; parent folder = identity")
    parser.add_argument(
        "--work", type=Path, default=Path("embedded-training"), help="data, checkpoints, results"
    )
    parser.add_argument(
        "--configs", type=Path, default=CONFIGS, help="folder of the train_*.yaml files of a checkout"
    )
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the usual length; 2 trains twice as long"
    )
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for path in make_embedded_weights(args.clips, args.work, args.configs, args.share):
        logger.info("wrote %s (%.1f MB)", path, path.stat().st_size / 1e6)


if __name__ == "__main__":
    main()
