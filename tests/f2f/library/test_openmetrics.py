"""What Prometheus' own parsers read out of library.prom."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_prometheus

from f2f.library.metrics import METRICS_NAME, OutputMetrics, StageMetrics, SyncMetrics
from f2f.library.openmetrics import N_SINGLE, write_openmetrics

AWKWARD = 'a "b" \\n\n\r</x> é.mp4'


def line(
    number: int, language: str = "hi", lecture: str | None = None, reused: bool = False
) -> OutputMetrics:
    def stage(seconds: float, reused: bool = False) -> StageMetrics:
        return StageMetrics(
            seconds=seconds, real_time_factor=seconds / 100, peak_memory_mib=512.0, reused=reused, engine=None
        )

    score = SyncMetrics(lse_d=7.0 + number / 10, lse_c=4.0, offset_frames=-1, n_windows=9)
    return OutputMetrics(
        time=f"2026-03-01T00:{number % 60:02d}:00+00:00",
        lecture=lecture or f"{number}.mp4",
        language=language,
        source_language="en",
        duration_s=100.0,
        syncnet="embedded",
        source=score,
        output=None if number == 1 else score,
        stages={"transcribe": stage(20.0, reused), "lipsync": stage(300.0)},
        peak_memory_mib=512.0,
        n_segments=3,
        n_spoken=3,
        n_warnings=number,
        manifest=f"{number:064x}",
    )


@pytest.fixture
def written(tmp_path: Path) -> Iterator[str]:
    made = [line(0), line(1, "es", AWKWARD), line(2, "es", reused=True), line(3, lecture="0.mp4")]
    (tmp_path / METRICS_NAME).write_text("".join(one.model_dump_json() + "\n" for one in made))
    yield write_openmetrics(tmp_path, {("hi", "done"): 4, ("hi", "quarantined"): 1}).read_text()


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    libraries: set[str] = set()
    for family in read_openmetrics(text):
        for sample in family.samples:
            libraries.add(sample.labels.pop("library"))
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found, "a series twice"
            found[key] = sample.value
    assert len(libraries) == bool(found)
    return found


def test_the_openmetrics_parser_reads_what_was_counted(written: str) -> None:
    found = samples(written)

    def value(name: str, **labels: str) -> float:
        return found[name, frozenset(labels.items())]

    assert value("f2f_outputs_total", language="es") == 2
    assert value("f2f_source_seconds_total", language="hi") == 200
    assert value("f2f_warnings_total", language="es") == 3
    # The transcript of the third was made before: its time counts once.
    assert value("f2f_stage_seconds_total", stage="transcribe") == 60
    assert value("f2f_stage_seconds_total", stage="lipsync") == 1200
    assert value("f2f_stage_source_seconds_total", stage="transcribe") == 300
    assert value("f2f_stage_real_time_factor_bucket", stage="lipsync", le="3.0") == 4
    assert value("f2f_stage_real_time_factor_bucket", stage="lipsync", le="1.0") == 0
    assert value("f2f_stage_real_time_factor_sum", stage="lipsync") == pytest.approx(12)
    labels = {"language": "es", "syncnet": "embedded"}
    assert value("f2f_lse_distance_count", video="output", **labels) == 1
    assert value("f2f_lse_distance_count", video="source", **labels) == 2
    assert value("f2f_lectures", language="hi", state="quarantined") == 1
    assert value("f2f_last_output_timestamp_seconds", language="hi") == 1772323380
    peak = value("f2f_output_peak_memory_bytes", language="hi", lecture="0.mp4", stage="lipsync")
    assert peak == 512 * 2**20


def test_every_series_says_of_which_library_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"physics/out": None, AWKWARD.replace("/", "-"): None, "scratch": "s3://bucket/out"}
    texts = []
    for folder, place in places.items():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / METRICS_NAME).write_text(line(0).model_dump_json() + "\n")
        monkeypatch.chdir(tmp_path / folder)
        texts.append(write_openmetrics(Path(), {("hi", "done"): 1}, place).read_text())
    labels = [
        {sample.labels.get("library") for family in read_openmetrics(text) for sample in family.samples}
        for text in texts
    ]
    awkward = str(tmp_path / AWKWARD.replace("/", "-")).replace("\r", "\\r")
    assert labels == [{str(tmp_path / "physics/out")}, {awkward}, {"s3://bucket/out"}]


def test_folders_whose_names_are_not_utf_8_are_told_apart(tmp_path: Path) -> None:
    found = set()
    for name in (b"\xff\xe9", b"\xfe\xe9"):
        folder = tmp_path / os.fsdecode(name)
        folder.mkdir()
        (folder / METRICS_NAME).write_text(line(0).model_dump_json() + "\n")
        text = write_openmetrics(folder).read_text(encoding="utf-8")
        found |= {one.labels["library"] for family in read_openmetrics(text) for one in family.samples}
    assert found == {f"{tmp_path}/\\xff\\xe9", f"{tmp_path}/\\xfe\\xe9"}


def test_a_lecture_made_again_counts_as_it_is_now(written: str) -> None:
    found = samples(written)
    key = frozenset({"lecture": "0.mp4", "language": "hi", "video": "output"}.items())
    assert found["f2f_output_lse_distance", key] == pytest.approx(7.3)


def test_awkward_names_are_kept_apart_and_readable(written: str) -> None:
    names = {dict(labels).get("lecture") for _, labels in samples(written)}
    assert AWKWARD.replace("\r", "\\r") in names


def test_the_older_text_format_reads_it_too(written: str) -> None:
    families = {family.name: family for family in read_prometheus(written)}
    assert families["f2f_lse_distance"].type == "histogram"
    assert sum(s.value for s in families["f2f_lectures"].samples) == 5


def test_series_are_bounded_however_large_the_library(tmp_path: Path) -> None:
    with (tmp_path / METRICS_NAME).open("w") as file:
        for number in range(3 * N_SINGLE):
            file.write(line(number).model_dump_json() + "\n")
    found = samples(write_openmetrics(tmp_path).read_text())
    assert found["f2f_outputs_total", frozenset({("language", "hi")})] == 3 * N_SINGLE
    lectures = {dict(labels).get("lecture") for _, labels in found} - {None}
    assert lectures == {f"{number}.mp4" for number in range(2 * N_SINGLE, 3 * N_SINGLE)}


def test_an_empty_library_is_a_valid_file(tmp_path: Path) -> None:
    assert samples(write_openmetrics(tmp_path).read_text()) == {}
