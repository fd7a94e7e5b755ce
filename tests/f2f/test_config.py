"""Configuration: every key documented, every mistake named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from f2f.config import Config
from f2f.config_file import allowed_keys, load_config
from f2f.errors import ConfigError
from f2f.options import build_config, build_request, repeat_command

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def leaves(values: dict, prefix: str = "") -> list[str]:
    found = []
    for key, value in values.items():
        found += leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
    return found


def write(folder: Path, text: str) -> Path:
    path = folder / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_default_yaml_lists_every_key_with_its_default() -> None:
    path = CONFIGS / "default.yaml"
    assert load_config(path) == Config()
    assert leaves(yaml.safe_load(path.read_text("utf-8"))) == allowed_keys()


@pytest.mark.parametrize("name", ["default.yaml", "embedded.yaml"])
def test_every_key_has_a_comment_above_it(name: str) -> None:
    lines = (CONFIGS / name).read_text("utf-8").splitlines()
    bare = []
    for number, line in enumerate(lines):
        is_section = line.endswith(":") and not line.startswith((" ", "#"))
        is_key = ":" in line and not line.lstrip().startswith("#") and not is_section
        if is_key and not lines[number - 1].lstrip().startswith("#"):
            bare.append(line)
    assert bare == []


def test_embedded_yaml_is_valid_and_downloads_nothing() -> None:
    config = load_config(CONFIGS / "embedded.yaml")
    assert (config.profile, config.lipsync.engine, config.evaluate.syncnet) == ("embedded",) * 3


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, "device: cpu\nfit: {max_tempo: 1.4, min_tempo: 0.9}\n")
    config = load_config(path, {"fit.max_tempo": 1.3, "mux.mark": False, "profile": None})
    assert (config.fit.max_tempo, config.fit.min_tempo) == (1.3, 0.9)
    assert (config.device, config.mux.mark, config.profile) == ("cpu", False, "auto")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("devise: cpu", ["'devise'", "'device'"]),
        ("mux: {crv: 12}", ["'mux.crv'", "'mux.crf'"]),
        ("crf: 12", ["'crf'", "'mux.crf'"]),
        ("mux: 12", ["mux must hold keys", "crf"]),
        ("mux: {crf: 40}", ["mux.crf", "40", "18"]),
        ("profile: fast", ["profile", "'fast'", "embedded"]),
        ("[1, 2]", ["must hold keys"]),
        ("a: [", ["not YAML"]),
        ("zzz: 1", ["allowed are: profile"]),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(tmp_path: Path, text: str, words: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(path) in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_all_unknown_keys_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, "devise: cpu\nfitt: {}\nmux: {marc: true}\n"))
    assert len(str(caught.value).splitlines()) == 3


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        load_config(tmp_path / "absent.yaml")


def test_an_empty_file_and_an_empty_section_change_nothing(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "")) == Config()
    assert load_config(write(tmp_path, "mux:\n")) == Config()


def test_file_names_are_relative_to_the_file(tmp_path: Path) -> None:
    text = (
        "transcribe: {captions: talk.srt}\ntranslate: {glossary: terms.csv}\nlipsync: {weights: /w/a.pth}\n"
    )
    config = load_config(write(tmp_path, text))
    assert config.transcribe.captions == tmp_path / "talk.srt"
    assert config.translate.glossary == tmp_path / "terms.csv"
    assert config.lipsync.weights == Path("/w/a.pth")


def test_a_flag_that_names_a_file_chooses_its_engine() -> None:
    config = build_config(None, {"captions": Path("a.srt"), "translation": Path("b.srt"), "mt": None})
    assert (config.transcribe.engine, config.translate.engine) == ("captions", "captions")
    assert build_config(None, {"captions": Path("a.srt"), "asr": "whisper"}).transcribe.engine == "whisper"
    config = build_config(None, {"glossary": Path("terms.csv")})
    assert (config.translate.engine, config.translate.glossary) == ("auto", Path("terms.csv"))


def test_settings_reach_every_key() -> None:
    config = build_config(None, {}, ["fit.max_tempo=1.4", "mux.mark=false", "lipsync.weights=null"])
    assert (config.fit.max_tempo, config.mux.mark, config.lipsync.weights) == (1.4, False, None)
    with pytest.raises(ConfigError, match=r"did you mean 'fit.max_tempo'"):
        build_config(None, {}, ["fit.max_temp=1.4"])
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        build_config(None, {}, ["fit.max_tempo"])


def test_languages_get_their_standard_spelling_once() -> None:
    request = build_request(
        Path("talks/a.mp4"), ["Hindi", "es,hi", "no such tongue"], config=Config(), source_language="English"
    )
    assert request.targets == ("hi", "es", "no such tongue")
    assert request.source_language == "en"
    assert request.output_dir == Path("talks")
    assert request.workspace_root == Path("talks/.f2f/a")


def test_the_command_that_repeats_a_run_gives_the_same_request() -> None:
    import shlex

    config = build_config(None, {"profile": "embedded", "mark": False, "voice": "hi+f2"})
    request = build_request(Path("my talk.mp4"), ["hi"], config=config, output_dir=Path("out"), lipsync=False)
    words = shlex.split(repeat_command(request, "hi"))
    settings = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    assert words[:5] == ["f2f", "translate", "my talk.mp4", "--to", "hi"]
    assert "--no-lipsync" in words
    assert words[words.index("-o") + 1] == "out"
    assert build_config(None, {}, settings) == config


def test_consent_is_given_by_flag_or_file_and_repeated() -> None:
    assert not Config().synthesize.consent
    config = build_config(None, {"consent": True})
    assert config.synthesize.consent and build_config(None, {}, ["synthesize.consent=true"]) == config
    request = build_request(Path("lecture.mp4"), ["hi"], config=config)
    assert "synthesize.consent=True" in repeat_command(request, "hi")
