from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "bench" / "speaking_rates.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("speaking_rates", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["speaking_rates"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("hola", 2), ("bienvenidos", 4), ("charla", 2), ("luz", 1), ("que", 1), ("guitarra", 3),
        ("pingüino", 3), ("poeta", 3), ("días", 2), ("conciencia", 3), ("y", 1), ("ciudad", 2), ("muy", 1),
        ("escucharme", 4), ("espacio", 3), ("ocho", 2), ("yo", 1), ("están", 2), ("viaja", 2),
    ],
)  # fmt: skip
def test_spanish_syllables(bench: ModuleType, word: str, count: int) -> None:
    assert bench.spanish_syllables(word) == count


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("नमस्ते", 3),  # na-mas-te
        ("तारों", 2), ("रोशनी", 2), ("प्रकाश", 2), ("समय", 2), ("में", 1), ("है", 1),
        ("लगता", 2),  # lag-ta
        ("आठ", 1), ("मिनट", 2), ("सूर्य", 2), ("धन्यवाद", 3), ("पहुँचता", 3), ("इसलिए", 3), ("देखते", 2), ("आप", 1),
    ],
)  # fmt: skip
def test_hindi_syllables(bench: ModuleType, word: str, count: int) -> None:
    assert bench.hindi_syllables(word) == count


def test_a_voice_is_measured_and_shown(bench: ModuleType) -> None:
    rate = bench.measure("hi", "m3")
    assert 8 < rate.n_characters / rate.seconds < 18
    assert 3 < rate.n_syllables / rate.seconds < 8
    assert bench.row(rate, rate.seconds).endswith("| 1.00 |")
    assert "hi, 1 voices" in bench.summary([rate], {})
