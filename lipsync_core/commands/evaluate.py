"""``python -m lipsync_core evaluate``: measure how well lips and sound agree."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from lipsync_core.commands.console import add_common


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to ``commands``."""
    parser = commands.add_parser("evaluate", help="measure how well lips and sound agree (LSE)")
    parser.add_argument("video", type=Path, help="video to judge")
    parser.add_argument("--audio", type=Path, help="other sound to judge the lips against")
    parser.add_argument("--audio-stream", type=int, default=0, help="which audio stream, from 0")
    parser.add_argument("--syncnet", default="auto", help="auto, embedded, syncnet_v2, or a file")
    parser.add_argument(
        "--whole-frame", action="store_true", help="the frames are face crops: detect nothing"
    )
    parser.add_argument(
        "--json", action="store_true", help="print everything as JSON, with the curve over time"
    )
    add_common(parser, run)


def run(args: argparse.Namespace) -> None:
    """Measure one video."""
    from lipsync_core.evaluate import score_video

    score = score_video(
        args.video,
        syncnet=args.syncnet,
        mode="whole_frame" if args.whole_frame else "track",
        audio_stream=args.audio_stream,
        waveform=args.audio,
    )
    if args.json:
        print(json.dumps(score.to_dict()))
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
