"""With ``licence: permissive`` no choice falls on weights that forbid commercial use."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import make_clip
from tiny_weights import write_tiny_weights
from typer.testing import CliRunner

from f2f import choices, cli
from f2f.config import Config, EvaluateConfig, LipsyncConfig, SynthesizeConfig, TranslateConfig
from f2f.engines.hub import repository_folder
from f2f.engines.status import Choice, EngineStatus
from f2f.errors import EngineUnavailableError, UsageError
from f2f.licence_policy import choose
from f2f.models.licences import commercial_use
from f2f.request import Request

NC, FREE = "CC-BY-NC-4.0", "MIT"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def request(**config: object) -> Request:
    return Request(Path("lecture.mp4"), ("hi",), "en", config=Config.model_validate(config))


def put_translator(repository: str, vocabulary: str) -> None:
    folder = repository_folder(repository) / "snapshots" / ("0" * 40)
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", vocabulary, "target.spm", "vocab.json"):
        (folder / name).write_bytes(b"{}")


# --- licences -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True), ("Apache-2.0", True), ("BSD-2-Clause", True), ("CC-BY-4.0 or Apache-2.0", True),
        ("MIT; trained on the GRID corpus (CC BY 4.0)", True), ("BSD-3-Clause (face-alignment)", True),
        ("espeak-ng and its voices: GPL-3.0-or-later (run as a separate program)", True),
        ("CC-BY-NC-4.0", False), ("CC BY-NC-ND 4.0", False), ("MIT code, research weights", False),
        ("research and non-commercial use only (trained on LRS2)", False),
        ("Coqui Public Model License 1.0.0 (XTTS v2, non-commercial use only)", False), ("CPML", False),
        ("unknown", None), ("that of the captions", None), ("that of my/model", None), ("", None),
        ("coqui-tts: MPL-2.0; weights as tts_models/en/vctk/vits states", None),
    ],
)  # fmt: skip
def test_what_licences_allow(licence: str, allowed: bool | None) -> None:
    assert commercial_use(licence) is allowed


# --- real engines -------------------------------------------------------------------------------------


def test_nllb_is_passed_over_aloud(home: Path) -> None:
    put_translator("facebook/nllb-200-distilled-600M", "tokenizer.json")
    put_translator("facebook/m2m100_418M", "sentencepiece.bpe.model")
    assert choices.pin_translate(request(), "en", "hi").choice.engine == "nllb"
    pinned = choices.pin_translate(request(licence="permissive"), "en", "hi")
    assert pinned.config.engine == pinned.choice.engine == "m2m100"
    assert pinned.notice == "nllb is passed over: its licence (CC-BY-NC-4.0) does not allow commercial use"


def test_where_only_nllb_is_here_the_remedies_are_named(home: Path) -> None:
    put_translator("facebook/nllb-200-distilled-600M", "tokenizer.json")
    with pytest.raises(EngineUnavailableError) as caught:
        choices.pin_translate(request(licence="permissive"), "en", "hi")
    for words in ("nllb: its licence (CC-BY-NC-4.0)", "models pull facebook/m2m100_418M", "--licence any"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("config", "name", "option"),
    [
        ({"translate": TranslateConfig(engine="nllb")}, "nllb", "--mt auto"),
        ({"translate": TranslateConfig(model="facebook/nllb-200-3.3B")}, "nllb-200-3.3B", "--mt auto"),
        ({"synthesize": SynthesizeConfig(engine="coqui")}, "coqui", "--tts auto"),
        ({"lipsync": LipsyncConfig(engine="wav2lip_gan")}, "wav2lip_gan", "--lips auto"),
        ({"evaluate": EvaluateConfig(syncnet="syncnet_v2")}, "syncnet_v2", "evaluate.syncnet=auto"),
    ],
)
def test_a_named_non_commercial_engine_is_a_mistake_with_a_remedy(
    home: Path, config: dict[str, object], name: str, option: str
) -> None:
    put_translator("facebook/nllb-200-3.3B", "tokenizer.json")
    asked = request(licence="permissive", **config)
    pins = {
        "translate": lambda: choices.pin_translate(asked, "en", "hi"),
        "synthesize": lambda: choices.pin_synthesize(asked, "hi"),
        "lipsync": lambda: choices.pin_lipsync(asked, "cpu"),
        "evaluate": lambda: choices.pin_evaluate(asked, "cpu"),
    }
    with pytest.raises(UsageError, match=name) as caught:
        pins[next(iter(config))]()
    assert caught.value.exit_code == 2
    assert option in str(caught.value) and "--licence any" in str(caught.value)


def test_published_lips_and_syncnet_give_way_to_the_embedded(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lipsync_core.weights.lookup.PACKAGE_FOLDER", write_tiny_weights(home / "package"))
    monkeypatch.setenv("LIPSYNC_CORE_HOME", str(home / "cache"))
    (home / "cache").mkdir()
    for name in ("wav2lip_gan.pth", "syncnet_v2.model"):
        (home / "cache" / name).write_bytes(b"weights")
    # Taken for the published files: only who is chosen counts here.
    monkeypatch.setattr("lipsync_core.weights.lookup._is_marked", lambda path, sha256: True)
    assert choices.pin_lipsync(request(), "cpu").choice.engine == "wav2lip_gan"
    lips = choices.pin_lipsync(request(licence="permissive"), "cpu")
    assert lips.config.engine == "embedded"
    assert lips.notice is not None and lips.notice.startswith("wav2lip_gan is passed over: its licence (res")
    assert "compact weights" in lips.notice
    measured = choices.pin_evaluate(request(licence="permissive"), "cpu")
    assert measured.config.syncnet == "embedded"
    assert measured.notice is not None and "syncnet_v2 is passed over" in measured.notice


def test_espeak_and_captions_need_no_permission(home: Path) -> None:
    pinned = choices.pin_synthesize(request(licence="permissive", synthesize={"engine": "espeak"}), "hi")
    assert pinned.choice.engine == "espeak"


def test_the_command_refuses_before_the_work(home: Path) -> None:
    film = make_clip(home / "lecture.mp4", seconds=1)
    words = ("translate", str(film), "--to", "hi", "--from", "en", "--licence", "permissive", "--mt", "nllb")
    done = CliRunner().invoke(cli.app, [*words, "--lips", "wav2lip_gan"])
    assert done.exit_code == 2
    assert sum("--licence permissive was asked for" in line for line in done.stderr.splitlines()) == 2
    assert sorted(path.name for path in home.iterdir()) == ["lecture.mp4"]
    wrong = CliRunner().invoke(cli.app, ["doctor", "--to", "hi", "--licence", "free"])
    assert wrong.exit_code == 2 and "licence is 'free'" in wrong.stderr


# --- the policy itself --------------------------------------------------------------------------------


def plan_of(*statuses: EngineStatus) -> object:
    def plan(config: LipsyncConfig) -> Choice:
        name = config.engine
        known = [one for one in statuses if one.ready and name in ("auto", one.name)]
        if not known:
            raise EngineUnavailableError(f"{name} cannot")
        return Choice(known[0].name, "x", statuses, notice=f"{known[0].name} it is")

    return plan


def status(name: str, licence: str, *, ready: bool = True, download: bool = False) -> EngineStatus:
    return EngineStatus(name, ready, "", licence, needs_download=download)


def test_what_is_here_comes_before_what_must_be_fetched() -> None:
    plan = plan_of(
        status("wav2lip_gan", NC), status("wav2lip", FREE, download=True), status("embedded", FREE)
    )
    found = choose("lipsync", "permissive", LipsyncConfig(), plan)  # type: ignore[arg-type]
    assert found.engine == "embedded"
    assert found.notice == (
        "wav2lip_gan is passed over: its licence (CC-BY-NC-4.0) does not allow commercial use; embedded it is"
    )
    assert choose("lipsync", "any", LipsyncConfig(), plan).engine == "wav2lip_gan"  # type: ignore[arg-type]


def test_an_unknown_licence_is_said() -> None:
    found = choose("lipsync", "permissive", LipsyncConfig(), plan_of(status("wav2lip", "unknown")))  # type: ignore[arg-type]
    assert found.notice is not None
    assert found.notice.endswith(
        "wav2lip: its licence is not known here (unknown); see that it is permissive"
    )


def test_nothing_permissive_at_all() -> None:
    plan = plan_of(status("wav2lip_gan", NC), status("embedded", FREE, ready=False))
    with pytest.raises(EngineUnavailableError, match=r"nothing else here can lipsync.*embedded cannot.*any"):
        choose("lipsync", "permissive", LipsyncConfig(), plan)  # type: ignore[arg-type]
