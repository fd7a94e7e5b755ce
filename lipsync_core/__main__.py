"""``python -m lipsync_core sync | evaluate | prepare | train``.

Exit codes: 0 done, 2 bad usage or input, 3 weights or package missing, 4 anything else went wrong,
130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lipsync_core.errors import (
    CheckpointError,
    InvalidInputError,
    LipSyncError,
    MediaError,
    MissingModelError,
    NoFaceError,
)

EXIT_INPUT, EXIT_MISSING, EXIT_FAILED, EXIT_INTERRUPTED = 2, 3, 4, 130
PROGRESS_INTERVAL_S = 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] in (["prepare"], ["train"]):
        return _run(lambda: _delegate(arguments[0], arguments[1:]), debug=False)
    args = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if args.debug else logging.WARNING, format="%(message)s")
    return _run(lambda: args.run(args), debug=args.debug)


def _run(action: Callable[[], int | None], debug: bool) -> int:
    """Call ``action`` and turn its errors into one line and an exit code."""
    try:
        return action() or 0
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (LipSyncError, OSError, RuntimeError, ValueError) as error:
        if debug:
            logging.getLogger(__name__).exception("traceback:")
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return _exit_code(error)


def _exit_code(error: Exception) -> int:
    if isinstance(error, (InvalidInputError, MediaError, NoFaceError)):
        return EXIT_INPUT
    return EXIT_MISSING if isinstance(error, (MissingModelError, CheckpointError)) else EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lipsync_core", description="Lip synchronisation.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_sync(commands.add_parser("sync", help="make a face say other words"))
    _add_evaluate(commands.add_parser("evaluate", help="measure how well lips and sound agree (LSE)"))
    commands.add_parser("prepare", help="turn a folder of clips into training data", add_help=False)
    commands.add_parser("train", help="train a network", add_help=False)
    return parser


def _add_sync(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--face", type=Path, required=True, help="video or picture with a face")
    parser.add_argument("--audio", type=Path, required=True, help="file with speech")
    parser.add_argument("-o", "--out", type=Path, required=True, help="video to write: .mp4, .mov or .mkv")
    parser.add_argument("--weights", default="auto", help="auto, embedded, a published name, or a file")
    parser.add_argument("--no-download", action="store_true", help="use only weights that are here")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps (default: cpu)")
    parser.add_argument("--detector", default="auto", choices=("auto", "centerface", "s3fd"))
    parser.add_argument(
        "--length", default="video", choices=("video", "audio"), help="what decides the length"
    )
    parser.add_argument("--no-smooth", action="store_true", help="do not smooth face boxes over time")
    parser.add_argument("--crf", type=int, default=18, help="x264 quality, 0 (lossless) to 18")
    parser.add_argument("--preset", default="medium", help="x264 preset")
    parser.add_argument("--parity", action="store_true", help="the published recipe, number for number")
    published = parser.add_argument_group("options of the published script, with --parity")
    published.add_argument("--pads", type=int, nargs=4, default=(0, 10, 0, 0), metavar=tuple("TBLR"))
    published.add_argument("--box", type=int, nargs=4, metavar=tuple("TBLR"), help="fixed face box")
    published.add_argument("--static", action="store_true", help="use the first frame only")
    published.add_argument("--resize-factor", type=int, default=1, help="shrink frames by this number")
    published.add_argument("--rotate", action="store_true", help="turn frames 90 degrees clockwise")
    published.add_argument("--crop", type=int, nargs=4, default=(0, -1, 0, -1), metavar=tuple("TBLR"))
    _add_common(parser, _sync)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
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
    _add_common(parser, _evaluate)


def _add_common(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None]) -> None:
    parser.add_argument("--debug", action="store_true", help="show tracebacks and log messages")
    parser.set_defaults(run=run)


def _sync(args: argparse.Namespace) -> None:
    from lipsync_core.inference import load
    from lipsync_core.media import probe_media
    from lipsync_core.recipe import RecipeOptions
    from lipsync_core.sync import SyncOptions, sync_video

    for file in (args.face, args.audio):
        probe_media(file)  # before weights are loaded or fetched
    recipe = RecipeOptions(
        pads=tuple(args.pads),
        box=tuple(args.box) if args.box else None,
        static=args.static,
        resize_factor=args.resize_factor,
        rotate=args.rotate,
        crop=tuple(args.crop),
    )
    if recipe != RecipeOptions() and not args.parity:
        raise InvalidInputError("--pads, --box, --static, --resize-factor, --rotate and --crop need --parity")
    options = SyncOptions(args.length, not args.no_smooth, args.crf, args.preset, recipe)
    syncer = load(
        args.weights,
        args.device,
        detector=args.detector,
        parity=args.parity,
        allow_download=not args.no_download,
        progress=_Progress("fetching weights", "bytes"),
    )
    print(f"weights: {syncer.name} · detector: {syncer.detector.name} · device: {syncer.device}", flush=True)
    began = time.monotonic()
    report = sync_video(
        args.face, args.audio, args.out, syncer, options=options, progress=_Progress("syncing", "frames")
    )
    for notice in report.notices:
        print(f"note: {notice}")
    seconds = time.monotonic() - began
    print(f"{report.video}: {report.n_frames} frames, {report.n_synced} of them synced, in {seconds:.1f} s")


def _evaluate(args: argparse.Namespace) -> None:
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


def _delegate(command: str, arguments: Sequence[str]) -> int:
    if command == "prepare":
        from lipsync_core.training.prepare import main as prepare

        prepare(arguments)
        return 0
    from lipsync_core.training.__main__ import main as train

    return train(arguments)


class _Progress:
    """One line on a terminal's stderr; silent elsewhere."""

    def __init__(self, what: str, unit: str) -> None:
        self._what, self._unit = what, unit
        self._due = time.monotonic() + PROGRESS_INTERVAL_S

    def __call__(self, done: int, total: int | None) -> None:
        """Show progress, at most twice a second."""
        if not sys.stderr.isatty() or (time.monotonic() < self._due and done != total):
            return
        self._due = time.monotonic() + PROGRESS_INTERVAL_S
        of_total = f" of {total:,}" if total else ""
        end = "\n" if done == total else ""
        print(f"\r{self._what}: {done:,}{of_total} {self._unit}", end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
