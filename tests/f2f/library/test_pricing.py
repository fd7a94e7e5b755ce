"""What a batch would take, by what was measured and by nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from synthetic import make_clip
from typer.testing import CliRunner

from f2f import cli
from f2f.library.lecture import Lecture, LibraryOptions
from f2f.library.metrics import METRICS_NAME, OutputMetrics, StageMetrics
from f2f.library.pricing import price_library, read_rates
from f2f.library.scanning import find_lectures


def line(language: str, **factors: float) -> str:
    stages = {
        stage: StageMetrics(
            seconds=factor * 10, real_time_factor=factor, peak_memory_mib=None, reused=False, engine=None
        )
        for stage, factor in factors.items()
    }
    return OutputMetrics(
        time="2030-01-01T00:00:00+00:00", lecture="a.mp4", language=language, source_language="en",
        duration_s=10, syncnet="embedded", source=None, output=None, stages=stages,
        peak_memory_mib=None, n_segments=1, n_spoken=1, n_warnings=0, manifest="0",
    ).model_dump_json()  # fmt: skip


def price(root: Path, *words: str) -> dict[str, Any]:
    command = ["batch", str(root), "--to", "hi", "--to", "es", "--dry-run", "--json", *words]
    done = CliRunner().invoke(cli.app, command)
    assert done.exit_code == 0, done.stderr
    [event] = [json.loads(text) for text in done.stdout.splitlines()]
    assert event.pop("event") == "price"
    return dict(event)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("library")
    make_clip(root / "a.mp4", 3, fps="8", size="64x48")
    make_clip(root / "b.mp4", 2, fps="8", size="64x48")
    (root / "broken.mp4").write_bytes(b"no film")
    return root


def test_speech_and_disk_are_known_and_time_is_not_before_anything_was_measured(library: Path) -> None:
    found = price(library)
    assert found["counts"] == {"new": 6}
    assert found["lectures"] == 2
    assert found["video_s"] == pytest.approx(5, abs=0.2)
    assert found["output_s"] == pytest.approx(10, abs=0.4)
    assert found["work_s"] is None
    assert found["bytes_free"] > 0
    assert found["bytes_needed"] > 2 * 100 * 2**20
    assert list(found["refused"]) == ["broken.mp4"]
    shown = CliRunner().invoke(cli.app, ["batch", str(library), "--to", "hi", "--dry-run"]).stdout
    assert "nothing was measured yet" in shown
    assert not (library / ".f2f").exists()


def test_time_is_what_was_measured(library: Path, tmp_path: Path) -> None:
    lines = [
        line("hi", probe=0.1, transcribe=1.0, evaluate_source=0.4, synthesize=1.0, mux=1.0),
        line("hi", probe=0.1, transcribe=1.0, evaluate_source=0.4, synthesize=3.0, mux=1.0),
        line("hi", probe=0.1, transcribe=1.0, evaluate_source=0.4, synthesize=9.0, mux=1.0),
    ]
    (tmp_path / METRICS_NAME).write_text("\n".join(lines) + "\n")
    rates = read_rates(tmp_path / METRICS_NAME)
    assert rates is not None
    assert (rates.shared, rates.by_language, rates.n_outputs) == (1.5, {"hi": 4.0}, 3)
    found = price(library, "-o", str(tmp_path))
    # Spanish was never measured: it is taken to be like the others.
    assert found["work_s"] == pytest.approx(found["video_s"] * (1.5 + 4.0 + 4.0), rel=0.01)
    assert found["measured_outputs"] == 3


def test_what_is_done_costs_nothing(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = LibraryOptions(library, tmp_path, ("hi",))
    lectures = [one for one in find_lectures(options) if isinstance(one, Lecture)]
    monkeypatch.setattr(
        "f2f.library.pricing.plan_lecture",
        lambda lecture, *rest: _done(lecture) if lecture.name == "a.mp4" else plan(lecture, *rest),
    )
    from f2f.library.planning import plan_lecture as plan

    found = price_library(options, lectures[:2])
    assert found.counts == {"done": 1, "new": 1}
    assert [name for name, *_ in found.rows] == ["b.mp4"]


def _done(lecture: Lecture) -> Any:
    from f2f.library.planning import Plan

    return Plan(lecture, Path(), {"hi": "done"}, {}, None, 0, 0)
