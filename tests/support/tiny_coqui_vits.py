"""A multi-speaker VITS of random weights in coqui-tts's own file format; needs coqui-tts."""

from __future__ import annotations

from pathlib import Path

SPEAKERS = ("p225", "p226", "p227", "p228")
LETTERS = "abcdefghijklmnopqrstuvwxyzáéíñóú"


def make_tiny_vits(folder: Path) -> Path:
    """Write config.json, speakers.pth and model.pth of a model that babbles Spanish letters."""
    import torch
    from TTS.tts.configs.shared_configs import BaseAudioConfig, CharactersConfig
    from TTS.tts.configs.vits_config import VitsConfig
    from TTS.tts.models.vits import Vits, VitsArgs

    folder.mkdir(parents=True)
    speakers = folder / "speakers.pth"
    torch.save({name: number for number, name in enumerate(SPEAKERS)}, speakers)
    characters = CharactersConfig(
        characters_class="TTS.tts.models.vits.VitsCharacters", pad="_", eos="", bos="", blank="",
        characters=LETTERS, punctuations="!,.? ", phonemes="",
    )  # fmt: skip
    arguments = VitsArgs(
        num_chars=len(LETTERS) + 7, out_channels=513, hidden_channels=16, hidden_channels_ffn_text_encoder=32,
        num_layers_text_encoder=1, num_layers_posterior_encoder=1, num_layers_flow=1,
        upsample_initial_channel_decoder=32, resblock_kernel_sizes_decoder=[3],
        resblock_dilation_sizes_decoder=[[1, 3, 5]], use_speaker_embedding=True,
        speakers_file=str(speakers), speaker_embedding_channels=8, init_discriminator=False,
    )  # fmt: skip
    config = VitsConfig(
        model_args=arguments, audio=BaseAudioConfig(sample_rate=22_050, do_trim_silence=False),
        characters=characters, text_cleaner="multilingual_cleaners", use_phonemes=False,
        use_speaker_embedding=True, speakers_file=str(speakers), add_blank=True, languages=["es"],
    )  # fmt: skip
    torch.manual_seed(0)
    network = Vits(config)
    with torch.no_grad():
        network.waveform_decoder.conv_post.weight.mul_(2)  # loud enough to be heard
    torch.save({"model": network.state_dict()}, folder / "model.pth")
    config.save_json(str(folder / "config.json"))
    return folder
