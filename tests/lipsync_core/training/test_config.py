from pathlib import Path

import pytest

from lipsync_core.errors import InvalidInputError
from lipsync_core.training.config import TrainConfig, read_config

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("train_*.yaml"))


def write(tmp_path, text):
    path = tmp_path / "train.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_shipped_configurations_are_read(path):
    assert read_config(path).width == 0.25


def test_there_is_a_configuration_for_every_network():
    assert {read_config(p).kind for p in CONFIGS} == {"lipsync_expert", "syncnet", "wav2lip"}


def test_values_and_defaults(tmp_path):
    config = read_config(write(tmp_path, "kind: syncnet\nlearning_rate: 2e-4\nsteps: 7\nwidth: 1\n"))
    assert config == TrainConfig(kind="syncnet", learning_rate=2e-4, steps=7, width=1.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: syncnet\nlearning_rat: 1.0\n", "unknown key learning_rat.*learning_rate"),
        ("width: 0.5\n", "kind is missing"),
        ("kind: gan\n", "'gan'.*lipsync_expert"),
        ("kind: syncnet\nsteps: many\n", "steps is 'many'.*int"),
        ("kind: syncnet\nbf16: 1\n", "bf16 is 1.*bool"),
        ("kind: syncnet\nsteps: 0\n", "steps is 0.*positive"),
        ("kind: wav2lip\nsync_weight: 0.1\nframes_per_window: 1\n", "frames_per_window is 1"),
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
