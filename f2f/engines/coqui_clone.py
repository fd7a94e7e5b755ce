"""Give an XTTS model the voice of a reference recording.

``speaker_wav`` makes the library read the file again for every sentence, through torchcodec, which needs
FFmpeg's shared libraries. The model's own public methods take samples instead, so the voice is computed once,
on every machine, and kept beside the model's stock speakers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def add_clone(tts: Any, reference: Path) -> str | None:
    """Return the speaker name under which the loaded model now has the voice of ``reference``.

    The steps are those of ``Xtts.get_conditioning_latents`` in coqui-tts 0.27–0.28.

    Args:
        tts: a loaded ``TTS.api.TTS``.
        reference: mono wav, 6–15 s.

    Returns:
        None where the model is no XTTS or has no table of speakers; it may still take ``speaker_wav``.
    """
    import torch

    from lipsync_core.media import read_wav

    model: Any = getattr(tts.synthesizer, "tts_model", None)
    speakers = getattr(getattr(model, "speaker_manager", None), "speakers", None)
    if not isinstance(speakers, dict) or not hasattr(model, "get_gpt_cond_latents"):
        return None
    name = f"clone from {reference}"
    if name not in speakers:
        waveform, rate = read_wav(reference)
        audio = torch.from_numpy(waveform)[None].to(model.device)
        settings = model.config
        latents = model.get_gpt_cond_latents(
            audio, rate, length=settings.gpt_cond_len, chunk_length=settings.gpt_cond_chunk_len
        )
        embedding = model.get_speaker_embedding(audio[:, : rate * settings.max_ref_len], rate)
        # The model reads the two by their order.
        speakers[name] = {"gpt_cond_latent": latents, "speaker_embedding": embedding}
    return name
