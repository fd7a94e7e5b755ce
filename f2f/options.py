"""From command-line words to a ``Request``: files overlay defaults, flags overlay files."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from f2f.config import Config
from f2f.config_file import allowed_keys, load_config, nearest_key
from f2f.errors import ConfigError, UsageError
from f2f.request import Request
from f2f.stage_order import STAGES

# Option of the command → key of the configuration.
CONFIG_FLAGS = {
    "profile": "profile",
    "device": "device",
    "licence": "licence",
    "asr": "transcribe.engine",
    "captions": "transcribe.captions",
    "speakers": "transcribe.speakers",
    "mt": "translate.engine",
    "translation": "translate.translation",
    "glossary": "translate.glossary",
    "tts": "synthesize.engine",
    "voice": "synthesize.voice",
    "consent": "synthesize.consent",
    "library_voices": "synthesize.library_voices",
    "lips": "lipsync.engine",
    "dask": "lipsync.dask",
    "mark": "mux.mark",
    "video_stretch": "fit.video_stretch",
}


def build_config(path: Path | None, flags: Mapping[str, Any], settings: Sequence[str] = ()) -> Config:
    """Return the configuration that a file and the command's flags describe.

    Args:
        path: YAML file, or None.
        flags: values by the names of ``CONFIG_FLAGS``; None where a flag was not given.
        settings: any other keys as ``"fit.max_tempo=1.4"``.

    Raises:
        ConfigError: a key or a value is not allowed.
    """
    return load_config(path, {**dict(map(_split_setting, settings)), **flag_settings(flags)})


def flag_settings(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of the configuration that flags set.

    A flag that names captions or a translation also chooses the engine that reads them, unless a flag
    says otherwise.

    Args:
        flags: values by the names of ``CONFIG_FLAGS``; None where a flag was not given.
    """
    flags = dict(flags)
    if flags.get("captions") is not None and flags.get("asr") is None:
        flags["asr"] = "captions"
    if flags.get("translation") is not None and flags.get("mt") is None:
        flags["mt"] = "captions"
    return {CONFIG_FLAGS[name]: value for name, value in flags.items() if value is not None}


def repeat_command(request: Request, target: str) -> str:
    """Return the shell line that makes this request's output in one language again."""
    words = ["f2f", "translate", str(request.source), "--to", target]
    if request.source_language is not None:
        words += ["--from", request.source_language]
    words += _folder_words(request)
    if not request.lipsync:
        words += ["--no-lipsync"]
    default = Config()
    for key in allowed_keys():
        value = _get(request.config, key)
        if value != _get(default, key):
            words += ["--set", f"{key}={value}"]
    return shlex.join(words)


def resume_command(request: Request, target: str) -> str:
    """Return the shell line that goes on with this request in one language."""
    return shlex.join(["f2f", "resume", str(request.source), "--to", target, *_folder_words(request)])


def _folder_words(request: Request) -> list[str]:
    words = []
    if request.output_dir != request.source.parent:
        words += ["-o", str(request.output_dir)]
    if request.workdir is not None:
        words += ["--workdir", str(request.workdir)]
    return words


def _get(config: Any, key: str) -> Any:
    for name in key.split("."):
        config = getattr(config, name)
    return config


def _split_setting(setting: str) -> tuple[str, Any]:
    import yaml

    key, separator, text = setting.partition("=")
    if not separator:
        raise ConfigError(f"--set {setting}: must be KEY=VALUE, such as fit.max_tempo=1.4")
    if key not in allowed_keys():
        raise ConfigError(f"--set: unknown key {key!r}; {nearest_key(key)}")
    try:
        return key, yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {setting}: {text!r} is not a value") from error


def build_request(
    source: Path,
    targets: Sequence[str],
    *,
    config: Config,
    source_language: str | None = None,
    output_dir: Path | None = None,
    **rest: Any,
) -> Request:
    """Return a request with languages in their standard spelling and without repeats.

    Languages that nobody knows stay as they are; the checks before the work report them together with
    everything else that is wrong.

    Args:
        source: input video; outputs go beside it unless ``output_dir`` says otherwise.
        targets: target languages, as code or English name; a comma may separate several.
        config: resolved configuration.
        source_language: spoken language, None to find out.
        output_dir: folder for the outputs.
        rest: further fields of ``Request``.

    Raises:
        UsageError: ``until`` is no stage.
    """
    if rest.get("until") not in (None, *STAGES):
        raise UsageError(f"--until {rest['until']}: no such stage; allowed: {', '.join(STAGES)}")
    words = [word.strip() for target in targets for word in target.split(",") if word.strip()]
    return Request(
        source=source,
        targets=tuple(dict.fromkeys(_standard(word) for word in words)),
        source_language=None if source_language is None else _standard(source_language),
        output_dir=source.parent if output_dir is None else output_dir,
        config=config,
        **rest,
    )


def _standard(word: str) -> str:
    from f2f.languages import parse_language

    try:
        return parse_language(word).code
    except UsageError:
        return word
