from dataclasses import replace

import numpy as np
import pytest
import torch

from lipsync_core.audio import mel_columns, mel_window_start
from lipsync_core.errors import InvalidInputError
from lipsync_core.models import LipSyncExpert
from lipsync_core.training.config import TrainConfig
from lipsync_core.training.shards import FPS
from lipsync_core.training.tasks import make_task
from lipsync_core.training.tasks.held_out import split_clips

PLAIN = TrainConfig(
    kind="lipsync_expert", width=1 / 32, clips_per_step=3, windows_per_clip=2, min_gap_frames=6,
    geometry_strength=0.0, colour_strength=0.0, sound_strength=0.0,
)  # fmt: skip
CENTRE = np.s_[:, 12:108, 12:108]


def drawn(config, prepared, seed=0, expert=None):
    task = make_task(config, prepared, expert)
    return task, task.draw(np.random.default_rng(seed))


def places(batch):
    """Return clip name, start of the sound and start of the picture of every window."""
    for text in batch.ids:
        name, starts = text.split(" ")[0].split("@")
        sound, _, picture = starts.partition("/")
        yield name, int(sound), int(picture or sound)


@pytest.mark.parametrize(("frames", "first"), [(5, 0), (3, 1), (1, 2)])
def test_experts_of_fewer_frames_see_the_middle_ones_under_the_same_sound(frames, first, prepared):
    task, batch = drawn(replace(PLAIN, window_frames=frames), prepared)
    clips = {c.name: c for c in prepared.clips}
    for row, (name, start, _) in enumerate(places(batch)):
        seen = prepared.faces(clips[name], start + first, frames)[CENTRE][:, 48:]
        shown = batch["faces"][row].view(frames, 3, 48, 96).permute(0, 2, 3, 1)
        np.testing.assert_array_equal(shown.numpy(), seen)
        np.testing.assert_array_equal(batch["mel"][row, 0], prepared.mel_at(clips[name], start))
    assert task.network.window_frames == frames


def test_expert_may_hear_one_frame_later_as_when_the_published_weights_were_made(prepared):
    _, batch = drawn(replace(PLAIN, expert_mel_offset_frames=1.0), prepared)
    clips = {c.name: c for c in prepared.clips}
    for row, (name, start, _) in enumerate(places(batch)):
        later = mel_columns(prepared.mel(clips[name]), mel_window_start(start + 1, FPS))
        np.testing.assert_array_equal(batch["mel"][row, 0], later)


def test_coin_flip_pairs_are_the_published_ones(prepared):
    config = replace(PLAIN, pairs="coin_flip", clips_per_step=60, windows_per_clip=1)
    task, batch = drawn(config, prepared)
    clips = {c.name: c for c in prepared.clips}
    labels = batch["label"].numpy()
    assert 0.3 < labels.mean() < 0.7
    for row, (name, sound, picture) in enumerate(places(batch)):
        assert (sound == picture) == (labels[row] == 1.0)
        seen = prepared.faces(clips[name], picture)[CENTRE][:, 48:]
        shown = batch["faces"][row].view(5, 3, 48, 96).permute(0, 2, 3, 1)
        np.testing.assert_array_equal(shown.numpy(), seen)
        np.testing.assert_array_equal(batch["mel"][row, 0], prepared.mel_at(clips[name], sound))
    loss, figures = task.loss(batch, 0.0)
    assert loss.item() == pytest.approx(figures["bce"])


@pytest.mark.parametrize(
    ("kind", "columns", "offset", "expected"),
    [("wav2lip", 16, -1.0, -3.2), ("lipgan", 27, 0.0, 1.6 - 13.5), ("speech2vid", 27, 0.0, 1.6 - 13.5)],
)
def test_generators_hear_the_sound_of_each_frame(kind, columns, offset, expected, prepared):
    config = replace(PLAIN, kind=kind, mel_offset_frames=offset)
    _, batch = drawn(config, prepared)
    assert batch["mels"].shape == (6, 5, 1, 80, columns)
    clips = {c.name: c for c in prepared.clips}
    for row, (name, start, _) in enumerate(places(batch)):
        for frame in range(5):
            first = int(np.floor(3.2 * (start + frame) + expected + 1e-9))
            heard = mel_columns(prepared.mel(clips[name]), first, columns)
            np.testing.assert_array_equal(batch["mels"][row, frame, 0], heard)


def test_generators_see_target_and_reference_of_the_same_clip(prepared):
    _, batch = drawn(replace(PLAIN, kind="wav2lip"), prepared)
    clips = {c.name: c for c in prepared.clips}
    for row, text in enumerate(batch.ids):
        name, start, _ = list(places(batch))[row]
        reference = int(text.split()[-1])
        for what, first in (("target", start), ("reference", reference)):
            shown = batch[what][row].view(5, 3, 96, 96).permute(0, 2, 3, 1).numpy()
            seen = prepared.faces(clips[name], first)[CENTRE]
            np.testing.assert_array_equal(shown, seen)


def test_what_each_network_may_see(prepared):
    seen = {}
    for kind in ("wav2lip", "lipgan", "speech2vid"):
        task, batch = drawn(replace(PLAIN, kind=kind), prepared)
        task.network.register_forward_pre_hook(lambda _, inputs, kind=kind: seen.update({kind: inputs[1]}))
        task.loss(batch, 0.0)
    target = batch["target"].reshape(-1, 3, 96, 96) / 255
    reference = batch["reference"].reshape(-1, 3, 96, 96) / 255
    masked = target.clone()
    masked[:, :, 48:] = 0
    assert torch.equal(seen["wav2lip"], torch.cat((masked, reference), 1))
    assert torch.equal(seen["lipgan"], torch.cat((reference, masked), 1))
    assert torch.equal(seen["speech2vid"], reference)


def test_discriminators_get_the_sound_of_another_clip_and_a_fair_coin(prepared):
    config = replace(PLAIN, kind="lipgan", frames_per_window=1)
    task = make_task(config, prepared)
    coins = [bool(task.draw(np.random.default_rng(s))["coin"][0]) for s in range(40)]
    assert 10 < sum(coins) < 30
    batch = task.draw(np.random.default_rng(0))
    names = [name for name, _, _ in places(batch)]
    assert torch.equal(batch["other_mels"], batch["mels"].roll(2, 0))
    assert [names[i - 2] != names[i] for i in range(6)].count(True) >= 4
    figures = set()
    for seed in range(8):
        batch = task.draw(np.random.default_rng(seed))
        task.loss(batch, 0.0)
        figures |= set(task.opponent_loss(batch)[1])
    assert {"distance_real", "distance_fake", "distance_rolled"} <= figures


@pytest.mark.parametrize("fooled", [True, False])
def test_own_steps_of_the_discriminator_see_what_the_joint_one_sees(fooled, prepared):
    config = replace(PLAIN, kind="lipgan", frames_per_window=1, contrastive_margin=2.0)
    task, batch = drawn(config, prepared)
    batch.tensors["coin"][:] = fooled
    task.network.eval()
    with torch.no_grad():
        task.loss(batch, 0.0)
        joint, figures = task.opponent_loss(batch)
        (wrong, first), (right, second) = (task.opponent_turn(batch, turn) for turn in (0, 1))
    assert (wrong + right).item() == pytest.approx(joint.item(), rel=1e-6)
    assert {"discriminator": joint.item(), **first, **second} == pytest.approx(figures)
    assert wrong.item() > 0 < right.item()


@pytest.mark.parametrize("frames", [1, 3, 5])
def test_expert_of_any_window_judges_the_middle_of_what_was_generated(frames, prepared):
    expert = LipSyncExpert(1 / 32, window_frames=frames)
    config = replace(PLAIN, kind="wav2lip", sync_weight=0.1, judge_mouth_only=False)
    task, batch = drawn(config, prepared, expert=expert)
    outputs, judged = [], []
    task.network.register_forward_hook(lambda _m, _i, output: outputs.append(output))
    expert.face_encoder.register_forward_pre_hook(lambda _, inputs: judged.append(inputs[0]))
    task.begin_step(0, 0.0)
    task.loss(batch, 0.0)
    windows = outputs[0].view(6, 5, 3, 96, 96)
    first = (5 - frames) // 2
    expected = windows[:, first : first + frames, :, 48:].reshape(6, 3 * frames, 48, 96)
    torch.testing.assert_close(judged[0], expected, rtol=0, atol=1e-6)


def test_frozen_expert_collects_no_gradient(prepared):
    expert = LipSyncExpert(1 / 32)
    task, batch = drawn(replace(PLAIN, kind="wav2lip", sync_weight=0.1), prepared, expert=expert)
    task.begin_step(0, 0.0)
    task.loss(batch, 0.0)[0].backward()
    assert task.opponent is None
    assert not any(p.requires_grad or p.grad is not None for p in expert.parameters())


@pytest.mark.parametrize("fooled", [True, False])
def test_fine_tuned_expert_learns_that_fakes_or_rolled_sounds_are_wrong(fooled, prepared):
    expert = LipSyncExpert(1 / 32, window_frames=3)
    config = replace(PLAIN, kind="wav2lip", sync_weight=0.1, finetune_expert=True, judge_mouth_only=False)
    task, batch = drawn(config, prepared, expert=expert)
    assert task.opponent is expert
    outputs = []
    task.network.register_forward_hook(lambda _m, _i, output: outputs.append(output.detach()))
    batch.tensors["coin"][:] = fooled
    task.begin_step(0, 0.0)
    task.loss(batch, 0.0)
    loss, figures = task.opponent_loss(batch)
    windows = batch["target"].view(6, 5, 3, 96, 96)[:, 1:4, :, 48:].reshape(6, 9, 48, 96) / 255
    fakes = outputs[0].view(6, 5, 3, 96, 96)[:, 1:4, :, 48:].reshape(6, 9, 48, 96)
    mel = batch["sync_mel"] if fooled else batch["sync_mel"].roll(2, 0)
    cosines = []
    for sound, faces in ((batch["sync_mel"], windows), (mel, fakes if fooled else windows)):
        audio, face = expert(sound, faces)
        cosines.append((audio * face).sum(dim=1))
    probability, label = torch.cat(cosines), torch.tensor([1.0] * 6 + [0.0] * 6)
    expected = torch.nn.functional.binary_cross_entropy(probability.clamp(0, 1), label)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-3)
    assert ("expert_fake" if fooled else "expert_rolled") in figures


def test_syncnet_losses_look_at_the_same_distances(prepared):
    config = replace(PLAIN, kind="syncnet")
    task, batch = drawn(config, prepared)
    torch.manual_seed(0)
    matching, figures = task.loss(batch, 0.0)
    task.config = replace(config, loss="max_margin", margin=1e6)
    margin, other = task.loss(batch, 0.0)
    assert other["distance"] == pytest.approx(figures["distance"], rel=1e-4)
    assert margin.item() > 1e9 > matching.item()


def test_samples_show_reference_target_and_output(prepared):
    task, batch = drawn(replace(PLAIN, kind="wav2lip", frames_per_window=1), prepared)
    grid = task.samples(batch)
    assert grid.shape == (3, 3 * 96, 6 * 96)
    for row, name in enumerate(("reference", "target")):
        torch.testing.assert_close(grid[:, row * 96 : row * 96 + 96, :96], batch[name][0] / 255)


@pytest.mark.parametrize(("by", "left"), [("clip", 1), ("identity", 1)])
def test_clips_are_held_out_whole_and_always_the_same(by, left, prepared):
    train, held_out = split_clips(prepared.clips, 0.1, by, seed=3)
    assert len(train) + len(held_out) == len(prepared.clips)
    assert not {c.name for c in train} & {c.name for c in held_out}
    key = (lambda c: c.identity) if by == "identity" else (lambda c: c.name)
    assert len({key(c) for c in held_out}) == left
    assert not {key(c) for c in held_out} & {key(c) for c in train}
    assert split_clips(prepared.clips, 0.1, by, seed=3) == (train, held_out)
    assert split_clips(prepared.clips, 0.0, by, seed=3) == (prepared.clips, [])
    with pytest.raises(InvalidInputError, match="hold out all"):
        split_clips(prepared.clips, 1.0, by, seed=3)
