"""A tiny random Whisper in the folder that faster-whisper loads, made by CTranslate2's own converter."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

from tiny_whisper import open_vocabularies


def make_ct2_model(folder: Path, *, multilingual: bool = True, seed: int = 0) -> Path:
    """Write model.bin, config.json, vocabulary.json, tokenizer.json with the published vocabulary.

    The weights have no meaning: a two-layer model of 32 channels.
    """
    import ctranslate2
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

    open_vocabularies()
    tokenizer = _write_tokenizer(folder / "hf", multilingual)
    torch.manual_seed(seed)
    config = WhisperConfig(
        vocab_size=51865 if multilingual else 51864, d_model=32, encoder_layers=1, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
        pad_token_id=tokenizer["<|endoftext|>"], bos_token_id=tokenizer["<|endoftext|>"],
        eos_token_id=tokenizer["<|endoftext|>"], decoder_start_token_id=tokenizer["<|startoftranscript|>"],
        suppress_tokens=[], begin_suppress_tokens=[],
    )  # fmt: skip
    model = WhisperForConditionalGeneration(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 or "embed_positions" in name:
                torch.nn.init.normal_(parameter, std=0.2)
    languages = {
        token: number for token, number in tokenizer.items() if len(token) in (6, 7) and token[:2] == "<|"
    }
    model.generation_config = GenerationConfig(
        suppress_tokens=[], begin_suppress_tokens=[], alignment_heads=[[1, 0], [1, 1]],
        lang_to_id=languages,
    )  # fmt: skip
    model.save_pretrained(folder / "hf")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = ctranslate2.converters.TransformersConverter(
            str(folder / "hf"), copy_files=["tokenizer.json"]
        )
        converter.convert(str(folder / "ct2"))
    return folder / "ct2"


def _write_tokenizer(folder: Path, multilingual: bool) -> dict[str, int]:
    """Write Whisper's vocabulary as a fast tokenizer without merges, which decodes as the published one."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from whisper.tokenizer import get_encoding

    encoding = get_encoding(name="multilingual" if multilingual else "gpt2", num_languages=99)
    letters = _byte_letters()
    vocabulary = {
        "".join(letters[byte] for byte in content): rank
        for content, rank in encoding._mergeable_ranks.items()
    }
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    specials = sorted(encoding._special_tokens, key=lambda token: encoding._special_tokens[token])
    untimed = [token for token in specials if not token[2:3].isdigit()]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in untimed])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    return dict(encoding._special_tokens)


def _byte_letters() -> dict[int, str]:
    """Return the letter that GPT-2 vocabularies write for each byte: itself if it can be seen, else the next
    free one from 256 on.
    """
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in seen]
    return {byte: chr(byte) for byte in seen} | {byte: chr(256 + i) for i, byte in enumerate(hidden)}
