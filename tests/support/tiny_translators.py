"""Tiny translation checkpoints in the files of the published ones, taught a few sentences by heart."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# English → each language; enough to see whether input, order and target language are right.
LESSONS = {
    "what is the speed of light": {"hi": "प्रकाश की गति क्या है", "es": "cual es la velocidad de la luz"},
    "thank you for coming": {"hi": "आने के लिए धन्यवाद", "es": "gracias por venir"},
    "it is a very large number": {"hi": "यह बहुत बड़ी संख्या है", "es": "es un numero muy grande"},
}


def make_m2m100(folder: Path, more: Sequence[tuple[str, str, str]] = ()) -> Path:
    """Write what facebook/m2m100_418M has: vocab.json, sentencepiece.bpe.model, config and weights.

    Args:
        folder: empty, for the files.
        more: further lessons: English, code of the other language, its text. One sentence may have several
            translations; the model then thinks them equally likely.
    """
    from transformers import M2M100Tokenizer

    model, pieces = _sentencepiece("bpe", 160, more)
    vocabulary = _vocabulary(["<s>", "<pad>", "</s>", "<unk>"], pieces)
    (folder / "sentencepiece.bpe.model").write_bytes(model)
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    tokenizer = M2M100Tokenizer(str(folder / "vocab.json"), str(folder / "sentencepiece.bpe.model"))
    tokenizer.save_pretrained(folder)
    languages = {code: tokenizer.get_lang_id(code) for code in ("en", "hi", "es")}
    return _teach_m2m(folder, tokenizer, len(vocabulary) + 108, languages, more)


def make_nllb(folder: Path) -> Path:
    """Write what facebook/nllb-200-distilled-600M has: tokenizer.json, config and weights."""
    from transformers import NllbTokenizer

    _, pieces = _sentencepiece("bpe", 160)
    vocabulary = _vocabulary(["<s>", "<pad>", "</s>", "<unk>"], pieces)
    merges = [
        (one[:i], one[i:])
        for one in vocabulary
        for i in range(1, len(one))
        if one[:i] in vocabulary and one[i:] in vocabulary
    ]
    tokenizer = NllbTokenizer(vocab=vocabulary, merges=merges)
    tokenizer.save_pretrained(folder)
    codes = {"en": "eng_Latn", "hi": "hin_Deva", "es": "spa_Latn"}
    languages = {code: tokenizer.convert_tokens_to_ids(name) for code, name in codes.items()}
    return _teach_m2m(folder, tokenizer, len(tokenizer) + 8, languages)


def make_marian(folder: Path, target: str = "hi", codes: Sequence[str] = ()) -> Path:
    """Write what Helsinki-NLP/opus-mt-en-hi has: source.spm, target.spm, vocab.json, config and weights.

    Args:
        folder: empty, for the files.
        target: language that is taught.
        codes: of target languages, such as ``">>hin<<"``, in the vocabulary of a model that serves several.
    """
    import torch
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    model, pieces = _sentencepiece("unigram", 120)
    for name in ("source.spm", "target.spm"):
        (folder / name).write_bytes(model)
    vocabulary = _vocabulary(["</s>", "<unk>"], [*pieces, *codes, "<pad>"])
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    files = [str(folder / name) for name in ("source.spm", "target.spm", "vocab.json")]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        tokenizer = MarianTokenizer(*files, source_lang="en", target_lang=target)
    tokenizer.save_pretrained(folder)
    pad = vocabulary["<pad>"]
    torch.manual_seed(0)
    network = MarianMTModel(
        MarianConfig(
            vocab_size=len(vocabulary), pad_token_id=pad, eos_token_id=0, decoder_start_token_id=pad,
            forced_eos_token_id=None, **_tiny(),
        )
    )  # fmt: skip
    inputs = tokenizer(list(LESSONS), return_tensors="pt", padding=True)
    labels = tokenizer(
        text_target=[said[target] for said in LESSONS.values()], return_tensors="pt", padding=True
    )
    _teach(network, inputs, labels["input_ids"].masked_fill(labels["input_ids"] == pad, -100))
    network.save_pretrained(folder)
    return folder


def _teach_m2m(
    folder: Path,
    tokenizer: Any,
    n_tokens: int,
    languages: dict[str, int],
    more: Sequence[tuple[str, str, str]] = (),
) -> Path:
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    torch.manual_seed(0)
    network = M2M100ForConditionalGeneration(
        M2M100Config(
            vocab_size=n_tokens, pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2,
            **_tiny(),
        )
    )  # fmt: skip
    sources, rows = [], []
    for source, code, text in [
        *((s, code, t) for s, said in LESSONS.items() for code, t in said.items()),
        *more,
    ]:
        sources.append(source)
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
        rows.append([languages[code], *tokens, 2])
    longest = max(map(len, rows))
    labels = torch.tensor([row + [-100] * (longest - len(row)) for row in rows])
    # The decoder is shown the language and never asked to guess it.
    shifted = torch.cat([torch.full((len(rows), 1), 2), labels[:, :-1].clamp(min=1)], dim=1)
    labels[:, 0] = -100
    _teach(network, tokenizer(sources, return_tensors="pt", padding=True), labels, shifted)
    network.save_pretrained(folder)
    return folder


def _teach(network: Any, inputs: Any, labels: Any, decoder_input_ids: Any = None) -> None:
    import torch

    batch = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"], "labels": labels}
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for step in range(200):
        optimizer.zero_grad()
        loss = network(**batch, decoder_input_ids=decoder_input_ids).loss
        loss.backward()
        optimizer.step()
        if step % 10 == 9 and loss.item() < 0.05:
            break
    assert loss.item() < 0.2, f"the tiny model did not learn its lines: loss {loss.item()}"


def _tiny() -> dict[str, Any]:
    return {
        "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 128,
        "dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0,
        "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0,
    }  # fmt: skip


def _sentencepiece(
    kind: str, size: int, more: Sequence[tuple[str, str, str]] = ()
) -> tuple[bytes, list[str]]:
    import sentencepiece

    sentences = [*LESSONS, *(text for said in LESSONS.values() for text in said.values())]
    sentences += [text for source, _, target in more for text in (source, target)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=model, vocab_size=size, model_type=kind,
        hard_vocab_limit=False, minloglevel=2, num_threads=1,
    )  # fmt: skip
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return model.getvalue(), [processor.id_to_piece(i) for i in range(processor.get_piece_size())]


def _vocabulary(first: Sequence[str], pieces: Sequence[str]) -> dict[str, int]:
    vocabulary = {token: i for i, token in enumerate(first)}
    for piece in pieces:
        vocabulary.setdefault(piece, len(vocabulary))
    return vocabulary
