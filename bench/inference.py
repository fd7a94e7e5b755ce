"""Faces per second of every engine, and how far its faces are from those of PyTorch in fp32; one run.

    python bench/inference.py [CLIP] [--widths 1 0.25] [--weights FILE] [--device cpu|cuda|mps]
                              [--engines NAME ...] [--batch 8] [--rounds 5]

CLIP, a video with a face and sound, gives the faces to calibrate int8 on and others to measure on; without it
they are noise, which says little about int8. Rates are the best of several rounds in which the engines take
turns; the processor time of all threads, the least of these rounds, hardly changes when other programs share
the machine. The first line is the network as it is published, eager and unfolded: the 1 of the ratios. Random
weights have larger differences than trained ones.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as our commands do; for the first line too

import torch
from random_generator import random_generator
from torch import Tensor, nn

from lipsync_core.checkpoints import load_network
from lipsync_core.errors import LipSyncError
from lipsync_core.faces import CenterFace
from lipsync_core.folding import fold_batch_norm
from lipsync_core.media import measure_duration, probe_media, read_audio
from lipsync_core.runtime import (
    ENGINES,
    EngineRequest,
    FaceSamples,
    FaceSource,
    TorchOptions,
    build_engine,
    difference_between,
    sample_faces,
)
from lipsync_core.runtime.threads import thread_cap

Generate = Callable[[Tensor, Tensor], Tensor]
NAMES = tuple(name for name in ENGINES if name != "auto")


def main() -> None:
    args = parse_arguments()
    samples = clip_samples(args.clip) if args.clip else noise_samples()
    described = f"{args.clip.name}" if args.clip else "noise"
    print(f"faces of {described}; batch {args.batch}; {args.device}; load average {os.getloadavg()[0]:.1f}")
    sources = [(str(args.weights), load_network(args.weights, "wav2lip"))] if args.weights else []
    sources += [] if args.weights else [(f"width {w:g}, random", random_generator(w)) for w in args.widths]
    for title, network in sources:
        print_table(title, network, samples, args)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path, nargs="?")
    parser.add_argument("--widths", type=float, nargs="+", default=[1.0, 0.25])
    parser.add_argument("--weights", type=Path, help="Wav2Lip weights instead of random ones")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--engines", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def clip_samples(clip: Path) -> FaceSamples:
    video = probe_media(clip).video
    if video is None:
        raise SystemExit(f"{clip} holds no video")
    n_frames = max(1, round(measure_duration(clip, str(video.index)) * video.fps))
    source = FaceSource(
        clip, Fraction(video.fps), range(n_frames), read_audio(clip), n_source_frames=n_frames
    )
    samples = sample_faces(source, CenterFace())
    if samples is None:
        raise SystemExit(f"too few faces in {clip}")
    return samples


def noise_samples() -> FaceSamples:
    torch.manual_seed(1)
    first, second = ((torch.rand(8, 1, 80, 16) * 8 - 4, torch.rand(8, 6, 96, 96)) for _ in range(2))
    return FaceSamples(first, second)


def print_table(title: str, network: nn.Module, samples: FaceSamples, args: argparse.Namespace) -> None:
    generators, set_up = make_generators(network, samples, args)
    mel, faces = (filled_up(tensor, args.batch) for tensor in samples.held_out)
    rates, cpu_ms = measured_rates(generators, mel, faces, args.rounds)
    # On CUDA the published way multiplies in TF32; our fp32 does not.
    exact = generators.get("torch", generators["as published"])(*samples.held_out)
    base = rates["as published"]
    print(f"\n{title}; at most {thread_cap(network)} threads\n")
    print(
        "| engine | faces/s | ratio | CPU ms a face | CPU ratio | set-up s | PSNR to fp32, dB "
        "| largest difference |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, generate in generators.items():
        found = difference_between(generate(*samples.held_out), exact)
        print(
            f"| {name} | {rates[name]:.1f} | {rates[name] / base:.2f} | {cpu_ms[name]:.1f} "
            f"| {cpu_ms['as published'] / cpu_ms[name]:.2f} | {set_up[name]:.2f} "
            f"| {found.psnr_db:.1f} | {found.max_abs:.2g} |",
            flush=True,
        )


def make_generators(
    network: nn.Module, samples: FaceSamples, args: argparse.Namespace
) -> tuple[dict[str, Generate], dict[str, float]]:
    """Return what generates by name, and how long each took to get ready."""
    generators: dict[str, Generate] = {"as published": published_way(network, args.device)}
    set_up = {"as published": 0.0}
    folded = fold_batch_norm(network).to(args.device)
    variants = [(name, name, TorchOptions(batch_size=args.batch)) for name in args.engines]
    if args.device.startswith("cuda"):
        for name in (name for name in args.engines if name.startswith("torch")):
            graphs = TorchOptions(cuda_graphs=True, batch_size=args.batch)
            compiled = TorchOptions(compile=True, batch_size=args.batch)
            variants += [(f"{name}, CUDA graphs", name, graphs), (f"{name}, compiled", name, compiled)]
    for title, name, options in variants:
        began = time.perf_counter()
        try:
            engine = build_engine(EngineRequest(folded, name, args.device, options), samples)
            engine.generate(*samples.held_out)
        except LipSyncError as error:
            print(f"{title}: left out: {error}")
            continue
        generators[title], set_up[title] = engine.generate, time.perf_counter() - began
    return generators, set_up


def published_way(network: nn.Module, device: str) -> Generate:
    """Return the network as the published script calls it: eager fp32, plain layout, without gradients."""
    import copy

    plain = copy.deepcopy(network).to(device)

    def generate(mel: Tensor, faces: Tensor) -> Tensor:
        with torch.no_grad():
            out: Tensor = plain(mel.to(device), faces.contiguous().to(device)).cpu()
        return out

    return generate


def measured_rates(
    generators: dict[str, Generate], mel: Tensor, faces: Tensor, n_rounds: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Return faces a second, and milliseconds of processor time for a face."""
    seconds, cpu_s = (dict.fromkeys(generators, float("inf")) for _ in range(2))
    for number in range(n_rounds + 1):
        for name, generate in generators.items():
            began, cpu_began = time.perf_counter(), time.process_time()
            generate(mel, faces)
            if number:  # the first round warms up
                seconds[name] = min(seconds[name], time.perf_counter() - began)
                cpu_s[name] = min(cpu_s[name], time.process_time() - cpu_began)
    rates = {name: len(mel) / took for name, took in seconds.items()}
    return rates, {name: 1000 * took / len(mel) for name, took in cpu_s.items()}


def filled_up(tensor: Tensor, n_rows: int) -> Tensor:
    """Return ``n_rows`` rows, repeating or cutting those given."""
    return tensor.repeat(-(-n_rows // len(tensor)), *[1] * (tensor.dim() - 1))[:n_rows]


if __name__ == "__main__":
    main()
