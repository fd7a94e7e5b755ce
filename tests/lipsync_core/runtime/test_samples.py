"""Faces taken from a video before the work."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from synthetic import astronaut_frame, make_clip, make_talking_face

from lipsync_core.faces import CenterFace
from lipsync_core.media import read_audio, read_frames
from lipsync_core.mel_stream import MelStream
from lipsync_core.runtime import FaceSource, sample_faces


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FaceSource:
    video = make_talking_face(tmp_path_factory.mktemp("samples") / "talk.mp4", 4.0)
    return FaceSource(video, Fraction(25), range(60), read_audio(video, 16000), n_source_frames=100)


def test_halves_come_from_all_over_the_video(source: FaceSource) -> None:
    samples = sample_faces(source, CenterFace())
    assert samples is not None
    (mel, faces), (held_mel, held_faces) = samples.calibration, samples.held_out
    assert mel.shape == held_mel.shape == (8, 1, 80, 16)
    assert faces.shape == held_faces.shape == (8, 6, 96, 96)
    assert not faces[:, :3, 48:].any()
    assert torch.equal(faces[:, :3, :48], faces[:, 3:, :48])
    assert 0.2 < float(faces[:, 3:].mean()) < 0.8
    heard = MelStream(source.waveform)
    places = [first + later for first in (7, 22, 37, 52) for later in (0, 6)]
    for row, index in zip(mel, places, strict=True):
        assert np.array_equal(row[0].numpy(), heard.columns(int(3.2 * index), 16))
    differences = [float((a - b).abs().mean()) for a, b in pairwise(faces)]
    assert min(differences) > 0  # no two of them are one frame


def test_a_given_box_and_what_prepares_frames(source: FaceSource) -> None:
    class Blind:
        name = "blind"

        def detect(self, frame_bgr: np.ndarray) -> list[object]:
            raise AssertionError("nothing is to be detected")

    boxed = replace(
        source, box=(10, 20, 106, 116), prepare=lambda frame: frame[:, ::-1], frames=range(30, 60)
    )
    samples = sample_faces(boxed, Blind())
    assert samples is not None
    frame = next(read_frames(source.video, fps=source.fps, first_frame=33))[:, ::-1]
    crop = torch.from_numpy(frame[20:116, 10:106].copy()).permute(2, 0, 1) / 255
    assert torch.equal(samples.calibration[1][0, 3:], crop)


def test_a_picture_and_a_video_that_is_played_back_and_forth(source: FaceSource, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "face.png"), astronaut_frame())
    picture = replace(source, video=tmp_path / "face.png", n_source_frames=1)
    samples = sample_faces(picture, CenterFace())
    assert samples is not None
    assert torch.equal(samples.calibration[1][0], samples.held_out[1][5])
    looped = sample_faces(replace(source, frames=range(400)), CenterFace())
    assert looped is not None
    assert len(looped.held_out[0]) >= 6


def test_too_few_faces(source: FaceSource, tmp_path: Path) -> None:
    assert sample_faces(replace(source, video=make_clip(tmp_path / "card.mp4", 0.6)), CenterFace()) is None
    assert sample_faces(replace(source, frames=range(1)), CenterFace()) is None
