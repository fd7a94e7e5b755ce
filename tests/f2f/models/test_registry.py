"""The registry names every weight of every engine, and each lies where its engine looks."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hub import COMMIT

from f2f.config import (
    Config,
    EvaluateConfig,
    LipsyncConfig,
    MuxConfig,
    SynthesizeConfig,
    TranscribeConfig,
    TranslateConfig,
)
from f2f.engines import faster_whisper_asr, whisper_asr
from f2f.engines.hub import hub_cache, repository_folder, snapshot_folders
from f2f.engines.translation_models import FAMILIES
from f2f.errors import UsageError
from f2f.models.checking import verify
from f2f.models.hub import HubRepository
from f2f.models.places import OneFile
from f2f.models.registry import all_models, find_model
from f2f.models.selection import select_for
from lipsync_core.weights import REGISTRY


def names_for(target: str, source: str | None = None, **config: object) -> list[str]:
    return [model.name for model in select_for(target, source, Config.model_validate(config)).models]


def test_names_are_unique_and_every_licence_is_judged() -> None:
    models = all_models()
    names = [name for model in models for name in (model.name, *model.aliases)]
    assert len(names) == len(set(names)) > 40
    assert [model.name for model in models if model.commercial_use is None] == []
    assert {model.stage for model in models} == {
        "transcribe", "translate", "synthesize", "lipsync", "mux", "evaluate", "training",
    }  # fmt: skip


def test_every_engine_of_the_configuration_has_its_weights() -> None:
    families = (find_model("opus-mt-en-hi"), find_model("mms-tts-hin"))
    engines = {model.engine for model in (*all_models(), *families)}
    sections = (TranscribeConfig, TranslateConfig, SynthesizeConfig, LipsyncConfig)
    keys = [(section, "engine") for section in sections]
    for section, key in (*keys, (EvaluateConfig, "syncnet"), (MuxConfig, "background")):
        named = set(get_args(section.model_fields[key].annotation))
        assert named - {"auto", "captions", "none", "duck"} <= engines


def test_faster_whisper_is_fetched_from_where_its_library_does() -> None:
    known = faster_whisper_asr.published_models()
    if not known:
        pytest.skip("faster-whisper is not installed")
    for model in all_models():
        if model.engine == "faster-whisper":
            assert isinstance(model.place, HubRepository)
            for name in (model.name, *model.synonyms):
                assert model.place.repository == known[name.removeprefix("faster-whisper-")]


def test_published_hashes_are_those_of_the_engines() -> None:
    for name, weights in REGISTRY.items():
        model = find_model(name)
        assert model.licence == weights.licence
        assert isinstance(model.place, OneFile) is not weights.is_embedded
    small = find_model("whisper-small")
    assert isinstance(small.place, OneFile)
    assert small.place.weights.urls == (whisper_asr.published_models()["small"],)
    assert len(small.place.weights.sha256 or "") == 64
    assert find_model("whisper-turbo") == find_model("whisper-large-v3-turbo")


def test_names_may_be_ids_of_the_hub() -> None:
    assert find_model("facebook/nllb-200-distilled-600M").name == "nllb-200-distilled-600M"
    pair = find_model("Helsinki-NLP/opus-mt-en-hi")
    assert (pair.name, pair.engine) == ("opus-mt-en-hi", "marian")
    assert find_model("mms-tts-hin").licence == "CC-BY-NC-4.0"
    other = find_model("facebook/nllb-200-3.3B")
    assert (other.name, other.engine, other.commercial_use) == ("facebook/nllb-200-3.3B", "nllb", False)
    for model in (find_model("nllb-200-distilled-600M"), find_model("m2m100_418M")):
        assert isinstance(model.place, HubRepository)
        assert model.place.repository == FAMILIES[model.engine].default_model


@pytest.mark.parametrize(
    "name",
    ["opus-mt", "opus-mt-../x-y", "mms-tts-hindi", "wisper-small", "", "../nllb", "a/b/nllb", "-x/nllb"],
)
def test_an_unknown_name_is_one_line_with_the_nearest(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_model(name)
    assert len(str(caught.value).splitlines()) == 1
    if name == "wisper-small":
        assert "whisper-small" in str(caught.value)


def test_members_of_families_that_are_here_are_listed() -> None:
    assert "opus-mt-en-hi" not in [model.name for model in all_models()]
    for folder in (
        "models--Helsinki-NLP--opus-mt-en-hi",
        "models--facebook--mms-tts-hin",
        "models--facebook--x",
    ):
        (hub_cache() / folder).mkdir(parents=True)
    names = [model.name for model in all_models()]
    assert "opus-mt-en-hi" in names and "mms-tts-hin" in names and "x" not in names


# --- places -------------------------------------------------------------------------------------------


def test_the_hub_cache_follows_the_rules_of_its_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert hub_cache() == Path.home() / ".cache" / "huggingface" / "hub"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert hub_cache() == tmp_path / "xdg" / "huggingface" / "hub"
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    assert hub_cache() == tmp_path / "hf" / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    assert hub_cache() == tmp_path / "cache"


def test_the_commit_that_main_stands_for_comes_first() -> None:
    folder = repository_folder("a/b")
    for commit in ("0" * 40, COMMIT, "f" * 40):
        (folder / "snapshots" / commit).mkdir(parents=True)
    assert [path.name[0] for path in snapshot_folders("a/b")] == ["0", "c", "f"]
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    assert [path.name[0] for path in snapshot_folders("a/b")] == ["c", "0", "f"]
    assert snapshot_folders("no/such") == []


def test_a_part_of_a_repository_is_not_the_model() -> None:
    model = find_model("opus-mt-en-hi")
    folder = model.place.folder / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    for name in ("config.json", "source.spm", "target.spm", "pytorch_model.bin"):
        (folder / name).write_bytes(b"x" * 2000)
    assert model.place.find() is None
    (folder / "vocab.json").symlink_to("../../blobs/absent")
    assert model.place.find() is None
    (folder / "vocab.json").unlink()
    (folder / "vocab.json").write_bytes(b"{}")
    assert model.place.find() is not None


@pytest.mark.parametrize("name", ["pocketsphinx-en-us", "espeak-ng-voices", "centerface", "embedded_wav2lip"])
def test_what_is_inside_packages_is_verified_too(name: str) -> None:
    model = find_model(name)
    assert model.place.is_packaged
    assert verify(model).state == "right", verify(model).words
    for act in (model.place.remove, lambda: model.place.fetch(lambda *_: None)):
        with pytest.raises(UsageError, match="inside an installed package"):
            act()


def test_damage_is_found(tmp_path: Path) -> None:
    model = find_model("whisper-tiny")
    assert verify(model).state == "missing" and "f2f models pull whisper-tiny" in verify(model).words
    path = whisper_asr.cache_folder() / "tiny.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert verify(model).state == "damaged" and str(path) in verify(model).words
    path.unlink()
    path.with_name("tiny.pt.part").write_bytes(b"xx")
    assert "2 bytes of an interrupted download" in verify(model).words
    assert model.place.remove() == 2 and list(path.parent.iterdir()) == []


def test_s3fd_is_found_where_face_alignment_puts_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / "s3fd-619a316812.pth"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(89_843_225)
    found = find_model("s3fd").place.find()
    assert found is not None and found.folder == path.parent


# --- selection ----------------------------------------------------------------------------------------


def test_what_a_language_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("f2f.models.selection.has_package", lambda name: True)
    monkeypatch.setenv("COQUI_TOS_AGREED", "1")
    assert names_for("hi") == [
        "faster-whisper-small", "nllb-200-distilled-600M", "xtts-v2", "wav2lip_gan", "htdemucs", "syncnet_v2",
    ]  # fmt: skip
    assert "mms-tts-mar" in names_for("Marathi")
    assert names_for("en", "en-GB", transcribe={"whisper_model": "tiny"})[:2] == [
        "faster-whisper-tiny",
        "xtts-v2",
    ]


def test_permissive_leaves_out_what_forbids_commercial_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("f2f.models.selection.has_package", lambda name: name != "faster_whisper")
    selection = select_for("hi", "en", Config(licence="permissive"))
    assert [model.name for model in selection.models] == ["whisper-small", "m2m100_418M", "htdemucs"]
    assert all(model.commercial_use for model in selection.models)
    told = "\n".join(selection.notes)
    for name in ("nllb-200-distilled-600M", "xtts-v2", "mms-tts-hin", "wav2lip_gan", "syncnet_v2"):
        assert f"{name} is passed over: its licence" in told
    assert "bho" not in names_for("Bhojpuri", "en", licence="permissive")
    assert "opus-mt-en-bho" in names_for("Bhojpuri", "en", licence="permissive")


def test_a_licence_that_nobody_agreed_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("f2f.models.selection.has_package", lambda name: True)
    selection = select_for("hi", None, Config())
    assert "mms-tts-hin" in [model.name for model in selection.models]
    assert "COQUI_TOS_AGREED=1" in "\n".join(selection.notes)
