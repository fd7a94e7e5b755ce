"""Real loading and decoding code on tiny checkpoints that know three sentences by heart."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_translators import LESSONS, make_m2m100, make_marian, make_nllb

from f2f.engines import status as engine_status
from f2f.engines.machine_translation import Translator, describe
from f2f.engines.translation_models import FAMILIES, family_of, identity, local_folder, status
from f2f.errors import EngineUnavailableError
from f2f.languages import Language

EN, HI, ES = Language("en"), Language("hi"), Language("es")
SOURCES = list(LESSONS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for name, make in (("m2m100", make_m2m100), ("nllb", make_nllb), ("marian", make_marian)):
        made[name] = make(tmp_path_factory.mktemp(name))
    return made


@pytest.mark.parametrize("name", ["m2m100", "nllb", "marian"])
def test_translates_in_order_into_the_wanted_language(folders: dict[str, Path], name: str) -> None:
    translate = Translator(FAMILIES[name], str(folders[name]), EN, HI, "cpu")
    expected = [LESSONS[source]["hi"] for source in SOURCES]
    assert translate(SOURCES, beams=1) == expected
    assert translate(SOURCES[::-1], beams=2) == expected[::-1]


@pytest.mark.parametrize("name", ["m2m100", "nllb"])
def test_the_forced_token_decides_the_language(folders: dict[str, Path], name: str) -> None:
    translate = Translator(FAMILIES[name], str(folders[name]), EN, ES, "cpu")
    assert translate(SOURCES, beams=1) == [LESSONS[source]["es"] for source in SOURCES]


def test_what_holds_no_words_is_not_sent_to_the_model(folders: dict[str, Path]) -> None:
    translate = Translator(FAMILIES["m2m100"], str(folders["m2m100"]), EN, HI, "cpu")
    assert translate(["42", "…", "", SOURCES[1]], beams=1) == ["42", "…", "", LESSONS[SOURCES[1]]["hi"]]


def test_every_sentence_of_a_text_is_translated(folders: dict[str, Path]) -> None:
    translate = Translator(FAMILIES["nllb"], str(folders["nllb"]), EN, HI, "cpu")
    both = f"{SOURCES[1]}. {SOURCES[1].capitalize()}."
    seen: list[tuple[str, ...]] = []
    original = translate._translate_batch

    def spy(sentences: list[str], beams: int) -> list[str]:
        seen.append(tuple(sentences))
        return original(sentences, beams)

    translate._translate_batch = spy  # type: ignore[method-assign, assignment]
    text = translate([both], beams=1)[0]
    assert seen == [("Thank you for coming.", "thank you for coming.")]
    assert text.count("धन्यवाद") == 2


def test_progress_counts_texts(folders: dict[str, Path]) -> None:
    translate = Translator(FAMILIES["marian"], str(folders["marian"]), EN, HI, "cpu")
    told: list[tuple[float, float]] = []
    translate(SOURCES, 1, lambda done, total: told.append((done, total)))
    assert told[-1] == (3, 3)


def test_folders_tell_their_family(folders: dict[str, Path]) -> None:
    assert {name: family_of(str(folder)) for name, folder in folders.items()} == {n: n for n in folders}
    assert family_of("facebook/nllb-200-1.3B") == "nllb"
    assert family_of("Helsinki-NLP/opus-mt-en-de") == "marian"
    assert family_of("someone/t5") is None


def test_a_damaged_checkpoint_is_named(folders: dict[str, Path], tmp_path: Path) -> None:
    for file in folders["m2m100"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"<html>not found</html>")
    with pytest.raises(EngineUnavailableError, match="cannot be loaded"):
        Translator(FAMILIES["m2m100"], str(tmp_path), EN, HI, "cpu")


def test_a_language_unknown_to_the_model_is_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(EngineUnavailableError, match="Klingon"):
        Translator(FAMILIES["nllb"], str(folders["nllb"]), EN, Language("tlh"), "cpu")


def test_status_of_a_folder(folders: dict[str, Path], tmp_path: Path) -> None:
    ready = status(FAMILIES["m2m100"], str(folders["m2m100"]), EN, HI)
    assert ready.ready
    assert not ready.needs_download
    empty = status(FAMILIES["m2m100"], str(tmp_path), EN, HI)
    assert not empty.ready
    assert "config.json" in empty.reason


def test_status_finds_the_hub_cache(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--facebook--m2m100_418M" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    missing = status(FAMILIES["m2m100"], None, EN, HI)
    assert not missing.ready
    assert "hf download facebook/m2m100_418M" in missing.reason
    for file in folders["m2m100"].iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    assert status(FAMILIES["m2m100"], None, EN, HI, "embedded").ready
    assert local_folder("facebook/m2m100_418M", FAMILIES["m2m100"]) == snapshot
    translate = Translator(FAMILIES["m2m100"], "facebook/m2m100_418M", EN, HI, "cpu")
    assert translate(SOURCES[:1], beams=1) == [LESSONS[SOURCES[0]]["hi"]]


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


def test_identity_changes_with_the_files(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    before = identity(FAMILIES["nllb"], str(tmp_path))
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert identity(FAMILIES["nllb"], str(tmp_path)) != before
    assert identity(FAMILIES["nllb"], "facebook/nllb") == "nllb facebook/nllb"
    assert describe(str(folders["nllb"])).startswith(folders["nllb"].name)
