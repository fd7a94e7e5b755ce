"""What is particular to each network: how a batch is drawn, and its loss.

A task owns its networks. The loop in `lipsync_core.training.loop` knows only `Task`.
"""

from __future__ import annotations

from lipsync_core.models import LipSyncExpert
from lipsync_core.training.config import TrainConfig
from lipsync_core.training.dataset import PreparedClips, WindowSampler
from lipsync_core.training.tasks.base import FACE_PX, HEAD_PX, Batch, Task, frame_major
from lipsync_core.training.tasks.expert import ExpertTask
from lipsync_core.training.tasks.held_out import only, split_clips
from lipsync_core.training.tasks.lipgan import LipGANTask, Speech2VidTask
from lipsync_core.training.tasks.syncnet import SyncNetTask
from lipsync_core.training.tasks.wav2lip import Wav2LipGANTask, Wav2LipTask, copy_audio_encoder

__all__ = ["FACE_PX", "HEAD_PX", "Batch", "Task", "copy_audio_encoder", "frame_major", "make_task"]


def make_task(config: TrainConfig, data: PreparedClips, expert: LipSyncExpert | None = None) -> Task:
    """Return the task of a configuration; ``expert`` is needed for a generator with a sync loss.

    Raises:
        InvalidInputError: too few clips to hold some out.
    """
    train, held_out = split_clips(data.clips, config.val_clips, config.val_by, config.seed)
    sampler = WindowSampler(only(data, train), config.identity_power)
    judge = WindowSampler(only(data, held_out), config.identity_power) if held_out else None
    if config.kind == "wav2lip":
        return Wav2LipTask(config, sampler, judge, expert)
    if config.kind == "wav2lip_gan":
        return Wav2LipGANTask(config, sampler, judge, expert)
    plain: dict[str, type[ExpertTask | SyncNetTask | LipGANTask | Speech2VidTask]] = {
        "lipsync_expert": ExpertTask,
        "syncnet": SyncNetTask,
        "lipgan": LipGANTask,
        "speech2vid": Speech2VidTask,
    }
    return plain[config.kind](config, sampler, judge)
