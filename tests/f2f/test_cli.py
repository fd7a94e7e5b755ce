"""The command line: exit codes, one line per problem, nothing printed where a program reads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from processes import group_is_gone
from tiny_stages import TinyStages, install
from typer.testing import CliRunner

from f2f import cli
from f2f.errors import EngineUnavailableError, PreflightError, StageError
from f2f.runners import InlineRunner
from f2f.session import explain


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> TinyStages:
    monkeypatch.setenv("F2F_RUNNER", "inline")
    return install(monkeypatch)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "lecture.mp4"
    path.write_bytes(b"a film")
    return path


def f2f(*words: str | Path) -> Any:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def raising(error: BaseException) -> Any:
    def check(*args: Any) -> None:
        raise error

    return check


def test_help_states_the_exit_codes() -> None:
    for words in (["--help"], ["translate", "--help"], ["doctor", "--help"]):
        shown = " ".join(f2f(*words).stdout.split())
        for code in ("0 done", "2 the command", "3 an engine", "4 a stage failed", "130 interrupted"):
            assert code in shown


def test_every_option_of_the_readme_exists() -> None:
    shown = f2f("translate", "--help").stdout
    options = (
        "--to --from -o --captions --translation --asr --mt --tts --lips --config --profile "
        "--no-lipsync --device --force --until --dry-run --json --debug --workdir --runner --no-mark --set "
        "--voice --licence"
    )
    assert [option for option in options.split() if option not in shown] == []


def test_version() -> None:
    assert f2f("--version").stdout.startswith("f2f ")


def test_translate_names_what_it_made(tiny: TinyStages, film: Path) -> None:
    done = f2f("translate", film, "--to", "Hindi", "--to", "es")
    assert done.exit_code == 0
    names = [Path(line).name for line in done.stdout.splitlines()]
    assert names == [
        f"lecture.{to}.{suffix}" for to in ("hi", "es") for suffix in ("mp4", "srt", "json", "html")
    ]
    assert "mux → hi: done in" in done.stderr
    assert "note: synthesize is tiny" in done.stderr

    again = f2f("translate", film, "--to", "hi")
    assert "all stages were stored already" in again.stdout
    assert "mux → hi: stored already" in again.stderr


def test_json_lines_are_all_that_stdout_gets(tiny: TinyStages, film: Path) -> None:
    done = f2f("translate", film, "--to", "hi", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0] == {"event": "stage_started", "stage": "probe", "target_language": None}
    assert events[-1]["event"] == "result"
    assert events[-1]["video"] == str(film.with_name("lecture.hi.mp4"))
    assert events[-1]["reused"] is False
    assert "mux → hi: done in" in done.stderr


def test_flags_reach_the_stages(tiny: TinyStages, film: Path, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("mux: {crf: 10}\n")
    out = tmp_path / "out"
    done = f2f("translate", film, "--to", "hi", "--config", tmp_path / "my.yaml", "-o", out, "--no-lipsync")
    assert done.exit_code == 0
    assert (out / "lecture.hi.mp4").read_text() == "hello in hi crf 10"
    assert "lipsync none" in tiny.ran


def test_dry_run_does_nothing(tiny: TinyStages, film: Path) -> None:
    done = f2f("translate", film, "--to", "hi", "--dry-run")
    assert done.exit_code == 0
    assert "to do" in done.stdout
    assert "lecture.hi.mp4" in done.stdout
    assert tiny.ran == []
    [event] = [
        json.loads(line)
        for line in f2f("translate", film, "--to", "hi", "--dry-run", "--json").stdout.splitlines()
    ]
    assert event["event"] == "plan"
    assert event["steps"][0] == {"stage": "probe", "target_language": None, "state": "to do", "engine": ""}
    assert [path.name for path in film.parent.iterdir()] == ["lecture.mp4"]


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (PreflightError(["no sound", "no room"]), 2, ["f2f: no sound", "f2f: no room"]),
        (PreflightError(["no voice"], exit_code=3), 3, ["f2f: no voice"]),
        (EngineUnavailableError("no voice; run: pip install x"), 3, ["f2f: no voice; run: pip install x"]),
        (
            StageError("mux", "disk full"),
            4,
            ["f2f: disk full", "f2f: what is finished is kept; the same command resumes"],
        ),
        (KeyError("x"), 4, ["f2f: internal error: KeyError: 'x'; run with --debug to see where"]),
        (KeyboardInterrupt(), 130, ["f2f: interrupted; what is finished is kept; the same command resumes"]),
    ],
)
def test_an_error_is_one_line_for_each_problem_and_a_code(
    tiny: TinyStages,
    film: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    lines: list[str],
) -> None:
    monkeypatch.setattr("f2f.preflight.check", raising(error))
    done = f2f("translate", film, "--to", "hi")
    assert (done.exit_code, done.stderr.splitlines(), done.stdout) == (code, lines, "")
    shown = f2f("translate", film, "--to", "hi", "--json")
    event = json.loads(shown.stdout)
    assert event == {"event": "error", "messages": [line[5:] for line in lines], "exit_code": code}


def test_debug_shows_the_traceback(tiny: TinyStages, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("f2f.preflight.check", raising(KeyError("x")))
    done = f2f("translate", film, "--to", "hi", "--debug")
    assert done.exit_code == 4
    assert "Traceback" in done.stderr


def test_core_errors_have_codes_too() -> None:
    from lipsync_core.errors import MediaError, MissingModelError

    assert explain(MissingModelError("run: x"))[1] == 3
    assert explain(MediaError("broken"))[1] == 4


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["translate"], "INPUT"),
        (["translate", "a.mp4"], "--to"),
        (["translate", "a.mp4", "--to", "hi", "--tu", "es"], "--tu"),
        (["dance"], "dance"),
    ],
)
def test_a_mistake_in_the_command_line_is_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert cli.run(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert says in shown.err


def test_a_mistake_in_the_configuration_is_exit_2(film: Path) -> None:
    done = f2f("translate", film, "--to", "hi", "--asr", "wisper", "--lips", "lypsink")
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 2
    assert "transcribe.engine is 'wisper'" in done.stderr
    assert "wav2lip_gan" in done.stderr


def test_an_unknown_runner_is_exit_2(tiny: TinyStages, film: Path) -> None:
    done = f2f("translate", film, "--to", "hi", "--runner", "airflow")
    assert done.exit_code == 2
    assert "'airflow'" in done.stderr
    assert tiny.ran == []


def test_ui_without_an_installed_runner_is_exit_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("f2f.runners.installed_runners", dict)
    done = f2f("ui")
    assert done.exit_code == 3
    assert "pip install" in done.stderr


def test_a_runner_that_is_away_gives_its_hint_and_the_run_goes_on(
    tiny: TinyStages, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        name = "away"

        def is_available(self) -> bool:
            return False

        def hint(self) -> str:
            return "to watch: f2f ui"

    monkeypatch.delenv("F2F_RUNNER")
    monkeypatch.setattr("f2f.runners.installed_runners", lambda: {"away": Away()})
    done = f2f("translate", film, "--to", "hi")
    assert done.exit_code == 0
    assert "note: to watch: f2f ui" in done.stderr
    forced = f2f("translate", film, "--to", "hi", "--runner", "away")
    assert forced.exit_code == 3


def test_a_runner_that_answers_gets_the_run(
    tiny: TinyStages, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    class Here:
        name = "here"

        def is_available(self) -> bool:
            return True

        def run(self, request: Any, observer: Any) -> list[Any]:
            taken.append(request)
            return []

    monkeypatch.delenv("F2F_RUNNER")
    monkeypatch.setattr("f2f.runners.installed_runners", lambda: {"here": Here()})
    assert f2f("translate", film, "--to", "hi").exit_code == 0
    assert taken[0].targets == ("hi",)
    assert tiny.ran == []


def test_the_real_command_from_a_shell(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "f2f", "translate", str(tmp_path / "absent.mp4"), "--to", "xx-yy-zz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert any("absent.mp4" in line for line in lines)
    assert any("xx-yy-zz" in line for line in lines)
    assert all(line.startswith("f2f: ") for line in lines)


def test_ctrl_c_leaves_nothing_half_done(tmp_path: Path, film: Path) -> None:
    """A real process is interrupted while a stage with a child process works."""
    script = f"""
import subprocess, sys
sys.path.append({str(Path(__file__).parents[1] / "support")!r})
import pytest, tiny_stages
from f2f import cli
patch = pytest.MonkeyPatch()
tiny = tiny_stages.install(patch)
def slow(inputs, config, context):
    from lipsync_core.media import run_ffmpeg
    (context.folder / "half.mp4").write_bytes(b"half")
    print("ready", flush=True)
    run_ffmpeg(["-re", "-f", "lavfi", "-i", "testsrc2=duration=60", "-f", "null", "-"], what="waiting")
patch.setattr("f2f.stages.mux.mux", slow)
cli.main(["translate", {str(film)!r}, "--to", "hi", "--runner", "inline"])
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGINT)
    _, shown = process.communicate(timeout=20)
    assert process.returncode == 130
    assert shown.splitlines()[-1] == "f2f: interrupted; what is finished is kept; the same command resumes"
    assert not list(tmp_path.rglob("*.tmp"))
    assert group_is_gone(process.pid)


def test_ui_goes_to_the_given_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int | None, str | None]] = []

    class Shown(InlineRunner):
        def ui(self, port: int | None = None, host: str | None = None) -> int:
            asked.append((port, host))
            return 0

    monkeypatch.setattr("f2f.runners.installed_runners", lambda: {"shown": Shown()})
    assert f2f("ui").exit_code == 0
    assert f2f("ui", "--port", "4280", "--host", "127.0.0.1").exit_code == 0
    assert asked == [(None, None), (4280, "127.0.0.1")]
    assert f2f("ui", "--port", "70000").exit_code == 2
