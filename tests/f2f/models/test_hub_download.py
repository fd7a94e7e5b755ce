"""Repositories of the model hub from a server that cuts, stalls, alters, or is none."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub.constants
import pytest
from hub import COMMIT, Hub

from f2f.engines.translation_models import FAMILIES, local_folder
from f2f.errors import EngineUnavailableError
from f2f.models.hub_download import Offered, _watched
from f2f.models.places import Digest
from f2f.models.registry import Model, find_model

M2M = "facebook/m2m100_418M"


@pytest.fixture
def model() -> Model:
    return find_model("m2m100_418M")


def nothing(done: int, total: int | None) -> None:
    pass


def test_what_is_fetched_is_what_the_engine_finds(hub: Hub, model: Model) -> None:
    told: list[tuple[int, int | None]] = []
    model.place.fetch(lambda done, total: told.append((done, total)))
    found = model.place.find()
    assert found is not None and found.revision == COMMIT
    assert [file.name for file in found.files] == [
        "config.json", "pytorch_model.bin", "sentencepiece.bpe.model", "vocab.json",
    ]  # fmt: skip
    assert found.files[1].path.read_bytes() == hub.files[M2M]["pytorch_model.bin"]
    assert {file.digest.kind for file in found.files if file.digest} == {"sha256", "git"}
    assert told[-1] == (found.size_bytes, found.size_bytes)
    assert local_folder(M2M, FAMILIES["m2m100"]) == found.folder
    cache, wanted = model.place.folder.parent, ["*.json", "*.bin"]
    offline = huggingface_hub.snapshot_download(
        M2M, local_files_only=True, cache_dir=cache, allow_patterns=wanted
    )
    assert Path(offline) == found.folder


@pytest.mark.parametrize("how", ["cut", "stall"])
def test_a_broken_connection_is_resumed(
    hub: Hub, model: Model, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 50_000)
    hub.how["pytorch_model.bin"] = how
    model.place.fetch(nothing)
    found = model.place.find()
    assert found is not None and found.files[1].path.read_bytes() == hub.files[M2M]["pytorch_model.bin"]
    ranges = [wanted for method, path, wanted in hub.requests if method == "GET" and path.endswith(".bin")]
    assert ranges[-1] == "bytes=150000-"


def test_safetensors_are_preferred(hub: Hub, model: Model) -> None:
    hub.files[M2M]["model.safetensors"] = b"x" * 2000
    model.place.fetch(nothing)
    found = model.place.find()
    assert found is not None
    weights = {file.name for file in found.files if "model" in file.name}
    assert weights == {"model.safetensors", "sentencepiece.bpe.model"}


def test_altered_contents_are_found_and_deleted(hub: Hub, model: Model) -> None:
    hub.how["pytorch_model.bin"] = "altered"
    with pytest.raises(EngineUnavailableError, match=r"pytorch_model\.bin arrived with another hash"):
        model.place.fetch(nothing)
    assert model.place.find() is None
    assert not [
        path for path in model.place.folder.rglob("*") if path.is_file() and path.stat().st_size > 9000
    ]
    del hub.how["pytorch_model.bin"]
    model.place.fetch(nothing)
    assert model.place.find() is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda hub: hub.how.update({"*": "html"}), "could not be fetched"),
        (lambda hub: hub.files.clear(), "could not be fetched"),
        (lambda hub: hub.files[M2M].pop("config.json"), r"has no config\.json"),
    ],
    ids=["web page", "no such repository", "another kind of repository"],
)  # fmt: skip
def test_what_is_no_model_is_refused_in_one_line(hub: Hub, model: Model, change: object, words: str) -> None:
    change(hub)  # type: ignore[operator]
    with pytest.raises(EngineUnavailableError, match=words) as caught:
        model.place.fetch(nothing)
    assert len(str(caught.value).splitlines()) == 1
    assert model.place.find() is None


def test_a_full_disk_is_noticed_before_the_download(
    hub: Hub, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(EngineUnavailableError, match=r"needs 305,\d+ bytes more, .* has 1,000 free"):
        model.place.fetch(nothing)
    assert not [path for method, path, _ in hub.requests if "resolve" in path]


def test_progress_is_read_from_the_files(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr("f2f.models.hub_download._WATCH_EVERY_S", 0.01)
    blobs = model.place.folder / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "abc").write_bytes(b"x" * 10)
    (blobs / "def.incomplete").write_bytes(b"x" * 5)
    files = [Offered("a", 10, Digest("sha256", "abc")), Offered("b", 20, Digest("sha256", "def"))]
    told, seen = [], threading.Event()
    from f2f.models.hub import HubRepository

    assert isinstance(model.place, HubRepository)
    with _watched(model.place, files, lambda done, total: (told.append((done, total)), seen.set())[0]):
        assert seen.wait(10)
    assert told[0] == (15, 30) and told[-1] == (30, 30)
