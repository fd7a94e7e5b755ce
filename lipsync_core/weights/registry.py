"""The embedded and the published weights by name, and the rule that picks one.

URLs, sizes and hashes of the published files were collected from the public hub pages named here; every
file is recognised by its SHA-256, never by where it came from.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

from lipsync_core.containers import read_metadata, refuse_impostor, sha256_of
from lipsync_core.errors import CheckpointError, InvalidInputError, MissingModelError

logger = logging.getLogger(__name__)

_PACKAGE_FOLDER = Path(__file__).parent
_MARKER_SUFFIX = ".verified.json"
EMBEDDED = "embedded"

_NEKOCHU = "https://huggingface.co/Nekochu/Wav2Lip/resolve/fb925b05f0d353850ee0c56810e4545e274e2b5a"
_CAMENDURU = "https://huggingface.co/camenduru/Wav2Lip/resolve/main/checkpoints"
_NUMZ = "https://huggingface.co/numz/wav2lip_studio/resolve/main/Wav2lip"
_LRS2_LICENCE = "research and non-commercial use only (trained on LRS2)"
_OWN_LICENCE = "MIT; trained on the GRID corpus (CC BY 4.0)"


@dataclass(frozen=True)
class Weights:
    """One weights file.

    Attributes:
        name: key in `REGISTRY`, or the stem of a file of the user's own.
        kind: network: ``wav2lip``, ``lipsync_expert``, ``syncnet``, ``visual_quality_disc`` or ``s3fd``.
        file: file name, in the package (embedded) or in `cache_folder` (published).
        sha256: of the file; None for a file of the user's own.
        size_bytes: of the file, where known.
        urls: mirrors, first is preferred; empty when it is not downloaded.
        licence: as its publisher states it.
        note: what one should know before choosing it.
        path: where the file lies on this machine; None until `resolve` found or `fetch` brought it.
    """

    name: str
    kind: str
    file: str
    sha256: str | None
    size_bytes: int | None
    urls: tuple[str, ...]
    licence: str
    note: str = ""
    path: Path | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether the file is part of the package."""
        return self.name.startswith(EMBEDDED)

    def metadata(self) -> dict[str, str]:
        """Return the text metadata of a local safetensors file, such as ``mel_offset_frames``; else empty.

        Raises:
            CheckpointError: the file ends in .safetensors and has no whole header.
        """
        is_safetensors = self.path is not None and self.path.suffix == ".safetensors"
        return read_metadata(self.path) if is_safetensors and self.path else {}


def _embedded(kind: str, what: str) -> Weights:
    return Weights(f"{EMBEDDED}_{kind}", kind, f"{kind}.safetensors", None, None, (), _OWN_LICENCE, what)


_ALL = (
    Weights(
        "wav2lip_gan",
        "wav2lip",
        "wav2lip_gan.pth",
        "ca9ab7b7b812c0e80a6e70a5977c545a1e8a365a6c49d5e533023c034d7ac3d8",
        435_801_865,
        (f"{_NEKOCHU}/wav2lip_gan.pth", f"{_CAMENDURU}/wav2lip_gan.pth", f"{_NUMZ}/wav2lip_gan.pth"),
        _LRS2_LICENCE,
        "sharper picture, sync as good as wav2lip's",
    ),
    Weights(
        "wav2lip",
        "wav2lip",
        "wav2lip.pth",
        "b78b681b68ad9fe6c6fb1debc6ff43ad05834a8af8a62ffc4167b7b34ef63c37",
        435_807_851,
        (f"{_NEKOCHU}/wav2lip.pth", f"{_NUMZ}/wav2lip.pth"),  # camenduru's file of this name is a stub
        _LRS2_LICENCE,
        "slightly better sync, blurrier mouth",
    ),
    Weights(
        "lipsync_expert",
        "lipsync_expert",
        "lipsync_expert.pth",
        "9b9936c721696446eeed353032cab242a8cf0eed8c46cde540366f6ae5493be5",
        197_357_631,
        (f"{_NEKOCHU}/lipsync_expert.pth", f"{_CAMENDURU}/lipsync_expert.pth"),
        _LRS2_LICENCE,
    ),
    Weights(
        "visual_quality_disc",
        "visual_quality_disc",
        "visual_quality_disc.pth",
        "b3f8f6f7e954af02f2ffe0f3ea11f3259af89bff6e70933001c7c6bc8c145d96",
        169_382_040,
        (f"{_NEKOCHU}/visual_quality_disc.pth", f"{_CAMENDURU}/visual_quality_disc.pth"),
        _LRS2_LICENCE,
    ),
    Weights(
        "s3fd",
        "s3fd",
        "s3fd-619a316812.pth",
        "619a31681264d3f7f7fc7a16a42cbbe8b23f31a256f75a366e5a1bcd59b33543",
        89_843_225,
        (
            "https://www.adrianbulat.com/downloads/python-fan/s3fd-619a316812.pth",
            f"{_CAMENDURU}/s3fd-619a316812.pth",
        ),
        "BSD-3-Clause (face-alignment)",
    ),
    Weights(
        "syncnet_v2",
        "syncnet",
        "syncnet_v2.model",
        "961e8696f888fce4f3f3a6c3d5b3267cf5b343100b238e79b2659bff2c605442",
        None,
        ("https://www.robots.ox.ac.uk/~vgg/software/lipsync/data/syncnet_v2.model",),
        "MIT code, research weights",
        "the network behind the LSE numbers in papers",
    ),
    _embedded("wav2lip", "compact generator, learnt from few people"),
    _embedded("lipsync_expert", "compact expert"),
    _embedded("syncnet", "compact SyncNet; its LSE must not be compared with numbers in papers"),
)

REGISTRY: dict[str, Weights] = {weights.name: weights for weights in _ALL}
"""All known weights by name. Published ones of a kind stand in order of preference: wav2lip_gan comes first
because viewers preferred it (51-65 % of votes against 29-41 %, Wav2Lip thesis table 3.3) while its sync is
practically equal (LSE-D 6.47 against 6.39 on LRS2, table 3.2)."""


def cache_folder() -> Path:
    """Return the folder of downloaded weights: ``$LIPSYNC_CORE_HOME`` or ``~/.cache/lipsync_core``."""
    home = os.environ.get("LIPSYNC_CORE_HOME")
    return Path(home).expanduser() if home else Path.home() / ".cache" / "lipsync_core"


def resolve(kind: str, choice: str = "auto", *, allow_download: bool) -> Weights:
    """Pick the weights for a network.

    ``auto`` takes published weights that are here, else (if downloads are allowed) published ones that a
    mirror offers now, else the embedded ones.

    Args:
        kind: ``wav2lip``, ``lipsync_expert``, ``syncnet``, ``visual_quality_disc`` or ``s3fd``.
        choice: ``auto``, ``embedded``, a name in `REGISTRY`, or the path of a file.
        allow_download: whether weights that must still be fetched may be the answer.

    Returns:
        Weights whose ``path`` is set, or None if they are still to be brought by `fetch`.

    Raises:
        InvalidInputError: unknown kind, or a choice that is no name of this kind and no file.
        MissingModelError: the choice is not on this machine and cannot be fetched.
        CheckpointError: the chosen file is there but damaged.
    """
    known = [weights for weights in REGISTRY.values() if weights.kind == kind]
    if not known:
        raise InvalidInputError(f"unknown kind {kind!r}; allowed are {', '.join(_kinds())}")
    if choice == "auto":
        return _automatic(kind, known, allow_download)
    wanted = REGISTRY.get(f"{EMBEDDED}_{kind}" if choice == EMBEDDED else choice)
    if wanted is not None and wanted.kind == kind:
        return _explicit(wanted, allow_download)
    path = Path(choice).expanduser()
    if path.is_file():
        return Weights(path.stem, kind, path.name, None, None, (), "unknown", "your own file", path)
    names = ["auto", EMBEDDED, *(w.name for w in known if not w.is_embedded)]
    raise InvalidInputError(
        f"no weights {choice!r} for {kind}; allowed are {', '.join(names)} or an existing file"
    )


def verified_path(weights: Weights) -> Path | None:
    """Return where the whole, right file of these weights lies on this machine, or None if it does not.

    A published file is hashed once; the result is kept beside it with size and time of change.

    Raises:
        CheckpointError: a file of that name is there, but it is not these weights.
    """
    path = (_PACKAGE_FOLDER if weights.is_embedded else cache_folder()) / weights.file
    if not path.is_file():
        return None
    if weights.is_embedded:
        return _checked_embedded(path)
    if not _is_marked(path, weights.sha256):
        refuse_impostor(path)
        if weights.sha256 and (found := sha256_of(path)) != weights.sha256:
            raise CheckpointError(
                f"{path} is not {weights.name}: SHA-256 {found}, expected {weights.sha256}; delete it and "
                "download it again"
            )
        write_marker(path, weights.sha256)
    return path


def embedded_sums() -> dict[str, str]:
    """Return file name to SHA-256 of the embedded weights, from ``SHA256SUMS`` beside them.

    Made by ``sha256sum *.safetensors > SHA256SUMS`` in that folder.
    """
    manifest = _PACKAGE_FOLDER / "SHA256SUMS"
    if not manifest.is_file():
        return {}
    pairs = (line.split() for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip())
    return {name.lstrip("*"): sha256 for sha256, name in pairs}


def _checked_embedded(path: Path) -> Path:
    expected = embedded_sums().get(path.name)
    if expected is not None and sha256_of(path) != expected:
        raise CheckpointError(f"{path} was changed or damaged: reinstall lipsync_core")
    return path


def how_to_get(weights: Weights) -> str:
    """Return the sentence that tells a person how to put missing weights in place."""
    if not weights.urls:
        return "this installation lacks a file of its own package: reinstall lipsync_core"
    size = f" ({weights.size_bytes:,} bytes)" if weights.size_bytes else ""
    return f"download {weights.urls[0]}{size} and put it at {cache_folder() / weights.file}"


def _kinds() -> list[str]:
    return list(dict.fromkeys(weights.kind for weights in REGISTRY.values()))


def _automatic(kind: str, known: list[Weights], allow_download: bool) -> Weights:
    from lipsync_core.weights.fetch import is_fetchable

    published = [weights for weights in known if not weights.is_embedded]
    for weights in published:
        try:
            if path := verified_path(weights):
                return _found(weights, path)
        except CheckpointError as error:
            logger.warning("ignored: %s", error)
    if allow_download:
        for weights in published:
            if is_fetchable(weights):
                return weights
    embedded = REGISTRY.get(f"{EMBEDDED}_{kind}")
    if embedded is not None and (path := verified_path(embedded)):
        return _found(embedded, path)
    raise MissingModelError(f"no weights for {kind} on this machine: {how_to_get(published[0])}")


def _found(weights: Weights, path: Path) -> Weights:
    return replace(weights, path=path, sha256=weights.sha256 or embedded_sums().get(path.name))


def _explicit(wanted: Weights, allow_download: bool) -> Weights:
    from lipsync_core.weights.fetch import is_fetchable

    try:
        if path := verified_path(wanted):
            return _found(wanted, path)
    except CheckpointError:
        if not (allow_download and is_fetchable(wanted)):
            raise
    if allow_download and is_fetchable(wanted):
        return wanted
    tried = "no mirror answers" if allow_download and wanted.urls else "they are not on this machine"
    raise MissingModelError(f"weights {wanted.name} are missing ({tried}): {how_to_get(wanted)}")


def _marker(path: Path) -> Path:
    return path.with_name(path.name + _MARKER_SUFFIX)


def _is_marked(path: Path, sha256: str | None) -> bool:
    try:
        marker = json.loads(_marker(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(marker == _facts(path, sha256))


def write_marker(path: Path, sha256: str | None) -> None:
    """Note beside a file that it was hashed; a read-only folder only means hashing again next time."""
    marker = _marker(path)
    part = marker.with_name(f".{marker.name}.{os.getpid()}")
    try:
        part.write_text(json.dumps(_facts(path, sha256)), encoding="utf-8")
        part.replace(marker)
    except OSError as error:
        logger.debug("could not write %s: %s", marker, error)


def _facts(path: Path, sha256: str | None) -> dict[str, object]:
    status = path.stat()
    return {"sha256": sha256, "size_bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
