"""The figures in the model card: ``python -m lipsync_core.training.figures CLIPS [--json OUT]``.

For clips that were not trained on: how often the expert is right, and LSE of the real clips, of the same
pictures under the sound of another clip, and of what the generator makes of that pair. Everything runs
through the same code as ``lipsync_core sync`` and ``lipsync_core evaluate``.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lipsync_core.checkpoints import load_network
from lipsync_core.errors import InvalidInputError
from lipsync_core.evaluate import load_syncnet, score_video
from lipsync_core.inference import LipSyncer, load_syncer
from lipsync_core.media import VideoWriter, probe_media, read_audio, read_frames
from lipsync_core.models import LipSyncExpert
from lipsync_core.scoring import LoadedSyncNet
from lipsync_core.training.accuracy import ExpertAccuracy, expert_accuracy
from lipsync_core.training.dataset import PreparedClips
from lipsync_core.training.prepare import prepare
from lipsync_core.training.shards import CLIP_SUFFIXES, FPS
from lipsync_core.weights import resolve

logger = logging.getLogger(__name__)

KNOWN_IDENTITY = "s1"  # the only person of grid/test who is also in grid/train


@dataclass(frozen=True)
class ClipFigures:
    """LSE-D and LSE-C of one picture: with its own sound, with another's, and generated for the other's."""

    clip: str
    sound: str
    real_distance: float
    real_confidence: float
    unsynced_distance: float
    unsynced_confidence: float
    generated_distance: float
    generated_confidence: float


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


def lse_figures(clips: Sequence[Path], syncer: LipSyncer, syncnet: LoadedSyncNet) -> list[ClipFigures]:
    """Return LSE of each clip under its own sound and under the next clip's, before and after generation."""
    figures = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, clip in enumerate(clips):
            sound = clips[(number + 1) % len(clips)]
            speech = read_audio(sound)
            out = Path(scratch) / "generated.mp4"
            _generate(clip, speech, syncer, out)
            scores = [
                score_video(path, syncnet=syncnet, waveform=speech if other else None).whole
                for path, other in ((clip, False), (clip, True), (out, True))
            ]
            if any(score is None for score in scores):
                logger.warning("%s has no face track long enough to score", clip)
                continue
            values = [v for s in scores if s is not None for v in (s.distance, s.confidence)]
            figures.append(ClipFigures(f"{clip.parent.name}/{clip.stem}", sound.stem, *values))
            logger.info("%d of %d  %s", number + 1, len(clips), figures[-1])
    return figures


def _generate(clip: Path, speech: npt.NDArray[np.floating], syncer: LipSyncer, out: Path) -> None:
    video = probe_media(clip).video
    if video is None:
        raise InvalidInputError(f"{clip} holds no picture")
    frames = read_frames(clip, fps=Fraction(FPS))
    with VideoWriter(out, video.width, video.height, Fraction(FPS)) as writer:
        for frame in syncer(frames, speech, FPS):
            writer.write(frame.pasted())


def expert_figures(folder: Path) -> dict[str, ExpertAccuracy]:
    """Return the embedded expert's accuracy on the person it knows and on people it has never seen."""
    path = resolve("lipsync_expert", "embedded", allow_download=False).path
    expert = load_network(path, "lipsync_expert") if path else None
    if not isinstance(expert, LipSyncExpert):
        raise InvalidInputError("the embedded expert is not in this installation: reinstall the package")
    with tempfile.TemporaryDirectory() as scratch:
        prepare(folder, Path(scratch) / "data")
        data = PreparedClips(Path(scratch) / "data")
        known = [c for c in data.clips if c.identity == KNOWN_IDENTITY]
        unseen = [c for c in data.clips if c.identity != KNOWN_IDENTITY]
        groups = {"known person": known, "unseen people": unseen}
        return {name: expert_accuracy(expert, data, clips) for name, clips in groups.items() if clips}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m lipsync_core.training.figures", description=__doc__)
    parser.add_argument("clips", type=Path, help="folder of clips that were not trained on (person/clip.mkv)")
    parser.add_argument("--count", type=int, default=24, help="clips for the LSE table")
    parser.add_argument("--json", type=Path, help="also write everything here")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    accuracy = expert_figures(args.clips)
    for name, shares in accuracy.items():
        logger.info("expert, %s: %s", name, shares)
    syncer = load_syncer("embedded", allow_download=False)
    clips = lse_figures(choose_clips(args.clips, args.count), syncer, load_syncnet("embedded"))
    for what in ("real", "unsynced", "generated"):
        distance = np.mean([getattr(c, f"{what}_distance") for c in clips])
        confidence = np.mean([getattr(c, f"{what}_confidence") for c in clips])
        logger.info("%s: LSE-D %.3f  LSE-C %.3f  (%d clips)", what, distance, confidence, len(clips))
    if args.json:
        plain = {"expert": {k: asdict(v) for k, v in accuracy.items()}, "clips": [asdict(c) for c in clips]}
        args.json.write_text(json.dumps(plain, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
