"""An MMS voice of random weights in the files of ``facebook/mms-tts-hin``; needs transformers alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HINDI = [" ", *map(chr, range(0x0901, 0x0940)), "\u093c", *map(chr, range(0x0940, 0x094E)), "-"]
LATIN = [" ", *"abcdefghijklmnopqrstuvwxyz'áéíóúñü"]


def make_tiny_mms(folder: Path, letters: list[str] | None = None, **settings: Any) -> Path:
    """Write the four files of a voice that babbles some ten letters a second.

    Args:
        folder: new folder.
        letters: the alphabet; Devanagari by default. Digits are in none, as in the published ones.
        settings: further fields of the tokenizer's settings.
    """
    import torch
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    folder.mkdir(parents=True)
    alphabet = list(dict.fromkeys(letters or HINDI))
    vocabulary = {letter: number for number, letter in enumerate([*alphabet, "<unk>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    tokenizer = VitsTokenizer(
        str(folder / "vocab.json"), pad_token=alphabet[0], phonemize=False, add_blank=True, **settings
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = VitsConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, ffn_dim=32,
        flow_size=16, spectrogram_bins=33, upsample_initial_channel=32, upsample_rates=[8, 8, 4],
        upsample_kernel_sizes=[16, 16, 8], resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3]],
        prior_encoder_num_flows=2, prior_encoder_num_wavenet_layers=2, posterior_encoder_num_wavenet_layers=2,
        duration_predictor_num_flows=2, duration_predictor_filter_channels=16, wavenet_dropout=0.0,
    )  # fmt: skip
    network = VitsModel(config)
    with torch.no_grad():
        network.decoder.conv_post.weight.mul_(2)  # loud enough to be heard
    network.save_pretrained(folder)
    return folder
