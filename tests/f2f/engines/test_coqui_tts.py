"""coqui-tts itself, on models of random weights that it saved: run by ``make test-tts``."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterator
from pathlib import Path

import fake_coqui as fake
import numpy as np
import pytest
from synthetic import write_wav
from tiny_coqui_vits import SPEAKERS as VITS_SPEAKERS
from tiny_coqui_vits import make_tiny_vits
from tiny_xtts import SPEAKERS, make_tiny_xtts

from f2f.config import SynthesizeConfig
from f2f.engines import coqui_models
from f2f.engines.coqui import CoquiEngine
from f2f.engines.speech import Manner, SpeakerProfile, SpeechProblemError
from f2f.errors import UsageError
from f2f.results import EngineInfo, Segment, TranslatedSegment, Translation
from f2f.stage import StageContext
from f2f.stages.synthesize import synthesize
from lipsync_core.media import read_wav

pytestmark = [
    pytest.mark.tts,
    pytest.mark.filterwarnings("ignore"),  # the library's own
    pytest.mark.skipif(
        importlib.util.find_spec("TTS") is None, reason="coqui-tts is not here: make test-tts"
    ),
]
WOMAN, MAN = SpeakerProfile(0, "female"), SpeakerProfile(1, "male")
TEXT = "hola mundo, esto es una prueba"


@pytest.fixture(scope="module")
def xtts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoquiEngine]:
    folder = make_tiny_xtts(tmp_path_factory.mktemp("xtts") / "tiny")
    assert coqui_models.status("hi", str(folder)).ready
    engine = CoquiEngine("hi", str(folder))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def vits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_vits(tmp_path_factory.mktemp("vits") / "tiny")


@pytest.fixture(scope="module")
def vits(vits_folder: Path) -> Iterator[CoquiEngine]:
    assert coqui_models.status("es", str(vits_folder)).ready
    engine = CoquiEngine("es", str(vits_folder))
    yield engine
    engine.close()


def test_the_stand_in_has_the_librarys_own_signatures() -> None:
    from TTS.api import TTS

    assert set(inspect.signature(fake.FakeTTS.tts).parameters) <= set(inspect.signature(TTS.tts).parameters)
    wanted = set(inspect.signature(fake.FakeTTS.__init__).parameters)
    assert wanted <= set(inspect.signature(TTS.__init__).parameters)
    assert all(hasattr(TTS, name) for name in ("speakers", "is_multi_speaker", "is_multi_lingual", "to"))


def test_xtts_speaks_alike_each_time(xtts: CoquiEngine, tmp_path: Path) -> None:
    assert [xtts.choose_voice(profile) for profile in (WOMAN, MAN)] == list(SPEAKERS)
    spoken = xtts.say("नमस्ते दुनिया", WOMAN, tmp_path / "a.wav")
    assert spoken.sample_rate_hz == 24_000 and 0.1 < spoken.duration_s < 3
    xtts.say("नमस्ते दुनिया", WOMAN, tmp_path / "b.wav")
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    with pytest.raises(UsageError, match="no voice 'Nobody'"):
        xtts.choose_voice(SpeakerProfile(voice="Nobody"))


def test_xtts_has_a_speed_and_other_settings(xtts: CoquiEngine, tmp_path: Path) -> None:
    usual = xtts.say("नमस्ते दुनिया", WOMAN, tmp_path / "a.wav").duration_s
    fast = xtts.say("नमस्ते दुनिया", WOMAN, tmp_path / "b.wav", Manner(rate=1.15)).duration_s
    assert xtts.has_rate and fast < 0.95 * usual
    for attempt in (1, 2, 3):
        xtts.say("नमस्ते दुनिया", WOMAN, tmp_path / f"{attempt}.wav", Manner(attempt=attempt))
    takes = {(tmp_path / f"{name}.wav").read_bytes() for name in ("a", "1", "2", "3")}
    assert len(takes) > 1


def test_xtts_itself_fails_on_hindi_digits_idiap_coqui_ai_tts_370(xtts: CoquiEngine, tmp_path: Path) -> None:
    with pytest.raises(SpeechProblemError, match="NotImplementedError"):
        xtts.say("2024 में", WOMAN, tmp_path / "a.wav")
    speech = run(tmp_path, xtts_model(xtts), "hi", "2024 में 5 km", "₹1,00,000 का 3.5%")
    assert len(speech.takes) == 2 and not any("NotImplementedError" in one for one in speech.problems)


def test_xtts_takes_the_voice_of_a_reference(xtts: CoquiEngine, tmp_path: Path) -> None:
    syllables = np.sin(np.arange(7 * 24_000) / 30) * np.sin(np.arange(7 * 24_000) / 4000)
    reference = write_wav(tmp_path / "reference.wav", 0.3 * syllables, 24_000)
    xtts.say("नमस्ते दुनिया", WOMAN, tmp_path / "stock.wav")
    xtts.say("नमस्ते दुनिया", SpeakerProfile(0, "female", reference), tmp_path / "clone.wav")
    assert (tmp_path / "clone.wav").read_bytes() != (tmp_path / "stock.wav").read_bytes()


def test_each_person_gets_a_voice_of_a_multi_speaker_vits(vits: CoquiEngine, tmp_path: Path) -> None:
    voices = [vits.choose_voice(SpeakerProfile(i)) for i in range(5)]
    assert voices == [*VITS_SPEAKERS, VITS_SPEAKERS[0]]
    takes = []
    for i in (0, 1, 0):
        vits.say(TEXT, SpeakerProfile(i), tmp_path / "a.wav")
        takes.append((tmp_path / "a.wav").read_bytes())
    assert takes[0] == takes[2] != takes[1]
    vits.say(TEXT, SpeakerProfile(0, voice="p226"), tmp_path / "a.wav")
    assert (tmp_path / "a.wav").read_bytes() == takes[1]


def test_vits_has_a_speed_and_is_not_left_changed(vits: CoquiEngine, tmp_path: Path) -> None:
    usual, fast, slow, again = (
        vits.say(TEXT, WOMAN, tmp_path / "a.wav", Manner(rate)).duration_s for rate in (1, 1.15, 0.9, 1)
    )
    assert vits.has_rate and fast < 0.97 * usual and slow > 1.02 * usual and again == usual


def test_vits_names_what_it_leaves_out(vits: CoquiEngine) -> None:
    assert vits.unsayable("¿Qué tal, señor?") == ""
    assert vits.unsayable("ça и 5") == "çи5"


def test_the_stage_speaks_spanish_through_vits(vits_folder: Path, tmp_path: Path) -> None:
    speech = run(tmp_path, str(vits_folder), "es", "el 21 de mayo, 3,5 km", "hola y adiós, señoras")
    assert [take.voice for take in speech.takes] == ["p225", "p226"]
    assert all(take.duration_s > 0.1 for take in speech.takes)
    for take in speech.takes:
        waveform, rate = read_wav(tmp_path / "out" / take.wav)
        assert rate == 22_050 and np.abs(waveform).mean() > 1e-3


def xtts_model(engine: CoquiEngine) -> str:
    return engine.info().detail


def run(tmp_path: Path, model: str, language: str, *texts: str):  # type: ignore[no-untyped-def]
    """Have the stage say one line for each of two people."""
    info = EngineInfo(name="test", version="1", licence="none")
    segments = tuple(
        TranslatedSegment(
            segment=Segment(id=i, start_s=3.0 * i, end_s=3.0 * i + 2.5, text="x", speaker=f"S{i + 1}"),
            text=text,
        )
        for i, text in enumerate(texts)
    )
    what = Translation(source_language="en", target_language=language, segments=segments, engine=info)
    source = write_wav(tmp_path / "source.wav", np.zeros(16_000 * 6), 16_000)
    (tmp_path / "out").mkdir(exist_ok=True)
    config = SynthesizeConfig(engine="coqui", model=model)
    return synthesize(what, source, config, StageContext("synthesize", tmp_path / "out"))
