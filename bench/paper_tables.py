"""Tables 3.2 and 3.4 of the thesis behind Wav2Lip, from networks trained here, beside the published figures.

    python -m lipsync_core.training.papers DATA --out PAPERS
    python bench/paper_tables.py PAPERS CLIPS [--out DIR] [--count 24] [--seed 0] [--syncnet embedded]
                                 [--data PREPARED] [--threshold-from PREPARED_TRAINING]

CLIPS is a folder of clips that were not trained on (``person/clip.mkv``). Pairs of speech and picture are
drawn from it as ``make-pairs`` does; every generator makes the same ones. ``real`` are the pictures of the
list with their own sound. Everything measured is kept in DIR: a run that was interrupted goes on there, and a
system trained meanwhile is added. A clip of GRID begins and ends in silence; off-sync accuracy is printed
over the windows that contain speech and over all.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lipsync_core.containers import sha256_of
from lipsync_core.errors import InvalidInputError, LipSyncError
from lipsync_core.inference import LipSyncer
from lipsync_core.metrics.face_sets import Frechet
from lipsync_core.metrics.features import FaceFeatures, load_features
from lipsync_core.metrics.tables import write_json
from lipsync_core.pair_runs import PairRun
from lipsync_core.pair_scores import PairJudge, PairScore, Way, load_generator, load_meter
from lipsync_core.pairs import Pair, draw_pairs, list_media, pairs_text, read_pairs
from lipsync_core.training.expert_report import ExpertOptions, report_expert
from lipsync_core.training.papers import MANIFEST_NAME, expert_name, wav2lip_name
from lipsync_core.training.prepare import prepare

# LSE-D, LSE-C, FID on LRS2 (thesis table 3.2); unsynced: random pairs of ReSyncED (table 3.3).
PUBLISHED_SYSTEMS = {
    "speech2vid": ("Speech2Vid", "14.23", "1.587", "12.32"),
    "lipgan": ("LipGAN", "10.33", "3.199", "4.861"),
    "wav2lip_t5_frozen": ("Wav2Lip", "6.386", "7.789", "4.887"),
    "wav2lip_gan": ("Wav2Lip + GAN", "6.469", "7.781", "4.446"),
    "real": ("real", "6.736", "7.838", "–"),
    "unsynced": ("unsynced", "17.12", "2.014", "–"),
}
# Off-sync accuracy, and LSE-D and LSE-C of the generator trained with it, on LRS2 (table 3.4).
PUBLISHED_EXPERTS = {
    (1, True): ("55.6 %", "10.33", "3.19"),
    (1, False): ("79.3 %", "8.583", "4.845"),
    (3, True): ("72.3 %", "10.14", "3.214"),
    (3, False): ("87.4 %", "7.230", "6.533"),
    (5, True): ("73.6 %", "9.953", "3.508"),
    (5, False): ("91.6 %", "6.386", "7.789"),
}
CAUTION = (
    "Absolute numbers are not comparable with the published ones: other clips, SyncNet weights {syncnet}, "
    "and for Fréchet the {frechet}. What can be compared is the order of the rows."
)


@dataclass(frozen=True)
class Row:
    """LSE of one system: means with their standard errors over the pairs."""

    lse_d: float
    lse_d_error: float
    lse_c: float
    lse_c_error: float
    in_sync_share: float
    n_pairs: int
    frechet: Frechet | None


class Tables:
    """Measures what the tables need; everything is kept below ``args.out``."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.manifest: dict[str, dict[str, Any]] = read_manifest(args.papers)
        self.pairs = kept_pairs(args.clips, args.out / "pairs.txt", args.count, args.seed)
        self.syncnet, self.syncnet_sha256 = load_meter(args.syncnet, args.device)
        self.features: FaceFeatures = load_features(args.device)
        self._rows: dict[str, Row | None] = {}

    def row(self, name: str) -> Row | None:
        """Return the figures of a system; None while it is not trained."""
        if name not in self._rows:
            self._rows[name] = self._measured(name)
        return self._rows[name]

    def _measured(self, name: str) -> Row | None:
        pairs = self.pairs
        if name == "real":
            pairs = [Pair(video, video) for video in dict.fromkeys(p.video for p in self.pairs)]
            judge = self._judge("real")
        elif name == "unsynced":
            judge = self._judge("unsynced")
        elif name in self.manifest:
            file = self.args.papers / self.manifest[name]["file"]
            judge = self._judge("generated", *load_generator(str(file), self.args.device))
        else:
            return None
        run = PairRun(self.args.out / name, judge)
        scores = run.scores(pairs, self.args.clips, told(name, len(pairs)))
        return row_of(scores, run.frechet(pairs))

    def _judge(self, way: Way, syncer: LipSyncer | None = None, sha256: str = "") -> PairJudge:
        return PairJudge(
            way, self.syncnet, syncer,
            features=self.features if syncer else None,
            weights_sha256=sha256,
            syncnet_sha256=self.syncnet_sha256,
        )  # fmt: skip

    def accuracy(self, window_frames: int, finetuned: bool) -> dict[str, Any] | None:
        """Return the off-sync accuracy of an expert by group and selection; None while it is not trained."""
        name = expert_name(window_frames, finetuned)
        if name not in self.manifest:
            return None
        file = self.args.papers / self.manifest[name]["file"]
        source = self.args.threshold_from
        key = [sha256_of(file), str(source), str(self.args.data), self.args.threshold]
        kept = self.args.out / f"{name}.json"
        if kept.is_file() and (content := json.loads(kept.read_text(encoding="utf-8")))["key"] == key:
            return dict(content["report"])
        options = ExpertOptions(threshold=None if source else self.args.threshold, threshold_from=source)
        report = report_expert(file, self._prepared(), options).to_dict()
        write_json(kept, {"key": key, "report": report})
        return report

    def _prepared(self) -> Path:
        if self.args.data is not None:
            return Path(self.args.data)
        data: Path = self.args.out / "data"
        if not data.exists():
            print(f"preparing {self.args.clips}", file=sys.stderr)
            prepare(self.args.clips, data)
        return data


def read_manifest(papers: Path) -> dict[str, dict[str, Any]]:
    """Return what was trained."""
    try:
        manifest: dict[str, dict[str, Any]] = json.loads((papers / MANIFEST_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"no manifest in {papers} ({error}); run: python -m lipsync_core.training.papers DATA "
            f"--out {papers}"
        ) from error
    return manifest


def kept_pairs(clips: Path, path: Path, count: int, seed: int) -> list[Pair]:
    """Return the list of pairs, drawn at the first call; a longer list begins with the shorter one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    note = f"# {count} pairs, seed {seed}\n"
    if not (path.is_file() and path.read_text(encoding="utf-8").startswith(note)):
        path.write_text(note + pairs_text(draw_pairs(list_media(clips), count, seed)), encoding="utf-8")
    return read_pairs(path)


def row_of(scores: Sequence[PairScore], frechet: Frechet | None) -> Row | None:
    """Return means and standard errors, None without a number."""
    measured = [(s.lse_d, s.lse_c, abs(s.offset_frames or 0) <= 1) for s in scores if s.lse_d is not None]
    if not measured:
        return None
    values = np.array(measured, dtype=float)
    errors = values.std(axis=0, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.zeros(3)
    (lse_d, lse_c, in_sync), (lse_d_error, lse_c_error, _) = values.mean(axis=0).tolist(), errors.tolist()
    return Row(lse_d, lse_d_error, lse_c, lse_c_error, in_sync, len(values), frechet)


def told(name: str, total: int) -> Callable[[int, PairScore], None]:
    """Return what prints the progress of a row on stderr."""

    def tell(done: int, score: PairScore) -> None:
        if score.error is not None:
            print(f"{name}: {score.audio} {score.video}: {score.error}", file=sys.stderr)
        if done % 10 == 0 or done == total:
            print(f"{name}: {done} of {total} pairs", file=sys.stderr)

    return tell


def systems_table(tables: Tables) -> Iterator[str]:
    """Yield table 3.2 as markdown."""
    yield "| | LSE-D ↓ | LSE-C ↑ | Fréchet ↓ | offset within ±1 | published LSE-D | LSE-C | FID |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, (title, *published) in PUBLISHED_SYSTEMS.items():
        yield f"| {title} | {' | '.join([*lse_cells(tables.row(name)), *published])} |"


def lse_cells(row: Row | None) -> list[str]:
    """Return LSE-D, LSE-C, Fréchet distance and share of right offsets as text."""
    if row is None:
        return ["not trained"] + ["–"] * 3
    frechet = f"{row.frechet.distance:.3f}" if row.frechet else "–"
    return [
        f"{row.lse_d:.3f} ± {row.lse_d_error:.3f}", f"{row.lse_c:.3f} ± {row.lse_c_error:.3f}", frechet,
        f"{row.in_sync_share:.0%}",
    ]  # fmt: skip


def experts_table(tables: Tables) -> Iterator[str]:
    """Yield table 3.4 as markdown."""
    yield (
        "| T_v | fine-tuned on fakes | off-sync (speech) | in-sync | off-sync (all) | in-sync | threshold | "
        "LSE-D ↓ | LSE-C ↑ | published off-sync | LSE-D | LSE-C |"
    )
    yield "|" + "---|" * 12
    for (frames, finetuned), published in PUBLISHED_EXPERTS.items():
        lse = lse_cells(tables.row(wav2lip_name(frames, finetuned)))[:2]
        cells = accuracy_cells(tables.accuracy(frames, finetuned))
        fine = "yes" if finetuned else "no"
        yield f"| {frames} | {fine} | {' | '.join([*cells, *lse, *published])} |"


def accuracy_cells(report: dict[str, Any] | None) -> list[str]:
    """Return accuracies over speech, over all windows, and the threshold, as text."""
    if report is None:
        return ["not trained"] + ["–"] * 4
    everyone = report["groups"]["everyone"]
    shares = [everyone.get(s, {}).get(n) for s in ("speech", "all") for n in ("off_sync", "in_sync")]
    return [*("–" if s is None else f"{s:.1%}" for s in shares), f"{report['threshold']:.3f}"]


def orders(tables: Tables) -> Iterator[str]:
    """Yield whether the order of the published rows is found here."""

    def ahead(better: str, worse: str) -> str:
        a, b = tables.row(better), tables.row(worse)
        if a is None or b is None:
            return "not measured"
        return f"LSE-D {yes_or_no(a.lse_d < b.lse_d)}, LSE-C {yes_or_no(a.lse_c > b.lse_c)}"

    yield f"- Wav2Lip ahead of LipGAN: {ahead(wav2lip_name(5, False), 'lipgan')}"
    yield f"- LipGAN ahead of Speech2Vid: {ahead('lipgan', 'speech2vid')}"
    for frames in (1, 3, 5):
        found = ahead(wav2lip_name(frames, False), wav2lip_name(frames, True))
        yield f"- frozen ahead of fine-tuned, T_v {frames}: {found}"
    yield f"- T_v 5 ahead of 3: {ahead(wav2lip_name(5, False), wav2lip_name(3, False))}"
    yield f"- T_v 3 ahead of 1: {ahead(wav2lip_name(3, False), wav2lip_name(1, False))}"
    plain, gan = tables.row(wav2lip_name(5, False)), tables.row("wav2lip_gan")
    if plain and gan and plain.frechet and gan.frechet:
        better = yes_or_no(gan.frechet.distance < plain.frechet.distance)
        cost = gan.lse_d - plain.lse_d
        yield f"- GAN nearer in Fréchet distance: {better}; its LSE-D is {cost:+.3f} of Wav2Lip's"


def yes_or_no(answer: bool) -> str:
    return "yes" if answer else "no"


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    try:
        tables = Tables(args)
        print(
            f"{args.clips}: {len(tables.pairs)} pairs, seed {args.seed}\n\n**Table 3.2** (published: LRS2)\n"
        )
        print("\n".join(systems_table(tables)))
        print("\n**Table 3.4** (published: LRS2)\n")
        print("\n".join(experts_table(tables)))
        print()
        print("\n".join(orders(tables)))
        print("\n" + CAUTION.format(syncnet=tables.syncnet.name, frechet=tables.features.distance_name))
        if args.json:
            names = [*PUBLISHED_SYSTEMS, *(wav2lip_name(*key) for key in PUBLISHED_EXPERTS)]
            rows = {name: asdict(row) for name in names if (row := tables.row(name))}
            experts = {expert_name(*key): tables.accuracy(*key) for key in PUBLISHED_EXPERTS}
            write_json(args.json, {"rows": rows, "experts": experts, "trained": tables.manifest})
    except LipSyncError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("papers", type=Path, help="folder with papers.json")
    parser.add_argument("clips", type=Path, help="folder of clips that were not trained on")
    parser.add_argument("--out", type=Path, default=Path("paper_tables"), help="keeps what was measured")
    parser.add_argument("--count", type=int, default=24, help="pairs (default 24)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw of pairs")
    parser.add_argument("--syncnet", default="embedded", help="embedded, syncnet_v2, or a file")
    parser.add_argument("--data", type=Path, help="the same clips prepared; else prepared in --out")
    parser.add_argument("--threshold", type=float, default=0.5, help="of the experts' cosine")
    parser.add_argument(
        "--threshold-from", type=Path, help="choose it for each expert on these prepared training clips"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="also write all figures here")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
