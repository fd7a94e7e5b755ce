"""The stream from frames and speech to generated faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lipsync_core.audio import mel_spectrogram, mel_window
from lipsync_core.errors import InvalidInputError
from lipsync_core.faces import FaceBox
from lipsync_core.faces.geometry import crop_resized, generator_box
from lipsync_core.folding import fold_batch_norm
from lipsync_core.inference import LipSyncer, generate_faces, load_syncer
from lipsync_core.mel_stream import MelStream
from lipsync_core.models import Wav2Lip

torch.set_num_threads(1)  # waiting threads cost more than they bring on networks this small

WIDTH, HEIGHT = 160, 120
FACE = FaceBox(40, 20, 100, 90, 0.9)


class FixedDetector:
    """Finds one face at a known place wherever the frame is not black."""

    name = "fixed"

    def detect(self, frame_bgr: np.ndarray) -> list[FaceBox]:
        return [FACE] if frame_bgr.mean() > 20 else []


class Recorder(nn.Module):
    """Stands for the generator: remembers its input and answers the reference."""

    def __init__(self) -> None:
        super().__init__()
        self.mels: list[Tensor] = []
        self.faces: list[Tensor] = []

    def forward(self, mel: Tensor, faces: Tensor) -> Tensor:
        self.mels.append(mel)
        self.faces.append(faces)
        return faces[:, 3:]


def make_frames(n_frames: int, black: range = range(0)) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    base = rng.integers(60, 200, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return [np.zeros_like(base) if n in black else (base + n % 7).astype(np.uint8) for n in range(n_frames)]


def make_speech(seconds: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.1, int(16000 * seconds)).astype(np.float32)


def make_syncer(batch_size: int | None = 4, **options: object) -> tuple[LipSyncer, Recorder]:
    syncer = LipSyncer(Recorder(), detector=FixedDetector(), batch_size=batch_size, **options)  # type: ignore[arg-type]
    assert isinstance(syncer.network, Recorder)
    return syncer, syncer.network


@pytest.mark.parametrize("n_frames", [1, 3, 4, 5, 17])
@pytest.mark.parametrize("fps", [25.0, 30000 / 1001])
def test_no_frame_is_lost(n_frames: int, fps: float) -> None:
    frames = make_frames(n_frames)
    syncer, recorder = make_syncer()
    out = list(syncer(iter(frames), make_speech(0.3), fps))
    assert [f.index for f in out] == list(range(n_frames))
    assert all(f.frame_bgr is frames[i] and f.patch is not None for i, f in enumerate(out))
    assert sum(len(m) for m in recorder.mels) == n_frames
    assert max(len(m) for m in recorder.mels) <= 4


@pytest.mark.parametrize("offset", [0.0, -1.0, 0.5])
def test_each_frame_hears_its_own_window(offset: float) -> None:
    speech = make_speech(2.0)
    syncer, recorder = make_syncer(mel_offset_frames=offset)
    list(syncer(make_frames(60), speech, 25.0))
    heard = torch.cat(recorder.mels)[:, 0].numpy()
    mel = mel_spectrogram(speech)
    expected = np.stack([mel_window(mel, i, 25.0, offset) for i in range(60)])
    assert np.abs(heard - expected).max() < 1e-5
    assert (heard[-1] == -4).all()  # speech ended at frame 50: silence


class Delayed:
    """Stands for a graphics processor: two batches are under way, answers come when they are asked for."""

    name, difference, depth = "delayed", None, 2

    def __init__(self) -> None:
        self.under_way = self.most = 0

    def submit(self, mel: Tensor, faces: Tensor) -> Callable[[], Tensor]:
        self.under_way += 1
        self.most = max(self.most, self.under_way)

        def wait() -> Tensor:
            self.under_way -= 1
            return faces[:, 3:]

        return wait

    def generate(self, mel: Tensor, faces: Tensor) -> Tensor:
        return self.submit(mel, faces)()


def test_two_batches_under_way_keep_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = make_frames(30, black=range(9, 14))
    expected = list(make_syncer()[0](frames, make_speech(1), 25.0))
    engine = Delayed()
    monkeypatch.setattr("lipsync_core.inference.build_engine", lambda request, samples: engine)
    out = list(make_syncer()[0](frames, make_speech(1), 25.0))
    assert [f.index for f in out] == list(range(30))
    assert [f.patch is None for f in out] == [f.patch is None for f in expected]
    assert all(
        np.array_equal(a.patch.face_bgr, b.patch.face_bgr)
        for a, b in zip(out, expected, strict=True)
        if a.patch and b.patch
    )
    assert (engine.most, engine.under_way) == (2, 0)


def test_engines_are_named_checked_and_built_when_needed() -> None:
    syncer, recorder = make_syncer()
    assert syncer.engine.name == "torch"
    list(syncer(make_frames(2), make_speech(0.2), 25.0))
    assert len(recorder.mels) == 1
    with pytest.raises(InvalidInputError, match="openvino-int8"):
        syncer.use_engine("fastest")
    assert make_syncer(None)[0].batch_size == 8
    syncer.use_engine("torch-bf16")
    assert syncer.engine.name == "torch-bf16"
    syncer.use_engine("auto")
    assert syncer.engine.name == "torch"


def test_parity_folds_nothing_unless_another_engine_is_asked_for() -> None:
    def norms(syncer: LipSyncer) -> int:
        return sum(isinstance(m, nn.BatchNorm2d) for m in syncer.network.modules())

    syncer = LipSyncer(Wav2Lip(0.1), detector=FixedDetector(), parity=True)
    assert norms(syncer) == 50
    syncer.use_engine("auto")
    assert norms(syncer) == 0
    assert norms(LipSyncer(Wav2Lip(0.1), detector=FixedDetector())) == 0


def test_what_the_network_sees() -> None:
    frames = make_frames(2)
    syncer, recorder = make_syncer()
    (first, _) = list(syncer(frames, make_speech(0.5), 25.0))
    seen = recorder.faces[0][0]
    crop = crop_resized(frames[0], generator_box(FACE.box, WIDTH, HEIGHT), 96)
    reference = torch.from_numpy(crop).permute(2, 0, 1) / 255
    assert torch.equal(seen[3:], reference)
    assert torch.equal(seen[:3, :48], reference[:, :48])  # masked comes first, its upper half is kept
    assert not seen[:3, 48:].any()
    assert first.patch is not None
    assert np.array_equal(first.patch.face_bgr, crop)  # 255 * (x / 255) rounds back to x


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_channel_order_is_bgr(channel: int) -> None:
    crop = np.zeros((1, 96, 96, 3), np.uint8)
    crop[..., channel] = 200
    recorder = Recorder()
    out = generate_faces(recorder, crop, np.zeros((1, 80, 16), np.float32))
    seen = recorder.faces[0][0]
    assert [bool(c.any()) for c in seen] == [k % 3 == channel for k in range(6)]
    assert np.argmax(out[0, 60, 50]) == channel


def test_faceless_and_inactive_frames_pass_as_they_are() -> None:
    frames = make_frames(60, black=range(30, 60))
    active = [10 <= n < 20 or n >= 50 for n in range(60)]
    syncer, recorder = make_syncer()
    out = list(syncer(frames, make_speech(3), 25.0, active=active))
    assert [f.patch is not None for f in out] == [10 <= n < 20 for n in range(60)]
    assert all(f.pasted() is frames[f.index] for f in out if f.patch is None)
    assert sum(len(m) for m in recorder.mels) == 10
    assert [round(f.patch.opacity, 2) for f in out if f.patch] == [
        0.25, 0.5, 0.75, 1, 1, 1, 1, 0.75, 0.5, 0.25,
    ]  # fmt: skip


def test_stream_is_lazy_and_holds_little() -> None:
    taken = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal taken
        for frame in make_frames(300, black=range(120, 200)):
            taken += 1
            yield frame

    worst = 0
    syncer, _ = make_syncer(8)
    for given, _ in enumerate(syncer(counted(), make_speech(12), 25.0), 1):
        worst = max(worst, taken - given)
    assert taken == 300
    assert worst < 60


def test_folding_keeps_the_numbers_and_the_original() -> None:
    torch.manual_seed(0)
    network = Wav2Lip(0.25)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn_like(module.running_mean) * 0.1
            module.running_var = torch.rand_like(module.running_var) + 0.5
    network.eval()
    keys = list(network.state_dict())
    folded = fold_batch_norm(network)
    mel, faces = torch.randn(2, 1, 80, 16), torch.rand(2, 6, 96, 96)
    with torch.inference_mode():
        assert (network(mel, faces) - folded(mel, faces)).abs().max() < 1e-5
    assert list(network.state_dict()) == keys
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())


@pytest.mark.parametrize("n_samples", [0, 100, 401, 16000 * 21 + 77, 16000 * 10, 160_599, 160_601])
def test_mel_in_blocks_equals_mel_at_once(n_samples: int) -> None:
    wave = np.random.default_rng(2).normal(0, 0.1, n_samples).astype(np.float32)
    stream = MelStream(wave)
    whole = mel_spectrogram(np.pad(wave, (0, max(0, 401 - n_samples))))
    assert stream.n_columns == whole.shape[1]
    parts = [stream.columns(start, 16) for start in range(0, stream.n_columns, 16)]
    assert np.abs(np.concatenate(parts, axis=1)[:, : stream.n_columns] - whole).max() < 1e-4
    assert (stream.columns(-20, 16) == -4).all()
    assert (stream.columns(stream.n_columns, 5) == -4).all()
    assert np.array_equal(stream.columns(-3, 16)[:, 3:], stream.columns(0, 13))


def test_load_reads_weights_and_their_alignment(tmp_path: Path) -> None:
    file = tmp_path / "narrow.safetensors"
    save_file(Wav2Lip(0.25).state_dict(), file, metadata={"width": "0.25", "mel_offset_frames": "-1"})
    syncer = load_syncer(str(file), allow_download=False)
    assert (syncer.name, syncer.mel_offset_frames, syncer.detector.name) == ("narrow", -1.0, "centerface")
    out = list(syncer(make_frames(3), make_speech(0.2), 25.0))
    assert len(out) == 3


def test_bad_batch_size() -> None:
    with pytest.raises(InvalidInputError):
        LipSyncer(Recorder(), detector=FixedDetector(), batch_size=0)
