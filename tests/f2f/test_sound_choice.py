from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_results import make_fitted, make_transcript, make_translation
from synthetic import make_clip
from tiny_demucs import save_in_hub_cache, save_tiny_demucs

from f2f.config import MuxConfig
from f2f.errors import EngineUnavailableError
from f2f.mixing import write_mix
from f2f.sound_choice import Material, choose_background, plan_mix
from f2f.stage import StageContext


def test_without_a_separator_ducking_is_taken_and_said() -> None:
    choice = choose_background(MuxConfig(duck_db=22), "auto")
    assert choice.engine == "duck"
    assert choice.notice and "22 dB lower" in choice.notice and "f2f models pull" in choice.notice
    assert [status.ready for status in choice.statuses] == [False, True]


def test_the_embedded_profile_leaves_the_hub_s_models_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("demucs")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    save_in_hub_cache(tmp_path / "hub")
    assert choose_background(MuxConfig(), "auto").engine == "separate"
    choice = choose_background(MuxConfig(), "embedded")
    assert choice.engine == "duck" and choice.notice and "inside the installed packages" in choice.notice
    assert choose_background(MuxConfig(background="separate"), "embedded").engine == "separate"


@pytest.mark.parametrize("wanted", ["duck", "none"])
def test_what_was_asked_for_needs_no_words(wanted: str) -> None:
    choice = choose_background(MuxConfig.model_validate({"background": wanted}), "auto")
    assert (choice.engine, choice.notice) == (wanted, None)


def test_separation_that_was_asked_for_and_cannot_be_is_an_error() -> None:
    with pytest.raises(EngineUnavailableError, match="f2f models pull"):
        choose_background(MuxConfig(background="separate"), "embedded")


def test_a_model_of_one_s_own_separates(tmp_path: Path) -> None:
    pytest.importorskip("demucs")
    weights = tmp_path / "tiny.safetensors"
    save_tiny_demucs(weights)
    config = MuxConfig(separation_model=str(weights))
    choice = choose_background(config, "auto")
    assert (choice.engine, choice.notice) == ("separate", None) and str(weights) in choice.identity
    transcript = make_transcript()
    translation = make_translation(transcript)
    fitted = make_fitted(tmp_path, translation, 2.0)
    source = make_clip(tmp_path / "a.mp4", 2.0)
    material = Material(source, transcript, translation, fitted, tmp_path)
    plan = plan_mix(material, config, 2.0, "cpu")
    assert plan.presence.curve(0.5, 1, 48_000) == np.ones(1)
    result = write_mix(plan, tmp_path / "mix.flac", StageContext("mux", tmp_path))
    assert result.background == "separate"
    assert result.separator is not None and result.separator.name == "demucs"


def test_loudness_of_the_source_is_a_wish() -> None:
    assert MuxConfig.model_validate({"loudness_lufs": "source"}).loudness_lufs == "source"
    with pytest.raises(ValueError, match="loudness_lufs"):
        MuxConfig.model_validate({"loudness_lufs": -3})
