"""``python -m lipsync_core.training CONFIG --data DIR --out DIR [--max-minutes M] [--resume]``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from lipsync_core.errors import InvalidInputError, LipSyncError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m lipsync_core.training", description="Train one network.")
    parser.add_argument("config", type=Path, help="YAML file, see configs/train_*.yaml")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder written by lipsync_core.training.prepare"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint and log")
    parser.add_argument("--max-minutes", type=float, help="training time in all, resumed runs included")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint in --out")
    parser.add_argument("--start-from", type=Path, help="checkpoint of an earlier phase to begin with")
    parser.add_argument("--expert", type=Path, help="safetensors of the expert; overrides expert_weights")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        run_training(
            args.config, args.data, args.out, args.max_minutes, args.resume, args.expert, args.start_from
        )
    except LipSyncError as error:
        logging.getLogger(__name__).error("%s", error)
        return 2
    return 0


def run_training(
    config_path: Path,
    data: Path,
    out: Path,
    max_minutes: float | None = None,
    resume: bool = False,
    expert_path: Path | None = None,
    start_from: Path | None = None,
) -> None:
    """Train the network that a configuration describes.

    Raises:
        LipSyncError: bad configuration, data or checkpoint.
    """
    from lipsync_core.training.config import read_config
    from lipsync_core.training.dataset import PreparedClips
    from lipsync_core.training.export import load_expert
    from lipsync_core.training.loop import train
    from lipsync_core.training.tasks import make_task

    config = read_config(config_path)
    expert = None
    if config.kind == "wav2lip" and (config.uses_expert or config.audio_from_expert):
        path = expert_path or Path(config.expert_weights)
        if not path.is_file():
            raise InvalidInputError(
                f"{config_path} needs the expert (sync_weight, feature_weight or audio_from_expert), but "
                f"{str(path)!r} is no file: train it first (configs/train_expert.yaml) and pass --expert FILE"
            )
        expert = load_expert(path)
    task = make_task(config, PreparedClips(data), expert)
    train(task, config, out, max_minutes=max_minutes, resume=resume, start_from=start_from)


if __name__ == "__main__":
    sys.exit(main())
