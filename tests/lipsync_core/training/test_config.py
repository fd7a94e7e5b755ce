import json
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from lipsync_core.errors import InvalidInputError, MissingModelError
from lipsync_core.training.config import KINDS, TrainConfig, read_changes, read_config, with_values

FOLDER = Path(__file__).parents[3] / "configs"
CONFIGS = sorted(FOLDER.glob("train_*.yaml"))
PUBLISHED = [path for path in CONFIGS if not path.stem.startswith("train_embedded")]


def write(tmp_path, text, name="train.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_shipped_configurations_are_read(path):
    assert read_config(path).width == (1.0 if path in PUBLISHED else 0.25)


def test_there_is_a_configuration_for_every_network():
    assert {read_config(p).kind for p in PUBLISHED} == set(KINDS)
    assert len(PUBLISHED) == len(KINDS)


def test_published_hyper_parameters():
    expert, wav2lip, gan, lipgan = (
        read_config(FOLDER / f"train_{name}.yaml") for name in ("expert", "wav2lip", "wav2lip_gan", "lipgan")
    )
    assert (expert.learning_rate, expert.clips_per_step * expert.windows_per_clip) == (1e-4, 64)
    assert (wav2lip.sync_weight, gan.sync_weight, gan.adversarial_weight) == (0.01, 0.03, 0.07)
    assert (wav2lip.sync_switch, wav2lip.sync_eval_threshold, wav2lip.expert_mode) == ("eval", 0.75, "train")
    assert (gan.adam_beta1, gan.adam_beta2, wav2lip.adam_beta1) == (0.5, 0.999, 0.9)
    assert (lipgan.opponent_steps, gan.opponent_steps) == ("first", "joint")
    assert (lipgan.contrastive_weight, lipgan.contrastive_margin, lipgan.clips_per_step) == (0.01, 1.0, 96)


def test_values_and_defaults(tmp_path):
    config = read_config(write(tmp_path, "kind: syncnet\nlearning_rate: 2e-4\nsteps: 7\nwidth: 1\n"))
    assert config == TrainConfig(kind="syncnet", learning_rate=2e-4, steps=7, width=1.0)
    same = {"kind": "syncnet", "learning_rate": 2e-4, "steps": 7, "width": 1}
    assert read_config(write(tmp_path, json.dumps(same), "train.json")) == config


def test_json_needs_no_yaml(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert read_config(write(tmp_path, '{"kind": "lipgan"}', "train.json")).kind == "lipgan"
    with pytest.raises(MissingModelError, match=r"f2f\[train\]"):
        read_config(write(tmp_path, "kind: lipgan\n"))


def test_every_key_is_explained():
    lines = (FOLDER.parent / "lipsync_core" / "training" / "config.py").read_text().splitlines()
    silent = {"weight_decay", "seed", "log_every_steps", "geometry_strength", "colour_strength"}
    silent |= {
        "sound_strength",
        "adam_beta2",
        "checkpoint_every_minutes",
    }  # explained by the line above them, or by their names
    for field in fields(TrainConfig):
        (line,) = [text for text in lines if text.startswith(f"    {field.name}: ")]
        assert "#" in line or field.name in silent, field.name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: syncnet\nlearning_rat: 1.0\n", "unknown key learning_rat.*learning_rate"),
        ("width: 0.5\n", "kind is missing"),
        ("kind: gan\n", "'gan'.*lipsync_expert"),
        ("kind: syncnet\nsteps: many\n", "steps is 'many'.*int"),
        ("kind: syncnet\nbf16: 1\n", "bf16 is 1.*bool"),
        ("kind: syncnet\nsteps: 0\n", "steps is 0.*positive"),
        ("kind: syncnet\nval_clips: 1.5\n", r"val_clips is 1\.5.*0 to 1"),
        ("kind: syncnet\nwindows_per_clip: 1\n", "windows_per_clip is 1.*2 or more"),
        ("kind: lipsync_expert\nwindow_frames: 4\n", "window_frames is 4.*1, 3, 5"),
        ("kind: lipgan\nclips_per_step: 1\nwindows_per_clip: 1\n", ">= 2"),
        ("kind: lipgan\nclips_per_step: 8\naccumulate: 3\n", "accumulate is 3.*8"),
        ("kind: wav2lip_gan\nopponent_steps: first\n", "LipGAN's.*wav2lip_gan use joint"),
        ("kind: wav2lip\nsync_weight: 0.1\nframes_per_window: 1\n", "frames_per_window is 1"),
        ("kind: wav2lip\nsync_weight: 0.1\nsync_switch: eval\n", "val_clips"),
        ("kind: wav2lip\nexpert_mode: frozen\n", "'frozen'.*eval, train"),
        ("- a\n", "no keys"),
        ("kind: [\n", "cannot read"),
    ],
)
def test_mistakes_are_named(tmp_path, text, said):
    with pytest.raises(InvalidInputError, match=said):
        read_config(write(tmp_path, text))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidInputError, match=r"nowhere\.yaml"):
        read_config(tmp_path / "nowhere.yaml")


def test_changes_from_the_command_line():
    changes = read_changes(["width=0.5", "bf16=true", "device=cpu", "pairs=coin_flip"])
    config = with_values(TrainConfig(kind="lipsync_expert"), changes)
    assert (config.width, config.bf16, config.device, config.pairs) == (0.5, True, "cpu", "coin_flip")
    with pytest.raises(InvalidInputError, match="KEY=VALUE"):
        read_changes(["width"])
    with pytest.raises(InvalidInputError, match="wdth"):
        with_values(config, {"wdth": 1})
