"""Whole runs from file to file: what passes untouched, what is copied, and what an interruption leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from processes import group_is_gone
from safetensors.torch import save_file
from synthetic import ffmpeg, make_talking_face

from lipsync_core.errors import NoFaceError
from lipsync_core.faces import FaceBox
from lipsync_core.inference import LipSyncer
from lipsync_core.media import read_audio, read_pictures
from lipsync_core.models import Wav2Lip
from lipsync_core.pictures import Yuv420Frame
from lipsync_core.sync import SyncOptions, SyncReport, sync_video

torch.set_num_threads(1)  # waiting threads cost more than they bring on networks this small

ROOT = Path(__file__).resolve().parents[2]
FACE = FaceBox(150, 70, 240, 190, 0.9)
GROUP, N_FACES, N_FRAMES = 10, 25, 75  # frames of a group of pictures, with a face, in all


class FixedDetector:
    """Finds one face at a known place wherever the frame is not nearly black."""

    name = "fixed"

    def detect(self, frame_bgr: np.ndarray) -> list[FaceBox]:
        return [FACE] if frame_bgr.mean() > 30 else []


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of a talking face, then two of a dark slide, in short closed groups of pictures."""
    folder = tmp_path_factory.mktemp("sync")
    raw = make_talking_face(folder / "raw.mp4", 3.0, blank_from_s=1.0)
    ffmpeg(
        "-i", raw, "-c:v", "libx264", "-g", str(GROUP), "-sc_threshold", "0", "-crf", "18", "-c:a", "copy",
        folder / "talk.mp4",
    )  # fmt: skip
    return folder / "talk.mp4"


@pytest.fixture(scope="module")
def syncer() -> LipSyncer:
    torch.manual_seed(0)
    syncer = LipSyncer(Wav2Lip(0.125).eval(), detector=FixedDetector(), name="random")
    syncer.use_engine("torch")
    return syncer


def run(face: Path, out: Path, syncer: LipSyncer, **options: object) -> SyncReport:
    settings = SyncOptions(**({"preset": "ultrafast"} | options))  # type: ignore[arg-type]
    report = sync_video(face, face, out, syncer, options=settings)
    assert (report.n_frames, report.n_synced) == (N_FRAMES, N_FACES)
    assert not list(out.parent.glob(".*"))
    return report


def planar(path: Path) -> list[Yuv420Frame]:
    frames = list(read_pictures(path))
    assert all(isinstance(frame, Yuv420Frame) for frame in frames)
    return frames  # type: ignore[return-value]


def are_equal(a: Yuv420Frame, b: Yuv420Frame) -> bool:
    return all(np.array_equal(p, q) for p, q in zip(a.planes(), b.planes(), strict=True))


def test_planes_outside_the_face_are_untouched(talk: Path, syncer: LipSyncer, tmp_path: Path) -> None:
    report = run(talk, tmp_path / "o.mp4", syncer, crf=0)  # lossless: what differs was changed here
    assert (report.n_copied, report.notices) == (0, ())
    for number, (before, after) in enumerate(zip(planar(talk), planar(tmp_path / "o.mp4"), strict=True)):
        if number >= N_FACES:
            assert are_equal(before, after)
            continue
        assert (before.y != after.y).mean() > 0.01
        for p, q, per_sample in zip(before.planes(), after.planes(), (1, 2, 2), strict=True):
            rows, columns = np.nonzero(p != q)
            assert rows.min() * per_sample >= (FACE.y1 + FACE.y2) / 2
            assert columns.min() * per_sample >= FACE.x1 - 1
            assert (columns.max() + 1) * per_sample <= FACE.x2 + 1


def test_stretches_without_a_face_are_copied(talk: Path, syncer: LipSyncer, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    plain = run(talk, tmp_path / "plain.mp4", syncer, crf=12)
    settings = SyncOptions(preset="ultrafast", crf=12, copy_untouched=True)
    copied = sync_video(
        talk, talk, tmp_path / "copied.mp4", syncer, options=settings, progress=lambda *s: steps.append(s)
    )
    first = -(-N_FACES // GROUP) * GROUP
    assert (copied.n_copied, copied.n_frames, copied.n_synced) == (N_FRAMES - first, N_FRAMES, N_FACES)
    assert copied.notices == plain.notices == ()
    assert steps[-1] == (2 * N_FRAMES, 2 * N_FRAMES)
    assert [done for done, _ in steps] == list(range(1, 2 * N_FRAMES + 1))
    sources, ones, others = planar(talk), planar(tmp_path / "plain.mp4"), planar(tmp_path / "copied.mp4")
    assert len(sources) == len(ones) == len(others) == N_FRAMES
    for number, (source, one, other) in enumerate(zip(sources, ones, others, strict=True)):
        if number >= first:
            assert are_equal(source, other)
        else:
            error = float(((one.y.astype(float) - other.y) ** 2).mean())
            assert 10 * np.log10(255**2 / max(error, 1e-9)) > 42
    assert np.array_equal(read_audio(tmp_path / "plain.mp4"), read_audio(tmp_path / "copied.mp4"))
    assert b"Synthetic video" in (tmp_path / "copied.mp4").read_bytes()


@pytest.mark.parametrize(
    ("name", "encoding", "words"),
    [
        ("c.mkv", ("-c:v", "mpeg4", "-q:v", "2"), "mpeg4, not H.264"),
        ("c.mp4", ("-g", "100", "-sc_threshold", "0"), "one closed group"),
        ("c.mp4", ("-g", "10", "-x264-params", "open-gop=1"), "one closed group"),
    ],
)
def test_what_cannot_be_copied_is_encoded_and_says_so(
    talk: Path, syncer: LipSyncer, tmp_path: Path, name: str, encoding: tuple[str, ...], words: str
) -> None:
    ffmpeg("-i", talk, *encoding, tmp_path / name)
    report = run(tmp_path / name, tmp_path / "o.mp4", syncer, copy_untouched=True)
    (notice,) = report.notices
    assert words in notice and "all frames are encoded anew" in notice
    assert report.n_copied == 0
    assert len(planar(tmp_path / "o.mp4")) == N_FRAMES


def test_frames_that_go_back_and_forth_are_not_copied(talk: Path, syncer: LipSyncer, tmp_path: Path) -> None:
    report = run(talk, tmp_path / "o.mp4", syncer, copy_untouched=True, length="audio")
    assert "as long as speech lasts" in report.notices[0]


def test_no_face_writes_nothing(talk: Path, syncer: LipSyncer, tmp_path: Path) -> None:
    dark = tmp_path / "dark.mp4"
    ffmpeg("-ss", "1.4", "-i", talk, "-g", "10", dark)
    before = set(Path(tempfile.gettempdir()).glob("lipsync_core-*"))
    for copy_untouched in (True, False):
        options = SyncOptions(copy_untouched=copy_untouched)
        with pytest.raises(NoFaceError, match="no face in any of the 40 frames"):
            sync_video(dark, dark, tmp_path / "o.mp4", syncer, options=options)
    assert [p.name for p in tmp_path.iterdir()] == ["dark.mp4"]
    assert set(Path(tempfile.gettempdir()).glob("lipsync_core-*")) <= before


def test_other_pixels_pass_as_bgr_and_say_so(talk: Path, syncer: LipSyncer, tmp_path: Path) -> None:
    ffmpeg("-i", talk, "-pix_fmt", "yuv444p", "-crf", "8", tmp_path / "c.mkv")
    report = run(tmp_path / "c.mkv", tmp_path / "o.mp4", syncer)
    assert "yuv444p, not plain 8-bit 4:2:0" in report.notices[0]
    for before, after in zip(planar(talk), planar(tmp_path / "o.mp4"), strict=True):
        assert np.abs(before.y[:100].astype(int) - after.y[:100]).mean() < 2


@pytest.mark.parametrize("more", [(), ("--copy-untouched",)])
def test_interrupting_leaves_nothing(talk: Path, tmp_path: Path, more: tuple[str, ...]) -> None:
    weights, long, out = tmp_path / "w.safetensors", tmp_path / "long.mp4", tmp_path / "o.mp4"
    save_file(Wav2Lip(0.25).state_dict(), weights, metadata={"width": "0.25"})
    ffmpeg("-stream_loop", "40", "-i", talk, "-c", "copy", long)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [
        sys.executable, "-m", "lipsync_core", "sync", "--face", str(long), "--audio", str(long),
        "-o", str(out), "--weights", str(weights), "--engine", "torch", *more,
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch)}
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        start_new_session=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while not [*scratch.rglob("*.part.*"), *tmp_path.glob(".o.*")] and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: ffmpeg gets it too
        _, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, stderr
    assert stderr.strip() == "interrupted; nothing was written"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["long.mp4", "scratch", "w.safetensors"]
    assert list(scratch.iterdir()) == []
    assert group_is_gone(process.pid)
