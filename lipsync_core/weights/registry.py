"""The embedded and the published weights by name.

URLs, sizes and hashes of the published files were collected from the public hub pages named here; every
file is recognised by its SHA-256, never by where it came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lipsync_core.containers import read_metadata

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
        kind: a name in `lipsync_core.models.registry.KINDS`, or ``s3fd``, the face detector.
        file: file name, in the package (embedded) or in the cache folder (published).
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
        return self.name == f"{EMBEDDED}_{self.kind}" and self.licence == _OWN_LICENCE

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
        "visual_quality",
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
