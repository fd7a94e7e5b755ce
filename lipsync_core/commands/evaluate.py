"""``python -m lipsync_core evaluate``: lip sync and picture quality of videos, of pairs, and experts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lipsync_core.commands import evaluate_expert, evaluate_pairs
from lipsync_core.commands.console import Progress, add_common
from lipsync_core.errors import InvalidInputError

MIN_TRACK_FRAMES = 25
REFUSED_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".wav", ".flac", ".mp3")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to ``commands``."""
    parser = commands.add_parser(
        "evaluate",
        help="measure lip sync (LSE-D, LSE-C, offset) and picture quality",
        description="Measures videos, or a list of pairs (--pairs), or a lip-sync expert (--expert).",
    )
    parser.add_argument("videos", type=Path, nargs="*", metavar="VIDEO", help="videos or folders of videos")
    parser.add_argument("--audio", type=Path, help="other sound to judge the lips against")
    parser.add_argument("--audio-stream", type=int, default=0, help="which audio stream, from 0")
    parser.add_argument("--syncnet", default="auto", help="auto, embedded, syncnet_v2, or a file")
    parser.add_argument(
        "--whole-frame", action="store_true", help="the frames are face crops (LRS, LRW): detect nothing"
    )
    parser.add_argument(
        "--min-track-frames",
        type=int,
        default=MIN_TRACK_FRAMES,
        metavar="N",
        help="leave out shorter face tracks (default 25; the published script drops up to 100: give 101)",
    )
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="VIDEO",
        help="true video, or a folder with one of each name: PSNR, SSIM, LMD, Frechet distance",
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps (default: cpu)")
    output = parser.add_argument_group("output")
    output.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="everything as JSON; - or nothing: the console"
    )
    output.add_argument("--csv", metavar="FILE", help="one row per face track and per video; -: the console")
    output.add_argument("--plot", type=Path, metavar="FILE", help="curve or bars as .png, .pdf or .svg")
    evaluate_pairs.add_options(parser)
    evaluate_expert.add_options(parser)
    add_common(parser, run)


def run(args: argparse.Namespace) -> int:
    """Measure what the arguments name; 0 where there is at least one number."""
    asked = {"videos": bool(args.videos), "--pairs": args.pairs is not None, "--expert": bool(args.expert)}
    if sum(asked.values()) != 1:
        given = " and ".join(name for name, is_given in asked.items() if is_given) or "nothing"
        raise InvalidInputError(f"{given} to measure; give one of: videos, --pairs FILE, --expert FILE")
    if args.json == "-" and args.csv == "-":
        raise InvalidInputError("--json and --csv cannot both go to the console: give one of them a file")
    for name in ("json", "csv"):
        if Path(getattr(args, name) or "-").suffix.lower() in REFUSED_SUFFIXES:
            raise InvalidInputError(f"--{name} {getattr(args, name)} would overwrite media: put videos first")
    if args.plot is not None and not args.videos:
        raise InvalidInputError("--plot draws videos only")
    if args.expert:
        return evaluate_expert.run(args)
    return evaluate_pairs.run(args) if args.pairs is not None else _run_videos(args)


def _run_videos(args: argparse.Namespace) -> int:
    from lipsync_core.metrics.videos import VideoMeter, VideoOptions, find_videos

    if args.plot is not None:
        from lipsync_core.metrics.plots import require_plots

        require_plots(args.plot)
    _refuse_absent(args)
    videos = find_videos(args.videos)
    meter = VideoMeter(
        VideoOptions(
            syncnet=args.syncnet,
            mode="whole_frame" if args.whole_frame else "track",
            min_track_frames=args.min_track_frames,
            audio=args.audio,
            audio_stream=args.audio_stream,
            reference=args.reference,
            device=args.device,
        )
    )
    is_alone = len(videos) == 1 and not args.videos[0].is_dir()
    if is_alone:
        meter.measure_or_raise(videos[0], Progress("measuring", "frames"))
    else:
        tell = Progress("measuring", "videos")
        for number, video in enumerate(videos, 1):
            meter.measure(video)
            tell(number, len(videos))
    _show(args, meter, is_alone)
    return 0 if meter.summary().n_videos or is_alone else 2


def _refuse_absent(args: argparse.Namespace) -> None:
    """Refuse files that are not there before anything is loaded."""
    from lipsync_core.inference import refuse_absent_device
    from lipsync_core.media import probe_media

    refuse_absent_device(args.device)
    if args.audio is not None:
        probe_media(args.audio)
    if args.reference is not None and not args.reference.is_dir():
        probe_media(args.reference)


def _show(args: argparse.Namespace, meter: Any, is_alone: bool) -> None:
    from lipsync_core.metrics import tables

    summary = meter.summary()
    if "-" not in (args.json, args.csv):
        if is_alone:
            lines = [f"SyncNet weights: {meter.syncnet_name}", *tables.video_lines(meter.rows[0])]
        else:
            lines = [f"SyncNet weights: {meter.syncnet_name}", *tables.table_lines(meter.rows, summary)]
        print("\n".join([*lines, *tables.summary_lines(summary)]))
    if args.json is not None:
        plain = summary.to_dict()
        content = {
            **meter.rows[0].to_dict(),
            "frechet": plain["frechet"],
            "not_measured": plain["not_measured"],
        }
        if not is_alone:
            content = {"videos": [row.to_dict() for row in meter.rows], "summary": plain}
        tables.write_json(args.json, content)
    if args.csv is not None:
        tables.write_text(args.csv, tables.csv_text(tables.CSV_FIELDS, tables.csv_rows(meter.rows)))
    if args.plot is not None:
        from lipsync_core.metrics.plots import plot_rows

        plot_rows(meter.rows, args.plot)
