"""``python -m lipsync_core evaluate``: measure how well lips and sound agree."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from lipsync_core.commands.console import add_common
from lipsync_core.errors import InvalidInputError


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to ``commands``."""
    parser = commands.add_parser("evaluate", help="measure how well lips and sound agree (LSE)")
    parser.add_argument("video", type=Path, nargs="?", help="video to judge")
    parser.add_argument("--audio", type=Path, help="other sound to judge the lips against")
    parser.add_argument("--audio-stream", type=int, default=0, help="which audio stream, from 0")
    parser.add_argument("--syncnet", default="auto", help="auto, embedded, syncnet_v2, or a file")
    parser.add_argument(
        "--whole-frame", action="store_true", help="the frames are face crops: detect nothing"
    )
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="write everything as JSON, with the curve over time, to FILE or (without FILE) to the console",
    )
    _add_expert_options(parser)
    add_common(parser, run)


def _add_expert_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("off-sync accuracy of a lip-sync expert")
    group.add_argument("--expert", type=Path, metavar="FILE", help="expert: safetensors, .pth or checkpoint")
    group.add_argument("--data", type=Path, metavar="DIR", help="prepared clips to test it on")
    group.add_argument("--threshold", type=float, help="cosine above which a pair counts as synced (0.5)")
    group.add_argument(
        "--threshold-from", type=Path, metavar="DIR", help="choose it on held-out clips of training data"
    )
    group.add_argument(
        "--rule", choices=("balanced", "off_sync"), default="balanced", help="how to choose it"
    )
    group.add_argument("--target", type=float, default=0.916, help="off-sync accuracy for --rule off_sync")
    group.add_argument("--min-distance", type=int, default=1, metavar="FRAMES", help="of false pairs")
    group.add_argument(
        "--mel-offset", type=float, metavar="FRAMES", help="of its sound (its checkpoint knows)"
    )
    group.add_argument("--seen", nargs="+", default=(), metavar="NAME", help="people it was trained on")


def run(args: argparse.Namespace) -> None:
    """Measure what the arguments name."""
    if args.expert is not None:
        _evaluate_expert(args)
        return
    _evaluate_video(args)


def _evaluate_expert(args: argparse.Namespace) -> None:
    from lipsync_core.training.expert_report import ExpertOptions, report_expert, table_lines

    if args.data is None or args.video is not None:
        raise InvalidInputError("--expert FILE needs --data DIR, a folder of prepared clips, and no video")
    options = ExpertOptions(
        threshold=args.threshold,
        threshold_from=args.threshold_from,
        rule=args.rule,
        target=args.target,
        min_distance_frames=args.min_distance,
        mel_offset_frames=args.mel_offset,
        seen=tuple(args.seen),
    )
    report = report_expert(args.expert, args.data, options)
    if args.json != "-":
        print("\n".join(table_lines(report)))
    _write_json(args.json, report.to_dict())


def _evaluate_video(args: argparse.Namespace) -> None:
    from lipsync_core.evaluate import score_video

    if args.video is None:
        raise InvalidInputError("nothing to measure: give a video, or --expert FILE --data DIR")
    score = score_video(
        args.video,
        syncnet=args.syncnet,
        mode="whole_frame" if args.whole_frame else "track",
        audio_stream=args.audio_stream,
        waveform=args.audio,
    )
    _write_json(args.json, score.to_dict())
    if args.json == "-":
        return
    print(f"SyncNet weights: {score.syncnet_name}")
    rows = [*((f"track {i}", track) for i, track in enumerate(score.tracks, 1)), ("whole", score.whole)]
    for name, track in rows:
        if track is None:
            print(f"not measured: {score.reason}")
            continue
        print(
            f"{name:9} {track.start_s:8.2f}-{track.end_s:.2f} s  LSE-D {track.distance:7.3f}  "
            f"LSE-C {track.confidence:7.3f}  offset {track.offset:+d} frames  ({track.n_windows} windows)"
        )


def _write_json(target: str | None, content: object) -> None:
    if target == "-":
        print(json.dumps(content))
    elif target is not None:
        path = Path(target)
        part = path.with_name(f".{path.name}.part")
        part.write_text(json.dumps(content, indent=1), encoding="utf-8")
        part.replace(path)
