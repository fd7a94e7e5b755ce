"""``python -m lipsync_core sync``: make a face say other words."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from lipsync_core.commands.allocator import return_freed_blocks
from lipsync_core.commands.console import Progress, add_common
from lipsync_core.errors import InvalidInputError


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to ``commands``."""
    parser = commands.add_parser("sync", help="make a face say other words")
    parser.add_argument("--face", type=Path, required=True, help="video or picture with a face")
    parser.add_argument("--audio", type=Path, required=True, help="file with speech")
    parser.add_argument("-o", "--out", type=Path, required=True, help="video to write: .mp4, .mov or .mkv")
    parser.add_argument("--weights", default="auto", help="auto, embedded, a published name, or a file")
    parser.add_argument("--no-download", action="store_true", help="use only weights that are here")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps (default: cpu)")
    add_engine(parser)
    parser.add_argument("--detector", default="auto", choices=("auto", "centerface", "s3fd"))
    parser.add_argument(
        "--length", default="video", choices=("video", "audio"), help="what decides the length"
    )
    parser.add_argument("--no-smooth", action="store_true", help="do not smooth face boxes over time")
    parser.add_argument("--crf", type=int, default=18, help="x264 quality, 0 (lossless) to 18")
    parser.add_argument("--preset", default="medium", help="x264 preset")
    parser.add_argument(
        "--copy-untouched", action="store_true", help="copy stretches without a synced face bit for bit"
    )
    parser.add_argument("--parity", action="store_true", help="the published recipe, number for number")
    published = parser.add_argument_group("options of the published script, with --parity")
    published.add_argument("--pads", type=int, nargs=4, default=(0, 10, 0, 0), metavar=tuple("TBLR"))
    published.add_argument("--box", type=int, nargs=4, metavar=tuple("TBLR"), help="fixed face box")
    published.add_argument("--static", action="store_true", help="use the first frame only")
    published.add_argument("--resize-factor", type=int, default=1, help="shrink frames by this number")
    published.add_argument("--rotate", action="store_true", help="turn frames 90 degrees clockwise")
    published.add_argument("--crop", type=int, nargs=4, default=(0, -1, 0, -1), metavar=tuple("TBLR"))
    add_common(parser, run)


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what runs the network."""
    group = parser.add_argument_group("what runs the network")
    group.add_argument(
        "--engine",
        metavar="NAME",
        help="auto (the fastest as good as fp32; torch with --parity), torch, torch-bf16, torch-fp16, "
        "openvino, openvino-bf16 or openvino-int8",
    )
    group.add_argument("--compile", action="store_true", help="torch engines: compile the network first")
    group.add_argument("--cuda-graphs", action="store_true", help="torch engines: replay recorded launches")


def run(args: argparse.Namespace) -> None:
    """Sync one video."""
    from lipsync_core.inference import load_syncer
    from lipsync_core.media import probe_media
    from lipsync_core.recipe import RecipeOptions
    from lipsync_core.runtime import TorchOptions
    from lipsync_core.sync import SyncOptions, sync_video

    return_freed_blocks()
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
    options = SyncOptions(
        length=args.length,
        smooth=not args.no_smooth,
        crf=args.crf,
        preset=args.preset,
        copy_untouched=args.copy_untouched,
        recipe=recipe,
    )
    syncer = load_syncer(
        args.weights,
        args.device,
        detector=args.detector,
        parity=args.parity,
        allow_download=not args.no_download,
        progress=Progress("fetching weights", "bytes"),
    )
    if args.engine or args.compile or args.cuda_graphs:
        name = args.engine or ("torch" if args.parity else "auto")
        syncer.use_engine(name, TorchOptions(compile=args.compile, cuda_graphs=args.cuda_graphs))
    print(f"weights: {syncer.name} · detector: {syncer.detector.name} · device: {syncer.device}", flush=True)
    began = time.monotonic()
    report = sync_video(
        args.face, args.audio, args.out, syncer, options=options, progress=Progress("syncing", "frames")
    )
    print(f"engine: {report.engine}")
    for notice in report.notices:
        print(f"note: {notice}")
    seconds = time.monotonic() - began
    copied = f", {report.n_copied} copied" if report.n_copied else ""
    counts = f"{report.n_frames} frames, {report.n_synced} of them synced{copied}"
    print(f"{report.video}: {counts}, in {seconds:.1f} s")
