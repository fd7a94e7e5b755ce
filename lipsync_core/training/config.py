"""Training configuration: one frozen dataclass, read from YAML or JSON, unknown keys refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from lipsync_core.errors import InvalidInputError, MissingModelError

KINDS = ("lipsync_expert", "syncnet", "wav2lip", "wav2lip_gan", "lipgan", "speech2vid")
_CHOICES = {
    "kind": KINDS,
    "schedule": ("nearer", "steps"),
    "val_by": ("clip", "identity"),
    "pairs": ("in_clip", "coin_flip"),
    "loss": ("matching", "max_margin"),
    "expert_mode": ("eval", "train"),
    "image_share": ("whole", "remainder"),
    "sync_switch": ("progress", "step", "eval"),
    "opponent_steps": ("joint", "first"),
    "adversarial_loss": ("non_saturating", "saturating"),
}
_POSITIVE = (
    "steps", "clips_per_step", "windows_per_clip", "threads", "draw_threads", "min_gap_frames", "width",
    "accumulate", "log_every_steps", "validate_every_steps", "val_batches",
)  # fmt: skip
_SHARES = ("val_clips", "final_lr_share", "ema_decay", "sync_start_progress", "adam_beta1", "adam_beta2")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run, apart from where its data lie."""

    kind: str  # one of KINDS
    width: float = 0.25  # channel multiplier; 1.0 is the published network
    steps: int = 10_000  # length of the learning-rate schedule; --max-minutes may end it sooner
    schedule: str = "nearer"  # nearer: falls by steps or --max-minutes, whichever ends first | steps
    learning_rate: float = 1e-3  # peak
    warmup_steps: int = 100  # linear rise to the peak, then a cosine fall to ...
    final_lr_share: float = 0.01  # ... this share of it; 1.0 keeps it constant
    weight_decay: float = 0.01  # 0 makes AdamW the published Adam
    adam_beta1: float = 0.9  # the published GAN trainer: 0.5
    adam_beta2: float = 0.999
    gradient_norm_limit: float = 5.0  # 0: none, as published
    ema_decay: float = 0.998  # exported weights are this running average; 0: the weights themselves
    clips_per_step: int = 8  # of one process: torchrun with two processes learns from twice as many
    windows_per_clip: int = 8  # five-frame windows drawn from one clip
    accumulate: int = 1  # parts of a step's clips, done in turn; contrast_weight compares within one
    min_gap_frames: int = 2  # smallest distance between two windows of one clip
    identity_power: float = 0.4  # an identity of n clips is drawn in proportion to n ** this
    freeze_batch_norm: bool = False  # use and keep the running statistics: for batches of few people
    device: str = "auto"  # auto | cpu | cuda | cuda:1 | mps; auto takes CUDA where there is one
    threads: int = 1  # of PyTorch on the CPU
    draw_threads: int = 1  # draw batches ahead; never changes what is drawn
    bf16: bool = False  # bfloat16 autocast
    channels_last: bool = True  # memory layout of images; SyncNet's own layers decide theirs
    seed: int = 0
    log_every_steps: int = 50
    checkpoint_every_minutes: float = 3.0
    checkpoint_every_steps: int = 0  # also so often; 0: by the clock alone
    tensorboard: bool = True  # scalars and sample pictures below OUT/tensorboard
    samples_every_steps: int = 500  # pictures for TensorBoard; 0: none
    # Held-out clips
    val_clips: float = 0.0  # share of the clips never trained on; 0: no validation
    val_by: str = "clip"  # clip | identity: hold out whole people
    validate_early_step: int = 1  # the first validation, so that a wrong set-up shows at once
    validate_every_steps: int = 1_000  # published: 10,000 for the expert, 3,000 for generators
    val_batches: int = 8  # always the same ones
    # Augmentation (see augment.py); 1.0 is the full range, 0.0 none.
    geometry_strength: float = 1.0
    colour_strength: float = 1.0
    sound_strength: float = 1.0
    # Expert and SyncNet
    window_frames: int = 5  # expert only: 5, 3 or 1 frames, the middle ones of the 200 ms of sound
    pairs: str = "in_clip"  # expert only: every mouth with every sound of its clip | coin_flip, as published
    matching_weight: float = 1.0  # multi-way matching cross entropy (pairs: in_clip)
    bce_weight: float = 1.0  # expert only: the published binary cross entropy on the cosine
    expert_mel_offset_frames: float = 0.0  # sound of a window; published: 0 now, +1 when weights were made
    loss: str = "matching"  # SyncNet only: matching | max_margin, as published
    margin: float = 10.0  # of max_margin
    # Generators
    frames_per_window: int = 5  # frames drawn from each window; the sync loss needs all 5
    mel_offset_frames: float = -2.0  # 16 columns of sound are centred on the frame at -2, 27 (LipGAN) at 0
    lower_half_weight: float = 1.0  # added L1 weight of rows >= 48
    mouth_weight: float = 3.0  # added L1 weight of the mouth region
    change_weight: float = 0.0  # added L1 weight where target and reference differ: there copying fails
    blur_reference_share: float = 0.0  # share of references whose mouth is blurred: nothing to copy there
    shape_weight: float = 0.0  # squared error of the mouth at low resolution
    motion_weight: float = 0.0  # the same of its change between windows of a clip
    gradient_weight: float = 0.5  # L1 between image gradients
    feature_weight: float = 0.0  # distance of the expert's features of generated and true windows
    sync_weight: float = 0.0  # expert's loss on generated windows; published: 0.01, with GAN 0.03
    contrast_weight: float = 0.0  # generated mouths must suit their own sound best in the batch
    image_share: str = "whole"  # whole: image loss x 1 | remainder: x (1 - sync - adversarial), as published
    sync_switch: str = "progress"  # the expert's loss is switched on by: progress | step | eval, as published
    sync_start_progress: float = 0.0  # progress: at this share of the run
    sync_start_step: int = 0  # step: at this step
    sync_eval_threshold: float = 0.75  # eval: when sync on held-out clips falls below this; never off again
    expert_weights: str = ""  # safetensors of the expert; needed when sync_weight > 0
    audio_from_expert: bool = False  # begin with the expert's audio layers (where the two networks agree)
    expert_mode: str = "eval"  # eval | train; the published trainer leaves the expert in train mode
    judge_mouth_only: bool = True  # judges see the true face around the mouth; published: the whole output
    finetune_expert: bool = False  # train the expert on fakes too, as LipGAN's discriminator is (ablation)
    # Discriminators
    opponent_steps: str = "joint"  # in the network's pass | first: lipgan's own two, as published
    opponent_learning_rate: float = 1e-4  # of discriminator or fine-tuned expert; same schedule
    discriminator_width: float = 0.0  # 0: like width
    adversarial_weight: float = 0.07  # wav2lip_gan
    adversarial_loss: str = "non_saturating"  # as in the code | saturating, as in the thesis
    contrastive_weight: float = 0.01  # lipgan
    contrastive_margin: float = 1.0  # lipgan: 1.0 in the code, 2.0 in the thesis

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise InvalidInputError(
                    f"{name} is {getattr(self, name)!r}; allowed are {', '.join(map(str, allowed))}"
                )
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise InvalidInputError(f"{name} is {getattr(self, name)!r}; it must be positive")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInputError(f"{name} is {getattr(self, name)!r}; allowed are 0 to 1")
        self._check_windows()

    def _check_windows(self) -> None:
        if not 1 <= self.frames_per_window <= 5 or (self.uses_expert and self.frames_per_window != 5):
            raise InvalidInputError(
                f"frames_per_window is {self.frames_per_window!r}; allowed are 1 to 5, and 5 with a sync loss"
            )
        if self.window_frames not in (1, 3, 5):
            raise InvalidInputError(f"window_frames is {self.window_frames!r}; allowed are 1, 3, 5")
        in_clip = self.kind == "syncnet" or (self.kind == "lipsync_expert" and self.pairs == "in_clip")
        if in_clip and self.windows_per_clip < 2:
            raise InvalidInputError(
                f"windows_per_clip is {self.windows_per_clip}; in-clip pairs need 2 or more"
            )
        if self.clips_per_step % self.accumulate:
            raise InvalidInputError(
                f"accumulate is {self.accumulate}, which does not divide clips_per_step {self.clips_per_step}"
            )
        if self.rolls_sounds and self.clips_per_step * self.windows_per_clip < 2:
            raise InvalidInputError("a discriminator of sound needs clips_per_step x windows_per_clip >= 2")
        if self.opponent_steps == "first" and self.kind != "lipgan":
            raise InvalidInputError(f"opponent_steps first is LipGAN's; with kind {self.kind} use joint")
        if self.uses_expert and self.sync_switch == "eval" and not self.val_clips:
            raise InvalidInputError("sync_switch eval needs held-out clips: set val_clips, for instance 0.05")

    @property
    def is_generator(self) -> bool:
        """Whether faces are generated."""
        return self.kind not in ("lipsync_expert", "syncnet")

    @property
    def uses_expert(self) -> bool:
        """Whether a loss looks at generated windows through the expert."""
        judged = max(self.sync_weight, self.feature_weight, self.contrast_weight) > 0
        return self.kind in ("wav2lip", "wav2lip_gan") and judged

    @property
    def needs_expert(self) -> bool:
        """Whether a run cannot begin without an expert's weights."""
        return self.uses_expert or (self.kind in ("wav2lip", "wav2lip_gan") and self.audio_from_expert)

    @property
    def rolls_sounds(self) -> bool:
        """Whether a discriminator must learn that another clip's sound is wrong."""
        return self.kind == "lipgan" or (self.uses_expert and self.finetune_expert)


def read_config(path: Path) -> TrainConfig:
    """Read a training configuration (``.json``, or YAML, which needs PyYAML).

    Raises:
        InvalidInputError: unreadable file, unknown or missing key, wrong type, or value not allowed.
        MissingModelError: YAML, and PyYAML is not installed.
    """
    values = _read_values(path)
    if not isinstance(values, dict):
        raise InvalidInputError(f"{path} holds no keys; start from a file of configs/train_*.yaml")
    if "kind" not in values:
        raise InvalidInputError(f"{path}: the key kind is missing; allowed are {', '.join(KINDS)}")
    return TrainConfig(**_checked(values, str(path)))


def with_values(config: TrainConfig, values: Mapping[str, object]) -> TrainConfig:
    """Return a configuration with some keys changed.

    Raises:
        InvalidInputError: unknown key, wrong type, or value not allowed.
    """
    return replace(config, **_checked(values, "changes"))


def read_changes(words: Sequence[str]) -> dict[str, object]:
    """Read ``key=value`` words; values are JSON, or text where they are none.

    Raises:
        InvalidInputError: a word without ``=``.
    """
    changes: dict[str, object] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise InvalidInputError(f"{word!r} is no KEY=VALUE, for instance width=0.25")
        try:
            changes[name] = json.loads(text)
        except ValueError:
            changes[name] = text
    return changes


def _checked(values: Mapping[str, object], where: str) -> dict[str, Any]:
    allowed = {f.name for f in fields(TrainConfig)}
    if unknown := sorted(set(map(str, values)) - allowed):
        raise InvalidInputError(
            f"{where}: unknown key {', '.join(unknown)}; allowed are {', '.join(sorted(allowed))}"
        )
    return {name: _typed(where, name, value) for name, value in values.items()}


def _read_values(path: Path) -> object:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return json.loads(text)
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"cannot read training configuration {path}: {error}") from error
    try:
        import yaml
    except ImportError as error:
        raise MissingModelError(
            f"{path} is YAML, and PyYAML is not installed: pip install 'f2f[train]', or use a .json file"
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInputError(f"cannot read training configuration {path}: {error}") from error


_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str": (str,),
}


def _typed(where: str, name: str, value: object) -> object:
    """Return the value if it has the field's type; YAML reads ``1e-3`` as text, which is turned to float."""
    wanted = next(str(f.type) for f in fields(TrainConfig) if f.name == name)
    if wanted == "float" and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    if not isinstance(value, _TYPES[wanted]) or (isinstance(value, bool) and wanted != "bool"):
        raise InvalidInputError(f"{where}: {name} is {value!r}; it must be of type {wanted}")
    return float(value) if wanted == "float" and isinstance(value, int) else value
