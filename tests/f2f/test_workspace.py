"""The store: whole or absent, reused only while intact, one process at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from f2f.results import EngineInfo, Take
from f2f.stage import SilentObserver
from f2f.workspace import RESULT_NAME, Stored, Workspace, make_key, write_atomically

TAKE = Take(segment_id=3, wav="take.wav", duration_s=1.5, sample_rate_hz=22050, voice="hi+f2")


class Ears(SilentObserver):
    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)


def store(workspace: Workspace, key: str = "k1", content: bytes = b"RIFF") -> Stored[Take]:
    with workspace.begin("synthesize", key) as work:
        (work.folder / "take.wav").write_bytes(content)
        return workspace.commit(
            work, TAKE, version=2, seconds=1.25, notices=["a robot speaks"], peak_memory_mib=512.04
        )


def test_a_result_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    stored = store(workspace)
    found = workspace.load("synthesize", "k1", Take)
    assert found is not None
    assert found.result == TAKE
    assert (found.seconds, found.version, found.notices) == (1.25, 2, ("a robot speaks",))
    assert found.peak_memory_mib == stored.peak_memory_mib == 512.0
    assert found.digest == stored.digest
    assert (found.reused, stored.reused) == (True, False)
    assert found.path("take.wav").read_bytes() == b"RIFF"
    assert found.engine is None


def test_a_result_without_a_memory_figure_is_still_a_result(tmp_path: Path) -> None:
    folder = store(Workspace(tmp_path)).folder
    envelope = json.loads((folder / RESULT_NAME).read_text())
    del envelope["peak_memory_mib"]  # as older versions wrote it
    (folder / RESULT_NAME).write_text(json.dumps(envelope))
    found = Workspace(tmp_path).load("synthesize", "k1", Take)
    assert found is not None and found.peak_memory_mib is None


def test_nothing_is_found_where_nothing_was_stored(tmp_path: Path) -> None:
    assert Workspace(tmp_path / "absent").load("synthesize", "k1", Take) is None
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize(
    "damage", ["missing", "shorter", "same size", "result gone", "result cut", "result edited"]
)
def test_damage_counts_as_absent_and_is_replaced(tmp_path: Path, damage: str) -> None:
    workspace = Workspace(tmp_path)
    folder = store(workspace).folder
    wav, envelope = folder / "take.wav", folder / RESULT_NAME
    if damage == "missing":
        wav.unlink()
    elif damage == "shorter":
        wav.write_bytes(b"RIF")
    elif damage == "same size":
        wav.write_bytes(b"RIFX")
    elif damage == "result gone":
        envelope.unlink()
    elif damage == "result cut":
        envelope.write_text(envelope.read_text()[:-20])
    else:
        envelope.write_text(envelope.read_text().replace("hi+f2", "hi+m1"))
    assert workspace.load("synthesize", "k1", Take) is None
    store(workspace)
    assert workspace.load("synthesize", "k1", Take) is not None
    assert sorted(path.name for path in (tmp_path / "synthesize").iterdir()) == ["k1"]


def test_a_large_file_is_hashed_again_only_when_its_time_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("f2f.workspace._HASH_LIMIT_BYTES", 4)
    workspace = Workspace(tmp_path)
    wav = store(workspace).path("take.wav")
    times = (wav.stat().st_atime_ns, wav.stat().st_mtime_ns)
    wav.write_bytes(b"RIFX")
    os.utime(wav, ns=(times[0], times[1] + 1))
    assert workspace.load("synthesize", "k1", Take) is None
    wav.write_bytes(b"RIFF")  # copied workspace: another time, the same content
    os.utime(wav, ns=(times[0], times[1] + 2))
    assert workspace.load("synthesize", "k1", Take) is not None


def test_a_result_of_another_shape_counts_as_absent(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    store(workspace)
    assert workspace.load("synthesize", "k1", EngineInfo) is None


def test_work_that_fails_leaves_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(RuntimeError), workspace.begin("mux", "k") as work:
        (work.folder / "half.mp4").write_bytes(b"x")
        raise RuntimeError
    assert list((tmp_path / "mux").iterdir()) == []


def test_digest_depends_on_result_and_files_only(tmp_path: Path) -> None:
    one, same = store(Workspace(tmp_path / "a")), store(Workspace(tmp_path / "b"), key="k2")
    other = store(Workspace(tmp_path / "c"), content=b"RIFX")
    assert one.digest == same.digest != other.digest


def test_key_depends_on_everything_it_is_given() -> None:
    keys = {
        make_key("fit", 1, {"a": 1}),
        make_key("fit", 2, {"a": 1}),
        make_key("mux", 1, {"a": 1}),
        make_key("fit", 1, {"a": 2}),
        make_key("fit", 1, {"b": 1}),
    }
    assert len(keys) == 5
    assert make_key("fit", 1, {"a": 1, "b": 2}) == make_key("fit", 1, {"b": 2, "a": 1})


def test_the_envelope_says_when_how_and_what(tmp_path: Path) -> None:
    envelope = json.loads((store(Workspace(tmp_path)).folder / RESULT_NAME).read_text())
    assert envelope["stage"] == "synthesize"
    assert envelope["key"] == "k1"
    assert envelope["files"]["take.wav"]["size"] == 4
    assert envelope["created"].endswith("+00:00")


def test_write_atomically_replaces_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_atomically(path, "one")
    write_atomically(path, "zwei")
    assert path.read_text() == "zwei"
    assert [each.name for each in path.parent.iterdir()] == ["a.json"]


def test_killed_work_is_cleared_at_the_next_start(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from f2f.stage import SilentObserver
        from f2f.workspace import Workspace
        workspace = Workspace(Path({str(tmp_path)!r}))
        with workspace.lock(SilentObserver()), workspace.begin("mux", "key") as work:
            (work.folder / "half.mp4").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    died = subprocess.run([sys.executable, "-c", script], check=False)
    assert died.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "mux").iterdir())) == 1
    workspace, ears = Workspace(tmp_path), Ears()
    with workspace.lock(ears):
        assert list((tmp_path / "mux").iterdir()) == []
    assert ears.notices == []


HOLDER = """
import sys
from pathlib import Path
from f2f.stage import SilentObserver
from f2f.workspace import Workspace
with Workspace(Path(sys.argv[1])).lock(SilentObserver()):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_second_command_waits_and_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline() == "held\n"
        ears = Ears()

        def hear(text: str) -> None:
            Ears.notice(ears, text)
            other.stdin.write("release\n")
            other.stdin.flush()

        ears.notice = hear  # type: ignore[method-assign]
        with Workspace(tmp_path).lock(ears):
            assert len(ears.notices) == 1
            assert str(tmp_path) in ears.notices[0]
    assert other.returncode == 0


def test_what_is_written_survives_one_who_tidies_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch keeps a lecture's status while its worker locks the workspace and removes leftovers."""
    flush, n_tidied = os.fsync, 0

    def tidy_after(file: int) -> None:
        nonlocal n_tidied
        flush(file)
        if n_tidied < 1:
            n_tidied += 1
            Workspace(tmp_path).remove_unfinished()

    monkeypatch.setattr("os.fsync", tidy_after)
    write_atomically(tmp_path / "status.json", "kept")
    assert (tmp_path / "status.json").read_text() == "kept"
    assert n_tidied == 1
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]
