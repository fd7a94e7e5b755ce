import shutil
from pathlib import Path

import pytest
import torch
import yaml

from lipsync_core.checkpoints import load_network, load_state_dict, read_metadata
from lipsync_core.training.accuracy import expert_accuracy, syncnet_lse
from lipsync_core.training.embedded import PHASES, make_embedded_weights
from lipsync_core.training.figures import choose_clips

CONFIGS = Path(__file__).parents[3] / "configs"
TINY = {"width": 0.125, "steps": 1, "clips_per_step": 2, "windows_per_clip": 2}


@pytest.fixture(scope="module")
def made(tmp_path_factory, prepared_folder):
    work, configs = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("configs")
    shutil.copytree(prepared_folder, work / "data")
    for path in CONFIGS.glob("train_*.yaml"):
        (configs / path.name).write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | TINY))
    files = make_embedded_weights(Path("unused: data is there"), work, configs)
    return work, configs, files


def test_every_phase_has_its_configuration_and_a_phase_before_it():
    names = [phase.name for phase in PHASES]
    for number, phase in enumerate(PHASES):
        assert (CONFIGS / f"{phase.name}.yaml").is_file()
        assert not phase.goes_on_from or phase.goes_on_from in names[:number]
    assert {p.exported_as for p in PHASES if p.exported_as} == {"lipsync_expert", "wav2lip", "syncnet"}


def test_one_command_makes_three_files_that_load(made):
    _, _, files = made
    assert sorted(f.name for f in files) == [
        "lipsync_expert.safetensors",
        "syncnet.safetensors",
        "wav2lip.safetensors",
    ]
    for file in files:
        assert load_network(file, file.stem).width == 0.125


def test_a_second_run_trains_nothing_again(made):
    work, configs, files = made
    before = {f: (read_metadata(f), load_state_dict(f)) for f in files}
    assert make_embedded_weights(Path("unused"), work, configs) == files
    for file, (metadata, state) in before.items():
        assert read_metadata(file) == metadata
        assert all(torch.equal(value, state[name]) for name, value in load_state_dict(file).items())


def test_steps_of_all_phases_are_counted(made):
    steps = {file.stem: read_metadata(file)["steps"] for file in made[2]}
    assert steps == {"lipsync_expert": "2", "wav2lip": "3", "syncnet": "1"}


def test_accuracy_counts_pairs_and_windows(made, prepared):
    _, _, files = made
    expert = load_network(next(f for f in files if "expert" in f.name), "lipsync_expert")
    clips = prepared.clips[:2]
    shares = expert_accuracy(expert, prepared, clips)
    assert shares.n_windows == 72
    assert 0 <= min(shares.off_sync, shares.in_sync, shares.ranking) <= 1
    near, far = (expert_accuracy(expert, prepared, clips, min_distance_frames=k) for k in (1, 30))
    assert near.in_sync == far.in_sync


def test_lse_of_a_clip_with_its_own_sound_and_another(made, prepared):
    _, _, files = made
    syncnet = load_network(next(f for f in files if "syncnet" in f.name), "syncnet")
    first, second = prepared.clips[:2]
    own, other = syncnet_lse(syncnet, prepared, [first, first], [first, second])
    assert own.n_windows == other.n_windows == 36
    assert own.distance != other.distance


def test_figures_take_turns_among_people(tmp_path):
    for name in ("a/1.mkv", "a/2.mkv", "a/3.mkv", "b/1.mkv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    chosen = [str(p.relative_to(tmp_path)) for p in choose_clips(tmp_path, 3)]
    assert chosen == ["a/1.mkv", "b/1.mkv", "a/2.mkv"]
