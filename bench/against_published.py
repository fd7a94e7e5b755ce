"""Times the published inference script beside ours: same clip, same random weights, one run.

    python bench/against_published.py CHECKOUT VIDEO AUDIO [--box T B L R] [--skip-detection]
        [--engines NAME ...] [--preset medium] [--width 1] [--python FILE] [--rounds 1]

CHECKOUT is your own checkout of Rudrabha/Wav2Lip: its ``inference.py`` and, for the runs without a given box,
its detector's weights, ``face_detection/detection/sfd/s3fd.pth``. Nothing of it is part of this project. It
is run by ``--python``, an environment in which it works. ``none`` in place of CHECKOUT leaves it out; then
the 1 of the ratios is our own first line. With a box that is ``--parity`` on plain PyTorch, which does the
published steps, but as a stream and with one encode: it is not the published script.

The clip is synced with a box given (default: where our detector sees the face) and, unless
``--skip-detection``, without. Wall time goes from start to exit; the processor time of all processes hardly
changes when other programs share the machine; peak memory is the resident size of the
Python process and of the ffmpeg processes below it, ours once more above what its imports take. The
difference is between decoded outputs, so it holds the losses of the encoders: the published script encodes
twice. The last line is our compact network, whose pictures are others.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from memory import SAMPLE_INTERVAL_S, tree_sizes_mib
from random_generator import random_generator, write_published_checkpoint

from lipsync_core.faces import CenterFace
from lipsync_core.media import read_frames

ROOT = Path(__file__).resolve().parents[1]
IMPORTS = "import lipsync_core.sync, lipsync_core.inference, cv2; print(open('/proc/self/status').read())"
DEFAULT_ENGINES = ("torch", "openvino", "openvino-bf16", "openvino-int8", "auto")

Box = tuple[int, int, int, int]  # top, bottom, left, right, as the published option has it


@dataclass(frozen=True)
class Run:
    """One command that was run.

    Attributes:
        seconds: wall time.
        cpu_s: processor time of it and its children: hardly changed by other programs on the machine.
        own_mib: peak of the started process.
        together_mib: peak of it and its children.
        said: what it printed.
    """

    seconds: float
    cpu_s: float
    own_mib: float
    together_mib: float
    said: str


@dataclass(frozen=True)
class Row:
    """One line of the table; ``same_weights`` tells whether its pictures should be those of the first."""

    title: str
    run: Run
    out: Path
    same_weights: bool = True


def main() -> None:
    args = parse_arguments()
    print(f"load average {os.getloadavg()[0]:.1f}; {os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = write_published_checkpoint(random_generator(args.width), folder / "random.pth")
        imports_mib = memory_of_imports()
        box = tuple(args.box) if args.box else found_box(args.video)
        print_table(f"Box {box} given", run_all(args, weights, box, folder), imports_mib)
        if not args.skip_detection:
            print_table("With detection", run_all(args, weights, None, folder), imports_mib)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", help="folder with the published inference.py, or none")
    parser.add_argument("video", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--box", type=int, nargs=4, metavar=("T", "B", "L", "R"))
    parser.add_argument("--skip-detection", action="store_true", help="only with a box given")
    parser.add_argument("--engines", nargs="+", default=DEFAULT_ENGINES)
    parser.add_argument("--width", type=float, default=1.0, help="1, the only one that the script knows")
    parser.add_argument("--preset", default="medium", help="x264 preset of ours; the script uses medium")
    parser.add_argument("--python", default=sys.executable, help="Python in which the checkout works")
    parser.add_argument("--rounds", type=int, default=1, help="the best of so many is shown")
    args = parser.parse_args()
    if args.checkout != "none" and not (Path(args.checkout) / "inference.py").is_file():
        parser.error(f"there is no inference.py in {args.checkout}")
    return args


def run_all(args: argparse.Namespace, weights: Path, box: Box | None, folder: Path) -> list[Row]:
    """Run everything with or without a box; the first row is what the others are compared with."""
    rows = []
    kind = "detected" if box is None else "box"
    if args.checkout != "none":
        out = folder / f"published_{kind}.mp4"
        command = published_command(args.python, weights, args.video, args.audio, out, box)
        rows.append(Row("published script", best_of(args.rounds, command, Path(args.checkout)), out))
    recipe = [] if box is None else ["--parity", "--box", *map(str, box)]
    manner = "ours, --parity" if recipe else "ours"
    for engine in args.engines:
        out = folder / f"{engine}_{kind}.mp4"
        command = our_command(args, str(weights.resolve()), out, [*recipe, "--engine", engine])
        rows.append(Row(f"{manner}, {engine}", best_of(args.rounds, command, ROOT), out))
    out = folder / f"compact_{kind}.mp4"
    command = our_command(args, "embedded", out, [*recipe, "--engine", "torch"])
    rows.append(Row(f"{manner}, embedded weights, torch", best_of(args.rounds, command, ROOT), out, False))
    return rows


def published_command(
    python: str, weights: Path, video: Path, audio: Path, out: Path, box: Box | None
) -> list[str]:
    """Return the documented command line of the published script."""
    command = [python, "inference.py", "--checkpoint_path", str(weights.resolve())]
    command += [
        "--face",
        str(video.resolve()),
        "--audio",
        str(audio.resolve()),
        "--outfile",
        str(out.resolve()),
    ]
    return command if box is None else [*command, "--box", *map(str, box)]


def our_command(args: argparse.Namespace, weights: str, out: Path, options: list[str]) -> list[str]:
    command = [sys.executable, "-m", "lipsync_core", "sync", "--weights", weights, "--no-download"]
    command += ["--face", str(args.video.resolve()), "--audio", str(args.audio.resolve()), "-o", str(out)]
    return [*command, "--preset", args.preset, *options]


def best_of(n_rounds: int, command: list[str], cwd: Path) -> Run:
    return min((run_measured(command, cwd) for _ in range(n_rounds)), key=lambda run: run.seconds)


def run_measured(command: list[str], cwd: Path) -> Run:
    """Run a command and sample the memory of its process tree; Linux only."""
    own = together = 0.0
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} if cwd == ROOT else dict(os.environ)
    if cwd != ROOT:
        (cwd / "temp").mkdir(exist_ok=True)  # the script writes there and expects it
    with tempfile.TemporaryFile("w+") as said:
        began, cpu_before_s = time.monotonic(), children_cpu_s()
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        while process.poll() is None:
            sizes = tree_sizes_mib(process.pid)
            own, together = max(own, sizes.get(process.pid, 0.0)), max(together, sum(sizes.values()))
            time.sleep(SAMPLE_INTERVAL_S)
        seconds = time.monotonic() - began
        said.seek(0)
        text = said.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\nin {cwd} failed:\n{text[-2000:]}")
    return Run(seconds, children_cpu_s() - cpu_before_s, own, together, text)


def children_cpu_s() -> float:
    """Return the processor time of all finished children and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def memory_of_imports() -> float:
    """Return the resident MiB of a process that has imported what syncing needs and done nothing."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def found_box(video: Path) -> Box:
    """Return where our detector sees the face of the first second, with the published padding below."""
    detector = CenterFace()
    faces = [found[0] for frame in islice(read_frames(video), 0, 25, 5) if (found := detector.detect(frame))]
    if not faces:
        raise SystemExit(f"no face in the first second of {video}: give --box")
    x1, y1, x2, y2 = np.median([face.box for face in faces], axis=0).round().astype(int)
    return max(0, int(y1)), int(y2) + 10, max(0, int(x1)), int(x2)


def difference_of(one: Path, other: Path) -> tuple[int, float]:
    """Return the frames that both videos have and the PSNR between these, in dB."""
    total = n_values = n_frames = 0
    frames, others = read_frames(one), read_frames(other)
    for a, b in zip(frames, others, strict=False):
        if a.shape != b.shape:
            raise SystemExit(f"{one} has frames of {a.shape}, {other} of {b.shape}")
        total += int(((a.astype(np.int32) - b) ** 2).sum())
        n_values, n_frames = n_values + a.size, n_frames + 1
    frames.close()
    others.close()
    return n_frames, math.inf if total == 0 else 10 * math.log10(255**2 * n_values / total)


def print_table(title: str, rows: list[Row], imports_mib: float) -> None:
    first = rows[0]
    print(f"\n{title}; our imports alone: {imports_mib:.0f} MiB\n")
    print(
        "| | wall s | frames/s | ratio | CPU s | CPU ratio | peak of Python, MiB | over our imports "
        f"| with ffmpeg | PSNR to {first.title}, dB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        n_frames = sum(1 for _ in read_frames(row.out))
        psnr_db = f"{difference_of(row.out, first.out)[1]:.1f}" if row.same_weights else ""
        over = f"{row.run.own_mib - imports_mib:.0f}" if row.title.startswith("ours") else ""
        print(
            f"| {row.title} | {row.run.seconds:.1f} | {n_frames / row.run.seconds:.1f} "
            f"| {first.run.seconds / row.run.seconds:.2f} | {row.run.cpu_s:.1f} "
            f"| {first.run.cpu_s / row.run.cpu_s:.2f} | {row.run.own_mib:.0f} | {over} "
            f"| {row.run.together_mib:.0f} | {psnr_db} |",
            flush=True,
        )
    for row in rows:
        for line in row.run.said.splitlines():
            if line.startswith("engine:"):
                print(f"\n{row.title}: {line}")


if __name__ == "__main__":
    main()
