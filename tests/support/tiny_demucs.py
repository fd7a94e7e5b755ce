"""Demucs models of the published file format, small enough for a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SOURCES = ("drums", "bass", "other", "vocals")


def save_tiny_demucs(path: Path, sources: tuple[str, ...] = SOURCES, klass: str | None = None) -> Any:
    """Write a Hybrid Transformer Demucs with random weights and return it."""
    import torch
    from demucs.htdemucs import HTDemucs
    from safetensors.torch import save_file

    kwargs = {
        "channels": 16, "growth": 1, "depth": 4, "t_layers": 1, "t_heads": 2,
        "segment": {"_type": "fraction", "numerator": 1, "denominator": 2}, "samplerate": 44_100,
    }  # fmt: skip
    torch.manual_seed(3)
    model = HTDemucs(list(sources), **{**kwargs, "segment": 0.5}).eval()
    about = {
        "klass": klass or "demucs.htdemucs.HTDemucs",
        "args": json.dumps([list(sources)]),
        "kwargs": json.dumps(kwargs),
    }
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path, metadata=about)
    return model


def save_in_hub_cache(cache: Path, name: str = "htdemucs") -> Path:
    """Lay a tiny model out as ``hf download adefossez/HTDemucs`` does, and return the weights' path."""
    repository = cache / "models--adefossez--HTDemucs"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    (snapshot / f"{name}.yaml").write_text("models: ['955717e8']\n")
    save_tiny_demucs(snapshot / "955717e8.safetensors")
    return snapshot / "955717e8.safetensors"
