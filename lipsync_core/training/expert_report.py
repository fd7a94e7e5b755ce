"""Off-sync accuracy of one expert on prepared clips, by person, as a table and as JSON.

``python -m lipsync_core evaluate --expert FILE --data DIR``.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lipsync_core.checkpoints import load_network
from lipsync_core.errors import InvalidInputError
from lipsync_core.models import LipSyncExpert
from lipsync_core.training.accuracy import (
    SELECTIONS,
    THRESHOLD,
    ClipScores,
    ExpertAccuracy,
    Rule,
    Selection,
    accuracy_of,
    by_identity,
    choose_threshold,
    score_clips,
)
from lipsync_core.training.dataset import PreparedClips
from lipsync_core.training.export import load_expert
from lipsync_core.training.loop import read_checkpoint
from lipsync_core.training.shards import ClipRecord
from lipsync_core.training.tasks.held_out import split_clips

logger = logging.getLogger(__name__)

FALLBACK_SHARE = 0.1


@dataclass(frozen=True)
class ExpertOptions:
    """What to measure.

    Attributes:
        threshold: of the cosine; None for 0.5, or for the one chosen on ``threshold_from``.
        threshold_from: prepared training clips on whose held-out part the threshold is chosen.
        rule: how it is chosen, see `lipsync_core.training.accuracy.choose_threshold`.
        target: off-sync accuracy wanted by the rule ``off_sync``.
        min_distance_frames: between the moments of a false pair; 1 is the published protocol.
        mel_offset_frames: at which the expert was trained; None takes what its checkpoint says, else 0.
        seen: people known from training; by default those of ``threshold_from``.
    """

    threshold: float | None = None
    threshold_from: Path | None = None
    rule: Rule = "balanced"
    target: float = 0.916
    min_distance_frames: int = 1
    mel_offset_frames: float | None = None
    seen: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExpertReport:
    """What was measured.

    Attributes:
        expert: file of the weights.
        window_frames: frames that the expert sees.
        mel_offset_frames: of the sound it was given.
        threshold: of the cosine, and ``threshold_source`` says where it comes from.
        chosen_on: accuracy on the held-out training clips the threshold was chosen on, if it was.
        groups: for all clips, for seen and unseen people where that is known, and for each person: accuracy
            by selection of pairs.
    """

    expert: str
    window_frames: int
    mel_offset_frames: float
    threshold: float
    threshold_source: str
    chosen_on: ExpertAccuracy | None
    groups: Mapping[str, Mapping[Selection, ExpertAccuracy]]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dicts for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Run:
    """What the training run of an expert tells: its configuration, empty where the file has none."""

    config: Mapping[str, Any]

    @property
    def mel_offset_frames(self) -> float:
        return float(self.config.get("expert_mel_offset_frames", 0.0))

    def held_out(self, clips: list[ClipRecord]) -> tuple[list[ClipRecord], str]:
        """Return the clips that the run held out, and what they are in words."""
        share = float(self.config.get("val_clips", 0.0))
        by, seed = str(self.config.get("val_by", "clip")), int(self.config.get("seed", 0))
        if share:
            chosen = split_clips(clips, share, by, seed)[1]
            return chosen, f"{len(chosen)} clips that the run held out"
        chosen = split_clips(clips, FALLBACK_SHARE, "clip", 0)[1]
        return chosen, f"{len(chosen)} clips that the run may have trained on (it names no held-out clips)"


def _load(file: Path) -> tuple[LipSyncExpert, _Run]:
    """Return the expert in a training checkpoint or in any container of weights, and its run.

    Exported and published weights know of no run.

    Raises:
        CheckpointError: the file holds no expert.
        MissingModelError: there is no such file.
    """
    if file.suffix == ".pt" and "average" in (saved := read_checkpoint(file)):
        return load_expert(file), _Run(saved["config"])
    network = load_network(file, "lipsync_expert")
    assert isinstance(network, LipSyncExpert)
    return network, _Run({})


def report_expert(expert_file: Path, data_folder: Path, options: ExpertOptions) -> ExpertReport:
    """Measure an expert on prepared clips.

    Args:
        expert_file: safetensors, published weights, or a training checkpoint.
        data_folder: clips prepared by ``python -m lipsync_core prepare``.
        options: see `ExpertOptions`.

    Raises:
        CheckpointError: the file holds no expert.
        InvalidInputError: no prepared clips, or none long enough.
    """
    if options.threshold is not None and options.threshold_from is not None:
        raise InvalidInputError("a threshold and clips to choose one on exclude each other: give one of them")
    expert, run = _load(expert_file)
    offset = run.mel_offset_frames if options.mel_offset_frames is None else options.mel_offset_frames
    threshold, source, chosen = THRESHOLD, "default", None
    seen: Collection[str] = options.seen
    if options.threshold is not None:
        threshold, source = options.threshold, "given"
    if options.threshold_from is not None:
        training = PreparedClips(options.threshold_from)
        clips, words = run.held_out(training.clips)
        chosen = choose_threshold(
            score_clips(expert, training, clips, offset),
            options.rule,
            options.target,
            min_distance_frames=options.min_distance_frames,
        )
        threshold = chosen.threshold
        source = f"{options.rule} on {words}"
        seen = seen or {clip.identity for clip in training.clips}
    data = PreparedClips(data_folder)
    scores = score_clips(expert, data, data.clips, offset)
    groups = {
        name: found
        for name, members in _groups(scores, seen).items()
        if (found := _by_selection(members, threshold, options.min_distance_frames))
    }
    if not groups:
        raise InvalidInputError(f"{data_folder} holds no windows to judge: give clips of over 0.3 s")
    return ExpertReport(str(expert_file), expert.window_frames, offset, threshold, source, chosen, groups)


def _groups(scores: Sequence[ClipScores], seen: Collection[str]) -> dict[str, Sequence[ClipScores]]:
    groups: dict[str, Sequence[ClipScores]] = {"everyone": scores}
    if seen:
        groups["people seen in training"] = [c for c in scores if c.identity in seen]
        groups["unseen people"] = [c for c in scores if c.identity not in seen]
    return {**groups, **by_identity(scores)}


def _by_selection(
    scores: Sequence[ClipScores], threshold: float, min_distance_frames: int
) -> dict[Selection, ExpertAccuracy]:
    found = {s: accuracy_of(scores, threshold, s, min_distance_frames) for s in SELECTIONS}
    return {selection: accuracy for selection, accuracy in found.items() if accuracy is not None}


def table_lines(report: ExpertReport) -> list[str]:
    """Return the report as lines of a table for people."""
    lines = [
        f"expert {report.expert}, {report.window_frames} frames · threshold {report.threshold:.3f} "
        f"({report.threshold_source})"
    ]
    if report.chosen_on is not None:
        lines.append(
            f"there: off-sync {report.chosen_on.off_sync:.1%}, in-sync {report.chosen_on.in_sync:.1%} of "
            f"{report.chosen_on.n_windows} windows with speech"
        )
    lines.append(f"{'':26}{'windows':16}{'off-sync':>9}{'in-sync':>9}{'ranking':>9}{'n':>8}")
    words = {"all": "all", "speech": "with speech", "speech_pairs": "speech in both"}
    for group, found in report.groups.items():
        for number, (selection, accuracy) in enumerate(found.items()):
            lines.append(
                f"{group if number == 0 else '':26}{words[selection]:16}{accuracy.off_sync:>9.1%}"
                f"{accuracy.in_sync:>9.1%}{accuracy.ranking:>9.1%}{accuracy.n_windows:>8}"
            )
    return lines
