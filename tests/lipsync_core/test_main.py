"""The command line with nothing but the base dependencies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from synthetic import ffmpeg, make_clip, make_talking_face

from lipsync_core.__main__ import main
from lipsync_core.media import probe_media, read_audio, read_frames
from lipsync_core.models import SyncNet, Wav2Lip
from lipsync_core.models.registry import KINDS, described
from lipsync_core.pictures import to_bgr
from lipsync_core.sources import pictures_back_and_forth

torch.set_num_threads(1)  # waiting threads cost more than they bring on networks this small

ROOT = Path(__file__).resolve().parents[2]
# Everything that is not in the base dependencies (nor needed by them) and might creep in.
OPTIONAL = (
    "whisper", "transformers", "TTS", "prefect", "pydantic", "typer", "rich", "yaml", "skimage", "librosa",
    "matplotlib", "scipy", "face_alignment", "onnx", "onnxruntime", "pysubs2", "langcodes", "pocketsphinx",
    "espeakng_loader", "sentencepiece", "openvino", "f2f", "flows",
)  # fmt: skip
BLOCKED = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {OPTIONAL!r}:
            raise ImportError(f"{{name}} is not a base dependency")
sys.meta_path.insert(0, Blocker())
from lipsync_core.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a 1.4 s talking face and random narrow networks."""
    folder = tmp_path_factory.mktemp("main")
    make_talking_face(folder / "talk.mp4", 1.4, blank_from_s=1.2)
    torch.manual_seed(0)
    save_file(Wav2Lip(0.25).state_dict(), folder / "generator.safetensors", metadata={"width": "0.25"})
    save_file(SyncNet(0.25).state_dict(), folder / "syncnet.safetensors", metadata={"width": "0.25"})
    return folder


def run_blocked(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKED, *map(str, arguments)],
        capture_output=True, text=True, check=False, env=environment, cwd=ROOT.parent,
    )  # fmt: skip


def sync_args(media: Path, out: Path, *more: str) -> list[str]:
    return [
        "sync", "--face", str(media / "talk.mp4"), "--audio", str(media / "talk.mp4"), "-o", str(out),
        "--weights", str(media / "generator.safetensors"), "--device", "cpu", "--preset", "ultrafast", *more,
    ]  # fmt: skip


def test_sync_with_base_dependencies_only(media: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    done = run_blocked(*sync_args(media, out))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "weights: generator" in done.stdout
    assert "35 frames, 30 of them synced" in done.stdout
    info = probe_media(out)
    assert info.duration_s == pytest.approx(1.4, abs=0.05)
    assert len(info.audio) == 1
    assert b"Synthetic video" in out.read_bytes()
    source, result = list(read_frames(media / "talk.mp4")), list(read_frames(out))
    assert len(result) == 35
    for n in (20, 33):
        difference = np.abs(source[n].astype(int) - result[n]).mean(axis=2)
        assert difference[:130].mean() < 2  # encoding only
        assert (difference[160:180, 180:205].mean() > 20) == (n == 20)  # a random network's mouth
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize("kind", ["lipgan", "speech2vid"])
def test_sync_with_another_generator(
    kind: str, media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, out = tmp_path / f"{kind}.safetensors", tmp_path / "out.mp4"
    network = KINDS[kind].build(0.125)
    save_file(network.state_dict(), weights, metadata=described(kind, network, mel_offset_frames=0))
    arguments = [*sync_args(media, out), "--weights", str(weights)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert f"weights: {kind}" in said and "35 frames, 30 of them synced" in said
    source, result = list(read_frames(media / "talk.mp4")), list(read_frames(out))
    difference = np.abs(source[20].astype(int) - result[20]).mean(axis=2)
    assert difference[:130].mean() < 2 and difference[160:180, 180:205].mean() > 20
    assert main([*arguments, "--parity"]) == 2
    assert f"{kind} generator" in capsys.readouterr().err


def test_evaluate_with_base_dependencies_only(media: Path) -> None:
    arguments = ("evaluate", media / "talk.mp4", "--syncnet", media / "syncnet.safetensors")
    done = run_blocked(*arguments)
    assert done.returncode == 0, done.stderr
    assert "syncnet" in done.stdout
    assert "LSE-D" in done.stdout
    plain = run_blocked(*arguments, "--json")
    score = json.loads(plain.stdout)
    assert score["whole"]["n_windows"] >= 5


def test_speech_that_is_longer(media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    speech, out = tmp_path / "speech.wav", tmp_path / "out.mp4"
    ffmpeg("-f", "lavfi", "-i", "sine=frequency=200:duration=2", speech)
    arguments = sync_args(media, out)
    arguments[arguments.index("--audio") + 1] = str(speech)
    assert main(arguments) == 0
    assert "0.60 s longer than the video" in capsys.readouterr().out
    assert probe_media(out).duration_s == pytest.approx(1.4, abs=0.05)
    assert main([*arguments, "--length", "audio"]) == 0
    assert probe_media(out).duration_s == pytest.approx(2.0, abs=0.05)
    assert sum(1 for _ in read_frames(out)) == 50
    assert read_audio(out).size / 16000 == pytest.approx(2.0, abs=0.05)


def test_frames_go_back_and_forth(tmp_path: Path) -> None:
    clip = tmp_path / "c.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "color=black:size=64x48:rate=25,geq=lum='16+8*N':cb=128:cr=128",
        "-frames:v", "5", "-c:v", "libx264", "-qp", "0", clip,
    )  # fmt: skip
    rate = probe_media(clip).video.fps  # type: ignore[union-attr]
    shown = [round(float(to_bgr(f).mean()) * 219 / 255 / 8) for f in pictures_back_and_forth(clip, rate, 16)]
    assert shown == [0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3, 4, 3, 2, 1]


@pytest.mark.parametrize("name", ["face.png", "face.jpg"])
def test_a_picture_speaks_as_long_as_the_speech(media: Path, tmp_path: Path, name: str) -> None:
    picture, out = tmp_path / name, tmp_path / "out.mp4"
    ffmpeg("-i", media / "talk.mp4", "-frames:v", "1", "-q:v", "2", picture)
    arguments = sync_args(media, out)
    arguments[arguments.index("--face") + 1] = str(picture)
    assert main(arguments) == 0
    assert probe_media(out).duration_s == pytest.approx(1.4, abs=0.05)
    video = probe_media(out).video
    assert video is not None and video.colour_tags.range == "tv"


@pytest.mark.parametrize("recipe", [(), ("--parity", "--box", "60", "200", "130", "270")])
def test_the_engine_and_its_difference_are_stated(
    media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], recipe: tuple[str, ...]
) -> None:
    assert main(sync_args(media, tmp_path / "out.mp4", "--engine", "torch-bf16", *recipe)) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("engine: "))
    assert line.startswith("engine: torch-bf16 (as asked for; ")
    assert "dB PSNR to fp32 on" in line
    assert (tmp_path / "out.mp4").is_file()


def test_an_unknown_engine_is_bad_usage(media: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(sync_args(media, media / "never.mp4", "--engine", "tensorrt")) == 2
    assert "choose one of auto, torch" in capsys.readouterr().err
    assert main(sync_args(media, media / "never.mp4", "--cuda-graphs")) == 2
    assert "CUDA" in capsys.readouterr().err


def test_parity_follows_the_published_length(
    media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mp4"
    assert main(sync_args(media, out, "--parity")) == 2  # black frames at the end: no face there
    assert "no face in frame 30" in capsys.readouterr().err
    assert not out.exists()
    assert main(sync_args(media, out, "--parity", "--box", "71", "198", "153", "241")) == 0
    assert sum(1 for _ in read_frames(out)) == 32
    assert main(sync_args(media, out, "--static")) == 2
    assert "need --parity" in capsys.readouterr().err


def test_errors_are_one_line_with_the_right_code(
    media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise, empty = make_clip(tmp_path / "noise.mp4", 1.0), tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    out = tmp_path / "out.mp4"

    def run(flag: str, value: object) -> tuple[int, str]:
        arguments = sync_args(media, out)
        arguments[arguments.index(flag) + 1] = str(value)
        return main(arguments), capsys.readouterr().err

    for flag, value, code, words in (
        ("--face", tmp_path / "absent.mp4", 2, "no such file"),
        ("--face", empty, 2, "empty"),
        ("--face", noise, 2, "no face in any of the 25 frames"),
        ("--audio", tmp_path / "absent.wav", 2, "no such file"),
        ("-o", tmp_path / "absent" / "out.mp4", 2, "does not exist"),
        ("-o", media / "talk.mp4", 2, "also an input"),
        ("--weights", "wav2lip_gan", 3, "wav2lip_gan"),
        ("--weights", media / "syncnet.safetensors", 3, "syncnet"),
        ("--weights", "nonsense", 2, "nonsense"),
        ("--device", "abacus", 2, "unknown device"),
        ("--device", "xpu", 2, "not on this machine"),
    ):
        got, message = run(flag, value)
        assert (got, message.count("\n")) == (code, 1), message
        assert message.startswith("error: ")
        assert words in message
    assert not out.exists()


def test_preprocess_and_train_have_their_own_help() -> None:
    for command in ("preprocess", "train"):
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0


def test_import_is_light_and_names_are_complete() -> None:
    code = "import sys, lipsync_core; print(sorted({'numpy','torch','cv2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
    import lipsync_core

    for name in lipsync_core.__all__:
        assert getattr(lipsync_core, name) is not None
    assert set(lipsync_core.__all__) <= set(dir(lipsync_core))
    with pytest.raises(AttributeError, match="no attribute"):
        _ = lipsync_core.absent
