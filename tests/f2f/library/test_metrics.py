"""One whole line for each output, whoever else appends, however a writer ends."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flow_samples import make_manifest

from f2f.errors import UsageError
from f2f.library.metrics import METRICS_NAME, OutputMetrics, append_metrics, current_metrics, read_metrics
from f2f.manifest import Manifest, StageRecord

DRIVER = Path(__file__).resolve().parents[2] / "support" / "metrics_driver.py"
STAGES = (
    StageRecord(stage="probe", seconds=0.5, reused=True, peak_memory_mib=90.0),
    StageRecord(stage="lipsync", seconds=6.0, reused=False, peak_memory_mib=812.5),
    StageRecord(stage="mux", seconds=1.0, reused=False),
)


def place(folder: Path, stem: str = "lecture", target: str = "hi", **changes: Any) -> Path:
    """Write a manifest (2 s of video, 1 warning) as a run leaves it, with its workspace."""
    made = make_manifest(folder / f"{stem}.mp4", target).model_copy(update={"stages": STAGES, **changes})
    (folder / ".f2f" / stem).mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.{target}.json"
    path.write_text(made.model_dump_json(), encoding="utf-8")
    return path


def lines(out: Path) -> list[OutputMetrics]:
    return list(read_metrics(out / METRICS_NAME))


def drive(way: str, out: Path, manifests: list[Path]) -> None:
    words = [sys.executable, str(DRIVER), way, str(out), *map(str, manifests)]
    root = str(DRIVER.parents[2])
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_line_holds_the_figures_of_the_manifest(tmp_path: Path) -> None:
    assert append_metrics(tmp_path, "physics/lecture.mp4", place(tmp_path))
    (line,) = lines(tmp_path)
    assert (line.lecture, line.language, line.source_language) == ("physics/lecture.mp4", "hi", "en")
    assert line.source is not None and line.output is None  # no face was found in the output
    assert (line.source.lse_d, line.source.lse_c, line.source.offset_frames) == (8.12345, 5.5, -1)
    assert line.stages["lipsync"].real_time_factor == 3.0 and line.stages["probe"].reused
    assert line.real_time_factor == pytest.approx(0.25 + 3.0 + 0.5)
    assert line.peak_memory_mib == 812.5 and line.stages["mux"].peak_memory_mib is None
    assert (line.n_segments, line.n_spoken, line.n_warnings) == (2, 1, 1)
    assert line.syncnet == "syncnet syncnet-detail" and line.time.endswith("+00:00")


def test_figures_of_one_output_come_from_its_workspace_while_it_is_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hindi, spanish = place(tmp_path), place(tmp_path, target="es")
    for path in (hindi, spanish):
        append_metrics(tmp_path, "lecture.mp4", path)
    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "model_validate_json", None)  # manifests of hours are long
        assert current_metrics("lecture.mp4", "hi", hindi) == lines(tmp_path)[0]
        assert current_metrics("lecture.mp4", "es", spanish) == lines(tmp_path)[1]
    place(tmp_path, warnings=("one", "two"))  # made anew, by f2f redo for instance
    anew = current_metrics("lecture.mp4", "hi", hindi)
    assert anew is not None and anew.n_warnings == 2
    hindi.write_text("{")
    assert current_metrics("lecture.mp4", "hi", hindi) is None
    assert current_metrics("lecture.mp4", "fr", tmp_path / "lecture.fr.json") is None


def test_one_output_has_one_line_however_often_it_is_told(tmp_path: Path) -> None:
    path = place(tmp_path)
    assert append_metrics(tmp_path, "lecture.mp4", path)
    assert not append_metrics(tmp_path, "lecture.mp4", path)
    (tmp_path / ".f2f" / "lecture" / "metrics.json").unlink()  # died between the line and the note of it
    assert not append_metrics(tmp_path, "lecture.mp4", path)
    assert append_metrics(tmp_path, "lecture.mp4", place(tmp_path, command="another run"))
    assert len(lines(tmp_path)) == 2


def test_processes_that_append_at_once_lose_and_mix_nothing(tmp_path: Path) -> None:
    manifests = [place(tmp_path, f"lecture {number}") for number in range(24)]
    drive("together", tmp_path, manifests)
    names = [line.lecture for line in lines(tmp_path)]
    assert sorted(names) == sorted(f"physics/lecture {number}.mp4" for number in range(24))
    assert (tmp_path / METRICS_NAME).read_bytes().count(b"\n") == 24


def test_processes_that_tell_of_the_same_output_leave_one_line(tmp_path: Path) -> None:
    drive("together", tmp_path, [place(tmp_path)] * 6)
    assert [line.lecture for line in lines(tmp_path)] == ["physics/lecture.mp4"]


def test_a_line_torn_by_a_kill_is_skipped_and_then_cut_off(tmp_path: Path) -> None:
    append_metrics(tmp_path, "one.mp4", place(tmp_path, "one"))
    drive("torn", tmp_path, [place(tmp_path, "two")])
    assert not (tmp_path / METRICS_NAME).read_bytes().endswith(b"\n")
    assert [line.lecture for line in lines(tmp_path)] == ["one.mp4"]
    append_metrics(tmp_path, "three.mp4", place(tmp_path, "three"))
    append_metrics(tmp_path, "two.mp4", place(tmp_path, "two"))
    assert [line.lecture for line in lines(tmp_path)] == ["one.mp4", "three.mp4", "two.mp4"]
    assert (tmp_path / METRICS_NAME).read_bytes().count(b"\n") == 3


def test_a_last_line_that_lacks_only_its_end_is_kept(tmp_path: Path) -> None:
    append_metrics(tmp_path, "one.mp4", place(tmp_path, "one"))
    path = tmp_path / METRICS_NAME
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    append_metrics(tmp_path, "two.mp4", place(tmp_path, "two"))
    assert [line.lecture for line in lines(tmp_path)] == ["one.mp4", "two.mp4"]


def test_without_locks_nothing_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    (tmp_path / METRICS_NAME).write_bytes(b'{"half": ')
    append_metrics(tmp_path, "one.mp4", place(tmp_path, "one"))
    assert (tmp_path / METRICS_NAME).read_bytes().startswith(b'{"half": \n{')
    assert [line.lecture for line in lines(tmp_path)] == ["one.mp4"]


def test_a_full_disk_leaves_whole_lines_only_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_metrics(tmp_path, "one.mp4", place(tmp_path, "one"))
    real_write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: real_write(file, data[:100]))
        with pytest.raises(UsageError, match=r"two\.mp4 .*No space left.*make room"):
            append_metrics(tmp_path, "two.mp4", place(tmp_path, "two"))
    assert (tmp_path / METRICS_NAME).read_bytes().endswith(b"}\n")
    assert append_metrics(tmp_path, "two.mp4", place(tmp_path, "two"))
    assert len(lines(tmp_path)) == 2


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_what_is_no_manifest_is_refused_in_one_line(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "lecture.hi.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=r"lecture\.hi\.json is no manifest") as refused:
        append_metrics(tmp_path, "lecture.mp4", path)
    assert "\n" not in str(refused.value) and not (tmp_path / METRICS_NAME).exists()


def test_lines_of_later_versions_are_read_and_others_skipped(tmp_path: Path) -> None:
    append_metrics(tmp_path, "one.mp4", place(tmp_path, "one"))
    path = tmp_path / METRICS_NAME
    text = path.read_text().rstrip("\n")
    path.write_text("\n".join(["not json", '{"lecture": 1}', text[:-1] + ', "new": 1}', "\xff"]) + "\n")
    assert [line.lecture for line in lines(tmp_path)] == ["one.mp4"]
    assert not lines(tmp_path / "nowhere")


def test_manifests_of_older_runs_have_no_memory_figures(tmp_path: Path) -> None:
    path = place(tmp_path, stages=(StageRecord(stage="mux", seconds=3.0, reused=False),))
    assert Manifest.model_validate_json(path.read_text()).stages[0].peak_memory_mib is None
    append_metrics(tmp_path, "lecture.mp4", path)
    (line,) = lines(tmp_path)
    assert line.peak_memory_mib is None and line.stages["mux"].real_time_factor == 1.5


@pytest.mark.parametrize("time", ["yesterday", "2026-03-01T10:00:00", "2026-13-01T10:00:00+00:00"])
def test_a_line_without_a_true_time_is_skipped(tmp_path: Path, time: str) -> None:
    assert append_metrics(tmp_path, "a.mp4", place(tmp_path))
    path = tmp_path / METRICS_NAME
    path.write_text(path.read_text().replace(lines(tmp_path)[0].time, time) + path.read_text())
    assert len(path.read_text().splitlines()) == 2
    assert len(lines(tmp_path)) == 1
