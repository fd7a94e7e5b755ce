"""Bundles carry models to a machine without a network; hostile ones change nothing there."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from hub import COMMIT, git_sha1

from f2f.engines import whisper_asr
from f2f.engines.hub import repository_folder
from f2f.engines.translation_models import FAMILIES, local_folder
from f2f.errors import EngineUnavailableError, UsageError
from f2f.models.bundle_format import BundleError
from f2f.models.bundle_reading import import_bundle
from f2f.models.bundle_writing import export
from f2f.models.checking import verify
from f2f.models.registry import Model, find_model

M2M = "facebook/m2m100_418M"
FILES = {
    "config.json": b'{"model_type": "m2m_100"}', "model.safetensors": b"weights" * 1000,
    "sentencepiece.bpe.model": b"pieces" * 500, "vocab.json": b"{}",
}  # fmt: skip
WHISPER = b"whisper" * 1000


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def whisper(monkeypatch: pytest.MonkeyPatch) -> Model:
    """A published Whisper model that is small enough: its hash stands in its address, as in the library."""
    sha256 = hashlib.sha256(WHISPER).hexdigest()
    names = {"tiny": f"https://example.org/{sha256}/tiny.pt"}
    monkeypatch.setattr(whisper_asr, "published_models", lambda: names)
    whisper_asr.cache_folder().mkdir(parents=True)
    (whisper_asr.cache_folder() / "tiny.pt").write_bytes(WHISPER)
    return find_model("whisper-tiny")


@pytest.fixture
def m2m() -> Model:
    """In the hub's cache as its library leaves it: links to blobs that are named by hash."""
    folder = repository_folder(M2M)
    snapshot = folder / "snapshots" / COMMIT
    for path in (snapshot, folder / "blobs", folder / "refs"):
        path.mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    for name, content in FILES.items():
        is_large = len(content) > 1000
        blob = hashlib.sha256(content).hexdigest() if is_large else git_sha1(content)
        (folder / "blobs" / blob).write_bytes(content)
        (snapshot / name).symlink_to(Path("../../blobs") / blob)
    return find_model("m2m100_418M")


@pytest.fixture
def bundle(tmp_path: Path, whisper: Model, m2m: Model, told: list[str]) -> Path:
    path = tmp_path / "models.tar"
    export([whisper, m2m, find_model("embedded_wav2lip")], path, told.append)
    return path


@pytest.fixture
def elsewhere(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another machine, on which nothing is yet."""
    home = tmp_path / "elsewhere"
    monkeypatch.setenv("HOME", str(home))
    home.mkdir()
    return home


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def test_a_bundle_is_a_plain_tar_that_lists_itself(bundle: Path, told: list[str]) -> None:
    with tarfile.open(bundle, "r:") as archive:
        names = archive.getnames()
        about = json.loads(archive.extractfile("manifest.json").read())  # type: ignore[union-attr]
    assert names == ["manifest.json", "whisper-tiny/tiny.pt", *(f"m2m100_418M/{name}" for name in FILES)]
    assert about["format"] == "f2f-models/1"
    assert [model["name"] for model in about["models"]] == ["whisper-tiny", "m2m100_418M"]
    [entry] = about["models"][0]["files"]
    assert entry["sha256"] == hashlib.sha256(WHISPER).hexdigest() and entry["size_bytes"] == len(WHISPER)
    assert about["models"][1]["licence"] == "MIT" and about["models"][1]["commercial_use"] is True
    assert "whisper-tiny: 7 kB, licence MIT" in told
    assert [path.name for path in bundle.parent.iterdir() if path.name.startswith(".")] == []


def test_what_arrives_is_what_the_engines_find(bundle: Path, elsewhere: Path, told: list[str]) -> None:
    models = import_bundle(bundle, told.append)
    assert [model.name for model in models] == ["whisper-tiny", "m2m100_418M"]
    assert whisper_asr.weights_path("tiny") == elsewhere / ".cache/whisper/tiny.pt"
    folder = local_folder(M2M, FAMILIES["m2m100"])
    assert folder is not None and folder.is_relative_to(elsewhere)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    assert [verify(model).state for model in models] == ["right", "right"]
    cache = folder.parents[2]
    offline = huggingface_hub.snapshot_download(M2M, local_files_only=True, cache_dir=cache)
    assert Path(offline) == folder
    assert not [name for name in files_below(elsewhere) if ".f2f-import" in name]
    import_bundle(bundle, told.append)  # again, over what is there
    assert verify(models[1]).state == "right"


def test_where_links_are_not_allowed_files_lie_plain(
    bundle: Path, elsewhere: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> None:
        raise OSError("a required privilege is not held")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    import_bundle(bundle, told.append)
    folder = local_folder(M2M, FAMILIES["m2m100"])
    assert folder is not None
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    assert verify(find_model("m2m100_418M")).state == "unknown"


def test_a_half_fetched_snapshot_is_completed(bundle: Path, elsewhere: Path, told: list[str]) -> None:
    half = repository_folder(M2M) / "snapshots" / COMMIT
    half.mkdir(parents=True)
    (half / "config.json").write_bytes(b"{}")
    import_bundle(bundle, told.append)
    assert verify(find_model("m2m100_418M")).state == "right"
    assert [path.name for path in half.parent.iterdir()] == [COMMIT]


# --- export refuses -----------------------------------------------------------------------------------


def test_damaged_models_are_not_handed_on(m2m: Model, tmp_path: Path, told: list[str]) -> None:
    (repository_folder(M2M) / "snapshots" / COMMIT / "model.safetensors").resolve().write_bytes(b"x" * 7000)
    with pytest.raises(EngineUnavailableError, match=r"m2m100_418M is not exported: .*remove m2m100_418M"):
        export([m2m], tmp_path / "b.tar", told.append)
    assert not list(tmp_path.glob("*b.tar*"))


def test_absent_and_packaged_models(tmp_path: Path, told: list[str]) -> None:
    with pytest.raises(EngineUnavailableError, match="not here: xtts-v2; run f2f models pull xtts-v2"):
        export([find_model("xtts-v2")], tmp_path / "b.tar", told.append)
    with pytest.raises(UsageError, match="nothing to export"):
        export([find_model("centerface")], tmp_path / "b.tar", told.append)


def test_no_room_no_folder(
    m2m: Model, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no folder"):
        export([m2m], tmp_path / "absent" / "b.tar", told.append)
    with pytest.raises(UsageError, match="is a folder"):
        export([m2m], tmp_path, told.append)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(UsageError, match="1 kB free"):
        export([m2m], tmp_path / "b.tar", told.append)


# --- hostile bundles ----------------------------------------------------------------------------------

Parts = list[tuple[tarfile.TarInfo, bytes]]


def unpack(bundle: Path) -> tuple[dict[str, Any], Parts]:
    with tarfile.open(bundle, "r:") as archive:
        parts = [(member, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]
    return json.loads(parts[0][1]), parts[1:]


def repack(bundle: Path, about: object, parts: Parts) -> Path:
    path = bundle.with_name("other.tar")
    text = json.dumps(about).encode()
    with tarfile.open(path, "w") as archive:
        for member, content in [(tarfile.TarInfo("manifest.json"), text), *parts]:
            plain = replace_member(member)
            plain.size = len(content) if plain.isreg() else 0
            archive.addfile(plain, io.BytesIO(content))
    return path


def replace_member(member: tarfile.TarInfo) -> tarfile.TarInfo:
    new = tarfile.TarInfo(member.name)
    new.type, new.linkname = member.type, member.linkname
    return new


def renamed(name: str) -> Callable[[dict[str, Any], Parts], None]:
    def change(about: dict[str, Any], parts: Parts) -> None:
        about["models"][1]["files"][1]["name"] = name
        parts[2][0].name = f"m2m100_418M/{name}"

    return change


def of_type(kind: bytes, link: str = "") -> Callable[[dict[str, Any], Parts], None]:
    def change(about: dict[str, Any], parts: Parts) -> None:
        parts[0][0].type, parts[0][0].linkname = kind, link

    return change


def in_file(**values: Any) -> Callable[[dict[str, Any], Parts], None]:
    return lambda about, parts: about["models"][1]["files"][1].update(values)


def in_model(**values: Any) -> Callable[[dict[str, Any], Parts], None]:
    return lambda about, parts: about["models"][1].update(values)


def extra(name: str) -> Callable[[dict[str, Any], Parts], None]:
    return lambda about, parts: parts.append((tarfile.TarInfo(name), b"evil"))


def swapped_content(about: dict[str, Any], parts: Parts) -> None:
    parts[0] = (parts[0][0], b"x" * len(WHISPER))


def swapped_content_and_hash(about: dict[str, Any], parts: Parts) -> None:
    swapped_content(about, parts)
    about["models"][0]["files"][0]["sha256"] = hashlib.sha256(parts[0][1]).hexdigest()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (renamed("../../../../evil.safetensors"), "name that is not allowed"),
        (renamed("/tmp/evil.safetensors"), "name that is not allowed"),
        (renamed("a/../model.safetensors"), "name that is not allowed"),
        (renamed("..\\evil.safetensors"), "name that is not allowed"),
        (renamed("modeling.py"), "which the engine does not use"),
        (of_type(tarfile.SYMTYPE, "/etc/passwd"), "no plain file"),
        (of_type(tarfile.LNKTYPE, "manifest.json"), "no plain file"),
        (of_type(tarfile.CHRTYPE), "no plain file"),
        (of_type(tarfile.FIFOTYPE), "no plain file"),
        (of_type(tarfile.DIRTYPE), "no plain file"),
        (extra("evil.txt"), "not listed"),
        (extra("../evil.txt"), "not listed"),
        (lambda about, parts: parts.append(parts[0]), "comes twice"),
        (lambda about, parts: parts.pop(), "cut off"),
        (lambda about, parts: about["models"][1]["files"].append(about["models"][1]["files"][0]), "twice"),
        (lambda about, parts: about["models"].append(about["models"][0]), "twice"),
        (swapped_content, "damaged"),
        (swapped_content_and_hash, "not the published one"),
        (in_file(size_bytes=3), "has 7,000 bytes"),
        (in_file(sha256="0" * 64), "damaged"),
        (in_file(sha256="../x"), "sha256"),
        (in_file(size_bytes=-1), "size_bytes"),
        (in_file(git_sha1="0" * 40), "git hash differs"),
        (in_file(path="/etc"), "path"),
        (in_model(revision="../../x"), "no commit"),
        (in_model(revision=""), "no commit"),
        (in_model(name="evil"), "unknown to this f2f"),
        (in_model(name="../evil"), "unknown to this f2f"),
        (in_model(name="facebook/m2m100_418M"), "not called so"),
        (in_model(name="centerface"), "never in a bundle"),
        (in_model(name="wav2lip"), "is the one file wav2lip.pth"),
        (lambda about, parts: about["models"][1]["files"].pop(0), r"lacks config\.json"),
        (lambda about, parts: about.update(format="f2f-models/2"), "update the older one"),
        (lambda about, parts: about.update(models=[]), "models"),
    ],
)
def test_a_hostile_bundle_changes_nothing(
    bundle: Path, elsewhere: Path, told: list[str],
    change: Callable[[dict[str, Any], Parts], object], words: str,
) -> None:  # fmt: skip
    about, parts = unpack(bundle)
    change(about, parts)
    told.clear()
    before = files_below(elsewhere.parent)
    other = repack(bundle, about, parts)
    with pytest.raises(BundleError, match=words):
        import_bundle(other, told.append)
    other.unlink()
    assert files_below(elsewhere.parent) == before
    assert files_below(elsewhere) == [] and told == []


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.6])
def test_a_cut_bundle_changes_nothing(bundle: Path, elsewhere: Path, told: list[str], share: float) -> None:
    bundle.write_bytes(bundle.read_bytes()[: int(share * bundle.stat().st_size)])
    with pytest.raises(BundleError):
        import_bundle(bundle, lambda line: None)
    assert files_below(elsewhere) == []


def test_what_is_no_bundle(tmp_path: Path, elsewhere: Path) -> None:
    path = tmp_path / "x.tar"
    for content in (b"<!DOCTYPE html>", b"\0" * 20_000, b"\x1f\x8b" + b"x" * 600):
        path.write_bytes(content)
        with pytest.raises(BundleError):
            import_bundle(path, print)
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("README"), io.BytesIO())
    with pytest.raises(BundleError, match=r"does not begin with manifest\.json"):
        import_bundle(path, print)
    with pytest.raises(UsageError, match="cannot be unpacked"):
        import_bundle(tmp_path / "absent.tar", print)


def test_no_room_to_import(bundle: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(UsageError, match=r"whisper-tiny needs 7 kB, .* has 1 kB free"):
        import_bundle(bundle, print)
    assert files_below(elsewhere) == []
