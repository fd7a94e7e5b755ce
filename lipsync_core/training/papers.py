"""Train every system of the papers' tables: ``python -m lipsync_core.training.papers DATA --out DIR``.

Experts that see 5, 3 and 1 frames; Wav2Lip under each of them, frozen and fine-tuned on fakes; Wav2Lip with
its visual-quality discriminator; LipGAN; a Speech2Vid-style baseline. All learn from the same clips with the
same image loss, as many images a step, and for as many steps: every Wav2Lip goes on from one common run with
image loss alone, LipGAN and Speech2Vid get the steps of both phases. Only the run with the discriminator is
longer: it goes on from the finished Wav2Lip of 5 frames. The image loss compares how the mouths of a clip
differ (`losses.motion_loss`): with L1 alone, runs this short copy the reference's mouth. Results are
safetensors files and ``papers.json``, which says what they are. A run that was broken off goes on.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lipsync_core.errors import LipSyncError
from lipsync_core.models.lipsync_expert import EXPERT_WINDOWS
from lipsync_core.training.config import TrainConfig, read_changes, with_values
from lipsync_core.training.dataset import PreparedClips
from lipsync_core.training.export import export_checkpoint, load_expert
from lipsync_core.training.loop import CHECKPOINT_NAME, read_checkpoint, train
from lipsync_core.training.shard_writer import write_atomically
from lipsync_core.training.tasks import make_task

logger = logging.getLogger(__name__)

MANIFEST_NAME = "papers.json"
IMAGES = "images"
EXPERT_STEPS, IMAGE_STEPS, JUDGED_STEPS, GAN_STEPS = 3000, 450, 600, 200
# One set for all; the published weights belong to another image loss.
SYNC_WEIGHT, CONTRAST_WEIGHT, FEATURE_WEIGHT = 0.05, 0.1, 0.1

_EXPERT = TrainConfig(
    kind="lipsync_expert", schedule="steps", learning_rate=1.5e-3, min_gap_frames=3, tensorboard=False,
    geometry_strength=0.4, colour_strength=0.5, sound_strength=0.3,
)  # fmt: skip
_GENERATOR = TrainConfig(
    kind="wav2lip", schedule="steps", learning_rate=2e-3, clips_per_step=8, windows_per_clip=5,
    frames_per_window=1, min_gap_frames=5, motion_weight=4.0, shape_weight=0.1, blur_reference_share=0.3,
    geometry_strength=0.4, colour_strength=0.5, sound_strength=0.2, final_lr_share=0.2, tensorboard=False,
)  # fmt: skip


@dataclass(frozen=True)
class System:
    """One training run of the comparison.

    Attributes:
        name: its folder, and its file without ``.safetensors``.
        steps: length at share 1.
        config: what is trained.
        expert: name of the expert that judges it.
        start_from: name of the run it goes on from.
    """

    name: str
    steps: int
    config: TrainConfig
    expert: str = ""
    start_from: str = ""


@dataclass(frozen=True)
class PapersOptions:
    """How the comparison is run.

    Attributes:
        width: channel multiplier of every network.
        share: of the usual length of every run; 2 trains twice as long.
        changes: configuration keys that differ from the usual, for all runs that have them.
    """

    width: float = 0.125
    share: float = 1.0
    changes: Mapping[str, Any] = field(default_factory=dict)


def systems() -> Iterator[System]:
    """Yield the runs in an order in which each finds what it needs."""
    for frames in EXPERT_WINDOWS:
        yield System(expert_name(frames), EXPERT_STEPS, replace(_EXPERT, window_frames=frames))
    yield System(IMAGES, IMAGE_STEPS, _GENERATOR)
    # Few people a batch: statistics of the common start are kept, as in the embedded recipe.
    judged = replace(
        _GENERATOR, clips_per_step=4, windows_per_clip=2, frames_per_window=5, learning_rate=1e-3,
        sync_weight=SYNC_WEIGHT, contrast_weight=CONTRAST_WEIGHT, feature_weight=FEATURE_WEIGHT,
        warmup_steps=20, ema_decay=0.98, freeze_batch_norm=True,
    )  # fmt: skip
    for frames in EXPERT_WINDOWS:
        for finetuned in (False, True):
            config = replace(judged, finetune_expert=finetuned)
            yield System(wav2lip_name(frames, finetuned), JUDGED_STEPS, config, expert_name(frames), IMAGES)
    # The discriminator joins a generator that is in sync: begun together, this few steps learn neither.
    gan = replace(judged, kind="wav2lip_gan", adam_beta1=0.5)
    yield System("wav2lip_gan", GAN_STEPS, gan, expert_name(5), wav2lip_name(5, False))
    for kind in ("lipgan", "speech2vid"):
        # The middle of 27 columns is on the frame at offset 0, that of 16 at -2.
        config = replace(_GENERATOR, kind=kind, mel_offset_frames=0.0)
        yield System(kind, IMAGE_STEPS + JUDGED_STEPS, config)


def expert_name(window_frames: int, finetuned: bool = False) -> str:
    """Return the name of an expert in the manifest, after it was fine-tuned on fakes or before."""
    return f"expert_t{window_frames}" + ("_finetuned" if finetuned else "")


def wav2lip_name(window_frames: int, finetuned: bool) -> str:
    """Return the name of the Wav2Lip that an expert judged."""
    return f"wav2lip_t{window_frames}_" + ("finetuned" if finetuned else "frozen")


def train_papers(data: Path, out: Path, options: PapersOptions) -> Path:
    """Train all systems below ``out`` and return the manifest.

    ``papers.json`` maps names to ``file`` (beside it), ``kind``, ``window_frames`` (of the expert that it is
    or that judged it; None without one), ``finetuned`` (whether that expert was trained on fakes), ``steps``
    and ``seconds`` (earlier phases included). It grows run by run, so that a table can be made of what is
    there.

    Args:
        data: training data made by ``python -m lipsync_core preprocess``.
        out: folder for runs and results.
        options: width, length.

    Raises:
        LipSyncError: see `lipsync_core.training.loop.train`.
    """
    out.mkdir(parents=True, exist_ok=True)
    clips = PreparedClips(data)
    for system in systems():
        known = {name: v for name, v in options.changes.items() if name not in ("kind", "window_frames")}
        steps = max(1, round(system.steps * options.share))
        config = with_values(replace(system.config, width=options.width, steps=steps), known)
        if not _is_done(out / system.name / CHECKPOINT_NAME):
            logger.info("%s: %d steps", system.name, config.steps)
            _train(replace(system, config=config), clips, out)
            _add_to_manifest(system, out)
        elif system.name not in _read_manifest(out):  # broken off between training and export
            _add_to_manifest(system, out)
    return out / MANIFEST_NAME


def _train(system: System, clips: PreparedClips, out: Path) -> None:
    folder = out / system.name
    resume = (folder / CHECKPOINT_NAME).exists()
    expert = load_expert(out / system.expert / CHECKPOINT_NAME) if system.expert else None
    task = make_task(system.config, clips, expert)
    start = out / system.start_from / CHECKPOINT_NAME if system.start_from and not resume else None
    train(task, system.config, folder, resume=resume, start_from=start)


def _is_done(checkpoint: Path) -> bool:
    if not checkpoint.exists():
        return False
    saved = read_checkpoint(checkpoint)
    return bool(saved["progress"]["step"] >= saved["config"]["steps"])


def _read_manifest(out: Path) -> dict[str, Any]:
    path = out / MANIFEST_NAME
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return manifest


def _add_to_manifest(system: System, out: Path) -> None:
    """Export a finished run, and a fine-tuned expert with it, and note them in the manifest."""
    if system.name == IMAGES:
        return
    manifest = _read_manifest(out)
    judge = next((n for n in EXPERT_WINDOWS if expert_name(n) == system.expert), None)
    frames = system.config.window_frames if system.config.kind == "lipsync_expert" else judge
    names = [(system.name, False)]
    if system.config.finetune_expert and frames is not None:
        names.append((expert_name(frames, finetuned=True), True))
    for name, opponent in names:
        metadata = export_checkpoint(
            out / system.name / CHECKPOINT_NAME, out / f"{name}.safetensors", opponent=opponent
        )
        manifest[name] = {
            "file": f"{name}.safetensors",
            "kind": metadata["architecture"],
            "window_frames": frames,
            "finetuned": system.config.finetune_expert,
            "steps": int(metadata["steps"]),
            "seconds": int(metadata["seconds"]),
        }
    write_atomically(out / MANIFEST_NAME, json.dumps(manifest, indent=1))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 done, 2 error, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m lipsync_core.training.papers", description=__doc__)
    parser.add_argument("data", type=Path, help="training data made by python -m lipsync_core preprocess")
    parser.add_argument("--out", type=Path, default=Path("papers"), help="folder for runs and results")
    parser.add_argument("--width", type=float, default=0.125, help="channel multiplier (1: the papers')")
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the usual number of steps; 2: twice as many"
    )
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="KEY=VALUE", help="configuration keys for all runs"
    )
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    try:
        options = PapersOptions(args.width, args.share, read_changes(args.set))
        logger.info("wrote %s", train_papers(args.data, args.out, options))
    except KeyboardInterrupt:
        logger.error("interrupted; the same command goes on from here")
        return 130
    except LipSyncError as error:
        logger.error("error: %s", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
