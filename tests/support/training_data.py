"""Training data without media: smooth random faces whose brightness follows random sound."""

import json
from dataclasses import asdict

import numpy as np

from lipsync_core.training.shards import FORMAT_VERSION, FPS, ClipRecord

N_FRAMES = 40


def write_prepared(folder, identities):
    rng = np.random.default_rng(5)
    folder.mkdir()
    records = []
    n_mel, n_mfcc = N_FRAMES * 80 // 25 + 1, N_FRAMES * 4
    with (
        (folder / "faces.u8").open("wb") as faces,
        (folder / "heads.u8").open("wb") as heads,
        (folder / "mel.f32").open("wb") as mel,
        (folder / "mfcc.f32").open("wb") as mfcc,
    ):
        for number, identity in enumerate(identities):
            level = rng.uniform(60, 200, (N_FRAMES, 1, 1, 1))
            faces.write((level + rng.uniform(-40, 40, (1, 120, 120, 3))).astype(np.uint8).tobytes())
            heads.write((level + rng.uniform(-40, 40, (1, 112, 112, 3))).astype(np.uint8).tobytes())
            mel.write(rng.uniform(-4, 4, (n_mel, 80)).astype(np.float32).tobytes())
            mfcc.write(rng.normal(0, 10, (n_mfcc, 13)).astype(np.float32).tobytes())
            records.append(
                ClipRecord(
                    name=f"clip{number}",
                    identity=identity,
                    first_frame=number * N_FRAMES,
                    n_frames=N_FRAMES,
                    first_mel=number * n_mel,
                    n_mel=n_mel,
                    first_mfcc=number * n_mfcc,
                    n_mfcc=n_mfcc,
                    box=(10.0, 10.0, 90.0, 110.0),
                )
            )
    index = {"format_version": FORMAT_VERSION, "fps": FPS, "clips": [asdict(r) for r in records]}
    (folder / "clips.json").write_text(json.dumps(index))
    return folder
