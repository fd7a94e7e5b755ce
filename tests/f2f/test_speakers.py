"""Speakers told apart on synthesised voices whose turns are known, and on real people."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_results import context_in
from spoken import RATE, SENTENCES, silence, speak
from synthetic import write_wav

from f2f.config import TranscribeConfig
from f2f.cues import Cue
from f2f.engines.hub import hub_cache
from f2f.errors import EngineUnavailableError
from f2f.results import EngineInfo, SourceVideo
from f2f.speakers import (
    choose_diarizer,
    clustering,
    credit_diarizer,
    diarizer_for_captions,
    diarizer_identity,
    find_turns,
    label_cues,
    pyannote_turns,
    voice_encoder,
)
from f2f.speakers.turns import Turn, best_path, label_words, least_speech_s, speaker_at, turns_of_path
from f2f.words import SpokenWord

LOW, HIGH = "en-us", "en-us+f2"


@pytest.fixture
def without_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the package with the network's weights is not installed."""
    monkeypatch.setattr(voice_encoder, "weights_path", lambda: None)


Truth = list[tuple[float, float, int]]


def converse(sounds: Sequence[tuple[int, np.ndarray]], pause_s: float = 0.3) -> tuple[np.ndarray, Truth]:
    """Return the sounds one after the other, equally loud, and (start_s, end_s, speaker) of each."""
    parts: list[np.ndarray] = [silence(pause_s)]
    truth: Truth = []
    for speaker, sound in sounds:
        start_s = sum(part.size for part in parts) / RATE
        parts += [sound * (0.05 / np.sqrt(np.mean(np.square(sound)))), silence(pause_s)]
        truth.append((start_s, start_s + sound.size / RATE, speaker))
    return np.concatenate(parts).astype(np.float32), truth


def error_rate(turns: Sequence[Turn], truth: Truth) -> float:
    """Return the share of the speech that went to the wrong speaker, speakers named by first appearance."""
    times = [(t, who) for start_s, end_s, who in truth for t in np.arange(start_s + 0.1, end_s - 0.1, 0.05)]
    heard = [next((one.speaker for one in turns if one.start_s <= t < one.end_s), -1) for t, _ in times]
    return float(np.mean([found != who for found, (_, who) in zip(heard, times, strict=True)]))


def dialogue() -> tuple[np.ndarray, Truth]:
    return converse([(i % 2, speak(SENTENCES[i], (LOW, HIGH)[i % 2])) for i in range(4)])


def regions_of(truth: Truth) -> list[tuple[float, float]]:
    return [(start_s, end_s) for start_s, end_s, _ in truth]


def test_two_synthesised_voices_are_told_apart() -> None:
    waveform, truth = dialogue()
    for wanted in (None, 2):
        turns = clustering.find_turns(waveform, regions_of(truth), wanted)
        assert {one.speaker for one in turns} == {0, 1}
        assert error_rate(turns, truth) < 0.05


def test_merged_speakers_inside_one_region_are_cut_where_the_voice_changes() -> None:
    """VoiceStudio#486, #274: one segment that holds a question and its answer, spoken without a pause."""
    waveform, truth = converse(
        [(0, speak(SENTENCES[1], LOW)), (1, speak(SENTENCES[2], HIGH)), (0, speak(SENTENCES[3], LOW))], 0.0
    )
    turns = clustering.find_turns(waveform, [(0.0, waveform.size / RATE)], 2)
    assert [one.speaker for one in turns] == [0, 1, 0]
    assert abs(turns[0].end_s - truth[0][1]) < 0.4
    assert abs(turns[1].end_s - truth[1][1]) < 0.4
    assert (turns[0].start_s, turns[-1].end_s) == (0.0, waveform.size / RATE)


def test_one_voice_stays_one_speaker() -> None:
    waveform, truth = converse([(0, speak(text, LOW)) for text in SENTENCES])
    turns = clustering.find_turns(waveform, regions_of(truth))
    assert {one.speaker for one in turns} == {0}


def test_open_dubbing_short_turns_are_turns() -> None:
    """The pain: four turns of three seconds came out as S1 S2 S2 S2, and shorter ones as one person's."""
    for length_s in (1.5, 3.0):
        turns = [speak(SENTENCES[i], (LOW, HIGH)[i % 2])[: round(length_s * RATE)] for i in range(4)]
        waveform, truth = converse([(i % 2, sound) for i, sound in enumerate(turns)])
        found = clustering.find_turns(waveform, regions_of(truth))
        assert [one.speaker for one in found] == [0, 1, 0, 1]


def test_how_long_somebody_must_be_heard_grows_with_the_recording() -> None:
    assert [least_speech_s(all_s) for all_s in (3.0, 120.0, 3600.0)] == [1.2, 2.4, 6.0]


def test_a_change_must_be_worth_its_cost() -> None:
    scores = np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 2 + [[1.0, 0.0]] * 3)
    assert best_path(scores, 0.9) == [0, 0, 0, 1, 1, 0, 0, 0]
    assert best_path(scores, 1.1) == [0] * 8
    turns = turns_of_path([0, 0, 1], [0.0, 1.0, 2.0, 3.5])
    assert turns == [Turn(0.0, 2.0, 0), Turn(2.0, 3.5, 1)]


@pytest.mark.parametrize("regions", [[], [(0.0, 0.3)]])
def test_hardly_any_speech_is_one_speaker(regions: list[tuple[float, float]]) -> None:
    turns = clustering.find_turns(speak(SENTENCES[0]), regions)
    assert [(one.start_s, one.end_s) for one in turns] == regions


def test_real_people_are_told_apart(shared_media: Path) -> None:
    """Three people of GRID in turn, and each of them alone."""
    from lipsync_core.media import read_audio

    people = ("test/s1", "test/s29", "train/s2")
    clips = [
        [
            read_audio(clip, RATE)[RATE // 2 : int(2.7 * RATE)]
            for clip in sorted((shared_media / "grid" / name).glob("*.mkv"))[:4]
        ]
        for name in people
    ]  # fmt: skip
    waveform, truth = converse([(who, clips[who][turn]) for turn in range(4) for who in range(3)], 0.2)
    turns = clustering.find_turns(waveform, regions_of(truth))
    assert {one.speaker for one in turns} == {0, 1, 2}
    assert error_rate(turns, truth) < 0.15
    for own in clips:
        waveform, truth = converse([(0, clip) for clip in own], 0.2)
        assert {one.speaker for one in clustering.find_turns(waveform, regions_of(truth))} == {0}


TURNS = [Turn(0.0, 2.0, 0), Turn(2.2, 4.0, 1), Turn(4.0, 9.0, 0)]


def test_the_longest_share_and_then_the_nearest_turn_decides() -> None:
    assert speaker_at(TURNS, 1.8, 3.0) == 1
    assert speaker_at(TURNS, 2.05, 2.15) in (0, 1)
    assert speaker_at(TURNS, 2.14, 2.18) == 1
    assert speaker_at(TURNS, 20.0, 21.0) == 0


def test_words_get_their_speakers_and_a_stray_word_joins_its_neighbours() -> None:
    words = [SpokenWord(i * 0.4, i * 0.4 + 0.3, "so") for i in range(15)]
    assert [word.speaker for word in label_words(words, TURNS)] == ["S1"] * 5 + ["S2"] * 5 + ["S1"] * 5
    stray = [Turn(0.0, 2.0, 0), Turn(2.0, 2.7, 1), Turn(2.7, 9.0, 0)]
    assert {word.speaker for word in label_words(words, stray)} == {"S1"}
    assert label_words(words, []) == words


@pytest.mark.usefixtures("without_encoder")
def test_captions_without_names_get_speakers_only_where_several_are_asked_for() -> None:
    cues = [Cue(0.0, 1.9, "Why?"), Cue(2.3, 3.9, "Because.")]
    assert diarizer_for_captions(cues, TranscribeConfig()) == "none"
    assert diarizer_for_captions(cues, TranscribeConfig(speakers=1)) == "none"
    assert diarizer_for_captions(cues, TranscribeConfig(speakers=2)) == "clusters"
    named = [Cue(0.0, 1.9, "Why?", "Ada")]
    assert diarizer_for_captions(named, TranscribeConfig(speakers=2)) == "none"
    assert [cue.speaker for cue in label_cues(cues, TURNS)] == ["S1", "S2"]
    assert label_cues(cues, []) == cues


def test_the_number_comes_from_the_command() -> None:
    from f2f.errors import ConfigError
    from f2f.options import build_config

    assert build_config(None, {"speakers": 2}).transcribe.speakers == 2
    assert build_config(None, {}, ["transcribe.speakers=auto"]).transcribe.speakers == "auto"
    with pytest.raises(ConfigError, match="speakers"):
        build_config(None, {}, ["transcribe.speakers=0"])


@pytest.mark.usefixtures("without_encoder")
def test_the_lesser_engine_is_said_and_one_speaker_needs_none() -> None:
    waveform, truth = dialogue()
    told: list[str] = []
    config = TranscribeConfig(speakers=2)
    turns = find_turns(choose_diarizer(config), waveform, regions_of(truth), config, "cpu", told.append)
    assert len({one.speaker for one in turns}) == 2
    assert any("by timbre alone" in line and "--speakers N" in line for line in told)
    assert choose_diarizer(TranscribeConfig(speakers=1)) == "none"
    assert find_turns("none", waveform, [], TranscribeConfig(speakers=1), "cpu", told.append) == []
    told.clear()
    alone = find_turns(
        "clusters", waveform, regions_of(truth)[:1], TranscribeConfig(speakers=5), "cpu", told.append
    )
    assert len({one.speaker for one in alone}) < 5
    assert "5 speakers were wanted" in told[0]


@pytest.fixture
def pyannote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The documented interface of pyannote.audio 4 in place of the package, and its folder in the cache."""
    seen: dict[str, Any] = {}

    class Annotation:
        def itertracks(self, yield_label: bool) -> Iterator[tuple[Any, str, str]]:
            assert yield_label
            for start_s, end_s, label in (
                (0.0, 2.0, "SPEAKER_01"),
                (2.2, 4.0, "SPEAKER_00"),
                (4.0, 9.0, "SPEAKER_01"),
            ):
                yield types.SimpleNamespace(start=start_s, end=end_s), "_", label

    class Pipeline:
        @classmethod
        def from_pretrained(cls, checkpoint: str) -> Pipeline | None:
            seen["folder"] = checkpoint
            return None if seen.get("refuses") else cls()

        def to(self, device: Any) -> None:
            seen["device"] = str(device)

        def __call__(self, sound: dict[str, Any], **options: Any) -> Any:
            seen.update(options, shape=tuple(sound["waveform"].shape), rate=sound["sample_rate"])
            return types.SimpleNamespace(exclusive_speaker_diarization=Annotation())

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = hub_cache() / "models--pyannote--speaker-diarization-community-1" / "snapshots" / "0123"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("pipeline:\n")
    package = types.ModuleType("pyannote")
    module = types.ModuleType("pyannote.audio")
    module.Pipeline = Pipeline  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyannote", package)
    monkeypatch.setitem(sys.modules, "pyannote.audio", module)
    monkeypatch.setattr(pyannote_turns, "has_package", lambda name: True)
    monkeypatch.setattr(pyannote_turns, "package_version", lambda name: "4.0.3")
    yield seen


def test_pyannote_is_taken_where_it_is_ready(pyannote: dict[str, Any]) -> None:
    config = TranscribeConfig(speakers=3)
    assert choose_diarizer(config) == "pyannote"
    assert choose_diarizer(TranscribeConfig(diarizer="clusters")) == "clusters"
    assert "4.0.3 0123" in diarizer_identity("pyannote")
    waveform = np.zeros(9 * RATE, np.float32)
    turns = find_turns("pyannote", waveform, [], config, "cpu", lambda line: None)
    assert turns == TURNS
    assert pyannote["folder"].endswith("0123")
    assert (pyannote["shape"], pyannote["rate"], pyannote["num_speakers"]) == ((1, 9 * RATE), RATE, 3)
    pyannote.pop("num_speakers")
    find_turns("pyannote", waveform, [], TranscribeConfig(), "cpu", lambda line: None)
    assert "num_speakers" not in pyannote
    info = credit_diarizer(EngineInfo(name="whisper", version="1", licence="MIT"), "pyannote", turns)
    assert info.licence == "MIT" and info.components[0].licence == "CC-BY-4.0"
    assert pyannote_turns.MODEL in info.detail


@pytest.mark.usefixtures("without_encoder")
def test_what_pyannote_lacks_is_said_with_the_remedy(
    pyannote: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyannote["refuses"] = True
    with pytest.raises(EngineUnavailableError, match="accept its conditions"):
        pyannote_turns.find_turns(np.zeros(RATE, np.float32), None, "cpu")
    monkeypatch.setattr(pyannote_turns, "package_version", lambda name: "3.3.2")
    assert "too old" in pyannote_turns.status().reason
    monkeypatch.setattr(pyannote_turns, "package_version", lambda name: "4.0.3")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "nothing"))
    assert "hf auth login and f2f models pull pyannote/" in pyannote_turns.status().reason
    monkeypatch.setattr(pyannote_turns, "has_package", lambda name: False)
    with pytest.raises(EngineUnavailableError, match=r'pip install "pyannote\.audio>=4"'):
        choose_diarizer(TranscribeConfig(diarizer="pyannote"))
    assert choose_diarizer(TranscribeConfig()) == "clusters"


def test_speakers_through_the_stage(tmp_path: Path) -> None:
    """Captions without names over two voices: with --speakers 2 each line gets the one who says it."""
    from f2f.stages.transcribe import plan, transcribe

    waveform, truth = dialogue()
    source = write_wav(tmp_path / "talk.wav", waveform, RATE)

    def clock(time_s: float) -> str:
        return f"00:00:{time_s:06.3f}".replace(".", ",")

    lines = [
        f"{i + 1}\n{clock(start_s)} --> {clock(end_s)}\n{SENTENCES[i]}\n"
        for i, (start_s, end_s, _) in enumerate(truth)
    ]
    (tmp_path / "talk.en.srt").write_text("\n".join(lines))
    video = SourceVideo(
        sha256="0", duration_s=waveform.size / RATE, width=320, height=240, fps="25", n_frames=100,
        sample_aspect_ratio="1:1", audio_codec="pcm", audio_sample_rate_hz=RATE, audio_channels=1,
    )  # fmt: skip
    two, auto = TranscribeConfig(speakers=2), TranscribeConfig()
    context, listener = context_in(tmp_path / "stage", "transcribe")
    assert [one.speaker for one in transcribe(source, video, "en", two, context).segments] == ["S1", "S2"] * 2
    assert any("told apart" in notice for notice in listener.notices)
    assert {one.speaker for one in transcribe(source, video, "en", auto, context).segments} == {None}
    assert plan(source, "en", two, "auto").identity != plan(source, "en", auto, "auto").identity
