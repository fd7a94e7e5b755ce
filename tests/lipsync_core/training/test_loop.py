import json
from dataclasses import replace

import pytest
import torch

from lipsync_core.checkpoints import load_network, read_metadata
from lipsync_core.errors import CheckpointError, InvalidInputError
from lipsync_core.models import LipSyncExpert
from lipsync_core.training.__main__ import main
from lipsync_core.training.config import TrainConfig
from lipsync_core.training.export import compact_state, export_checkpoint, load_expert, network_of
from lipsync_core.training.loop import read_checkpoint, train
from lipsync_core.training.tasks import copy_audio_encoder, make_task

SMALL = TrainConfig(
    kind="lipsync_expert", width=0.125, steps=2, clips_per_step=2, windows_per_clip=2, log_every_steps=1
)
KINDS = ("lipsync_expert", "syncnet", "wav2lip")


def run(config, prepared, out, **options):
    expert = LipSyncExpert(config.width) if config.sync_weight or config.audio_from_expert else None
    task = make_task(config, prepared, expert)
    return task, train(task, config, out, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_two_steps_then_export_give_weights_that_load_strictly(kind, prepared, tmp_path):
    config = replace(SMALL, kind=kind, sync_weight=0.05 if kind == "wav2lip" else 0.0)
    task, progress = run(config, prepared, tmp_path / "run")
    assert progress.step == 2
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [1, 2]
    if kind == "wav2lip":
        assert log[0]["sync"] > 0
    file = tmp_path / f"{kind}.safetensors"
    export_checkpoint(tmp_path / "run" / "checkpoint.pt", file)
    metadata = read_metadata(file)
    assert (metadata["architecture"], metadata["width"], metadata["steps"]) == (kind, "0.125", "2")
    assert "Cooke" in metadata["attribution"]
    assert ("mel_offset_frames" in metadata) == (kind == "wav2lip")
    loaded = load_network(file, kind).state_dict()
    average = read_checkpoint(tmp_path / "run" / "checkpoint.pt")["average"]
    for name, value in average.items():
        tolerance = 1e-3 * float(value.abs().max()) if value.dim() > 1 else 0.0
        assert float((loaded[name] - value).abs().max()) <= tolerance, name
    moved = task.network.state_dict()
    assert any(not torch.equal(moved[name], average[name]) for name in average), "the average lags behind"


def test_resume_goes_on_exactly_where_an_unbroken_run_would_be(prepared, tmp_path):
    longer = replace(SMALL, steps=4, final_lr_share=1.0)
    torch.manual_seed(0)
    whole, _ = run(longer, prepared, tmp_path / "whole")
    run(replace(longer, steps=2), prepared, tmp_path / "parts")
    resumed, progress = run(longer, prepared, tmp_path / "parts", resume=True)
    assert progress.step == 4
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(resumed.network.state_dict()[name], value, rtol=1e-4, atol=1e-5)


def test_start_from_keeps_weights_and_counts_anew(prepared, tmp_path):
    run(SMALL, prepared, tmp_path / "first")
    task, progress = run(
        SMALL, prepared, tmp_path / "second", start_from=tmp_path / "first" / "checkpoint.pt"
    )
    assert progress.step == 2
    assert task.network.state_dict()["audio_encoder.0.conv_block.1.num_batches_tracked"] == 4


def test_generator_begins_with_the_experts_ears(prepared, tmp_path):
    config = replace(SMALL, kind="wav2lip", frames_per_window=1, audio_from_expert=True, learning_rate=0.0)
    task, _ = run(config, prepared, tmp_path / "run")
    for generator_index, expert_index in ((0, 0), (10, 10), (11, 12), (12, 13)):
        mine = task.network.audio_encoder[generator_index].conv_block[0].weight
        theirs = task.expert.audio_encoder[expert_index].conv_block[0].weight
        torch.testing.assert_close(mine, theirs)
    with pytest.raises(RuntimeError):
        copy_audio_encoder(LipSyncExpert(0.25), task.network)


def test_time_limit_ends_a_run(prepared, tmp_path):
    _, progress = run(replace(SMALL, steps=10_000), prepared, tmp_path / "run", max_minutes=1e-4)
    assert 1 <= progress.step < 10_000


def test_finished_work_is_not_overwritten_and_strangers_are_not_resumed(prepared, tmp_path):
    run(SMALL, prepared, tmp_path / "run")
    with pytest.raises(InvalidInputError, match="--resume"):
        run(SMALL, prepared, tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"width 0\.125"):
        run(replace(SMALL, width=0.25), prepared, tmp_path / "run", resume=True)
    with pytest.raises(CheckpointError, match="nothing to continue"):
        run(SMALL, prepared, tmp_path / "other", resume=True)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "checkpoint.pt").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(CheckpointError, match="cannot read"):
        run(SMALL, prepared, tmp_path / "bad", resume=True)


def test_expert_learns_to_tell_bright_from_dark(prepared, tmp_path):
    """Sound that says how bright the face is must be matched better than chance after a few steps."""
    brightness = {
        c.name: prepared.faces(c, 0, c.n_frames).mean(axis=(1, 2, 3)) / 32 - 4 for c in prepared.clips
    }
    prepared_sound = prepared.mel_at
    prepared.mel_at = lambda clip, frame, _=0.0: (
        prepared_sound(clip, frame) * 0 + float(brightness[clip.name][frame : frame + 5].mean())
    )
    try:
        config = replace(
            SMALL, steps=40, clips_per_step=3, windows_per_clip=6, learning_rate=3e-3, warmup_steps=5,
            geometry_strength=0.0, colour_strength=0.0, sound_strength=0.0, log_every_steps=10,
        )  # fmt: skip
        run(config, prepared, tmp_path / "run")
    finally:
        prepared.mel_at = prepared_sound
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["top1"] > 1.8 / 6
    assert log[-1]["loss"] < 0.85 * log[0]["loss"]


def test_kernels_are_stored_as_half_and_statistics_as_single():
    state = LipSyncExpert(0.125).state_dict()
    compact = compact_state(state)
    assert {v.dtype for v in compact.values() if v.dim() > 1} == {torch.float16}
    assert compact["face_encoder.0.conv_block.1.running_var"].dtype == torch.float32
    assert compact["face_encoder.0.conv_block.1.num_batches_tracked"].dtype == torch.int64


def test_command_line_trains_exports_and_names_mistakes(prepared_folder, tmp_path, caplog):
    config = tmp_path / "train.yaml"
    config.write_text(
        "kind: lipsync_expert\nwidth: 0.125\nsteps: 1\nclips_per_step: 1\nwindows_per_clip: 2\n"
    )
    data, out = ["--data", str(prepared_folder)], ["--out", str(tmp_path / "run")]
    assert main([str(config), *data, *out]) == 0
    assert isinstance(load_expert(tmp_path / "run" / "checkpoint.pt"), LipSyncExpert)
    assert not network_of(tmp_path / "run" / "checkpoint.pt").training
    assert main([str(config), *data, *out]) == 2
    assert "--resume" in caplog.text
    config.write_text("kind: wav2lip\nsync_weight: 0.1\n")
    assert main([str(config), *data, "--out", str(tmp_path / "other")]) == 2
    assert "--expert FILE" in caplog.text
