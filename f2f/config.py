"""Configuration: frozen models, defaults < YAML < command-line flags, unknown key = error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TranscribeConfig(_Section):
    """How speech becomes text."""

    engine: Literal["auto", "captions", "faster-whisper", "whisper", "sphinx"] = "auto"
    whisper_model: str = "small"
    """Name of a Whisper model, path of a checkpoint of openai-whisper, or folder of one for CTranslate2."""
    captions: Path | None = None
    """Caption file in the source language."""
    speakers: Annotated[int, Field(ge=1, le=20)] | Literal["auto"] = "auto"
    """How many people speak; ``auto`` finds out, or takes the voice tags of captions."""
    diarizer: Literal["auto", "pyannote", "embeddings", "clusters"] = "auto"
    """What tells speakers apart; ``auto`` takes the first of these that is ready."""


class TranslateConfig(_Section):
    """How text becomes text of another language."""

    engine: Literal["auto", "captions", "nllb", "m2m100", "marian", "none"] = "auto"
    """``none`` keeps the text; chosen by ``auto`` where source and target are the same language."""
    model: str | None = None
    """Model id or local folder; None takes the engine's own default."""
    translation: Path | None = None
    """Caption file in the target language."""
    beams: int = Field(default=4, ge=1, le=16)
    """Width of the beam search, and so the number of wordings to choose from."""
    context: int = Field(default=1, ge=0, le=4)
    """How many segments before one help to choose its wording: of the same speaker, without a long pause."""
    glossary: Path | None = None
    """CSV of terms that must be used: source term, target term, target language."""
    runtime: Literal["auto", "torch", "ctranslate2"] = "auto"
    """What runs the model; ``auto`` takes CTranslate2 (8-bit) on a processor where it is installed."""


class SynthesizeConfig(_Section):
    """How text becomes speech."""

    engine: Literal["auto", "coqui", "mms", "espeak"] = "auto"
    model: str | None = None
    """Coqui or MMS model id or local folder; None takes XTTS v2, or the language's own of MMS."""
    voice: str | None = None
    """espeak voice such as ``hi+f2``, or speaker name of a Coqui model; None chooses."""
    consent: bool = False
    """True states that the speaker consents to the cloning of the voice; without it a stock voice speaks."""
    library_voices: Path | None = None
    """File by which people keep their stock voices throughout a library; made where it is not there."""


class FitConfig(_Section):
    """How speech is placed in time. Ratios are playback rates, > 1 is faster."""

    guard_s: float = Field(default=0.05, ge=0, le=1)
    """Silence kept before the next segment's start."""
    silent_tempo: float = Field(default=1.2, ge=1, le=2)
    """Up to this rate no warning is given."""
    max_tempo: float = Field(default=1.5, ge=1, le=2)
    min_tempo: float = Field(default=0.85, ge=0.5, le=1)
    early_s: float = Field(default=0.3, ge=0, le=2)
    """So much of the pause before it a line may borrow by starting early."""
    late_s: float = Field(default=0.5, ge=0, le=2)
    """So late a line may start to let the one before it end unhurried."""
    video_stretch: bool = False
    """Slow still pictures without a face (slides) where lines would be hurried beyond ``silent_tempo``."""
    max_video_stretch: float = Field(default=1.5, gt=1, le=3)
    """A still picture lasts at most so many times as long."""


def _dask_address(value: str) -> str:
    if not re.fullmatch(r"local:[1-9]\d{0,2}|(tcp|tls)://\S+:\d{1,5}", value):
        raise ValueError("allowed are tcp://HOST:PORT, tls://HOST:PORT and local:N, such as local:2")
    return value


class LipsyncConfig(_Section):
    """How the lips are made to move."""

    engine: Literal["auto", "embedded", "wav2lip", "wav2lip_gan", "none"] = "auto"
    weights: Path | None = None
    """Own checkpoint in any published Wav2Lip container."""
    detector: Literal["auto", "centerface", "s3fd"] = "auto"
    runtime: Literal[
        "auto", "torch", "torch-bf16", "torch-fp16", "openvino", "openvino-bf16", "openvino-int8"
    ] = "auto"
    """What runs the network; ``auto`` takes the fastest whose faces are as good as those of torch in fp32."""
    batch_size: int | None = Field(default=None, ge=1, le=512)
    """Faces generated at once; None: 8 on a CPU, 32 elsewhere."""
    min_part_s: float = Field(default=60.0, ge=1, le=86400)
    """The lips are made in parts of this length or more, cut in silences; each that is done is kept."""
    dask: Annotated[str, AfterValidator(_dask_address)] | None = None
    """Have the parts made by the workers of a Dask scheduler, or by that many processes of this machine."""

    @property
    def workers(self) -> str | None:
        """Who is to be asked for the lips, as ``dask``; None where nobody is."""
        return None if self.engine == "none" else self.dask


class MuxConfig(_Section):
    """How the output is written."""

    crf: int = Field(default=18, ge=0, le=18)
    preset: Literal[
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
    ] = "medium"
    audio_bitrate_kbps: int = Field(default=160, ge=128, le=512)
    mark: bool = True
    """Show the small visible mark; the metadata that says "synthetic" is always written."""
    copy_untouched: bool = False
    """Without the mark: copy parts without new lips bit for bit, where the source's encoding allows it."""
    background: Literal["auto", "separate", "duck", "none"] = "auto"
    """What happens to the source's sound under the dub; ``auto`` removes the speech where Demucs can."""
    separation_model: str = "htdemucs"
    """Published Demucs model, or a file of one (``.safetensors``)."""
    duck_db: float = Field(default=20.0, ge=0, le=60)
    """By how much the source's sound is lowered while the dub speaks, where speech is not removed."""
    loudness_lufs: Annotated[float, Field(ge=-40, le=-8)] | Literal["source"] = -16.0
    """Loudness of the finished sound, or ``source`` for the source's own."""


class EvaluateConfig(_Section):
    """How lip-sync error is measured."""

    syncnet: Literal["auto", "embedded", "syncnet_v2"] = "auto"


class SlotsConfig(_Section):
    """How many stages with networks run at once on this machine, over all runs."""

    gpu: int = Field(default=1, ge=1, le=64)
    """On graphics processors."""
    cpu: int = Field(default=1, ge=1, le=64)
    """On the processor, all of whose cores a network takes."""


class DeadlinesConfig(_Section):
    """When a stage counts as hung and is ended. Factors are relative to the length of the video."""

    idle_s: float = Field(default=1800.0, gt=0)
    """So long without new progress, or ``idle_factor`` times the video, whichever is longer."""
    idle_factor: float = Field(default=4.0, ge=0)
    total_s: float = Field(default=21600.0, gt=0)
    """So long in all, or ``total_factor`` times the video, whichever is longer."""
    total_factor: float = Field(default=60.0, ge=0)


class Config(_Section):
    """Everything that shapes a run; see ``configs/default.yaml`` for every key with a comment."""

    profile: Literal["auto", "embedded"] = "auto"
    """``embedded`` uses only what is inside the installed packages: nothing is ever downloaded."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    licence: Literal["any", "permissive"] = "any"
    """``permissive``: the automatic choice passes over weights whose licence forbids commercial use."""
    transcribe: TranscribeConfig = TranscribeConfig()
    translate: TranslateConfig = TranslateConfig()
    synthesize: SynthesizeConfig = SynthesizeConfig()
    fit: FitConfig = FitConfig()
    lipsync: LipsyncConfig = LipsyncConfig()
    mux: MuxConfig = MuxConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    slots: SlotsConfig = SlotsConfig()
    deadlines: DeadlinesConfig = DeadlinesConfig()
