"""``python -m lipsync_core train CONFIG --data DIR --out DIR``: train one network."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lipsync_core.errors import CheckpointError, InvalidInputError, LipSyncError, MissingModelError

EXIT_INPUT, EXIT_MISSING, EXIT_FAILED, EXIT_INTERRUPTED = 2, 3, 4, 130


@dataclass(frozen=True)
class RunOptions:
    """Where a run reads and writes, and what the command line overrides.

    Attributes:
        data: folder of training data.
        out: folder for checkpoint and log.
        max_minutes: training time in all, resumed runs included.
        resume: continue from the checkpoint in ``out``.
        start_from: checkpoint of an earlier phase to begin with.
        expert: weights of the expert; overrides ``expert_weights``.
        changes: configuration keys that the command line overrides.
    """

    data: Path
    out: Path
    max_minutes: float | None = None
    resume: bool = False
    start_from: Path | None = None
    expert: Path | None = None
    changes: Mapping[str, object] = field(default_factory=dict)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    0 done, 2 bad input, 3 checkpoint or package missing, 4 diverged, 130 interrupted. SIGTERM exits with 143.
    """
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    log = logging.getLogger(__name__)
    where = (args.data, args.out, args.max_minutes, args.resume, args.start_from, args.expert)
    try:
        from lipsync_core.training.config import read_changes

        run_training(args.config, RunOptions(*where, read_changes(args.set)))
    except KeyboardInterrupt:
        log.error("interrupted; continue with --resume")
        return EXIT_INTERRUPTED
    except LipSyncError as error:
        log.error("error: %s", error)
        if isinstance(error, InvalidInputError):
            return EXIT_INPUT
        return EXIT_MISSING if isinstance(error, (CheckpointError, MissingModelError)) else EXIT_FAILED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lipsync_core train",
        description="Train one network. Several processes share the work under torchrun: "
        "torchrun --nproc-per-node 2 -m lipsync_core.training CONFIG --data DIR --out DIR",
    )
    parser.add_argument("config", type=Path, help="YAML or JSON file, see configs/train_*.yaml")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder made by python -m lipsync_core preprocess, or synthetic for rendered faces",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint and log")
    parser.add_argument("--max-minutes", type=float, help="training time in all, resumed runs included")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint in --out")
    parser.add_argument("--start-from", type=Path, help="checkpoint of an earlier phase to begin with")
    parser.add_argument("--expert", type=Path, help="weights of the expert; overrides expert_weights")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="KEY=VALUE", help="keys that differ from the configuration's"
    )
    return parser


def run_training(config_path: Path, options: RunOptions) -> None:
    """Train the network that a configuration describes.

    Raises:
        LipSyncError: bad configuration, data or checkpoint, or a run that diverged.
    """
    from lipsync_core.training.config import read_config, with_values
    from lipsync_core.training.dataset import PreparedClips
    from lipsync_core.training.export import load_expert
    from lipsync_core.training.loop import train
    from lipsync_core.training.tasks import make_task

    config = with_values(read_config(config_path), options.changes)
    data = _data_folder(options)
    expert = None
    if config.needs_expert:
        path = options.expert or Path(config.expert_weights)
        if not path.is_file():
            raise InvalidInputError(
                f"{config_path} needs the expert (sync_weight, feature_weight or audio_from_expert), but "
                f"{str(path)!r} is no file: train it first (configs/train_expert.yaml) and pass --expert FILE"
            )
        expert = load_expert(path)
    task = make_task(config, PreparedClips(data), expert)
    train(
        task,
        config,
        options.out,
        max_minutes=options.max_minutes,
        resume=options.resume,
        start_from=options.start_from,
    )


def _data_folder(options: RunOptions) -> Path:
    """Return the folder of training data; the name ``synthetic`` makes some inside the output folder."""
    from lipsync_core.training.synthetic import SYNTHETIC, write_synthetic

    if str(options.data) != SYNTHETIC or options.data.is_dir():
        return options.data
    folder = options.out / "synthetic-data"
    if not folder.is_dir() and os.environ.get("RANK", "0") == "0":
        logging.getLogger(__name__).info("rendering talking faces into %s", folder)
        options.out.mkdir(parents=True, exist_ok=True)
        write_synthetic(folder)
    patience_s = 300.0
    while not folder.is_dir() and patience_s > 0:  # the first of several processes renders
        time.sleep(0.2)
        patience_s -= 0.2
    return folder


if __name__ == "__main__":
    sys.exit(main())
