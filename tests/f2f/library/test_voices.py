"""One voice for each person of a library: matching, the file, several processes at once, real voices."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_results import context_in
from spoken import RATE, SENTENCES, silence, speak
from synthetic import write_wav
from tiny_stages import install, request_for

from f2f.cast import pin_people
from f2f.config import Config, SynthesizeConfig
from f2f.engines.speech import SpeakerProfile
from f2f.library import casting
from f2f.library.casting import SpokenSource, find_people, note_voices, voice_inputs
from f2f.library.voices import Heard, LibraryVoices, Person, match
from f2f.options import build_config
from f2f.pipeline import translate_video
from f2f.results import EngineInfo, Segment, TranslatedSegment, Translation
from f2f.speakers import voice_encoder
from f2f.speakers.prints import VoicePrint
from f2f.stages.synthesize import synthesize

installed = pytest.mark.skipif(
    not voice_encoder.status().ready, reason=f"needs weights: {voice_encoder.INSTALL}"
)


def voice(number: int, blend: float = 0.0, seconds: float = 30.0, engine: str = "test") -> VoicePrint:
    """Return the print of a voice; ``blend`` moves it towards the next one's."""
    vector = np.zeros(16)
    vector[number], vector[number + 1] = 1 - blend, blend
    return VoicePrint.of(engine, vector, seconds)


def heard(number: int, gender: str = "female", **more: float) -> Heard:
    return Heard(voice(number, **more), gender)  # type: ignore[arg-type]


def test_people_are_known_by_their_voices_and_the_others_are_added() -> None:
    people, who = match((), {"S1": heard(0), "S2": heard(3, "male"), "S3": heard(6)})
    assert [(one.number, one.gender, one.index) for one in people] == [
        (1, "female", 0), (2, "male", 0), (3, "female", 1)
    ]  # fmt: skip
    later, them = match(people, {"S1": heard(6, blend=0.2), "S2": heard(0), "S3": heard(9)})
    assert [them[one].number for one in ("S1", "S2", "S3")] == [3, 1, 4]
    assert len(later) == 4
    assert them["S1"].prints[0].seconds == 60
    assert (them["S1"].gender, them["S1"].index) == (who["S3"].gender, who["S3"].index)


def test_voices_that_are_not_alike_enough_or_not_comparable_are_other_people() -> None:
    people, _ = match((), {"S1": heard(0)})
    assert match(people, {"S1": heard(0, blend=0.45)})[1]["S1"].number == 2
    other_engine = Heard(voice(0, engine="another"), "female")
    assert match(people, {"S1": other_engine})[1]["S1"].number == 2


def test_nobody_is_two_speakers_of_one_lecture() -> None:
    people, _ = match((), {"S1": heard(0)})
    _, who = match(people, {"S1": heard(0, blend=0.3), "S2": heard(0, blend=0.1)})
    assert (who["S2"].number, who["S1"].number) == (1, 2)  # the more alike of the two is the one
    assert match(people, {"S1": heard(0)}, others=[1])[1]["S1"].number == 2


def test_names_go_before_voices() -> None:
    people, _ = match((), {"Asha": heard(0)})
    assert match(people, {"asha": heard(9)})[1]["asha"].number == 1
    assert match(people, {"Ravi": heard(0)})[1]["Ravi"].number == 2  # alike, but called otherwise
    assert match(people, {"S1": heard(0)})[1]["S1"].names == ("Asha",)
    unnamed, _ = match((), {None: heard(0)})
    named, who = match(unnamed, {"Asha": heard(0)})
    assert (len(named), who["Asha"].number, who["Asha"].names) == (1, 1, ("Asha",))
    without_voice = match(people, {"Asha": Heard(None, None), "Meera": Heard(None, "female")})[1]
    assert [one.number for one in without_voice.values()] == [1, 2]


def test_too_little_speech_adds_nobody() -> None:
    assert match((), {"S1": heard(0, seconds=4.0), "S2": Heard(None, "male")}) == ((), {})
    people, _ = match((), {"S1": heard(0)})
    assert match(people, {"S1": heard(0, seconds=4.0)})[1]["S1"].number == 1


def test_the_file_is_for_people_to_read_and_to_change(tmp_path: Path) -> None:
    path = tmp_path / "library" / "voices.json"
    voices = LibraryVoices(path, pytest.fail)
    library, who = voices.recognise({"S1": heard(0)}) or ("", {})
    voices.record_voices("hi", {who["S1"].number: "hi+f3"})
    values = json.loads(path.read_text())
    assert (values["library"], values["people"][0]["voices"]) == (library, {"hi": "hi+f3"})
    values["people"][0]["index"] = 2
    path.write_text(json.dumps(values))
    assert (voices.recognise({"S1": heard(0)}) or ("", {}))[1]["S1"].index == 2


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"format": "f2f-voices/1"}', b"[]"])
def test_a_damaged_file_is_said_and_set_aside(tmp_path: Path, content: bytes) -> None:
    path, told = tmp_path / "voices.json", []
    path.write_bytes(content)
    found = LibraryVoices(path, told.append).recognise({"S1": heard(0)})
    assert found is not None and found[1]["S1"].number == 1
    [aside] = tmp_path.glob("voices.damaged-*.json")
    assert aside.read_bytes() == content
    assert aside.name in told[0] and len(told) == 1
    assert [one.number for one in (LibraryVoices(path, pytest.fail).read() or pytest.fail()).people] == [1]


def test_what_is_wrong_in_the_file_is_said(tmp_path: Path) -> None:
    path, told = tmp_path / "voices.json", []
    LibraryVoices(path, pytest.fail).recognise({"S1": heard(0)})
    path.write_text(path.read_text().replace('"female"', '"woman"'))
    LibraryVoices(path, told.append).recognise({"S1": heard(0)})
    assert "people.0.gender" in told[0] and "'female' or 'male'" in told[0] and "\n" not in told[0]


def test_a_print_that_is_none_damages_the_file(tmp_path: Path) -> None:
    path = tmp_path / "voices.json"
    LibraryVoices(path, pytest.fail).recognise({"S1": heard(0)})
    text = path.read_text()
    vector = json.loads(text)["people"][0]["prints"][0]["vector"]
    path.write_text(text.replace(vector, "AAB+not base64"))
    assert LibraryVoices(path, pytest.fail).read() is None


def test_a_file_that_cannot_be_written_costs_the_library_not_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told: list[str] = []
    path = tmp_path / "file" / "voices.json"
    assert LibraryVoices(path, told.append).recognise({"S1": heard(0)}) is None
    assert "cannot be used" in told[0] and "--library-voices" in told[0] and "\n" not in told[0]


WRITER = """
import sys
import numpy as np
from pathlib import Path
from f2f.library.voices import Heard, LibraryVoices
from f2f.speakers.prints import VoicePrint
number = int(sys.argv[2])
def tell(line): raise SystemExit(line)
voices = LibraryVoices(Path(sys.argv[1]), tell)
for turn in range(6):
    own = np.zeros(64); own[8 * number + turn] = 1
    shared = np.zeros(64); shared[63] = 1
    first, second = (VoicePrint.of("test", vector, 9.0) for vector in (own, shared))
    heard = {"S1": Heard(first, "male"), "S2": Heard(second, None)}
    library, who = voices.recognise(heard)
    voices.record_voices("hi", {who["S1"].number: f"voice of {number}.{turn}"})
"""

KILLED = """
import os, sys, time
from pathlib import Path
from f2f.library.lease import take_lease
path = Path(sys.argv[1])
with take_lease(path.with_name(f".{path.name}.lock"), 20.0):
    print("held", flush=True)
    time.sleep(60)
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], text=True, stdout=subprocess.PIPE
    )


def test_processes_add_to_one_file_at_once_and_lose_nobody(tmp_path: Path) -> None:
    path = tmp_path / "voices.json"
    holder = start(KILLED, path)  # one dies in the middle of its change
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    writers = [start(WRITER, path, number) for number in range(4)]
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    assert [writer.communicate(timeout=200)[0] for writer in writers] == [""] * 4
    assert [writer.returncode for writer in writers] == [0] * 4
    people = (LibraryVoices(path, pytest.fail).read() or pytest.fail()).people
    assert [one.number for one in people] == list(range(1, 26))  # 4 times 6, and one whom all heard
    assert sorted(one.index for one in people if one.gender == "male") == list(range(24))
    [shared] = [one for one in people if one.gender is None]
    assert shared.prints[0].seconds == 24 * 9
    said = {one.voices["hi"] for one in people if one.gender == "male"}
    assert said == {f"voice of {number}.{turn}" for number in range(4) for turn in range(6)}
    assert not list(tmp_path.glob("*.damaged-*")) and not list(tmp_path.glob(".*.tmp"))


def lecture(folder: Path, turns: list[tuple[str | None, str]], *, first: int = 0) -> SpokenSource:
    """Return a lecture in which voices of espeak speak under the names that are given."""
    folder.mkdir()
    parts, segments = [silence(0.3)], []
    for number, (speaker, espeak_voice) in enumerate(turns):
        start_s = sum(part.size for part in parts) / RATE
        parts += [speak(SENTENCES[(first + number) % 4], espeak_voice), silence(0.3)]
        end_s = start_s + parts[-2].size / RATE
        segments.append(Segment(id=number, start_s=start_s, end_s=end_s, text="x", speaker=speaker))
    source = write_wav(folder / "talk.wav", np.concatenate(parts), RATE)
    return SpokenSource(source, segments, f"heard in {folder.name}", folder / "workspace")


LOW, HIGH = "en-us", "en-us+f2"


@installed
def test_voices_are_known_again_in_another_lecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "voices.json"
    one = lecture(tmp_path / "one", [("S1", LOW), ("S2", HIGH), ("S1", LOW), ("S2", HIGH)])
    two = lecture(tmp_path / "two", [("S1", HIGH), ("S2", LOW), ("S1", HIGH), ("S2", LOW)], first=1)
    first, second = find_people(path, one, pytest.fail), find_people(path, two, pytest.fail)
    assert [first[name].number for name in ("S1", "S2")] == [1, 2]
    assert [second[name].number for name in ("S1", "S2")] == [2, 1]
    assert first["S1"].prints[0].likeness(first["S2"].prints[0]) < 0.7
    # A second run listens to nothing and finds the same, whatever was heard in between.
    monkeypatch.setattr(casting, "_listen", pytest.fail)
    again = find_people(path, one, pytest.fail)
    assert voice_inputs(again) == voice_inputs(first)


def test_without_the_network_names_are_known_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice_encoder, "weights_path", lambda: None)
    path, told = tmp_path / "voices.json", []
    talk = lecture(tmp_path / "one", [("Asha", HIGH), ("S1", LOW)])
    found = find_people(path, talk, told.append)
    assert [(name, one.number, one.gender) for name, one in found.items()] == [("Asha", 1, "female")]
    assert len(told) == 1 and voice_encoder.INSTALL in told[0]
    assert find_people(path, talk, pytest.fail).keys() == {"Asha"}  # and nobody is told twice


def test_numbers_of_a_library_that_was_begun_anew_are_other_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice_encoder, "weights_path", lambda: None)
    path, talk = tmp_path / "voices.json", lecture(tmp_path / "one", [("Asha", HIGH)])
    assert find_people(path, talk, pytest.fail)["Asha"].number == 1
    path.unlink()
    LibraryVoices(path, pytest.fail).recognise({"Ravi": heard(0, "male")})
    assert find_people(path, talk, pytest.fail)["Asha"].number == 2


def test_who_shares_a_voice_is_decided_alike_in_every_lecture() -> None:
    profiles = {name: SpeakerProfile(0, "male") for name in ("S1", "S2", "S3")}
    people = {
        "S3": Person(number=1, gender="female", index=2),
        "S2": Person(number=4, gender="male", index=9),
    }
    pinned = pin_people(profiles, people)
    assert list(pinned) == ["S3", "S2", "S1"]
    assert [(one.index, one.gender) for one in pinned.values()] == [(2, "female"), (9, "male"), (0, "male")]


def test_people_keep_their_voices_whoever_speaks_first(tmp_path: Path) -> None:
    """Through the stage with espeak: in the second lecture the other one speaks first, and somebody new."""
    path = tmp_path / "voices.json"
    engine = EngineInfo(name="test", version="1", licence="none")
    voices: list[dict[str | None, str]] = []
    for number, names in enumerate((("Asha", "Ravi"), ("Ravi", "Meera", "Asha"))):
        talk = lecture(
            tmp_path / f"talk{number}", [(name, LOW if name == "Ravi" else HIGH) for name in names]
        )
        people = find_people(path, talk, lambda line: None)
        translation = Translation(
            source_language="en", target_language="hi", engine=engine,
            segments=tuple(TranslatedSegment(segment=one, text="नमस्ते दुनिया") for one in talk.segments),
        )  # fmt: skip
        context, listener = context_in(tmp_path / f"takes{number}", "synthesize")
        speech = synthesize(
            translation, talk.source, SynthesizeConfig(engine="espeak"), context, people=people
        )
        note_voices(path, "hi", speech)
        voices.append({name: take.voice for name, take in zip(names, speech.takes, strict=True)})
        assert {one.speaker: one.voice for one in speech.library} == voices[-1]
        assert f"Ravi is person 2 of the library, voice {voices[0]['Ravi']}" in listener.notices
    assert {name: voices[1][name] for name in ("Asha", "Ravi")} == voices[0]
    assert len(set(voices[1].values())) == 3
    known = (LibraryVoices(path, pytest.fail).read() or pytest.fail()).people
    assert [one.voices["hi"] for one in known] == [voices[1][name] for name in ("Asha", "Ravi", "Meera")]


def test_only_another_voice_makes_a_run_speak_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = install(monkeypatch)
    asked: list[Path] = []
    index = 0

    def find(path: Path, talk: SpokenSource, notice: object) -> dict[str | None, Person]:
        asked.append(path)
        return {None: Person(number=3, gender="female", index=index)}

    monkeypatch.setattr(casting, "find_people", find)
    plain = request_for(tmp_path)
    translate_video(plain)
    assert asked == [] and "synthesize hi" in tiny.ran
    config = Config(synthesize=SynthesizeConfig(library_voices=tmp_path / "voices.json"))
    for index, speaks_again in ((0, True), (0, False), (1, True)):  # noqa: B007 - find reads it
        tiny.ran.clear()
        translate_video(dataclasses.replace(plain, config=config))
        assert ("synthesize hi" in tiny.ran) is speaks_again
    assert set(asked) == {tmp_path / "voices.json"}


def test_the_flag_and_the_key_name_the_file(tmp_path: Path) -> None:
    flag = build_config(None, {"library_voices": tmp_path / "voices.json"})
    assert flag.synthesize.library_voices == tmp_path / "voices.json"
    (tmp_path / "f2f.yaml").write_text("synthesize:\n  library_voices: all/voices.json\n")
    assert (
        build_config(tmp_path / "f2f.yaml", {}).synthesize.library_voices == tmp_path / "all" / "voices.json"
    )
