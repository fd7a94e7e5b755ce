"""Which models coqui-tts can load here: where they lie, what they speak, their licence. Nothing is loaded.

XTTS v2's weights are under Coqui's own licence, which the user must have agreed to: nothing here answers that
question for anybody.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from f2f.config import SynthesizeConfig
from f2f.engines.hub import snapshot_folders
from f2f.engines.status import EngineStatus, downloads_allowed, has_package, is_reachable, package_version
from f2f.languages import parse_language

XTTS_V2 = "tts_models/multilingual/multi-dataset/xtts_v2"
XTTS_LICENCE = "Coqui Public Model License 1.0.0 (XTTS v2, non-commercial use only)"
INSTALL = "pip install 'f2f[tts]'"
_PACKAGES = ("TTS", "torchaudio", "torchcodec")  # coqui-tts asks for the other two only when imported
_HUB_REPOSITORY = "tts-hub/XTTS-v2"  # where coqui-tts 0.28 fetches it from
_HUB_URL = f"https://huggingface.co/{_HUB_REPOSITORY}/resolve/main/config.json"
AGREE = (
    "XTTS v2 is for non-commercial use: read https://tts-hub.github.io/cpml and, if you agree, "
    "set COQUI_TOS_AGREED=1"
)


def status(language: str | None = None, model: str | None = None, profile: str = "auto") -> EngineStatus:
    """Say whether coqui can speak ``language`` (None: any) with ``model`` here. Nothing is loaded."""
    model = model or XTTS_V2
    folder = Path(model).expanduser()
    missing = [name for name in _PACKAGES if not has_package(name)]
    if missing:
        return _status(model, ready=False, reason=f"not installed ({', '.join(missing)}): run {INSTALL}")
    if folder.is_dir():
        return _folder_status(folder, language)
    if model.count("/") != 3 or not model.startswith("tts_models/"):
        reason = f"model {model!r} is neither a folder nor an id such as {XTTS_V2}"
        return _status(model, ready=False, reason=reason)
    if language and not _id_speaks(model, language):
        return _status(model, ready=False, reason=f"{model} does not speak {language!r}")
    if model == XTTS_V2 and not has_agreed():
        return _status(model, ready=False, reason=AGREE)
    cached = _cached_weights(model)
    if cached is not None:
        return _status(model, ready=True, reason=f"weights in {cached}")
    if downloads_allowed(profile) and is_reachable(_HUB_URL):
        return _status(model, ready=True, reason="weights will be fetched (1.9 GB for XTTS v2)", fetch=True)
    reason = f"weights of {model} are not here and cannot be fetched now; give a local folder with --config"
    return _status(model, ready=False, reason=reason)


def _status(model: str, *, ready: bool, reason: str, fetch: bool = False) -> EngineStatus:
    return EngineStatus("coqui", ready, reason, licence(model), model, fetch)


def licence(model: str) -> str:
    """Return the licence of a model's weights."""
    return XTTS_LICENCE if model == XTTS_V2 else f"coqui-tts: MPL-2.0; weights as {model} states"


def _folder_status(folder: Path, language: str | None) -> EngineStatus:
    lacking = [] if (folder / "config.json").is_file() else ["config.json"]
    if not any(folder.glob("*.pth")):
        lacking.append("model.pth")
    if lacking:
        return _status(str(folder), ready=False, reason=f"{folder} lacks {' and '.join(lacking)}")
    try:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        spoken = settings.get("languages") or []
    except (OSError, ValueError, AttributeError) as error:
        return _status(str(folder), ready=False, reason=f"{folder / 'config.json'} cannot be read: {error}")
    speakers = settings.get("speakers_file")
    if speakers and not Path(speakers).exists():  # the library would load the model without its voices
        reason = f"{folder / 'config.json'} names {speakers} as its speakers_file, which is not there"
        return _status(str(folder), ready=False, reason=reason)
    if language and spoken and language_code(language) not in spoken:
        reason = f"the model in {folder} does not speak {language!r}; it speaks {', '.join(spoken)}"
        return _status(str(folder), ready=False, reason=reason)
    return _status(str(folder), ready=True, reason=f"weights in {folder}")


def _id_speaks(model: str, language: str) -> bool:
    if model == XTTS_V2:
        return parse_language(language).xtts is not None
    trained = model.split("/")[1]
    return trained == "multilingual" or trained == parse_language(language).primary


def language_code(language: str) -> str:
    """Return a language as coqui-tts names it."""
    parsed = parse_language(language)
    return parsed.xtts or parsed.primary


def _data_folder() -> Path:
    """Return where coqui-tts keeps models (``trainer.io.get_user_data_dir("tts")``)."""
    for variable in ("TTS_HOME", "XDG_DATA_HOME"):
        if folder := os.environ.get(variable):
            return Path(folder).expanduser() / "tts"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "tts"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "tts"
    return Path.home() / ".local" / "share" / "tts"


def has_agreed() -> bool:
    """Whether the user agreed to the licence of XTTS v2, here or towards the library itself."""
    agreement = _data_folder() / XTTS_V2.replace("/", "--") / "tos_agreed.txt"
    return os.environ.get("COQUI_TOS_AGREED") == "1" or agreement.is_file()


def _cached_weights(model: str) -> Path | None:
    own = _data_folder() / model.replace("/", "--")
    if any(own.glob("*.pth")):
        return own
    if model == XTTS_V2:
        return next((one for one in snapshot_folders(_HUB_REPOSITORY) if (one / "model.pth").is_file()), None)
    return None


def identity(model: str | None) -> str:
    """Return a string that changes with the library and the weights."""
    version = package_version("coqui-tts")
    folder = Path(model or XTTS_V2).expanduser()
    if not folder.is_dir():
        return f"coqui-tts {version} {model or XTTS_V2}"
    files = sorted([*folder.glob("*.pth"), folder / "config.json"])
    stamps = [
        f"{file.name}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for file in files if file.exists()
    ]
    return f"coqui-tts {version} {folder} {' '.join(stamps)}"


def notice(status: EngineStatus, config: SynthesizeConfig) -> str | None:
    """Return what a person must know before this engine speaks."""
    notes = ["coqui: weights are fetched first, about 1.9 GB"] if status.needs_download else []
    if not config.consent:
        notes.append(
            "coqui: a stock voice speaks; the speaker's own is cloned only with --i-have-consent "
            "(synthesize.consent: true)"
        )
    return "; ".join(notes) or None


def weights_path(folder: Path) -> Path:
    """Return what the library wants as ``model_path``: for XTTS the folder, else the one checkpoint."""
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if settings.get("model") == "xtts":
        return folder
    return next(iter(sorted(folder.glob("*.pth"), key=lambda file: -file.stat().st_size)))
