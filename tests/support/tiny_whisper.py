"""A tiny random Whisper in the file that openai-whisper loads: ``{"dims": …, "model_state_dict": …}``."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from pathlib import Path


def make_checkpoint(path: Path, *, multilingual: bool = True, seed: int = 0) -> Path:
    """Write a two-layer model with the published vocabulary and windows, and weights of no meaning."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(seed)
    dims = ModelDimensions(
        n_mels=80, n_audio_ctx=1500, n_audio_state=32, n_audio_head=2, n_audio_layer=1,
        n_vocab=51865 if multilingual else 51864, n_text_ctx=448, n_text_state=32, n_text_head=2,
        n_text_layer=2,
    )  # fmt: skip
    network = Whisper(dims)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.dim() > 1 or "positional" in name:
                torch.nn.init.normal_(parameter, std=0.2)
    open_vocabularies()
    torch.save({"dims": asdict(dims), "model_state_dict": network.state_dict()}, path)
    return path


def open_vocabularies() -> None:
    """Have Whisper read its vocabularies once: it leaves the files to the garbage collector, which warns."""
    from whisper.tokenizer import get_encoding

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for name in ("multilingual", "gpt2"):
            get_encoding(name=name, num_languages=99)  # as its tokenizer asks, or it is read again
