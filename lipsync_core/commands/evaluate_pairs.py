"""``evaluate --pairs FILE --root DIR`` and ``make-pairs DIR``: the file-list protocol of the papers."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lipsync_core.commands.console import Progress, add_common
from lipsync_core.errors import InvalidInputError


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``make-pairs`` to ``commands``."""
    parser = commands.add_parser(
        "make-pairs",
        help="draw a list of speech and pictures to bring together",
        description="Draws lines AUDIO VIDEO from a folder: no file with itself, no pair twice, speech no "
        "longer than the picture. The same files, count and seed give the same list everywhere.",
    )
    parser.add_argument("root", type=Path, metavar="DIR", help="folder of videos and sounds")
    parser.add_argument("--count", type=int, required=True, help="pairs to draw")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another list (default 0)")
    parser.add_argument("-o", "--out", default="-", metavar="FILE", help="list to write (else the console)")
    add_common(parser, run_make_pairs)


def run_make_pairs(args: argparse.Namespace) -> int:
    """Draw a list."""
    from lipsync_core.metrics.tables import write_text
    from lipsync_core.pairs import draw_pairs, list_media, pairs_text

    media = list_media(args.root)
    write_text(args.out, pairs_text(draw_pairs(media, args.count, args.seed)))
    if args.out != "-":
        print(f"{args.out}: {args.count} pairs of {len(media)} files below {args.root}")
    return 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this way to evaluate."""
    group = parser.add_argument_group("a list of pairs (lines AUDIO VIDEO, see make-pairs)")
    group.add_argument("--pairs", type=Path, metavar="FILE", help="generate and score every pair of a list")
    group.add_argument("--root", type=Path, metavar="DIR", help="folder that the names are relative to")
    group.add_argument("--weights", default="auto", help="generator: auto, embedded, a name, or a file")
    group.add_argument("--unsynced", action="store_true", help="score the pictures as they are instead")
    group.add_argument(
        "-o", "--out", type=Path, metavar="DIR", help="keeps each pair's score: a run that stopped goes on"
    )


def run(args: argparse.Namespace) -> int:
    """Score the pairs of a list; 0 where at least one could be."""
    import tempfile

    from lipsync_core.pair_runs import PairRun
    from lipsync_core.pairs import read_pairs

    if args.root is None:
        raise InvalidInputError("--pairs FILE needs --root DIR, the folder that its names are relative to")
    if not args.root.is_dir():
        raise InvalidInputError(f"--root {args.root} is no folder")
    pairs = read_pairs(args.pairs)
    judge = _judge(args)
    with tempfile.TemporaryDirectory() as scratch:
        tell = Progress("scoring", "pairs")
        run = PairRun(args.out or Path(scratch), judge)
        scores = run.scores(pairs, args.root, lambda done, _: tell(done, len(pairs)))
        return _show(args, judge, scores, run.frechet(pairs))


def _judge(args: argparse.Namespace) -> Any:
    from lipsync_core.inference import refuse_absent_device
    from lipsync_core.metrics.features import load_features
    from lipsync_core.pair_scores import PairJudge, load_generator, load_meter

    refuse_absent_device(args.device)
    syncnet, syncnet_sha256 = load_meter(args.syncnet, args.device)
    settings: dict[str, Any] = {
        "syncnet": syncnet,
        "syncnet_sha256": syncnet_sha256,
        "mode": "whole_frame" if args.whole_frame else "track",
        "min_track_frames": args.min_track_frames,
    }
    if args.unsynced:
        return PairJudge("unsynced", **settings)
    syncer, sha256 = load_generator(args.weights, args.device)
    return PairJudge(
        "generated", syncer=syncer, weights_sha256=sha256, features=load_features(args.device), **settings
    )


def _show(args: argparse.Namespace, judge: Any, scores: list[Any], frechet: Any) -> int:
    from lipsync_core.metrics.tables import csv_text, number, write_json, write_text
    from lipsync_core.pair_runs import mean_figures

    means = mean_figures(scores)
    weights = judge.syncer.name if judge.syncer else "none: pictures as they are"
    if "-" not in (args.json, args.csv):
        print(f"generator weights: {weights} · SyncNet weights: {judge.syncnet.name}")
        for score in scores:
            if score.error:
                print(f"not measured: {score.audio} {score.video}: {score.error}")
        print(
            f"{means['n_pairs']} pairs  LSE-D {number(means['lse_d'], '{:.3f}')}  "
            f"LSE-C {number(means['lse_c'], '{:.3f}')}  "
            f"offset within one frame: {number(means['in_sync_share'], '{:.1%}')}"
        )
        if frechet is not None:
            print(f"{frechet.name}: {frechet.distance:.4f}  ({frechet.n_pictures} faces in each set)")
    if args.json is not None:
        content = {
            "weights": weights, **judge.key, "mean": means,
            "frechet": vars(frechet) if frechet else None, "pairs": [asdict(s) for s in scores],
        }  # fmt: skip
        write_json(args.json, content)
    if args.csv is not None:
        write_text(args.csv, csv_text(tuple(asdict(scores[0])), [asdict(s) for s in scores]))
    return 0 if means["n_pairs"] else 2
