"""How fast training is fed on one core: the published data set's way beside ours, in one run.

    python bench/data_loading.py CLIPS [--count 40] [--seconds 4] [--rounds 3] [--json FILE]

CLIPS is a folder of videos with faces. Up to ``--count`` of them are stored both ways and drawn from in turn:

- published: face crops of native size as JPEG files and the sound as wav, as Wav2Lip's preprocessing leaves
  them; a draw lists a clip's files, decodes and resizes ten of them, reads the wav and computes the mel of
  the whole clip with librosa. Written anew from the description of that behaviour, not copied.
- ours: shards from ``python -m lipsync_core preprocess``, drawn by the task that trains the generator.

A sample is what a training step of Wav2Lip needs of one clip: five target and five reference frames and six
mel windows; batches are of 16. The published loader does not augment, so it is compared with ours without
augmentation: as our training step takes a batch (bytes, which the step scales, blanks and joins on the
training device), and once more brought into the very float32 tensors that the published loader makes. Ours
with full augmentation on the same core stands below. Time is the process's CPU time, so that other programs
on the machine do not count; all files are in the page cache.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from lipsync_core.audio import mel_spectrogram
from lipsync_core.errors import InvalidInputError
from lipsync_core.media import read_audio, read_frames, write_wav
from lipsync_core.models import LipSyncExpert
from lipsync_core.training.config import TrainConfig
from lipsync_core.training.dataset import PreparedClips
from lipsync_core.training.preprocess import PreprocessOptions, preprocess
from lipsync_core.training.sources import find_sources
from lipsync_core.training.tasks import make_task
from lipsync_core.training.tasks.generator import as_frames

BATCH = 16
FRAMES = 5
FACE_PX = 96
FPS = 25
MIN_FILES = 15  # the published loader wants more
LARGEST_DIFFERENCE = 0.2  # of a mel level: both must deliver the same sound

PUBLISHED = "published, no augmentation"
EQUAL = "ours, no augmentation, the same float32 tensors"

Batch = dict[str, torch.Tensor]
Draw = Callable[[], Batch]


class PublishedWay:
    """Draws as Wav2Lip's data set does: everything from files, at every draw.

    Args:
        root: ``<identity>/<clip>/<frame>.jpg`` and ``audio.wav``.
        seed: of the draw.
    """

    def __init__(self, root: Path, seed: int) -> None:
        self.clips = sorted(str(p) for p in root.glob("*/*") if p.is_dir())
        self.random = random.Random(seed)

    def batch(self) -> Batch:
        samples = [self.sample() for _ in range(BATCH)]
        return {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}

    def sample(self) -> Batch:
        while True:
            clip = self.random.choice(self.clips)
            names = [entry.name for entry in os.scandir(clip) if entry.name.endswith(".jpg")]
            if len(names) <= MIN_FILES:
                continue
            target, reference = self.random.choice(names), self.random.choice(names)
            if target == reference:
                continue
            windows = [self.window(clip, name) for name in (target, reference)]
            first = int(target.removesuffix(".jpg"))
            if any(window is None for window in windows) or first < 1:
                continue
            mel = self.mel(clip)
            # The slice of frame k begins one frame before it.
            starts = [int(80.0 * ((first + k - 1) / FPS)) for k in range(FRAMES)]
            slices = [mel[:, start : start + 16] for start in starts]
            whole = mel[:, int(80.0 * (first / FPS)) :][:, :16]
            if any(piece.shape[1] != 16 for piece in (*slices, whole)):
                continue
            shown, beside = (np.stack(w).transpose(3, 0, 1, 2) / 255 for w in windows)
            masked = shown.copy()
            masked[:, :, FACE_PX // 2 :] = 0
            return {
                "faces": torch.FloatTensor(np.concatenate((masked, beside))),
                "target": torch.FloatTensor(shown),
                "mels": torch.FloatTensor(np.stack(slices)[:, None]),
                "sync_mel": torch.FloatTensor(whole[None]),
            }

    @staticmethod
    def window(clip: str, name: str) -> list[np.ndarray] | None:
        import cv2

        first, frames = int(name.removesuffix(".jpg")), []
        for number in range(first, first + FRAMES):
            path = os.path.join(clip, f"{number}.jpg")  # noqa: PTH118 - as fast as the original does it
            if not os.path.isfile(path):  # noqa: PTH113
                return None
            frames.append(cv2.resize(cv2.imread(path), (FACE_PX, FACE_PX)))
        return frames

    @staticmethod
    def mel(clip: str) -> np.ndarray:
        """Wav2Lip's mel, by librosa as there (which pads with zeros since 0.9: reflect is asked for)."""
        import librosa
        import scipy.signal

        wave, _ = librosa.load(os.path.join(clip, "audio.wav"), sr=16_000)  # noqa: PTH118
        emphasised = scipy.signal.lfilter([1, -0.97], [1], wave)
        spectrum = librosa.stft(y=emphasised, n_fft=800, hop_length=200, win_length=800, pad_mode="reflect")
        basis = mel_basis(librosa)
        level = 20 * np.log10(np.maximum(1e-5, basis @ np.abs(spectrum))) - 20
        return np.clip(8 * (level + 100) / 100 - 4, -4, 4)


_BASIS: list[np.ndarray] = []


def mel_basis(librosa: object) -> np.ndarray:
    """The original too computes the filters once."""
    if not _BASIS:
        _BASIS.append(librosa.filters.mel(sr=16_000, n_fft=800, n_mels=80, fmin=55, fmax=7600))  # type: ignore[attr-defined]
    return _BASIS[0]


class OurWay:
    """Draws as our training does.

    Args:
        folder: shards.
        seed: of the draw.
        strength: of all augmentation.
    """

    def __init__(self, folder: Path, seed: int, strength: float) -> None:
        config = TrainConfig(
            kind="wav2lip", width=0.125, clips_per_step=BATCH, windows_per_clip=1, sync_weight=0.03,
            mel_offset_frames=-1.0, identity_power=1.0,
            geometry_strength=strength, colour_strength=strength, sound_strength=strength,
        )  # fmt: skip
        self.task = make_task(config, PreparedClips(folder), LipSyncExpert(0.125))
        self.rng = np.random.default_rng(seed)

    def batch(self) -> Batch:
        return self.task.draw(self.rng).tensors

    def published_batch(self) -> Batch:
        """The same as the published loader makes it: scaled, blanked, joined."""
        drawn = self.batch()
        target = as_frames(drawn["target"])
        faces = target.new_empty((len(target), 6, FACE_PX, FACE_PX))
        faces[:, :3, : FACE_PX // 2] = target[:, :, : FACE_PX // 2]
        faces[:, :3, FACE_PX // 2 :] = 0
        torch.div(drawn["reference"].view(-1, 3, FACE_PX, FACE_PX), 255, out=faces[:, 3:])
        return {"faces": faces, "target": target, "mels": drawn["mels"], "sync_mel": drawn["sync_mel"]}


def write_published(clips: Path, shards: Path, root: Path, count: int) -> None:
    """Store the clips of the shards as the published preprocessing does, with the boxes of the shards."""
    import cv2

    paths = {source.name: source.path for source in find_sources(clips)}
    for clip in PreparedClips(shards).clips[:count]:
        folder = root / clip.identity.replace("/", "_") / f"{clip.name}-{clip.track}"
        folder.mkdir(parents=True)
        x1, y1, x2, y2 = (max(0, int(v)) for v in clip.box)
        first = round(clip.start_s * FPS)
        for number, frame in enumerate(read_frames(paths[clip.source], fps=Fraction(FPS))):
            if first <= number < first + clip.n_frames:
                cv2.imwrite(str(folder / f"{number - first}.jpg"), frame[y1:y2, x1:x2])
        wave = read_audio(paths[clip.source])[first * 640 : (first + clip.n_frames) * 640]
        write_wav(folder / "audio.wav", wave, 16_000)


def check_sound(published: Path) -> None:
    """Make sure that both hear the same: librosa's mel of a wav against ours."""
    folder = next(p for p in sorted(published.glob("*/*")) if p.is_dir())
    difference = np.abs(
        PublishedWay.mel(str(folder)) - mel_spectrogram(read_audio(folder / "audio.wav"))
    ).max()
    if difference > LARGEST_DIFFERENCE:
        raise RuntimeError(f"the two mels differ by {difference:.2f}: the comparison would be unfair")


def rate(draw: Draw, seconds: float) -> float:
    """Return samples per second of CPU time."""
    draw()
    began, n_batches = time.process_time(), 0
    while (spent := time.process_time() - began) < seconds or n_batches < 2:
        draw()
        n_batches += 1
    return BATCH * n_batches / spent


def compare(clips: Path, count: int, seconds: float, rounds: int) -> dict[str, float]:
    """Return samples per second of every way; the ways take turns, and the median of the turns counts."""
    with tempfile.TemporaryDirectory() as scratch:
        shards, published = Path(scratch) / "shards", Path(scratch) / "published"
        some = Path(scratch) / "some.txt"
        names = [source.name for source in find_sources(clips)]
        step = max(1, len(names) // count)
        some.write_text("\n".join(names[::step][:count]), encoding="utf-8")
        preprocess(clips, shards, PreprocessOptions(is_filtered=False, filelists=(some,)))
        write_published(clips, shards, published, count)
        check_sound(published)
        records = PreparedClips(shards).clips
        if not records:
            raise InvalidInputError(f"no face with sound below {clips}")
        length_s = statistics.mean(c.n_frames for c in records) / FPS
        print(
            f"{len(records)} clips of {length_s:.1f} s on average, one core, batches of {BATCH}\n", flush=True
        )
        ways: dict[str, Draw] = {
            PUBLISHED: PublishedWay(published, 0).batch,
            "ours, no augmentation, as our step takes it": OurWay(shards, 0, 0.0).batch,
            EQUAL: OurWay(shards, 0, 0.0).published_batch,
            "ours, full augmentation on this core": OurWay(shards, 0, 1.0).batch,
        }
        same = [ways[name]() for name in (PUBLISHED, EQUAL)]
        if any(same[0][name].numel() != same[1][name].numel() for name in same[0]):
            raise RuntimeError("the two batches differ in size: the comparison would be unfair")
        turns = [{name: rate(draw, seconds) for name, draw in ways.items()} for _ in range(rounds)]
        ratios = {name: statistics.median(t[name] / t[PUBLISHED] for t in turns) for name in ways}
        rates = {name: statistics.median(t[name] for t in turns) for name in ways}
    print("| way | samples/s | ms a sample | ratio |\n|---|---|---|---|")
    for name, value in rates.items():
        print(f"| {name} | {value:.0f} | {1000 / value:.2f} | {ratios[name]:.1f} |")
    return {
        f"{name}, {what}": value
        for what, table in (("samples/s", rates), ("ratio", ratios))
        for name, value in table.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, help="folder of videos with faces")
    parser.add_argument("--count", type=int, default=40, help="videos to draw from")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each way")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    figures = compare(args.clips, args.count, args.seconds, args.rounds)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
