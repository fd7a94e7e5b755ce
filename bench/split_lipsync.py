"""Times the lips of one lecture in one process and on two Dask workers, and compares them bit by bit.

    python bench/split_lipsync.py [--seconds 120] [--part-s 20] [--full-width] [--kill]

Each process gets one core and one thread (``taskset``, where there is one). ``--full-width`` takes a network
of the published size with random weights, which cost as much time as trained ones, in place of the small one
inside the package. ``--kill`` ends one of the workers with SIGKILL under way. All lies in a temporary folder;
server and scheduler listen on loopback.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect_setup import Server
from random_generator import random_generator, write_published_checkpoint

from f2f.sample import make_sample
from lipsync_core.media import run_ffmpeg

ENGLISH, HINDI = "Good morning to all of you.", "आप सभी को सुप्रभात।"
TURN_S, SPOKEN_S = 8.0, 5.0  # of each turn so much is speech, the rest a silence


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=120.0)
    options.add_argument("--part-s", type=float, default=20.0)
    options.add_argument("--full-width", action="store_true")
    options.add_argument("--kill", action="store_true")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lecture = make_lecture(folder / "lecture.mp4", chosen.seconds)
        # "auto" measures what is fastest, so that two runs may take two engines, whose last bits differ.
        settings = [f"lipsync.min_part_s={chosen.part_s}", "lipsync.runtime=torch"]
        if chosen.full_width:
            weights = write_published_checkpoint(random_generator(1.0), folder / "full.pth")
            settings.append(f"lipsync.weights={weights}")
        server = Server(folder, free_port())
        single = translate(server, lecture, settings, "single", pinned(0), "--runner", "inline")
        with server.running():
            split = on_two_workers(server, lecture, settings, folder, kill=chosen.kill)
    rows = [("one process", single), ("two workers, one killed" if chosen.kill else "two workers", split)]
    print(f"{'':24}{'parts':>6}{'lips, s':>10}{'ratio':>8}")
    for title, made in rows:
        print(f"{title:24}{made['parts']:6}{made['seconds']:10.1f}{single['seconds'] / made['seconds']:8.2f}")
    for what in ("patches", "video"):
        equal = "yes" if single[what] == split[what] else "NO"
        print(f"{what} equal: {equal} (sha256 {split[what][:16]}…)")
    sys.exit(0 if all(single[what] == split[what] for what in ("patches", "video")) else 1)


def make_lecture(path: Path, seconds: float) -> Path:
    """Write a video of so many seconds with captions in both languages, a silence between each two."""
    sample = make_sample(path.with_name("sample.mp4")).video
    run_ffmpeg(
        ["-stream_loop", "-1", "-i", f"file:{sample}", "-t", f"{seconds}", "-map", "0:v:0", "-map", "0:a:0",
         "-r", "25", "-fps_mode", "cfr", "-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-c:a", "aac",
         f"file:{path}"],
        what=f"making {path}",
    )  # fmt: skip
    for language, text in (("en", ENGLISH), ("hi", HINDI)):
        cues = []
        for number in range(int(seconds / TURN_S)):
            first_s = number * TURN_S + 0.5
            cues.append(f"{number + 1}\n{_stamp(first_s)} --> {_stamp(first_s + SPOKEN_S)}\n{text}\n")
        path.with_suffix(f".{language}.srt").write_text("\n".join(cues), encoding="utf-8")
    return path


def on_two_workers(
    server: Server, lecture: Path, settings: list[str], folder: Path, *, kill: bool
) -> dict[str, Any]:
    """Translate with the lips made by two workers."""
    address = f"tcp://127.0.0.1:{free_port()}"
    dask = [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2]]
    worker = [*dask, "worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--memory-limit", "0"]
    with (
        background([*scheduler, "--no-dashboard"], server, folder / "scheduler.log"),
        background([*pinned(0), *worker, "--no-dashboard"], server, folder / "one.log") as one,
        background([*pinned(1), *worker, "--no-dashboard"], server, folder / "two.log"),
    ):
        wait_until(lambda: all(_has_joined(folder / name) for name in ("one.log", "two.log")))
        killer = [lambda: os.killpg(one.pid, signal.SIGKILL)] if kill else []
        # Pinned as the other run is: with more cores x264 encodes otherwise.
        return translate(
            server, lecture, settings, "split", pinned(0), "--dask", address, after_a_part=killer
        )


def translate(
    server: Server,
    lecture: Path,
    settings: list[str],
    name: str,
    prefix: list[str],
    *words: str,
    after_a_part: list[Any] | None = None,
) -> dict[str, Any]:
    """Translate up to the video; return parts, seconds of the lips, and hashes of patches and video."""
    out = lecture.parent / name
    command = [
        *prefix, sys.executable, "-m", "f2f", "translate", str(lecture), "--to", "hi",
        "--profile", "embedded", "--until", "mux", "-o", str(out),
        *(word for setting in settings for word in ("--set", setting)), *words,
    ]  # fmt: skip
    root = out / ".f2f" / "lecture"
    n_parts = 0
    process = subprocess.Popen(command, env=server.environment | {"OMP_NUM_THREADS": "1"})
    while process.poll() is None:
        jobs = list(root.glob("lipsync_parts/hi/*/job.json"))
        for job in jobs:
            n_parts = n_parts or _count_parts(job)
            if after_a_part and list(job.parent.glob("part-*.json")):
                after_a_part.pop()()
        time.sleep(0.1)
    if process.returncode:
        sys.exit(f"{name}: exit code {process.returncode}")
    [lips], [video] = root.glob("lipsync/*/result.json"), root.glob("mux/*/*.mp4")
    return {
        "parts": n_parts,
        "seconds": json.loads(lips.read_text())["seconds"],
        "patches": _sha256(lips.with_name("patches.mkv")),
        "video": _sha256(video),
    }


@contextmanager
def background(command: list[str], server: Server, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process with all that it starts, and end them."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=server.environment, stdout=file, stderr=file, start_new_session=True
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def pinned(core: int) -> list[str]:
    """Return the words that keep a command on one core, where there is ``taskset`` and that core."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[core % len(cores)])] if shutil.which("taskset") else []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(is_true: Any, within_s: float = 300.0) -> None:
    give_up_s = time.monotonic() + within_s
    while not is_true():
        if time.monotonic() > give_up_s:
            sys.exit("the workers did not start")
        time.sleep(0.2)


def _has_joined(log: Path) -> bool:
    return "Starting established connection" in log.read_text(errors="replace")


def _count_parts(job: Path) -> int:
    try:
        return len(json.loads(job.read_text())["parts"])
    except (OSError, ValueError):
        return 0


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _stamp(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"00:{int(minutes):02}:{rest:06.3f}".replace(".", ",")


if __name__ == "__main__":
    main()
