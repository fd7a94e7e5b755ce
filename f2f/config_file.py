"""Configuration from YAML files and flags: defaults < file < flags, and a helpful word for every mistake."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from f2f.config import Config
from f2f.errors import ConfigError
from f2f.yaml_file import read_yaml

PATH_KEYS = {
    ("transcribe", "captions"),
    ("translate", "translation"),
    ("translate", "glossary"),
    ("synthesize", "library_voices"),
    ("lipsync", "weights"),
}


def load_config(path: Path | None, flags: Mapping[str, Any] | None = None) -> Config:
    """Return the defaults, overlaid with a YAML file and then with ``flags``.

    Args:
        path: YAML file; file names in it are relative to its own folder. None reads no file.
        flags: dotted keys such as ``"transcribe.engine"`` and values; None values are left out.

    Raises:
        ConfigError: the file cannot be read, or holds an unknown key or a value that is not allowed. Every
            mistake has a line of its own.
    """
    where = "options" if path is None else str(path)
    values = {} if path is None else _read_values(path)
    problems = _unknown_keys(values, Config, where)
    if problems:
        raise ConfigError("\n".join(problems))
    return _overlaid(values, flags or {}, where)


def overlay_config(config: Config, flags: Mapping[str, Any], where: str) -> Config:
    """Return ``config`` with other values for the dotted keys of ``flags``.

    Raises:
        ConfigError: a value is not allowed; ``where`` says in the message who wanted it.
    """
    return _overlaid(config.model_dump(), flags, where) if flags else config


def _overlaid(values: dict[str, Any], flags: Mapping[str, Any], where: str) -> Config:
    for key, value in flags.items():
        if value is not None:
            _set(values, key.split("."), value)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(
            "\n".join(_words(detail, where) for detail in error.errors(include_url=False))
        ) from error


def allowed_keys(model: type[BaseModel] = Config, prefix: str = "") -> list[str]:
    """Return all keys in their dotted form, such as ``profile`` and ``transcribe.engine``."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += allowed_keys(field.annotation, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys


def _read_values(path: Path) -> dict[str, Any]:
    values = read_yaml(path, "configuration")
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path} must hold keys and values like 'profile: auto', not {type(values).__name__}"
        )
    values = {key: value for key, value in values.items() if value is not None}
    for section, key in PATH_KEYS:
        inside = values.get(section)
        if isinstance(inside, dict) and isinstance(inside.get(key), str):
            inside[key] = str(path.parent / Path(inside[key]).expanduser())
    return values


def _unknown_keys(
    values: Mapping[Any, Any], model: type[BaseModel], where: str, prefix: str = ""
) -> list[str]:
    problems = []
    for key, value in values.items():
        field = model.model_fields.get(str(key))
        if field is None:
            problems.append(f"{where}: unknown key {prefix + str(key)!r}; {nearest_key(prefix + str(key))}")
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            if isinstance(value, dict):
                problems += _unknown_keys(value, field.annotation, where, f"{prefix}{key}.")
            else:
                inside = ", ".join(field.annotation.model_fields)
                problems.append(f"{where}: {prefix}{key} must hold keys ({inside}), not {value!r}")
    return problems


def nearest_key(key: str) -> str:
    """Say which allowed key was probably meant by ``key``."""
    keys = allowed_keys()
    near = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
    if not near:  # perhaps the right name in the wrong section
        last = key.rpartition(".")[2]
        names = difflib.get_close_matches(last, [each.rpartition(".")[2] for each in keys], n=1, cutoff=0.6)
        near = [each for each in keys if names and each.rpartition(".")[2] == names[0]][:1]
    return f"did you mean {near[0]!r}?" if near else f"allowed are: {', '.join(keys)}"


def _set(values: dict[str, Any], names: list[str], value: Any) -> None:
    for name in names[:-1]:
        inside = values.get(name)
        values[name] = dict(inside) if isinstance(inside, dict) else {}
        values = values[name]
    values[names[-1]] = value


def _words(detail: Any, where: str) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    return f"{where}: {key} is {detail['input']!r}: {detail['msg'][0].lower()}{detail['msg'][1:]}"
