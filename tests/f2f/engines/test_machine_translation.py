"""Real loading and decoding code on tiny checkpoints that know three sentences by heart."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_translators import LESSONS

from f2f.candidates import Candidate
from f2f.context_ranking import Continuation
from f2f.engines import status as engine_status
from f2f.engines.machine_translation import Translator, describe
from f2f.engines.translation_models import FAMILIES, family_of, identity, local_folder, status
from f2f.errors import EngineUnavailableError
from f2f.languages import Language

EN, HI, ES = Language("en"), Language("hi"), Language("es")
SOURCES = list(LESSONS)


def _best(found: list[list[Candidate]]) -> list[str]:
    return [candidates[0].text for candidates in found]


@pytest.mark.parametrize("name", ["m2m100", "nllb", "marian"])
def test_translates_in_order_into_the_wanted_language(tiny: dict[str, Path], name: str) -> None:
    translator = Translator(FAMILIES[name], str(tiny[name]), EN, HI, "cpu")
    expected = [LESSONS[source]["hi"] for source in SOURCES]
    assert _best(translator.nbest(SOURCES, 1)) == expected
    assert _best(translator.nbest(SOURCES[::-1], 2)) == expected[::-1]


@pytest.mark.parametrize("name", ["m2m100", "nllb"])
def test_the_forced_token_decides_the_language(tiny: dict[str, Path], name: str) -> None:
    translator = Translator(FAMILIES[name], str(tiny[name]), EN, ES, "cpu")
    assert _best(translator.nbest(SOURCES, 1)) == [LESSONS[source]["es"] for source in SOURCES]


@pytest.mark.parametrize("name", ["m2m100", "nllb", "marian"])
def test_beams_give_different_translations_best_first(tiny: dict[str, Path], name: str) -> None:
    translator = Translator(FAMILIES[name], str(tiny[name]), EN, HI, "cpu")
    for source, found in zip(SOURCES, translator.nbest(SOURCES, 4), strict=True):
        texts = [one.text for one in found]
        assert texts[0] == LESSONS[source]["hi"]
        assert 2 <= len(texts) == len(set(texts)) <= 4
        scores = [one.score for one in found]
        assert scores == sorted(scores, reverse=True)
        assert 0 >= scores[0] > scores[1] + 0.1  # the lesson learnt by heart is far ahead


def test_scores_are_the_mean_log_probabilities_of_the_tokens(tiny: dict[str, Path]) -> None:
    import torch
    from torch.nn.functional import cross_entropy

    translator = Translator(FAMILIES["nllb"], str(tiny["nllb"]), EN, HI, "cpu")
    tokenizer, network = translator._tokenizer.library, translator._model
    for source in SOURCES:
        best = translator.nbest([source], 2)[0][0]
        said = tokenizer(best.text, add_special_tokens=False)["input_ids"]
        inputs = tokenizer(source, return_tensors="pt")
        decoder = torch.tensor([[2, translator._tokenizer.target_id, *said]])
        with torch.inference_mode():
            logits = network(**inputs, decoder_input_ids=decoder).logits[0, 1:]
        expected = -cross_entropy(logits, torch.tensor([*said, 2])).item()
        assert best.score == pytest.approx(expected, abs=1e-4)


def test_scoring_in_small_portions_gives_the_same(
    tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    translator = Translator(FAMILIES["m2m100"], str(tiny["m2m100"]), EN, HI, "cpu")
    at_once = translator.nbest(SOURCES, 3)
    monkeypatch.setattr("f2f.engines.machine_translation._MAX_LOGITS", 1)
    for one, other in zip(at_once, translator.nbest(SOURCES, 3), strict=True):
        assert [c.text for c in one] == [c.text for c in other]
        assert [c.score for c in one] == pytest.approx([c.score for c in other], abs=1e-4)


HINDI = [said["hi"] for said in LESSONS.values()]
CONTINUED = [
    Continuation(f"{SOURCES[0]} {SOURCES[1]}", HINDI[0], HINDI[1]),
    Continuation(f"{SOURCES[0]} {SOURCES[1]}", HINDI[0], HINDI[2]),
    Continuation(f"{SOURCES[2]} {SOURCES[1]}", HINDI[2], HINDI[1]),
    Continuation(SOURCES[2], "", HINDI[2]),
]


@pytest.mark.parametrize("name", ["m2m100", "nllb", "marian"])
def test_scores_in_context_are_those_of_each_token_after_the_others(tiny: dict[str, Path], name: str) -> None:
    """The network is asked token by token here, and at once there."""
    import torch

    translator = Translator(FAMILIES[name], str(tiny[name]), EN, HI, "cpu")
    tokenizer, network = translator._tokenizer.library, translator._model
    as_target = "text_target" if name == "marian" else "text"
    language = [] if name == "marian" else [translator._tokenizer.target_id]
    for one in CONTINUED[:2]:
        inputs = tokenizer(one.source, return_tensors="pt")
        before = tokenizer(**{as_target: one.before}, add_special_tokens=False)["input_ids"]
        # Pieces never reach over a space: the text is cut as behind what is before it.
        whole = tokenizer(**{as_target: f"{one.before} {one.text}"}, add_special_tokens=False)["input_ids"]
        assert whole[: len(before)] == before
        total = 0.0
        for place in range(len(before), len(whole) + 1):
            said = [network.config.decoder_start_token_id, *language, *whole[:place]]
            with torch.inference_mode():
                logits = network(**inputs, decoder_input_ids=torch.tensor([said])).logits[0, -1]
            following = [*whole, network.config.eos_token_id][place]
            total += float(logits.log_softmax(-1)[following])
        expected = total / (len(whole) - len(before) + 1)
        assert translator.score([one]) == [pytest.approx(expected, abs=1e-4)]


@pytest.mark.parametrize("name", ["m2m100", "nllb", "marian"])
def test_a_batch_in_context_scores_as_each_alone(tiny: dict[str, Path], name: str) -> None:
    translator = Translator(FAMILIES[name], str(tiny[name]), EN, HI, "cpu")
    too_long = Continuation(" ".join(SOURCES * 20), HINDI[0], HINDI[1])
    together = translator.score([CONTINUED[0], too_long, *CONTINUED[1:]])
    alone = [translator.score([one])[0] for one in CONTINUED]
    assert together.pop(1) is None
    assert together == pytest.approx(alone, abs=1e-4)
    assert translator.score([too_long]) == [None]
    # Without anything before it, it is the model's own score.
    [own] = translator.nbest([SOURCES[2]], 1)
    assert alone[3] == pytest.approx(own[0].score, abs=1e-4)


def test_folders_tell_their_family(tiny: dict[str, Path]) -> None:
    assert {name: family_of(str(folder)) for name, folder in tiny.items()} == {n: n for n in tiny}
    assert family_of("facebook/nllb-200-1.3B") == "nllb"
    assert family_of("Helsinki-NLP/opus-mt-en-de") == "marian"
    assert family_of("someone/t5") is None


def test_a_damaged_checkpoint_is_named(tiny: dict[str, Path], tmp_path: Path) -> None:
    for file in tiny["m2m100"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"<html>not found</html>")
    with pytest.raises(EngineUnavailableError, match="cannot be loaded"):
        Translator(FAMILIES["m2m100"], str(tmp_path), EN, HI, "cpu")


def test_a_language_unknown_to_the_model_is_refused(tiny: dict[str, Path]) -> None:
    with pytest.raises(EngineUnavailableError, match="Klingon"):
        Translator(FAMILIES["nllb"], str(tiny["nllb"]), EN, Language("tlh"), "cpu")


def test_status_of_a_folder(tiny: dict[str, Path], tmp_path: Path) -> None:
    ready = status(FAMILIES["m2m100"], str(tiny["m2m100"]), EN, HI)
    assert ready.ready
    assert not ready.needs_download
    empty = status(FAMILIES["m2m100"], str(tmp_path), EN, HI)
    assert not empty.ready
    assert "config.json" in empty.reason


def test_status_finds_the_hub_cache(
    tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--facebook--m2m100_418M" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    missing = status(FAMILIES["m2m100"], None, EN, HI)
    assert not missing.ready
    assert "f2f models pull facebook/m2m100_418M" in missing.reason
    for file in tiny["m2m100"].iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    assert status(FAMILIES["m2m100"], None, EN, HI, "embedded").ready
    assert local_folder("facebook/m2m100_418M", FAMILIES["m2m100"]) == snapshot
    translator = Translator(FAMILIES["m2m100"], "facebook/m2m100_418M", EN, HI, "cpu")
    assert _best(translator.nbest(SOURCES[:1], 1)) == [LESSONS[SOURCES[0]]["hi"]]


def test_status_asks_the_network_only_where_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "F2F_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    asked: list[str] = []

    def answer(url: str) -> bool:
        asked.append(url)
        return True

    monkeypatch.setattr("f2f.engines.translation_models.is_reachable", answer)
    assert not status(FAMILIES["nllb"], None, EN, HI, "embedded").ready
    assert not status(FAMILIES["nllb"], None, EN, HI, probe=False).ready
    assert asked == []
    found = status(FAMILIES["nllb"], None, EN, HI)
    assert found.ready
    assert found.needs_download
    assert asked[-1].endswith("facebook/nllb-200-distilled-600M/resolve/main/config.json")
    assert "Helsinki-NLP/opus-mt-en-hi" in status(FAMILIES["marian"], None, EN, HI).detail
    assert "--from" in status(FAMILIES["marian"], None, None, HI).reason


def test_a_probe_never_raises() -> None:
    engine_status._probe.cache_clear()
    assert not engine_status.is_reachable("http://127.0.0.1:9/")  # nobody listens there
    assert not engine_status.is_reachable("no url")


def test_identity_changes_with_the_files(tiny: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    before = identity(FAMILIES["nllb"], str(tmp_path))
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert identity(FAMILIES["nllb"], str(tmp_path)) != before
    assert identity(FAMILIES["nllb"], "facebook/nllb") == "nllb facebook/nllb"
    assert describe().startswith("transformers ")
