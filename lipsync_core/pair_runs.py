"""Runs over lists of pairs whose scores are kept on disk, so that a run can stop and go on."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lipsync_core.errors import InvalidInputError
from lipsync_core.metrics.face_sets import FaceSets, Frechet
from lipsync_core.pair_scores import PairJudge, PairScore, score_pair
from lipsync_core.pairs import Pair
from lipsync_core.whole_files import whole_file

logger = logging.getLogger(__name__)

RESULTS_FILE = "pairs.jsonl"


class PairRun:
    """A folder that keeps the scores of a list, so that a run that stopped goes on.

    ``pairs.jsonl`` holds one line a pair, written when it is done; ``features/`` what Fréchet distances need.
    Lines of other weights or settings are never used.

    Args:
        folder: made if it is not there.
        judge: see `PairJudge`.

    Raises:
        InvalidInputError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, judge: PairJudge) -> None:
        self.folder, self.judge = folder, judge
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._done = self._read()
        except OSError as error:
            raise InvalidInputError(f"cannot keep results in {folder}: {error}") from error

    def scores(
        self, pairs: Sequence[Pair], root: Path, told: Callable[[int, PairScore], None] | None = None
    ) -> list[PairScore]:
        """Return the scores of all pairs, in order; only those not kept yet are made.

        Args:
            pairs: the list.
            root: folder that its names are relative to.
            told: called with the number of pairs done, and the last score.
        """
        scores = []
        for number, pair in enumerate(pairs, 1):
            score = self._done.get(pair)
            if score is None:
                score, features = score_pair(pair, root, self.judge)
                self._keep(pair, score, features)
            scores.append(score)
            if told is not None:
                told(number, score)
        return scores

    def features(self, pair: Pair) -> npt.NDArray[np.float32] | None:
        """Return (2, n, size) features of a pair's true and generated faces, or None without any."""
        path = self._features_path(pair)
        return np.load(path) if path.is_file() else None

    def frechet(self, pairs: Sequence[Pair]) -> Frechet | None:
        """Return the distance between true and generated faces of all pairs, or None without any."""
        if self.judge.features is None:
            return None
        sets = FaceSets(self.judge.features)
        for pair in pairs:
            both = self.features(pair)
            if both is not None:
                sets.push_features(both[0], both[1])
        return sets.frechet()

    def _features_path(self, pair: Pair) -> Path:
        text = json.dumps([pair.audio, pair.video, self.judge.key], sort_keys=True)
        return self.folder / "features" / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.npy"

    def _keep(self, pair: Pair, score: PairScore, features: npt.NDArray[np.float32] | None) -> None:
        if features is not None:
            path = self._features_path(pair)
            path.parent.mkdir(exist_ok=True)
            with whole_file(path) as part:
                np.save(part, features)
        if score.error is None:  # what failed is tried again next time
            line = json.dumps({"key": self.judge.key, **asdict(score)}, ensure_ascii=False)
            with (self.folder / RESULTS_FILE).open("a", encoding="utf-8") as results:
                results.write(line + "\n")
            self._done[pair] = score

    def _read(self) -> dict[Pair, PairScore]:
        path = self.folder / RESULTS_FILE
        done: dict[Pair, PairScore] = {}
        if not path.is_file():
            return done
        text = path.read_text(encoding="utf-8")
        if text and not text.endswith("\n"):  # killed while writing: drop the half line
            text = text[: text.rfind("\n") + 1]
            path.write_text(text, encoding="utf-8")
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                if entry.pop("key") == self.judge.key:
                    score = PairScore(**entry)
                    done[Pair(score.audio, score.video)] = score
            except (ValueError, KeyError, TypeError, AttributeError):
                logger.warning("ignored a damaged line of %s", path)
        return done


def mean_figures(scores: Sequence[PairScore]) -> dict[str, float | int | None]:
    """Return plain means over the pairs that could be scored, as in the papers."""
    measured = [s for s in scores if s.lse_d is not None and s.lse_c is not None]
    offsets = [s.offset_frames for s in measured if s.offset_frames is not None]
    return {
        "n_pairs": len(measured),
        "n_failed": len(scores) - len(measured),
        "lse_d": float(np.mean([s.lse_d for s in measured])) if measured else None,
        "lse_c": float(np.mean([s.lse_c for s in measured])) if measured else None,
        "in_sync_share": sum(abs(o) <= 1 for o in offsets) / len(offsets) if offsets else None,
    }
