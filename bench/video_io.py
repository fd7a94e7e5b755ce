"""Frames per second of decode, sync and encode: BGR or planar, in one thread or overlapped, or copied.

    python bench/video_io.py CLIP [--weights NAME | --no-network] [--height 720] [--seconds 12] [--rounds 2]

CLIP is any video with a face and sound; it is looped, and shown for half of the time. Variants take turns;
the best of all rounds counts. CPU seconds include those of ffmpeg.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lipsync_core.inference import LipSyncer, SyncedFrame, load_syncer
from lipsync_core.media import (
    BackgroundWriter,
    EncodeOptions,
    VideoWriter,
    planar_layout,
    probe_media,
    queue_length,
    read_ahead,
    read_audio,
    read_frames,
    read_pictures,
    run_ffmpeg,
)
from lipsync_core.pictures import Picture
from lipsync_core.sync import SyncOptions, sync_video


@dataclass(frozen=True)
class Job:
    clip: Path
    out: Path
    syncer: LipSyncer | None
    preset: str


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--weights", default="embedded")
    parser.add_argument("--engine", default="torch")
    parser.add_argument("--no-network", action="store_true", help="decode and encode only")
    parser.add_argument("--preset", default="medium", help="x264 preset")
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--seconds", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    syncer = None
    if not args.no_network:
        syncer = load_syncer(args.weights)
        syncer.use_engine(args.engine)
    with tempfile.TemporaryDirectory() as folder:
        clip = prepared(args.clip, Path(folder) / "clip.mp4", args.seconds, args.height)
        measure(Job(clip, Path(folder) / "out.mp4", syncer, args.preset), args.rounds)


def prepared(source: Path, target: Path, seconds: int, height: int) -> Path:
    """Write the face for half of the time, a plain slide for the other, a closed group every second."""
    width = height * 16 // 9 // 2 * 2
    slide = f"drawbox=c=0x335577:t=fill:enable='gte(t,{seconds / 2})'"
    picture = f"scale=-2:{height * 3 // 4},pad={width}:{height}:-1:-1:gray,noise=alls=6:allf=t,{slide}"
    run_ffmpeg(
        ["-stream_loop", "-1", "-i", str(source), "-t", str(seconds), "-vf", picture,
         "-c:v", "libx264", "-preset", "veryfast", "-g", "25", "-pix_fmt", "yuv420p",
         "-c:a", "aac", str(target)],
        what=f"looping {source}",
    )  # fmt: skip
    return target


def measure(job: Job, rounds: int) -> None:
    info = probe_media(job.clip)
    assert info.video is not None
    n_frames = round(info.duration_s * info.video.fps)
    variants: dict[str, Callable[[Job], None]] = {
        "BGR, one after the other": lambda job: run(job, is_planar=False, overlap=False),
        "BGR, overlapped": lambda job: run(job, is_planar=False, overlap=True),
        "planar, one after the other": lambda job: run(job, is_planar=True, overlap=False),
        "planar, overlapped (as `sync`)": lambda job: run(job, is_planar=True, overlap=True),
    }
    if job.syncer is not None:
        variants["planar, overlapped, --copy-untouched"] = run_copying
    best: dict[str, tuple[float, float]] = {}
    for number in range(rounds):
        for name, variant in variants.items():
            wall, cpu = timed(variant, job)
            print(f"round {number + 1}: {name}: {wall:.1f} s", file=sys.stderr, flush=True)
            best[name] = min(best.get(name, (wall, cpu)), (wall, cpu))
    print(f"{info.video.width}x{info.video.height}, {n_frames} frames, preset {job.preset}, ", end="")
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}\n")
    print("| variant | frames/s | ratio | CPU s | ratio |\n|---|---|---|---|---|")
    wall_first, cpu_first = next(iter(best.values()))
    for name, (wall, cpu) in best.items():
        speed, gain, cheaper = n_frames / wall, wall_first / wall, cpu_first / cpu
        print(f"| {name} | {speed:.1f} | {gain:.2f} | {cpu:.1f} | {cheaper:.2f} |")


def timed(variant: Callable[[Job], None], job: Job) -> tuple[float, float]:
    """Return wall and CPU seconds, children included."""

    def cpu_s() -> float:
        usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    wall, cpu = time.monotonic(), cpu_s()
    variant(job)
    return time.monotonic() - wall, cpu_s() - cpu


def run(job: Job, *, is_planar: bool, overlap: bool) -> None:
    video = probe_media(job.clip).video
    assert video is not None
    fps, length = video.fps, queue_length(video.width, video.height)
    options = EncodeOptions(
        preset=job.preset,
        layout=planar_layout(video) if is_planar else None,
        extra_inputs=[["-i", str(job.clip)]],
        output_args=["-map", "1:a:0", "-c:a", "aac"],
    )
    frames: Generator[Picture, None, None] = (read_pictures if is_planar else read_frames)(job.clip, fps=fps)
    writer = VideoWriter(job.out, video.width, video.height, fps, options)
    if not overlap:
        with contextlib.closing(frames), writer:
            for frame in synced(job, frames, fps):
                writer.write(frame.finished())
        return
    with contextlib.closing(read_ahead(frames, length)) as ahead, BackgroundWriter(writer, length) as behind:
        for frame in synced(job, ahead, fps):
            behind.write(frame.finished)


def synced(job: Job, frames: Iterable[Picture], fps: Fraction) -> Iterator[SyncedFrame]:
    if job.syncer is None:
        yield from (SyncedFrame(number, frame, None) for number, frame in enumerate(frames))
    else:
        yield from job.syncer(frames, read_audio(job.clip), float(fps))


def run_copying(job: Job) -> None:
    assert job.syncer is not None
    options = SyncOptions(preset=job.preset, copy_untouched=True)
    report = sync_video(job.clip, job.clip, job.out, job.syncer, options=options)
    assert report.n_copied, report.notices


if __name__ == "__main__":
    main()
