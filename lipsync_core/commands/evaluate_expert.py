"""``python -m lipsync_core evaluate --expert FILE --data DIR``: off-sync accuracy."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from lipsync_core.errors import InvalidInputError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this way to evaluate."""
    group = parser.add_argument_group("off-sync accuracy of a lip-sync expert")
    group.add_argument("--expert", metavar="FILE", help="expert: file or checkpoint, a name, or embedded")
    group.add_argument("--data", type=Path, metavar="DIR", help="prepared clips to test it on")
    group.add_argument("--threshold", type=float, help="cosine above which a pair counts as synced (0.5)")
    group.add_argument(
        "--threshold-from", type=Path, metavar="DIR", help="choose it on held-out clips of training data"
    )
    group.add_argument("--rule", choices=("balanced", "off_sync"), default="balanced", help="to choose it by")
    group.add_argument("--target", type=float, default=0.916, help="off-sync accuracy for --rule off_sync")
    group.add_argument("--min-distance", type=int, default=1, metavar="FRAMES", help="of false pairs")
    group.add_argument("--mel-offset", type=float, metavar="FRAMES", help="of the sound, as trained")
    group.add_argument("--seen", nargs="+", default=(), metavar="NAME", help="people it was trained on")


def run(args: argparse.Namespace) -> int:
    """Measure an expert on prepared clips."""
    from lipsync_core.metrics.tables import csv_text, write_json, write_text
    from lipsync_core.training.expert_report import ExpertOptions, report_expert, table_lines
    from lipsync_core.weights import fetch, resolve

    if args.data is None:
        raise InvalidInputError("--expert FILE needs --data DIR, a folder of prepared clips")
    options = ExpertOptions(
        threshold=args.threshold,
        threshold_from=args.threshold_from,
        rule=args.rule,
        target=args.target,
        min_distance_frames=args.min_distance,
        mel_offset_frames=args.mel_offset,
        seen=tuple(args.seen),
    )
    file = Path(args.expert)
    if not file.is_file():
        file = fetch(resolve("lipsync_expert", args.expert, allow_download=False))
    report = report_expert(file, args.data, options)
    if "-" not in (args.json, args.csv):
        print("\n".join(table_lines(report)))
    if args.json is not None:
        write_json(args.json, report.to_dict())
    if args.csv is not None:
        rows = [
            {"group": group, "selection": selection, **asdict(accuracy)}
            for group, found in report.groups.items()
            for selection, accuracy in found.items()
        ]
        write_text(args.csv, csv_text(tuple(rows[0]), rows))
    return 0
