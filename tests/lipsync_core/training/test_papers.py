import json

import pytest

from lipsync_core.checkpoints import load_recognised
from lipsync_core.errors import InvalidInputError
from lipsync_core.training.papers import IMAGES, PapersOptions, main, systems, train_papers

TINY = {
    "steps": 1,
    "clips_per_step": 1,
    "windows_per_clip": 2,
    "log_every_steps": 1,
    "tensorboard": False,
}
OPTIONS = PapersOptions(width=1 / 32, share=1.0, changes=TINY)


@pytest.fixture(scope="module")
def made(tmp_path_factory, prepared_folder):
    out = tmp_path_factory.mktemp("papers")
    manifest = train_papers(prepared_folder, out, OPTIONS)
    return out, json.loads(manifest.read_text())


def test_every_row_of_the_tables_has_weights_that_load(made):
    out, manifest = made
    frozen = {f"wav2lip_t{n}_frozen" for n in (1, 3, 5)}
    finetuned = {f"{what}_finetuned" for n in (1, 3, 5) for what in (f"wav2lip_t{n}", f"expert_t{n}")}
    others = {"expert_t1", "expert_t3", "expert_t5", "wav2lip_gan", "lipgan", "speech2vid"}
    assert set(manifest) == frozen | finetuned | others
    for name, entry in manifest.items():
        found = load_recognised(out / entry["file"])
        assert found.kind == entry["kind"]
        assert entry["finetuned"] == name.endswith("_finetuned")
        if "expert" in name:
            assert found.network.window_frames == entry["window_frames"] == int(name[8])


def test_systems_learn_for_the_same_steps_from_as_many_images(made):
    generators = [s for s in systems() if s.config.is_generator]
    before = {s.name: s.steps for s in generators}
    whole = {s.name: s.steps + before.get(s.start_from, 0) for s in generators}
    whole["wav2lip_gan"] -= next(s.steps for s in generators if s.name == "wav2lip_gan")
    whole["wav2lip_gan"] += before[IMAGES]  # it goes on from a finished Wav2Lip, which went on from this
    assert len({steps for name, steps in whole.items() if name != IMAGES}) == 1
    assert len({s.steps for s in systems() if not s.config.is_generator}) == 1
    configs = [s.config for s in generators]
    assert len({c.clips_per_step * c.windows_per_clip * c.frames_per_window for c in configs}) == 1
    for key in ("mouth_weight", "gradient_weight", "motion_weight", "shape_weight"):
        assert len({getattr(c, key) for c in configs}) == 1
    steps = {name: entry["steps"] for name, entry in made[1].items()}
    assert (steps["wav2lip_gan"], steps["wav2lip_t3_frozen"]) == (3, 2)
    assert steps["lipgan"] == steps["expert_t1"] == 1


def test_a_second_run_trains_nothing_again(made, prepared_folder):
    out, manifest = made
    before = {p: p.stat().st_mtime_ns for p in out.glob("*/checkpoint.pt")}
    assert json.loads(train_papers(prepared_folder, out, OPTIONS).read_text()) == manifest
    assert {p: p.stat().st_mtime_ns for p in out.glob("*/checkpoint.pt")} == before


def test_mistakes_are_named(prepared_folder, tmp_path, caplog):
    with pytest.raises(InvalidInputError, match="widht"):
        train_papers(prepared_folder, tmp_path, PapersOptions(changes={"widht": 1}))
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert main([str(prepared_folder), "--out", str(tmp_path / "out"), "--set", "steps"]) == 2
    assert "KEY=VALUE" in caplog.text
