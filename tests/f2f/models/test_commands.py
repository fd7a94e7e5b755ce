"""``f2f models``: exit codes, what is said, and that engines find what was brought."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hub import Hub
from mirror import CONTENT, Mirror, served
from typer.testing import CliRunner

from f2f import cli
from f2f.engines import converted_translation, whisper_asr
from f2f.engines.translation_models import FAMILIES, local_folder
from f2f.errors import EngineUnavailableError
from f2f.models.bringing import bring
from lipsync_core.weights import REGISTRY, resolve

M2M = "facebook/m2m100_418M"


def f2f(*words: str | Path) -> Any:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def events(done: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, hub: Hub) -> Any:
    """A server that publishes a Whisper model, well or badly."""
    with served() as started:

        def publish(how: str) -> Mirror:
            from mirror import SHA256

            names = {"tiny": f"{started.address}/{how}/{SHA256}/tiny.pt"}
            monkeypatch.setattr(whisper_asr, "published_models", lambda: names)
            return started

        yield publish


def test_help_states_the_exit_codes() -> None:
    for words in (["models", "--help"], *(["models", one, "--help"] for one in ("list", "pull", "import"))):
        shown = " ".join(f2f(*words).stdout.split())
        assert "0 done" in shown and "3 a model is missing" in shown
    assert "models" in f2f("--help").stdout


def test_list_shows_licence_and_place() -> None:
    done = f2f("models", "list")
    assert done.exit_code == 0
    for words in (
        "nllb-200-distilled-600M",
        "CC-BY-NC",
        "commercial use not allowed",
        "inside the package",
        "opus-mt-SRC-TGT",
    ):
        assert words in " ".join(done.stdout.split())
    [event] = events(f2f("models", "list", "--here", "--json"))
    assert {one["state"] for one in event["models"]} == {"inside the package"}
    [event] = events(f2f("models", "list", "--json"))
    [gan] = [one for one in event["models"] if one["name"] == "wav2lip_gan"]
    assert gan["sha256"].startswith("ca9ab7b7b812") and len(gan["sources"]) == 3
    assert gan["commercial_use"] is False and gan["size_bytes"] == 435_801_865


def test_pull_verify_remove(mirror: Any) -> None:
    mirror("cut")
    done = f2f("models", "pull", "whisper-tiny", M2M)
    assert done.exit_code == 0, done.stderr
    assert "whisper-tiny: is here (700 kB), licence MIT" in done.stderr
    assert "m2m100_418M: is here (305 kB), licence MIT" in done.stderr
    assert whisper_asr.weights_path("tiny") is not None
    assert local_folder(M2M, FAMILIES["m2m100"]) is not None
    again = f2f("models", "pull", "whisper-tiny")
    assert again.exit_code == 0 and "was here already" in again.stdout
    assert f2f("models", "verify").exit_code == 0
    checked = f2f("models", "verify", "m2m100_418M", "--json")
    assert events(checked)[0] == {
        "event": "verified", "model": "m2m100_418M", "state": "right", "words": "4 files as published",
    }  # fmt: skip
    removed = f2f("models", "remove", "whisper-tiny", "m2m100_418M")
    assert removed.exit_code == 0 and "m2m100_418M: 306 kB freed" in removed.stdout
    assert whisper_asr.weights_path("tiny") is None and local_folder(M2M, FAMILIES["m2m100"]) is None
    gone = f2f("models", "remove", "whisper-tiny")
    assert gone.exit_code == 3 and "not here: whisper-tiny" in gone.stderr


def _make_copy(name: str, origin: str) -> Path:
    """Write the files of a model that was converted for CTranslate2."""
    folder = converted_translation.home() / f"{name}-0123456789ab-int8"
    folder.mkdir(parents=True)
    for file in ("config.json", "shared_vocabulary.json", "vocab.json"):
        (folder / file).write_text("{}")
    (folder / "model.bin").write_bytes(b"x" * 200_000)
    (folder / "f2f_source.json").write_text(json.dumps({"model": origin}))
    return folder


def test_copies_for_ctranslate2_are_listed_and_go_with_their_model(mirror: Any, tmp_path: Path) -> None:
    mirror("good")
    assert f2f("models", "pull", "m2m100_418M", "whisper-tiny").exit_code == 0
    copy, other = _make_copy("m2m100_418M", M2M), _make_copy("mine", "/my/nllb")
    half_made = copy.with_name(f".{copy.name}.xyz")
    half_made.mkdir()
    [event] = events(f2f("models", "list", "--here", "--json"))
    listed = {one["name"]: one for one in event["models"]}
    assert half_made.name not in listed
    assert listed[copy.name]["size_bytes"] == sum(file.stat().st_size for file in copy.iterdir())
    assert (listed[copy.name]["licence"], listed[copy.name]["made_from"]) == ("MIT", M2M)
    assert (listed[other.name]["licence"], listed[other.name]["engine"]) == ("that of /my/nllb", "m2m100")
    assert copy.name in f2f("models", "list").stdout
    assert f2f("models", "verify").exit_code == 0
    packed = f2f("models", "export", tmp_path / "all.tar", "--json")
    assert set(events(packed)[-1]["models"]) == {"m2m100_418M", "whisper-tiny"}
    lone = f2f("models", "export", tmp_path / "copy.tar", copy.name)
    assert lone.exit_code == 2 and "copies that are made anew" in lone.stderr

    [removed] = events(f2f("models", "remove", "m2m100_418M", "--json"))
    assert removed["copies"] == [copy.name] and removed["freed_bytes"] > 500_000
    assert not copy.exists() and other.exists() and not list(copy.parent.glob("*.tmp"))
    _make_copy("m2m100_418M", M2M)  # and without the model
    removed = f2f("models", "remove", "m2m100_418M")
    assert removed.exit_code == 0 and f"200 kB freed, with {copy.name}" in removed.stdout
    removed = f2f("models", "remove", other.name)
    assert removed.exit_code == 0 and not other.exists()
    assert f2f("models", "remove", "m2m100_418M").exit_code == 3


def test_json_lines_are_all_that_stdout_gets(mirror: Any) -> None:
    mirror("good")
    told = events(f2f("models", "pull", "whisper-tiny", "--json"))
    assert [event["event"] for event in told if event["event"] != "download_progress"] == [
        "download_started", "download_finished", "pulled",
    ]  # fmt: skip
    assert told[-1] == {"event": "pulled", "models": ["whisper-tiny"], "fetched": ["whisper-tiny"]}


@pytest.mark.parametrize("how", ["missing", "html", "sneaky", "wrong", "tooshort"])
def test_a_bad_server_is_exit_3_and_does_not_keep_the_others_away(mirror: Any, how: str) -> None:
    mirror(how)
    done = f2f("models", "pull", "whisper-tiny", "m2m100_418M")
    assert done.exit_code == 3
    assert "whisper-tiny: failed" in done.stderr and "m2m100_418M: is here" in done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("f2f: ")]
    assert "could not be fetched" in line and "By hand: download" in line
    assert whisper_asr.weights_path("tiny") is None


def test_an_interrupted_download_goes_on(mirror: Any) -> None:
    asked = mirror("good").requests
    part = whisper_asr.cache_folder() / "tiny.pt.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:100_000])
    [event] = events(f2f("models", "list", "--json"))
    assert next(one for one in event["models"] if one["name"] == "whisper-tiny")["state"] == "begun"
    assert f2f("models", "pull", "whisper-tiny").exit_code == 0
    assert asked[-1][1] == "bytes=100000-"


def test_damage_is_exit_3_and_names_the_remedy(mirror: Any) -> None:
    mirror("good")
    assert f2f("models", "pull", "whisper-tiny").exit_code == 0
    path = whisper_asr.cache_folder() / "tiny.pt"
    path.write_bytes(b"x" * 700_000)
    done = f2f("models", "verify", "whisper-tiny")
    assert done.exit_code == 3
    assert "run f2f models remove whisper-tiny and f2f models pull whisper-tiny" in done.stderr
    assert f2f("models", "export", path.with_name("b.tar"), "whisper-tiny").exit_code == 3


def test_offline_room_and_agreement(mirror: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror("good")
    done = f2f("models", "pull", "xtts-v2")
    assert done.exit_code == 2 and "COQUI_TOS_AGREED=1" in done.stderr
    with monkeypatch.context() as patch:
        patch.setenv("F2F_OFFLINE", "1")
        done = f2f("models", "pull", "whisper-tiny")
        assert done.exit_code == 3 and "f2f models import BUNDLE.tar" in done.stderr
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    done = f2f("models", "pull", "whisper-tiny", "m2m100_418M")
    assert done.exit_code == 2
    assert "about 2.0 GB are to come into" in done.stderr and "1 kB are free" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pull"], "which models?"),
        (["pull", "wisper-tiny"], "did you mean whisper-tiny"),
        (["pull", "--for", "no such tongue"], "no such tongue"),
        (["pull", "--for", "hi", "--licence", "free"], "licence is 'free'"),
        (["remove", "centerface"], "inside an installed package"),
        (["import", "/no/such/bundle.tar"], "cannot be unpacked"),
        (["export", "/no/such/folder/b.tar"], "nothing to export"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(words: list[str], says: str) -> None:
    done = f2f("models", *words)
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1 and says in done.stderr


def test_the_first_mirror_that_gives_the_file_is_taken(
    monkeypatch: pytest.MonkeyPatch, hub: Hub, tmp_path: Path
) -> None:
    with served() as mirror:
        published = mirror.weights("missing", "html", "wrong", "cut", name="wav2lip", file="wav2lip.pth")
        monkeypatch.setitem(REGISTRY, "wav2lip", published)
        done = f2f("models", "pull", "wav2lip")
        assert done.exit_code == 0, done.stderr
        asked = [how for how, _ in mirror.requests]
    assert list(dict.fromkeys(asked)) == ["missing", "html", "wrong", "cut"]
    [event] = events(f2f("models", "list", "--here", "--json"))
    [here] = [one for one in event["models"] if one["state"] == "here"]
    assert (here["name"], here["size_bytes"]) == ("wav2lip", len(CONTENT))
    assert resolve("wav2lip", "wav2lip", allow_download=False).path == Path(here["folder"]) / "wav2lip.pth"


def test_a_bundle_makes_another_machine_ready(
    mirror: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror("good")
    bundle, elsewhere = tmp_path / "hindi.tar", tmp_path / "elsewhere"
    monkeypatch.setattr("f2f.models.selection.has_package", lambda name: False)
    pulled = f2f("models", "pull", "whisper-tiny", "m2m100_418M")
    assert pulled.exit_code == 0, pulled.stderr
    config = tmp_path / "tiny.yaml"
    config.write_text("transcribe: {whisper_model: tiny}\nlicence: permissive\n")
    done = f2f("models", "export", bundle, "--for", "hi", "--config", config)
    assert done.exit_code == 0, done.stderr
    assert "nllb-200-distilled-600M is passed over" in done.stderr
    assert "whisper-tiny: 700 kB, licence MIT" in done.stderr and done.stdout.strip() == str(bundle)
    with tarfile.open(bundle) as archive:
        assert archive.getnames()[:2] == ["manifest.json", "whisper-tiny/tiny.pt"]

    elsewhere.mkdir()
    for name, value in (("HOME", str(elsewhere)), ("HF_HUB_OFFLINE", "1"), ("F2F_OFFLINE", "1")):
        monkeypatch.setenv(name, value)
    doctor = ("doctor", "--to", "hi", "--from", "en", "--config", config, "--json")
    [before] = events(f2f(*doctor))
    assert f2f("models", "import", bundle).exit_code == 0
    [after] = events(f2f(*doctor))
    for name in ("whisper", "m2m100"):
        was, now = (
            next(one for one in event["findings"] if one["name"] == name) for event in (before, after)
        )
        assert not was["ready"] and now["ready"] and str(elsewhere) in now["words"]
    chosen = {one["stage"]: one["engine"] for one in after["chosen"]}
    assert chosen["translate"] == "m2m100"


# --- what a run fetches itself ------------------------------------------------------------------------


def test_a_run_fetches_what_its_engine_needs_and_nothing_else(
    mirror: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror("cut")
    told: list[tuple[float, float | None, str]] = []
    for name in ("whisper-tiny", M2M):
        bring(name, lambda *now: told.append(now))
    assert whisper_asr.weights_path("tiny") is not None
    assert local_folder(M2M, FAMILIES["m2m100"]) is not None
    assert told[-1][1:] == (pytest.approx(0.305, abs=0.01), "MB")
    n_told = len(told)
    folder = tmp_path / "my" / "nllb"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    # Here already; not agreed to; a folder of one's own; not known; inside a package.
    for name in (M2M, "tts_models/multilingual/multi-dataset/xtts_v2", "my/nllb", "whisper-x", "centerface"):
        bring(name, lambda *now: told.append(now))
    assert len(told) == n_told
    mirror("missing")
    with pytest.raises(EngineUnavailableError, match="could not be fetched"):
        (whisper_asr.cache_folder() / "tiny.pt").unlink()
        bring("whisper-tiny", lambda *now: None)
    monkeypatch.setenv("F2F_OFFLINE", "1")
    bring("whisper-tiny", lambda *now: None)
