"""An XTTS model of random weights in the library's own file format; needs coqui-tts."""

from __future__ import annotations

import json
from pathlib import Path

SPEAKERS = ("Claribel Dervla", "Andrew Chipper")


def make_tiny_xtts(folder: Path) -> Path:
    """Write the four files of a model that babbles for about a second."""
    import torch
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
    from TTS.tts.models.xtts import Xtts, XttsArgs

    folder.mkdir(parents=True)
    width, n_audio_tokens = 64, 34
    arguments = XttsArgs(
        gpt_layers=1, gpt_n_model_channels=width, gpt_n_heads=2, gpt_max_audio_tokens=24,
        gpt_num_audio_tokens=n_audio_tokens, gpt_start_audio_token=n_audio_tokens - 2,
        gpt_stop_audio_token=n_audio_tokens - 1, gpt_use_perceiver_resampler=True,
        decoder_input_dim=width, d_vector_dim=512,
    )  # fmt: skip
    config = XttsConfig(model_args=arguments)
    config.save_json(str(folder / "config.json"))
    characters = " abcdefghijklmnopqrstuvwxyz.,!?áéíóúñ" + "".join(map(chr, range(0x0900, 0x0970)))
    special = ["[STOP]", "[UNK]", "[SPACE]", *[f"[{code}]" for code in config.languages], "[START]"]
    vocabulary = {token: i for i, token in enumerate([*special, *dict.fromkeys(characters)])}
    tokens = [
        {"id": vocabulary[token], "content": token, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True}
        for token in special
    ]  # fmt: skip
    model = {"type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": "[UNK]"}
    tokenizer = {
        "version": "1.0",
        "added_tokens": tokens,
        "pre_tokenizer": {"type": "Whitespace"},
        "model": model,
    }
    (folder / "vocab.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    torch.manual_seed(0)
    xtts = Xtts(config)
    xtts.tokenizer = VoiceBpeTokenizer(vocab_file=str(folder / "vocab.json"))
    xtts.init_models()
    with torch.no_grad():
        xtts.hifigan_decoder.waveform_decoder.conv_post.weight.mul_(20)  # loud enough to be heard
    torch.save({"model": xtts.state_dict()}, folder / "model.pth")
    speakers = {
        name: {"gpt_cond_latent": torch.randn(1, 32, width), "speaker_embedding": torch.randn(1, 512, 1)}
        for name in SPEAKERS
    }
    torch.save(speakers, folder / "speakers_xtts.pth")
    return folder
