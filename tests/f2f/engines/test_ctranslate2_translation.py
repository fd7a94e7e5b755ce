"""Tiny checkpoints of each family, converted and run by the real library."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny_translators import LESSONS

from f2f.candidates import Candidate
from f2f.config import TranslateConfig
from f2f.context_ranking import Continuation
from f2f.engines import converted_translation
from f2f.engines.converted_translation import convert, converted_folders, home, source_of
from f2f.engines.ctranslate2_translation import FastTranslator
from f2f.engines.machine_translation import Translator
from f2f.engines.translation_models import FAMILIES, family_of, is_converted, local_folder
from f2f.engines.translation_runtime import choose_runtime
from f2f.errors import EngineUnavailableError, UsageError
from f2f.languages import Language
from f2f.models.registry import copies_of, find_model
from f2f.stages.translate import plan

pytest.importorskip("ctranslate2", reason="extra fast")

EN, HI, ES = Language("en"), Language("hi"), Language("es")
SOURCES = list(LESSONS)
NAMES = ["m2m100", "nllb", "marian"]


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _home(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("F2F_HOME", str(shared_home))


def _load(tiny: dict[str, Path], name: str, target: Language = HI) -> FastTranslator:
    return FastTranslator(FAMILIES[name], str(tiny[name]), (EN, target), "cpu", lambda text: None)


def _best(found: list[list[Candidate]]) -> list[str]:
    return [candidates[0].text for candidates in found]


@pytest.mark.parametrize("name", NAMES)
def test_translates_in_order_into_the_wanted_language(tiny: dict[str, Path], name: str) -> None:
    translator = _load(tiny, name)
    expected = [LESSONS[source]["hi"] for source in SOURCES]
    assert _best(translator.nbest(SOURCES, 1)) == expected
    assert _best(translator.nbest(SOURCES[::-1], 2)) == expected[::-1]


@pytest.mark.parametrize("name", ["m2m100", "nllb"])
def test_the_first_token_decides_the_language(tiny: dict[str, Path], name: str) -> None:
    assert _best(_load(tiny, name, ES).nbest(SOURCES, 1)) == [LESSONS[source]["es"] for source in SOURCES]


@pytest.mark.parametrize("name", NAMES)
def test_wordings_and_scores_are_those_of_pytorch(tiny: dict[str, Path], name: str) -> None:
    fast = _load(tiny, name).nbest(SOURCES, 4)
    slow = Translator(FAMILIES[name], str(tiny[name]), EN, HI, "cpu").nbest(SOURCES, 4)
    for ours, theirs in zip(fast, slow, strict=True):
        assert ours[0].text == theirs[0].text
        assert ours[0].score == pytest.approx(
            theirs[0].score, abs=0.05
        )  # 8 bits, and another length in the mean
        assert 2 <= len(ours) <= 4
        assert [one.score for one in ours] == sorted((one.score for one in ours), reverse=True)


@pytest.mark.parametrize("name", NAMES)
def test_scores_in_context_are_those_of_pytorch(
    tiny: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In full precision; PyTorch's are proved token by token."""
    monkeypatch.setattr(converted_translation, "QUANTIZATION", "float32")
    hindi = [said["hi"] for said in LESSONS.values()]
    asked = [
        Continuation(f"{SOURCES[0]} {SOURCES[1]}", hindi[0], hindi[1]),
        Continuation(" ".join(SOURCES * 20), hindi[0], hindi[1]),
        Continuation(f"{SOURCES[2]} {SOURCES[1]}", hindi[2], hindi[0]),
        Continuation(SOURCES[2], "", hindi[2]),
    ]
    fast, slow = _load(tiny, name), Translator(FAMILIES[name], str(tiny[name]), EN, HI, "cpu")
    found, expected = fast.score(asked), slow.score(asked)
    assert found[1] is None and expected[1] is None
    tolerance = 0.1 if name == "marian" else 1e-3  # its activation is an approximation in CTranslate2
    assert found[::2] + found[3:] == pytest.approx(expected[::2] + expected[3:], abs=tolerance)
    assert found == [
        pytest.approx(fast.score([one])[0], abs=1e-4) if one is not asked[1] else None for one in asked
    ]
    assert fast.score([asked[1]]) == [None]


def test_a_model_is_converted_once_and_kept_in_8_bits(
    tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("F2F_HOME", str(tmp_path))
    told: list[str] = []
    for _ in range(2):
        FastTranslator(FAMILIES["nllb"], str(tiny["nllb"]), (EN, HI), "cpu", told.append)
    assert len(told) == 1 and "made once in" in told[0]
    (made,) = home().iterdir()
    assert is_converted(made) and made.name.endswith("-int8")
    assert (made / "model.bin").stat().st_size < 0.5 * (tiny["nllb"] / "model.safetensors").stat().st_size
    # Other weights are another model.
    other = shutil.copytree(tiny["nllb"], tmp_path / tiny["nllb"].name)
    FastTranslator(FAMILIES["nllb"], str(other), (EN, HI), "cpu", told.append)
    assert len(told) == 2


def test_a_copy_knows_what_it_was_made_from(
    tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("F2F_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    name = "facebook/m2m100_418M"
    snapshot = tmp_path / "hub" / "models--facebook--m2m100_418M" / "snapshots" / ("0" * 40)
    shutil.copytree(tiny["m2m100"], snapshot)
    FastTranslator(FAMILIES["m2m100"], name, (EN, HI), "cpu", lambda text: None)
    _load(tiny, "marian")
    [copy] = copies_of(find_model("m2m100_418M"))
    assert copy.place.folder.name == copy.name == "m2m100_418M-000000000000-int8"
    assert {source_of(place) for place in converted_folders()} == {name, str(tiny["marian"].resolve())}
    found = copy.place.find()
    assert found is not None and found.size_bytes == sum(
        path.stat().st_size for path in copy.place.folder.iterdir()
    )
    copy.place.remove()
    assert copies_of(find_model(name)) == [] and len(converted_folders()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_converted_folder_serves_as_a_model(tiny: dict[str, Path], tmp_path: Path, name: str) -> None:
    place = tmp_path / "mine"
    convert(FAMILIES[name], "tiny", tiny[name], place)
    assert family_of(str(place)) == name
    assert local_folder(str(place), FAMILIES[name]) == place
    choice = plan(None, "en", "hi", TranslateConfig(model=str(place)), "embedded")
    assert choice.engine == name and "CTranslate2" in choice.identity
    found = FastTranslator(FAMILIES[name], str(place), (EN, HI), "cpu", lambda text: None).nbest(SOURCES, 1)
    assert _best(found) == [LESSONS[source]["hi"] for source in SOURCES]


def test_what_is_broken_is_named(
    tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("F2F_HOME", str(tmp_path / "home"))
    broken = tmp_path / "broken"
    shutil.copytree(tiny["m2m100"], broken)
    (broken / "model.safetensors").write_bytes(b"<html>not found</html>")
    with pytest.raises(EngineUnavailableError, match=r"cannot be loaded.*delete .*broken"):
        FastTranslator(FAMILIES["m2m100"], str(broken), (EN, HI), "cpu", lambda text: None)
    assert list(home().iterdir()) == []  # nothing half made stays
    convert(FAMILIES["nllb"], "tiny", tiny["nllb"], tmp_path / "cut")
    (tmp_path / "cut" / "model.bin").write_bytes(b"cut off")
    with pytest.raises(EngineUnavailableError, match=r"cannot be loaded.*delete .*cut"):
        FastTranslator(FAMILIES["nllb"], str(tmp_path / "cut"), (EN, HI), "cpu", lambda text: None)
    with pytest.raises(EngineUnavailableError, match="Klingon"):
        _load(tiny, "nllb", Language("tlh"))


def test_missing_libraries_are_told_with_the_way_out(
    tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoCublas:
        def translate_batch(self, *args: object, **options: object) -> None:
            raise RuntimeError("Library libcublas.so.12 is not found or cannot be loaded")

        score_batch = translate_batch

    translator = _load(tiny, "nllb")
    monkeypatch.setattr(translator, "_network", NoCublas())
    with pytest.raises(EngineUnavailableError, match=r"libcublas.*translate\.runtime=torch or --device cpu"):
        translator.nbest(SOURCES, 2)
    with pytest.raises(EngineUnavailableError, match=r"libcublas.*translate\.runtime=torch"):
        translator.score([Continuation("a", "b", "c")])


def test_a_full_disk_is_known_before_the_conversion(
    tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("F2F_HOME", str(tmp_path))
    usage = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(converted_translation.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(EngineUnavailableError, match=r"0\.0 GB free.*F2F_HOME"):
        _load(tiny, "nllb")


def test_who_runs_a_model(tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = "f2f.engines.translation_runtime"
    monkeypatch.setattr(f"{runtime}.shows_signs_of", lambda name: False)
    assert choose_runtime("auto", None) == "ctranslate2"
    assert choose_runtime("torch", str(tiny["nllb"])) == "torch"
    (tmp_path / "model.bin").write_bytes(b"")
    (tmp_path / "shared_vocabulary.json").write_text("[]")
    with pytest.raises(UsageError, match="was converted for CTranslate2"):
        choose_runtime("torch", str(tmp_path))
    monkeypatch.setattr(f"{runtime}.shows_signs_of", lambda name: name == "cuda")
    assert choose_runtime("auto", None) == "torch"
    assert choose_runtime("auto", str(tmp_path)) == "ctranslate2"
    monkeypatch.setattr(f"{runtime}.has_package", lambda name: False)
    assert choose_runtime("auto", None) == "torch"
    for wanted, model in (("ctranslate2", None), ("auto", str(tmp_path))):
        with pytest.raises(EngineUnavailableError, match=r"f2f\[fast\]"):
            choose_runtime(wanted, model)
