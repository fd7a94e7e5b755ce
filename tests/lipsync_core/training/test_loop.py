import json
from dataclasses import replace

import pytest
import torch
from training_runs import KINDS, SMALL, WIDTH, equal, log_of, run, small, states

from lipsync_core.checkpoints import load_recognised, read_metadata
from lipsync_core.errors import CheckpointError
from lipsync_core.models import LipSyncExpert
from lipsync_core.training.__main__ import main
from lipsync_core.training.export import (
    GRID_CREDITS,
    compact_state,
    export_checkpoint,
    load_expert,
    network_of,
)
from lipsync_core.training.loop import read_checkpoint, train
from lipsync_core.training.tasks import copy_audio_encoder, make_task


@pytest.mark.parametrize("kind", KINDS)
def test_two_steps_then_export_give_weights_that_load_strictly(kind, prepared, tmp_path):
    task, progress = run(small(kind), prepared, tmp_path / "run")
    assert progress.step == 2
    assert [entry["step"] for entry in log_of(tmp_path / "run")] == [1, 2]
    if kind.startswith("wav2lip"):
        assert log_of(tmp_path / "run")[0]["sync"] > 0
    file = tmp_path / f"{kind}.safetensors"
    export_checkpoint(tmp_path / "run" / "checkpoint.pt", file, credits=GRID_CREDITS)
    metadata = read_metadata(file)
    assert (metadata["architecture"], metadata["width"], metadata["steps"]) == (kind, str(WIDTH), "2")
    assert "Cooke" in metadata["attribution"]
    assert ("mel_offset_frames" in metadata) == (kind not in ("lipsync_expert", "syncnet"))
    found = load_recognised(file)
    assert found.kind == kind
    loaded = found.network.state_dict()
    average = read_checkpoint(tmp_path / "run" / "checkpoint.pt")["average"]
    for name, value in average.items():
        tolerance = 1e-3 * float(value.abs().max()) if value.dim() > 1 else 0.0
        assert float((loaded[name] - value).abs().max()) <= tolerance, name
    moved = task.network.state_dict()
    assert any(not torch.equal(moved[name], average[name]) for name in average), "the average lags behind"


@pytest.mark.parametrize(
    ("kind", "opponent"),
    [("wav2lip_gan", "visual_quality"), ("lipgan", "lipgan_discriminator"), ("wav2lip", "lipsync_expert")],
)
def test_opponents_are_trained_and_exported(kind, opponent, prepared, tmp_path):
    config = small(kind, finetune_expert=kind == "wav2lip")
    task, _ = run(config, prepared, tmp_path / "run")
    untrained, _ = run(replace(config, opponent_learning_rate=0.0), prepared, tmp_path / "still")
    assert all(p.grad is not None for p in task.opponent.parameters())
    assert not equal(task.opponent, untrained.opponent)
    file = tmp_path / "opponent.safetensors"
    export_checkpoint(tmp_path / "run" / "checkpoint.pt", file, opponent=True)
    found = load_recognised(file)
    assert found.kind == opponent
    assert "attribution" not in found.metadata
    for name, value in task.opponent.state_dict().items():
        torch.testing.assert_close(found.network.state_dict()[name], value, rtol=1e-3, atol=1e-3)


def test_own_steps_of_the_discriminator_come_before_the_generators(prepared, tmp_path):
    config = small("lipgan", steps=1, opponent_steps="first", contrastive_margin=2.0)
    torch.manual_seed(1)
    task = make_task(config, prepared)
    order = []
    task.discriminator.register_forward_hook(
        lambda net, _i, _o: order.append((net.face_branch[5].weight.sum().item(), torch.is_grad_enabled()))
    )
    task.network.register_forward_hook(lambda net, _i, _o: order.append(net.training))
    before = [value.clone() for value in states(task.network)]
    train(task, config, tmp_path / "run")
    looks = [entry for entry in order if isinstance(entry, tuple)]
    assert len({weight for weight, _ in looks}) == 3, (
        "changed by each of its two steps, and then looked through"
    )
    passes = [entry for entry in order if isinstance(entry, bool)]
    assert passes[-1] is True, "the generator's own pass is in train mode"
    assert passes[:-1] in ([], [False]), "fakes, if the coin asks for them, are made in evaluation mode"
    assert any(not torch.equal(a, b) for a, b in zip(before, states(task.network), strict=True))
    figures = log_of(tmp_path / "run")[0]
    assert {"contrastive", "distance_real"} <= figures.keys()
    again, _ = run(config, prepared, tmp_path / "again")
    assert equal(task.network, again.network)
    assert equal(task.opponent, again.opponent)


def test_a_run_without_opponent_exports_none(prepared, tmp_path):
    run(SMALL, prepared, tmp_path / "run")
    with pytest.raises(CheckpointError, match="without opponent"):
        export_checkpoint(tmp_path / "run" / "checkpoint.pt", tmp_path / "x.safetensors", opponent=True)


def test_accumulated_parts_equal_the_whole_batch_without_batch_norm(prepared, tmp_path):
    config = small("lipgan", clips_per_step=4, steps=1, freeze_batch_norm=True, learning_rate=1e-3)
    whole, _ = run(config, prepared, tmp_path / "whole")
    parts, _ = run(replace(config, accumulate=4), prepared, tmp_path / "parts")
    for one, other in ((whole.network, parts.network), (whole.opponent, parts.opponent)):
        for a, b in zip(one.parameters(), other.parameters(), strict=True):
            scale = float(a.grad.abs().max())
            torch.testing.assert_close(b.grad, a.grad, rtol=1e-3, atol=1e-4 * scale + 1e-9)
    one, other = (log_of(tmp_path / name)[0] for name in ("whole", "parts"))
    assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)


def test_bfloat16_stays_close_to_single_precision(prepared, tmp_path):
    config = small("wav2lip", steps=1)
    run(config, prepared, tmp_path / "single")
    run(replace(config, bf16=True), prepared, tmp_path / "half")
    one, other = (log_of(tmp_path / name)[0]["loss"] for name in ("single", "half"))
    assert other == pytest.approx(one, rel=0.02)
    assert other != one


def test_held_out_clips_are_measured_early_and_never_trained_on(prepared, tmp_path):
    config = small("lipsync_expert", steps=4, val_clips=0.25, val_batches=2, validate_every_steps=3)
    task, _ = run(config, prepared, tmp_path / "run")
    measured = {e["step"]: e["val_loss"] for e in log_of(tmp_path / "run") if "val_loss" in e}
    assert list(measured) == [1, 3]
    trained, held_out = ({c.name for c in s.data.clips} for s in (task.training, task.held_out))
    assert len(held_out) == 2
    assert not trained & held_out
    assert trained | held_out == {c.name for c in prepared.clips}


def test_validation_changes_nothing_that_is_trained(prepared, tmp_path):
    config = small("wav2lip", steps=2)
    with_it = replace(config, val_clips=0.01, val_by="clip", validate_every_steps=1, val_batches=1)
    one, _ = run(
        replace(with_it, validate_every_steps=100, validate_early_step=100), prepared, tmp_path / "a"
    )
    other, _ = run(with_it, prepared, tmp_path / "b")
    assert equal(one.network, other.network)


def test_expert_switched_on_at_a_step(prepared, tmp_path):
    run(small("wav2lip", steps=3, sync_switch="step", sync_start_step=2), prepared, tmp_path / "run")
    assert ["sync" in e for e in log_of(tmp_path / "run")] == [False, False, True]


def test_published_mixture_takes_the_judges_share_from_the_image(prepared, tmp_path):
    config = small("wav2lip_gan", steps=1, image_share="remainder")
    run(config, prepared, tmp_path / "run")
    (e,) = log_of(tmp_path / "run")
    assert e["loss"] == pytest.approx(0.9 * e["image"] + 0.03 * e["sync"] + 0.07 * e["adversarial"], rel=1e-4)


@pytest.mark.filterwarnings("default")  # of TensorBoard's own dependencies
@pytest.mark.parametrize("val_clips", [0.0, 0.2])
def test_generators_send_pictures_to_tensorboard(val_clips, prepared, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = small("speech2vid", steps=1, tensorboard=True, samples_every_steps=1, val_clips=val_clips)
    run(replace(config, val_batches=1), prepared, tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    (tag,) = events.Tags()["images"]
    (picture,) = events.Images(tag)
    assert (picture.width, picture.height) == (4 * 96, 3 * 96)


def test_gan_goes_on_from_images_of_wav2lip_and_keeps_its_own_betas(prepared, tmp_path):
    run(small("wav2lip"), prepared, tmp_path / "images")
    config = small("wav2lip_gan", adam_beta1=0.5)
    run(config, prepared, tmp_path / "gan", start_from=tmp_path / "images" / "checkpoint.pt")
    saved = read_checkpoint(tmp_path / "gan" / "checkpoint.pt")
    assert saved["progress"]["earlier_steps"] == 2
    assert {g["betas"] for o in ("optimizer", "opponent_optimizer") for g in saved[o]["param_groups"]} == {
        (0.5, 0.999)
    }
    with pytest.raises(CheckpointError, match="kind"):
        run(small("wav2lip"), prepared, tmp_path / "gan", resume=True)


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


def test_expert_learns_to_tell_bright_from_dark(prepared, tmp_path):
    """Sound that says how bright the face is must be matched better than chance after a few steps."""
    brightness = {
        c.name: prepared.faces(c, 0, c.n_frames).mean(axis=(1, 2, 3)) / 32 - 4 for c in prepared.clips
    }
    prepared_sound = prepared.mel_at
    prepared.mel_at = lambda clip, frame, _=0.0, columns=16: (
        prepared_sound(clip, frame) * 0 + float(brightness[clip.name][frame : frame + 5].mean())
    )
    try:
        config = replace(
            SMALL, width=0.125, steps=30, clips_per_step=3, windows_per_clip=6,
            learning_rate=3e-3, warmup_steps=5,
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
        "tensorboard: false\n"
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
