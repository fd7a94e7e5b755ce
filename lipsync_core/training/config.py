"""Training configuration: one frozen dataclass, read from YAML, unknown keys refused."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from lipsync_core.errors import InvalidInputError

KINDS = ("lipsync_expert", "syncnet", "wav2lip")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run, apart from where its data lie."""

    kind: str  # lipsync_expert | syncnet | wav2lip
    width: float = 0.25  # channel multiplier; 1.0 is the published network
    steps: int = 10_000  # length of the learning-rate schedule; --max-minutes may end it sooner
    learning_rate: float = 1e-3  # peak
    warmup_steps: int = 100  # linear rise to the peak, then a cosine fall to ...
    final_lr_share: float = 0.01  # ... this share of it; 1.0 keeps it constant
    weight_decay: float = 0.01
    ema_decay: float = 0.998  # exported weights are this running average
    clips_per_step: int = 8
    windows_per_clip: int = 8  # five-frame windows drawn from one clip
    min_gap_frames: int = 2  # smallest distance between two windows of one clip
    identity_power: float = 0.4  # an identity of n clips is drawn in proportion to n ** this
    freeze_batch_norm: bool = False  # use and keep the running statistics: for batches of few people
    threads: int = 1
    bf16: bool = False  # bfloat16 autocast
    seed: int = 0
    log_every_steps: int = 50
    checkpoint_every_minutes: float = 3.0
    # Augmentation (see augment.py); 1.0 is the full range, 0.0 none.
    geometry_strength: float = 1.0
    colour_strength: float = 1.0
    sound_strength: float = 1.0
    # Expert and SyncNet
    matching_weight: float = 1.0  # multi-way matching cross entropy
    bce_weight: float = 1.0  # expert only: the published binary cross entropy on the cosine
    # Generator
    frames_per_window: int = 5  # frames drawn from each window; the sync loss needs all 5
    mel_offset_frames: float = -2.0  # -2: the 200 ms window is centred on the frame it drives
    lower_half_weight: float = 1.0  # added L1 weight of rows >= 48
    mouth_weight: float = 3.0  # added L1 weight of the mouth region
    change_weight: float = 0.0  # added L1 weight where target and reference differ: there copying fails
    blur_reference_share: float = 0.0  # share of references whose mouth is blurred: nothing to copy there
    shape_weight: float = 0.0  # squared error of the mouth at low resolution
    motion_weight: float = 0.0  # the same of its change between windows of a clip
    gradient_weight: float = 0.5  # L1 between image gradients
    feature_weight: float = 0.0  # distance of the expert's features of generated and true windows
    sync_weight: float = 0.0  # expert's loss on generated windows
    contrast_weight: float = 0.0  # generated mouths must suit their own sound best in the batch
    sync_start_progress: float = 0.0  # share of the run before the expert's loss is switched on
    expert_weights: str = ""  # safetensors of the expert; needed when sync_weight > 0
    audio_from_expert: bool = False  # begin with the expert's audio layers (where the two networks agree)
    expert_mode: str = "eval"  # eval | train; the published trainer leaves the expert in train mode

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidInputError(f"kind is {self.kind!r}; allowed are {', '.join(KINDS)}")
        if self.expert_mode not in ("eval", "train"):
            raise InvalidInputError(f"expert_mode is {self.expert_mode!r}; allowed are eval, train")
        if not 1 <= self.frames_per_window <= 5 or (self.uses_expert and self.frames_per_window != 5):
            raise InvalidInputError(
                f"frames_per_window is {self.frames_per_window!r}; allowed are 1 to 5, and 5 with a sync loss"
            )
        for name in ("steps", "clips_per_step", "windows_per_clip", "threads", "min_gap_frames", "width"):
            if not getattr(self, name) > 0:
                raise InvalidInputError(f"{name} is {getattr(self, name)!r}; it must be positive")

    @property
    def uses_expert(self) -> bool:
        """Whether a loss looks at generated windows through the expert."""
        return self.kind == "wav2lip" and max(self.sync_weight, self.feature_weight, self.contrast_weight) > 0


def read_config(path: Path) -> TrainConfig:
    """Read a training configuration.

    Raises:
        InvalidInputError: unreadable YAML, unknown or missing key, wrong type, or value not allowed.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise InvalidInputError(f"cannot read training configuration {path}: {error}") from error
    if not isinstance(values, dict):
        raise InvalidInputError(f"{path} holds no keys; start from a file of configs/train_*.yaml")
    allowed = {f.name: f for f in fields(TrainConfig)}
    if unknown := sorted(set(map(str, values)) - set(allowed)):
        raise InvalidInputError(
            f"{path}: unknown key {', '.join(unknown)}; allowed are {', '.join(sorted(allowed))}"
        )
    if "kind" not in values:
        raise InvalidInputError(f"{path}: the key kind is missing; allowed are {', '.join(KINDS)}")
    checked: dict[str, Any] = {name: _typed(path, name, value) for name, value in values.items()}
    return TrainConfig(**checked)


_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str": (str,),
}


def _typed(path: Path, name: str, value: object) -> object:
    """Return the value if it has the field's type; YAML reads ``1e-3`` as text, which is turned to float."""
    wanted = next(str(f.type) for f in fields(TrainConfig) if f.name == name)
    if wanted == "float" and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    if not isinstance(value, _TYPES[wanted]) or (isinstance(value, bool) and wanted != "bool"):
        raise InvalidInputError(f"{path}: {name} is {value!r}; it must be of type {wanted}")
    return float(value) if wanted == "float" and isinstance(value, int) else value
