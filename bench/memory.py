"""Peak memory of ``python -m lipsync_core sync`` on a short and a long clip of the same size.

    python bench/memory.py CLIP [--weights NAME] [--seconds 30 300] [--height 0] [-- OPTIONS OF sync]

CLIP is any video with a face and sound; it is looped to both lengths. What the imports alone take is
printed first and subtracted from Python's peak in the column after it. Linux only (reads /proc).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from lipsync_core.media import run_ffmpeg

SAMPLE_INTERVAL_S = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--seconds", type=int, nargs="+", default=[30, 300])
    parser.add_argument("--height", type=int, default=0, help="scale the clip to this many lines first")
    own_words, sync_options = sys.argv[1:], []
    if "--" in own_words:
        cut = own_words.index("--")
        own_words, sync_options = own_words[:cut], own_words[cut + 1 :]
    args = parser.parse_args(own_words)
    imports = imports_mib()
    print(f"imports alone: {imports:.0f} MiB\n")
    print("| clip | wall s | peak of python, MiB | over the imports | python and ffmpeg together | over |")
    print("|---|---|---|---|---|---|")
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for seconds in args.seconds:
            clip = looped(args.clip, Path(folder) / f"{seconds}.mp4", seconds, args.height)
            began = time.monotonic()
            options = ["--weights", args.weights, *sync_options]
            own, together = peak_memory_mib(clip, Path(folder) / "out.mp4", options)
            wall_s = time.monotonic() - began
            sizes = " | ".join(f"{v:.0f}" for v in (own, own - imports, together, together - imports))
            print(f"| {seconds} s | {wall_s:.0f} | {sizes} |", flush=True)
            peaks.append((own, together))
    print(f"\nlongest to shortest: {peaks[-1][0] / peaks[0][0]:.3f} (python), ", end="")
    print(f"{peaks[-1][1] / peaks[0][1]:.3f} (together)")


def imports_mib() -> float:
    """Return the resident memory of a Python process that has imported what `sync` imports, and no more."""
    code = (
        "import re, cv2, torch, lipsync_core.sync, lipsync_core.commands.sync;"
        "print(re.search(r'VmRSS:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def looped(source: Path, target: Path, seconds: int, height: int) -> Path:
    scale = ["-vf", f"scale=-2:{height}"] if height else []
    run_ffmpeg(
        ["-stream_loop", "-1", "-i", str(source), "-t", str(seconds), *scale,
         "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(target)],
        what=f"looping {source}",
    )  # fmt: skip
    return target


def peak_memory_mib(clip: Path, out: Path, options: list[str]) -> tuple[float, float]:
    """Return the peaks of the command's own process and of its whole process tree."""
    command = [sys.executable, "-m", "lipsync_core", "sync", "--face", str(clip), "--audio", str(clip)]
    command += ["-o", str(out), *options]
    own = together = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        output: list[str] = []
        assert process.stdout is not None
        reader = threading.Thread(target=output.extend, args=(process.stdout,), daemon=True)
        reader.start()
        while process.poll() is None:
            sizes = tree_sizes_mib(process.pid)
            own, together = max(own, sizes.get(process.pid, 0.0)), max(together, sum(sizes.values()))
            time.sleep(SAMPLE_INTERVAL_S)
        reader.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    print(*(line.rstrip() for line in output), sep="\n", file=sys.stderr)
    return own, together


def tree_sizes_mib(root: int) -> dict[int, float]:
    """Return the resident memory of a process and of the ffmpeg processes below it, by process id.

    All ffmpeg processes share the pages of their program: these count for the first of them only. Between
    fork and exec a child still is its parent's image and would count it twice: left out.
    """
    sizes: dict[int, float] = {}
    waiting = [root]
    while waiting:
        number = waiting.pop()
        try:
            status = Path(f"/proc/{number}/status").read_text()
            program = Path(f"/proc/{number}/exe").readlink()
            tasks = list(Path(f"/proc/{number}/task").iterdir())
            children = [int(c) for task in tasks for c in (task / "children").read_text().split()]
        except OSError:  # gone meanwhile
            continue
        waiting.extend(children)
        resident = {
            line.split(":")[0]: int(line.split()[1]) / 1024 for line in status.splitlines() if "kB" in line
        }
        if "VmRSS" in resident and (number == root or "ffmpeg" in program.name):
            is_second = number != root and len(sizes) > (root in sizes)
            sizes[number] = resident["VmRSS"] - (resident["RssFile"] if is_second else 0)
    return sizes


if __name__ == "__main__":
    main()
