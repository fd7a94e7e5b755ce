"""A short talking face, its blurred twin, and a small random SyncNet."""

from fractions import Fraction

import cv2
import pytest
import torch
from safetensors.torch import save_file
from synthetic import ffmpeg, make_talking_face

from lipsync_core.media import VideoWriter, read_frames
from lipsync_core.models import SyncNet


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Folder with true/ and made/ talk.mkv (1.08 s; the made mouth is blurred) and same.mkv (equal)."""
    folder = tmp_path_factory.mktemp("clips")
    source = make_talking_face(folder / "source.mp4", 1.08)
    for name in ("true", "made"):
        (folder / name).mkdir()
    for path in ("true/talk.mkv", "true/same.mkv", "made/same.mkv"):
        ffmpeg("-i", source, "-c", "copy", folder / path)
    silent = folder / "silent.mp4"
    with VideoWriter(silent, 384, 288, Fraction(25)) as writer:
        for frame in read_frames(source):
            frame[140:] = cv2.GaussianBlur(frame, (0, 0), 2)[140:]
            writer.write(frame)
    ffmpeg("-i", silent, "-i", source, "-map", "0:v", "-map", "1:a", "-c", "copy", folder / "made/talk.mkv")
    return folder


@pytest.fixture(scope="session")
def short(clips):
    """The first 10 frames of both talk.mkv, without sound, as (made, true)."""
    paths = []
    for name in ("made", "true"):
        paths.append(clips / f"{name}.mkv")
        ffmpeg("-i", clips / name / "talk.mkv", "-an", "-frames:v", "10", "-c:v", "ffv1", paths[-1])
    return tuple(paths)


@pytest.fixture(scope="session")
def syncnet_file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("net") / "tiny.safetensors"
    save_file(SyncNet(0.125).state_dict(), path, metadata={"width": "0.125"})
    return path
