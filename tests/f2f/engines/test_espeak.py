"""The real espeak-ng in its real worker process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import espeakng_loader
import numpy as np
import pytest

from f2f.engines import espeak, espeak_process
from f2f.engines.espeak import EspeakEngine, read_catalogue, resolve_voice
from f2f.engines.espeak_process import Worker, WorkerError
from f2f.engines.speech import Manner, SpeakerProfile, SpeechProblemError
from f2f.errors import EngineUnavailableError, UsageError
from f2f.source_speech import median_pitch_hz
from lipsync_core.media import read_wav

WORKER = Path(espeak_process.__file__).with_name("espeak_worker.py")
SOMEONE = SpeakerProfile()


@pytest.fixture(scope="module")
def hindi() -> Iterator[EspeakEngine]:
    with EspeakEngine("hi") as engine:
        yield engine


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A killed grandchild may stay a zombie where nobody reaps it: that is no process that runs.
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z")


def test_catalogue_is_the_librarys_own() -> None:
    catalogue = read_catalogue()
    assert len({voice.code for voice in catalogue.voices}) > 100
    assert {"f2", "f3", "m3", "m7"} <= set(catalogue.variants)
    assert catalogue.version.startswith("1.")
    assert read_catalogue() is catalogue


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("hi", "hi"), ("hi-IN", "hi"), ("en", "en-us"), ("en-US", "en-us"), ("en-GB", "en-gb"), ("es", "es"),
        ("es-MX", "es-419"), ("zh", "cmn"), ("zh-Hant-TW", "cmn"), ("zh-HK", "yue"), ("yue", "yue"),
        ("pt", "pt"), ("pt-BR", "pt-br"), ("fr", "fr-fr"), ("nb", "nb"), ("no", "nb"), ("sr-Latn", "sr"),
        ("ta", "ta"), ("bn", "bn"), ("ur", "ur"),
    ],
)  # fmt: skip
def test_language_finds_its_voice(language: str, code: str) -> None:
    voice = read_catalogue().find(language)
    assert voice is not None and voice.code == code


def test_language_without_a_voice() -> None:
    assert read_catalogue().find("bo") is None
    assert not espeak.status("bo").ready and "hi" in espeak.status("bo").reason
    with pytest.raises(EngineUnavailableError, match="no voice for 'bo'"):
        resolve_voice("bo", None)


def test_status_names_the_voice_and_the_licence() -> None:
    status = espeak.status("hi")
    assert status.ready and "Hindi" in status.reason and "GPL-3" in status.licence


@pytest.mark.parametrize(
    ("wanted", "resolved"),
    [(None, ("hi", None)), ("hi", ("hi", None)), ("hi+f2", ("hi", "f2")), ("+M3", ("hi", "m3")),
     ("HI+alicia", ("hi", "Alicia"))],
)  # fmt: skip
def test_voice_names(wanted: str | None, resolved: tuple[str, str | None]) -> None:
    assert resolve_voice("hi", wanted) == resolved


@pytest.mark.parametrize("wanted", ["es+f2", "nonsense", "en-us"])
def test_voice_of_another_language_is_refused(wanted: str) -> None:
    with pytest.raises(UsageError, match=r"does not speak 'hi'; allowed: hi"):
        resolve_voice("hi", wanted)


def test_unknown_variant_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no variant 'f99'; allowed: .*f2.*m3"):
        resolve_voice("hi", "hi+f99")


def test_accent_of_the_same_language_may_be_chosen() -> None:
    assert resolve_voice("en", "en-gb-scotland+f2") == ("en-gb-scotland", "f2")
    assert resolve_voice("zh", "yue") == ("yue", None)


def test_says_hindi(hindi: EspeakEngine, tmp_path: Path) -> None:
    spoken = hindi.say("नमस्ते, तारों की रोशनी हम तक धीरे पहुँचती है।", SOMEONE, tmp_path / "a.wav")
    waveform, rate = read_wav(tmp_path / "a.wav")
    assert (rate, len(waveform)) == (spoken.sample_rate_hz, spoken.n_samples) == (22_050, len(waveform))
    assert 2 < spoken.duration_s < 5
    loud = np.flatnonzero(np.abs(waveform) > np.abs(waveform).max() * 10 ** (-50 / 20))
    assert loud[0] / rate < 0.03 and (len(waveform) - loud[-1]) / rate < 0.03  # silence trimmed
    assert [file.name for file in tmp_path.iterdir()] == ["a.wav"]


def test_every_voice_speaks(tmp_path: Path) -> None:
    """French, British English and Cherokee are called otherwise than their files."""
    silent = {}
    with Worker() as worker:
        for voice in read_catalogue().voices:
            engine = EspeakEngine(voice.code, f"{voice.code}+m3", worker)
            try:
                engine.say("1 a", SpeakerProfile(), tmp_path / "voice.wav")
            except SpeechProblemError as problem:
                silent[voice.code] = str(problem)
    # These three come without the data they need.
    assert set(silent) <= {"fo", "kaa", "xex"}
    assert all("nothing to say" in why for why in silent.values())


def test_longer_text_takes_longer_and_pace_is_obeyed(hindi: EspeakEngine, tmp_path: Path) -> None:
    wav = tmp_path / "a.wav"
    short = hindi.say("नमस्ते", SOMEONE, wav).duration_s
    long = hindi.say("नमस्ते " * 6, SOMEONE, wav).duration_s
    slow = hindi.say("नमस्ते " * 6, SOMEONE, wav, Manner(rate=0.9)).duration_s
    fast = hindi.say("नमस्ते " * 6, SOMEONE, wav, Manner(rate=1.15)).duration_s
    assert long > 4 * short
    assert slow / long == pytest.approx(1 / 0.9, rel=0.05)
    assert fast / long == pytest.approx(1 / 1.15, rel=0.05)


def test_same_text_same_samples(hindi: EspeakEngine, tmp_path: Path) -> None:
    hindi.say("सूर्य का प्रकाश", SOMEONE, tmp_path / "a.wav")
    hindi.say("और कुछ", SOMEONE, tmp_path / "other.wav")
    hindi.say("सूर्य का प्रकाश", SOMEONE, tmp_path / "b.wav")
    time.sleep(1.1)  # the library seeds its noise with the second of the day
    with EspeakEngine("hi") as another:
        another.say("सूर्य का प्रकाश", SOMEONE, tmp_path / "c.wav")
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "c.wav").read_bytes()
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@pytest.mark.parametrize("text", ["…", "♪ ♪", "—", "   "])
def test_nothing_to_say_is_a_problem_and_no_file(hindi: EspeakEngine, tmp_path: Path, text: str) -> None:
    with pytest.raises(SpeechProblemError, match="nothing to say"):
        hindi.say(text, SOMEONE, tmp_path / "a.wav")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text", ["a\0b", "\ud800 hello", "<b>bold</b> & [[x]]", "word " * 500, "२०२४ में 3.5%"]
)
def test_awkward_text_is_spoken(hindi: EspeakEngine, tmp_path: Path, text: str) -> None:
    assert hindi.say(text, SOMEONE, tmp_path / "a.wav").n_samples > 1000


def test_unwritable_place_is_no_problem_of_the_text(hindi: EspeakEngine, tmp_path: Path) -> None:
    """Else the segment would stay silent for good because a disk was full for a moment."""
    wav = tmp_path / "missing" / "x.wav"
    with pytest.raises(FileNotFoundError, match=re.escape(str(wav))):
        hindi.say("नमस्ते", SOMEONE, wav)


def test_speakers_get_voices_of_their_own(hindi: EspeakEngine, tmp_path: Path) -> None:
    voices = [hindi.choose_voice(SpeakerProfile(i)) for i in range(4)]
    assert len(set(voices)) == 4 and voices[0] != voices[1]
    women = [hindi.choose_voice(SpeakerProfile(i, "female")) for i in range(3)]
    assert len(set(women)) == 3 and all("+f" in voice for voice in women)
    pitch_hz = {}
    for gender in ("female", "male"):
        hindi.say("नमस्ते, आपका स्वागत है, सुनने के लिए धन्यवाद", SpeakerProfile(0, gender), tmp_path / "a.wav")
        pitch_hz[gender] = median_pitch_hz(*read_wav(tmp_path / "a.wav"))
    assert pitch_hz["female"] > 1.5 * pitch_hz["male"]


def test_configured_voice_speaks_for_everyone() -> None:
    with EspeakEngine("es", "+m7") as engine:
        assert {engine.choose_voice(SpeakerProfile(i, "female")) for i in range(3)} == {"es+m7"}


def test_voice_of_one_line_goes_before_all(hindi: EspeakEngine) -> None:
    assert hindi.choose_voice(SpeakerProfile(0, "female", voice="+m7")) == "hi+m7"
    with pytest.raises(UsageError, match="no variant 'zz'"):
        hindi.choose_voice(SpeakerProfile(voice="hi+zz"))


def test_info_is_honest() -> None:
    with EspeakEngine("hi") as engine:
        info = engine.info()
    assert info.name == "espeak" and info.version == read_catalogue().version
    assert "GPL-3" in info.licence
    assert info.notice is not None and "robotic" in info.notice and "f2f[tts]" in info.notice


def test_one_process_speaks_many_segments(tmp_path: Path) -> None:
    with Worker() as worker, EspeakEngine("en", worker=worker) as engine:
        pids = set()
        for i in range(5):
            engine.say(f"number {i}", SOMEONE, tmp_path / f"{i}.wav")
            pids.add(worker.pid)
        assert len(pids) == 1
        pid = pids.pop()
        assert pid is not None and is_running(pid)
    assert not is_running(pid)


def test_killed_worker_is_started_again(tmp_path: Path) -> None:
    with Worker() as worker, EspeakEngine("en", worker=worker) as engine:
        engine.say("one", SOMEONE, tmp_path / "1.wav")
        first = worker.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        engine.say("two", SOMEONE, tmp_path / "2.wav")
        assert worker.pid != first
    assert (tmp_path / "2.wav").is_file()


def break_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, fault: str) -> None:
    """Use a worker with ``fault`` put in front of ``before``, as a bug of the library would be."""
    source = WORKER.read_text()
    assert source.count(before) == 1
    script = tmp_path / "worker.py"
    script.write_text(source.replace(before, fault + before))
    monkeypatch.setattr(espeak_process, "_WORKER", script)


def test_crash_of_the_library_costs_one_segment_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_worker(tmp_path, monkeypatch, "utf8 = ", "if 'crash' in text: os.abort()\n        ")
    with Worker() as worker, EspeakEngine("en", worker=worker) as engine:
        assert worker.request(op="voices")["ok"]
        pid = worker.pid
        with pytest.raises(SpeechProblemError, match=r"crashed on this text \(signal 6\)"):
            engine.say("crash now", SOMEONE, tmp_path / "1.wav")
        assert engine.say("still here", SOMEONE, tmp_path / "2.wav").n_samples > 1000
        assert worker.pid == pid


def test_hang_of_the_library_costs_one_segment_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = "_HANGS_AFTER_S = 1\n"
    break_worker(tmp_path, monkeypatch, "\n\nclass _Voice", fault)
    script = tmp_path / "worker.py"
    script.write_text(script.read_text().replace("utf8 = ", "while 'hang' in text: pass\n        utf8 = ", 1))
    with EspeakEngine("en") as engine:
        with pytest.raises(SpeechProblemError, match=r"crashed on this text \(signal 14\)"):
            engine.say("hang now", SOMEONE, tmp_path / "1.wav")
        assert engine.say("still here", SOMEONE, tmp_path / "2.wav").n_samples > 1000


def test_worker_that_dies_again_costs_one_segment_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_worker(tmp_path, monkeypatch, "reader, writer = os.pipe()", "'crash' in text and os._exit(3)\n    ")
    with EspeakEngine("en") as engine:
        with pytest.raises(SpeechProblemError, match=r"ended with code 3.*twice"):
            engine.say("crash now", SOMEONE, tmp_path / "1.wav")
        assert engine.say("still here", SOMEONE, tmp_path / "2.wav").n_samples > 1000


def test_worker_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "worker.py"
    script.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(espeak_process, "_WORKER", script)
    worker = Worker(answer_timeout_s=0.3)
    with worker, pytest.raises(WorkerError, match="in time"):
        worker.request(op="voices")
    assert worker.pid is None


def test_worker_dies_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [
            sys.executable, "-c",
            "import time; from f2f.engines.espeak_process import Worker; w = Worker();"
            "w.request(op='voices');"
            "print(w.pid, flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert parent.stdout is not None
    with parent:
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()  # no chance to say goodbye
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(pid)


def test_worker_needs_the_standard_library_only_and_survives_nonsense(tmp_path: Path) -> None:
    # -S: not even site-packages are there. The data lies deeper than the library's 160-byte path buffer.
    deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 8)
    deep.mkdir(parents=True)
    (deep / "espeak-ng-data").symlink_to(espeakng_loader.get_data_path())
    say = {"op": "say", "text": "hello", "voice": "en-us+f2", "wav": str(tmp_path / "a.wav")}
    requests = ["garbage", '{"op": "fly"}', json.dumps({**say, "voice": "xx"}), json.dumps(say)]
    command = [sys.executable, "-I", "-S", str(WORKER), espeakng_loader.get_library_path()]
    done = subprocess.run(
        [*command, str(deep / "espeak-ng-data")],
        input="\n".join(requests), capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["ok"] for answer in answers] == [False, False, False, True]
    assert "no voice 'xx'" in answers[2]["error"]
    assert (tmp_path / "a.wav").stat().st_size == 44 + 2 * answers[3]["n_samples"]


def test_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak, "has_package", lambda name: False)
    espeak.read_catalogue.cache_clear()
    try:
        status = espeak.status("hi")
    finally:
        espeak.read_catalogue.cache_clear()
    assert not status.ready and "pip install" in status.reason
