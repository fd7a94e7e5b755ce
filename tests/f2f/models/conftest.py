"""Caches of each test's own, a hub on this machine, and models small enough to move about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
from hub import Hub, served_hub

CONTENT = np.random.default_rng(0).bytes(300_000)


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point every engine's cache into one folder of the test's own."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LIPSYNC_CORE_HOME", str(home / "lipsync_core"))
    monkeypatch.setenv("F2F_HOME", str(home / "f2f"))
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("COQUI_TOS_AGREED", raising=False)
    return home


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "F2F_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    with served_hub() as started:
        monkeypatch.setenv("HF_ENDPOINT", started.address)
        started.files["facebook/m2m100_418M"] = {
            "config.json": b'{"model_type": "m2m_100"}',
            "pytorch_model.bin": CONTENT,
            "sentencepiece.bpe.model": CONTENT[:5000],
            "vocab.json": b'{"a": 1}',
            "rust_model.ot": b"another framework",
            "README.md": b"# M2M",
        }
        yield started
