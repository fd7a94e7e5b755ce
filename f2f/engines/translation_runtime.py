"""What runs a translation model: PyTorch through transformers, or CTranslate2 in 8-bit integers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from f2f.device import shows_signs_of
from f2f.engines.segment_translation import ContextModel
from f2f.engines.status import has_package
from f2f.engines.translation_models import Family, is_converted
from f2f.errors import EngineUnavailableError, UsageError
from f2f.languages import Language

FAST_INSTALL = 'pip install "f2f[fast]"'


def choose_runtime(wanted: str, model: str | None) -> str:
    """Return ``"torch"`` or ``"ctranslate2"``; nothing is loaded.

    ``auto`` takes CTranslate2 where it is installed and no NVIDIA processor is there, on which PyTorch in
    16 bits does as well.

    Args:
        wanted: one of these or ``"auto"``.
        model: as in the configuration; a converted folder runs by CTranslate2 alone.

    Raises:
        EngineUnavailableError: CTranslate2 is needed and not installed.
        UsageError: the model was converted, and PyTorch is wanted.
    """
    converted = model is not None and is_converted(Path(model).expanduser())
    if converted and wanted == "torch":
        raise UsageError(
            f"translate.model {model} was converted for CTranslate2: set translate.runtime to ctranslate2"
        )
    is_here = has_package("ctranslate2")
    if not is_here and (converted or wanted == "ctranslate2"):
        raise EngineUnavailableError(f"package ctranslate2 is missing: {FAST_INSTALL}")
    if converted or wanted != "auto":
        return "ctranslate2" if converted else wanted
    return "ctranslate2" if is_here and not shows_signs_of("cuda") else "torch"


def load_model(
    runtime: str,
    family: Family,
    model: str,
    languages: tuple[Language, Language],
    device: str,
    tell: Callable[[str], None],
) -> ContextModel:
    """Load ``model`` to be run by ``runtime``.

    Args:
        runtime: ``"torch"`` or ``"ctranslate2"``.
        family: how to address the model.
        model: hub id or folder.
        languages: of the texts, and to translate into.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        tell: called with what a person must know of the loading.

    Raises:
        EngineUnavailableError: packages or weights are missing or damaged, or a language is unknown to it.
    """
    if runtime == "ctranslate2":
        from f2f.engines.ctranslate2_translation import FastTranslator

        return FastTranslator(family, model, languages, device, tell)
    from f2f.engines.machine_translation import Translator

    return Translator(family, model, *languages, device)


def describe_runtime(runtime: str) -> str:
    """Name library, version and precision, for the manifest."""
    from f2f.engines import ctranslate2_translation, machine_translation

    return ctranslate2_translation.describe() if runtime == "ctranslate2" else machine_translation.describe()
