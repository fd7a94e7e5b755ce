"""The figures in the model card: ``python -m lipsync_core.training.figures CLIPS --out DIR [--json FILE]``.

For clips that were not trained on: how often the embedded expert is right, and LSE of the real clips, of the
same pictures under the sound of another clip, and of what the generator makes of that pair, for people known
from training and for others. Everything runs through the same code as ``lipsync_core evaluate``. What is
measured is kept in DIR, where a run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lipsync_core.errors import InvalidInputError, LipSyncError
from lipsync_core.metrics.features import load_features
from lipsync_core.metrics.tables import write_json
from lipsync_core.pair_runs import PairRun, mean_figures
from lipsync_core.pair_scores import (
    PairJudge,
    PairScore,
    Way,
    load_generator,
    load_meter,
)
from lipsync_core.pairs import Pair
from lipsync_core.training.expert_report import ExpertOptions, report_expert, table_lines
from lipsync_core.training.prepare import prepare
from lipsync_core.training.shards import CLIP_SUFFIXES
from lipsync_core.weights import fetch, resolve

logger = logging.getLogger(__name__)

KNOWN_IDENTITIES = ("s1",)  # the only person of grid/test who is also in grid/train
WAYS: tuple[Way, ...] = ("real", "unsynced", "generated")


def choose_clips(folder: Path, count: int) -> list[Path]:
    """Return ``count`` clips below a folder, as many people as possible, always the same ones.

    Raises:
        InvalidInputError: fewer than two clips.
    """
    people: dict[str, list[Path]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in CLIP_SUFFIXES):
        people.setdefault(path.parent.name, []).append(path)
    chosen: list[Path] = []
    for turn in range(max((len(clips) for clips in people.values()), default=0)):
        chosen += [clips[turn] for clips in people.values() if turn < len(clips)]
    if len(chosen) < 2:
        raise InvalidInputError(f"{folder} holds {len(chosen)} clips; at least two are needed to swap sounds")
    return chosen[:count]


def swapped_pairs(folder: Path, count: int) -> list[Pair]:
    """Return pairs of each chosen clip's picture with the sound of the next one."""
    names = [clip.relative_to(folder).as_posix() for clip in choose_clips(folder, count)]
    return [Pair(names[(i + 1) % len(names)], name) for i, name in enumerate(names)]


def lse_figures(
    folder: Path, pairs: Sequence[Pair], out: Path, weights: str, syncnet: str
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return mean LSE by group of people and by way: real, unsynced, generated.

    Args:
        folder: that the pairs' names are relative to.
        pairs: from `swapped_pairs`.
        out: keeps the scores.
        weights: of the generator.
        syncnet: of the measurement.

    Raises:
        InvalidInputError: the weights are not a generator's.
        MissingModelError: weights are not here.
    """
    net, net_sha256 = load_meter(syncnet)
    syncer, sha256 = load_generator(weights)
    figures: dict[str, dict[str, dict[str, Any]]] = {}
    for way in WAYS:
        if way == "generated":
            judge = PairJudge(
                way, net, syncer, features=load_features(), weights_sha256=sha256,
                syncnet_sha256=net_sha256,
            )  # fmt: skip
        else:
            judge = PairJudge(way, net, syncnet_sha256=net_sha256)
        run = PairRun(out / way, judge)
        scores = run.scores(pairs, folder, _tell(way, len(pairs)))
        for group, members in _groups(pairs, scores).items():
            means: dict[str, Any] = dict(mean_figures([score for _, score in members]))
            frechet = run.frechet([pair for pair, _ in members])
            means["frechet"] = vars(frechet) if frechet else None
            figures.setdefault(group, {})[way] = means
    return figures


def _groups(pairs: Sequence[Pair], scores: Sequence[PairScore]) -> dict[str, list[tuple[Pair, PairScore]]]:
    together = list(zip(pairs, scores, strict=True))
    known = [entry for entry in together if Path(entry[0].video).parent.name in KNOWN_IDENTITIES]
    unseen = [entry for entry in together if entry not in known]
    groups = {"everyone": together, "known people": known, "unseen people": unseen}
    return {name: members for name, members in groups.items() if members}


def _tell(way: str, total: int) -> Any:
    def tell(done: int, score: PairScore) -> None:
        if score.error is not None:
            logger.warning("%s: %s: %s", way, score.video, score.error)
        if done % 10 == 0 or done == total:
            logger.info("%s: %d of %d", way, done, total)

    return tell


def lse_lines(figures: dict[str, dict[str, dict[str, Any]]]) -> Iterator[str]:
    """Yield a table of LSE, and how generated clips compare with real ones."""
    for group, ways in figures.items():
        yield group
        for way, means in ways.items():
            if means["lse_d"] is None:
                yield f"  {way:10} nothing measured ({means['n_failed']} clips failed)"
                continue
            yield (
                f"  {way:10} LSE-D {means['lse_d']:7.3f}  LSE-C {means['lse_c']:7.3f}  "
                f"offset within one frame {means['in_sync_share']:.0%}  ({means['n_pairs']} clips)"
            )
        real, made = ways["real"], ways["generated"]
        if real["lse_d"] and real["lse_c"] and made["lse_d"]:
            yield (
                f"  generated of real: LSE-D {made['lse_d'] / real['lse_d']:.1%}, "
                f"LSE-C {made['lse_c'] / real['lse_c']:.1%}"
            )
        if made["frechet"]:
            yield f"  {made['frechet']['name']}: {made['frechet']['distance']:.4f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m lipsync_core.training.figures", description=__doc__)
    parser.add_argument("clips", type=Path, help="folder of clips that were not trained on (person/clip.mkv)")
    parser.add_argument("--out", type=Path, default=Path("figures"), help="keeps what was measured")
    parser.add_argument("--count", type=int, default=24, help="clips for the LSE table")
    parser.add_argument("--weights", default="embedded", help="generator")
    parser.add_argument("--syncnet", default="embedded", help="SyncNet of the measurement")
    parser.add_argument("--expert", type=Path, help="expert (default: the embedded one)")
    parser.add_argument("--data", type=Path, help="the same clips prepared; else prepared in --out")
    parser.add_argument("--threshold", type=float, help="of the expert's cosine (default 0.5)")
    parser.add_argument("--threshold-from", type=Path, help="training data to choose the threshold on")
    parser.add_argument("--json", type=Path, help="also write everything here")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        _print_figures(args)
    except LipSyncError as error:
        logger.error("error: %s", error)
        return 2
    return 0


def _print_figures(args: argparse.Namespace) -> None:
    expert = args.expert or fetch(resolve("lipsync_expert", "embedded", allow_download=False))
    data = args.data or args.out / "data"
    if not data.exists():
        args.out.mkdir(parents=True, exist_ok=True)
        prepare(args.clips, data)
    options = ExpertOptions(args.threshold, args.threshold_from, seen=KNOWN_IDENTITIES)
    accuracy = report_expert(expert, data, options)
    for line in table_lines(accuracy):
        logger.info("%s", line)
    pairs = swapped_pairs(args.clips, args.count)
    lse = lse_figures(args.clips, pairs, args.out, args.weights, args.syncnet)
    for line in lse_lines(lse):
        logger.info("%s", line)
    if args.json is not None:
        write_json(args.json, {"expert": accuracy.to_dict(), "lse": lse})


if __name__ == "__main__":
    sys.exit(main())
