"""Trends are sums and means of every line, drawn where they belong, on one page that needs nothing else."""

from __future__ import annotations

import itertools
import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from xml.etree import ElementTree

import pytest
from made_library import add_lecture, fail, finish, set_status

from f2f import cli
from f2f.errors import UsageError
from f2f.library.failures import Outcomes, find_statuses, read_outcomes
from f2f.library.lecture import LibraryOptions, workspace_of
from f2f.library.metrics import METRICS_NAME, OutputMetrics, StageMetrics, SyncMetrics
from f2f.library.status import write_status
from f2f.library.trend_figures import MAX_DOTS, MAX_SPANS, Trend, read_figures
from f2f.library.trends import write_trends
from f2f.report.charts import SMALL, WIDE, Series, plot_over_time
from f2f.report.plot import value_range

START = datetime(2026, 3, 1, tzinfo=timezone.utc)


def line(
    number: int, language: str = "hi", lse_d: float | None = 7.0, syncnet: str = "embedded"
) -> OutputMetrics:
    def score(value: float) -> SyncMetrics:
        return SyncMetrics(lse_d=value, lse_c=14 - value, offset_frames=0, n_windows=9)

    stage = StageMetrics(
        seconds=50.0 + number, real_time_factor=(50.0 + number) / 100, peak_memory_mib=300.0 + number,
        reused=False, engine="x264",
    )  # fmt: skip
    return OutputMetrics(
        time=(START + timedelta(hours=number)).isoformat(),
        lecture=f"{number}.mp4",
        language=language,
        source_language="en",
        duration_s=100.0,
        syncnet=syncnet,
        source=score(8.0),
        output=None if lse_d is None else score(lse_d),
        stages={
            "probe": stage.model_copy(update={"reused": True, "seconds": 25.0, "real_time_factor": 0.25}),
            "mux": stage,
        },
        peak_memory_mib=400.0,
        n_segments=5,
        n_spoken=4,
        n_warnings=2,
        manifest=f"{number:064x}",
    )


@pytest.fixture
def options(tmp_path: Path) -> LibraryOptions:
    (tmp_path / "library").mkdir()
    return LibraryOptions(tmp_path / "library", tmp_path / "library", ("hi", "es"))


def write(options: LibraryOptions, lines: list[OutputMetrics]) -> str:
    text = "".join(each.model_dump_json() + "\n" for each in lines)
    (options.output_dir / METRICS_NAME).write_text(text)
    return write_trends(options.root, options.output_dir).read_text(encoding="utf-8")


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_sums_are_those_of_all_lines() -> None:
    lines = [line(0), line(1, "es", 6.0), line(2, "hi", 6.5), line(3, "hi", None)]
    figures = read_figures(lambda: iter(lines))
    assert figures is not None and figures.by_size == ["hi", "es"]
    hindi = figures.languages["hi"]
    assert (hindi.n_outputs, hindi.source_s, hindi.n_warnings, hindi.n_unspoken) == (3, 300, 6, 3)
    assert hindi.work_s == 50 + 52 + 53 + 3 * 25
    sync = figures.sync["embedded", "hi"]
    assert (sync.n_measured, sync.output_d.mean, sync.source_d.mean) == (2, 6.75, 8.0)
    mux = figures.stages["mux"]
    assert mux.factor.mean == pytest.approx((50 + 51 + 52 + 53) / 400)
    assert (mux.peak_memory_mib, mux.engines) == (303.0, {"x264": 4})
    assert figures.stages["probe"].factor.mean == 0.25
    assert read_figures(lambda: iter(())) is None


def test_memory_does_not_grow_with_the_library() -> None:
    figures = read_figures(lambda: (line(number) for number in range(4000)))
    assert figures is not None
    trend = figures.sync["embedded", "hi"].output_d
    assert trend.dots is None and len(trend.line) == MAX_SPANS
    assert sum(weight for _, weight, _ in trend.sums.values()) == 4000
    few = read_figures(lambda: (line(number) for number in range(20)))
    assert few is not None and len(few.sync["embedded", "hi"].output_d.dots or ()) == 20 <= MAX_DOTS


def test_means_are_weighted_and_in_order_of_time() -> None:
    trend = Trend()
    for span, time_s, value, weight in ((1, 50.0, 4.0, 1.0), (0, 10.0, 1.0, 3.0), (0, 20.0, 5.0, 1.0)):
        trend.add(span, time_s, value, weight)
    assert trend.line == [(12.5, 2.0), (50.0, 4.0)]
    assert trend.mean == pytest.approx(12 / 5)


def test_the_page_shows_numbers_and_plots_without_anything_from_elsewhere(options: LibraryOptions) -> None:
    page = write(options, [line(number, ("hi", "es")[number % 2]) for number in range(30)])
    assert not re.search(r"<script|<link|@import|url\(|src=|https?://", page)
    text = words(page)
    assert "30 in 2 languages" in text and "8.00 → 7.00" in text
    assert "0.645 × real time" in text and "329 MiB" in text  # mean of 0.50 to 0.79, most of the memory
    plots = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]
    assert len(plots) == 2 + 2  # LSE-D, LSE-C, and each stage
    titles = [node.text for node in plots[0].iter("title")]
    assert titles == ["source, all languages", "Hindi", "Spanish"]


def test_syncnets_are_never_mixed(options: LibraryOptions) -> None:
    lines = [line(n, lse_d=5.0, syncnet="old") for n in range(5)]
    lines += [line(n, lse_d=9.0, syncnet="new") for n in range(5, 10)]
    text = words(write(options, lines))
    assert text.index("Measured with new; numbers of different") < text.index("Measured with old")
    assert "8.00 → 9.00" in text and "7.00" not in text.replace("7.00 →", "")  # no mean over both


def test_one_output_is_enough_and_none_is_a_clear_error(options: LibraryOptions) -> None:
    assert "<circle" in write(options, [line(0)])
    (options.output_dir / METRICS_NAME).write_text("")
    with pytest.raises(UsageError, match=r"library\.jsonl holds no figures: run f2f batch"):
        write_trends(options.root, options.output_dir)


def test_outputs_that_could_not_be_measured_have_no_plot(options: LibraryOptions) -> None:
    text = words(write(options, [line(0, lse_d=None)]))
    assert "No output was measured" in text and "not measured" in text


def test_failures_are_counted_by_reason_of_lectures_that_are_still_there(options: LibraryOptions) -> None:
    lectures = [add_lecture(options, f"a/lecture {number}.mp4") for number in range(6)]
    for number, lecture in enumerate(lectures[:3]):
        fail(options, lecture, "hi", "failed", f"lipsync: lecture {number}.mp4 lacks {number} MB <b>", 1)
    fail(options, lectures[3], "es", "quarantined", "lipsync: lecture 3.mp4 lacks 17.5 MB <b>", 3)
    fail(options, lectures[4], "es", "failed", "gone", 1)
    set_status(options, lectures[5], {"es": {}})
    lectures[4].source.unlink()
    outcomes = read_outcomes(options.root, options.output_dir)
    (reason,) = outcomes.most_common
    assert (reason.n_failed, reason.n_quarantined) == (3, 1)
    assert reason.languages == {"hi": 3, "es": 1} and reason.example == "a/lecture 0.mp4"
    assert outcomes.states["es", "done"] == 1 and outcomes.states["es", "failed"] == 0
    page = write(options, [line(0)])
    assert "lecture 0.mp4 lacks 0 MB &lt;b&gt;" in page and "gone" not in page


@pytest.mark.parametrize(("n_days", "n_bars"), [(0, 7), (30, 31), (90, 14)])
def test_failed_attempts_stay_in_sight_after_a_lecture_was_made(
    options: LibraryOptions, n_days: int, n_bars: int
) -> None:
    lecture = add_lecture(options, "lecture.mp4")
    set_status(options, lecture, {"hi": {}})
    (status,) = find_statuses(options.output_dir)
    times = (START, START, START + timedelta(days=n_days, hours=23))
    failures = (*(time.isoformat() for time in times), "no time")
    write_status(workspace_of(lecture, options), status.model_copy(update={"failures": failures}))
    page = write(options, [line(0), line(1), line(2, "es")])
    (svg,) = (svg for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL) if "<rect" in svg)
    drawn = [node.text for node in ElementTree.fromstring(svg).iter("title")]
    first = "1 Mar" if n_days < 60 else "23 Feb"  # a Monday
    if n_days:
        last = "31 Mar" if n_days == 30 else "25 May"
        assert drawn == [f"{first}: 3 made", f"{first}: 2 failed", f"{last}: 1 failed"]
    else:
        assert drawn == ["1 Mar: 3 made", "1 Mar: 3 failed"]
    assert "No lecture that is in the library now has failed" in words(page)
    (made, *_) = (node for node in ElementTree.fromstring(svg).iter() if node.get("class") == "done")
    assert float(made.get("width", 0)) == pytest.approx((960 - 54 - 26) / n_bars - 2, abs=0.3)


def test_without_failures_there_is_no_chart_of_them(options: LibraryOptions) -> None:
    assert "<rect" not in write(options, [line(0)])


def test_reasons_without_end_are_bounded(options: LibraryOptions) -> None:
    lecture, outcomes = add_lecture(options, "lecture.mp4"), Outcomes()
    fail(options, lecture, "hi", "failed", "reason")
    (status,) = find_statuses(options.output_dir)
    for number in range(600):
        letters = "".join(chr(97 + int(digit)) for digit in str(number))
        language = status.languages["hi"].model_copy(update={"error": f"reason {letters}"})
        outcomes.add(status.model_copy(update={"languages": {"hi": language}}))
    assert len(outcomes.reasons) == 500 and outcomes.n_other == 100


def test_the_command_says_where_the_page_is_and_what_is_wrong(
    options: LibraryOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["report", str(options.root)]) == 2
    assert "holds no figures" in capsys.readouterr().err.replace("\n", " ")
    finish(options, add_lecture(options, "lecture.mp4"), "hi")
    assert cli.run(["report", str(options.root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"event": "report", "path": str(options.root / "library.html")}
    assert "LSE-D" in (options.root / "library.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("values", [[6.6, 9.3], [0.0, 0.00105], [7.0], [0.1, 0.3], [99.0, 1203.0]])
def test_axes_hold_all_values_between_whole_steps(values: list[float]) -> None:
    low, high = value_range(values)
    assert low <= min(values) and max(values) <= high and low < high
    svg = plot_over_time([Series("x", "l0", [(float(k), v) for k, v in enumerate([*values, *values])])], "y")
    labels = [
        node.text or ""
        for node in ElementTree.fromstring(svg).iter("text")
        if node.get("text-anchor") == "end"
    ]
    numbers = [float(label) for label in labels]
    steps = {round(after - before, 9) for before, after in itertools.pairwise(numbers)}
    assert len(steps) == 1 and numbers[0] == pytest.approx(low) and numbers[-1] == pytest.approx(high)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(5, "01:00"), (48, "2 Mar"), (24 * 30, "5 Mar"), (24 * 400, "Jul 2026"), (24 * 9000, "Dec 2034")],
)
def test_dates_below_the_axis_fit_the_time_that_is_shown(hours: int, expected: str) -> None:
    first = START.timestamp()
    series = [Series("x", "l0", [(first, 1.0), (first + hours * 3600, 2.0)])]
    for canvas in (WIDE, SMALL):
        texts = list(ElementTree.fromstring(plot_over_time(series, "y", canvas)).iter("text"))
        dates = [text.text for text in texts if text.get("text-anchor") == "middle" and text.get("x")]
        assert 1 <= len(dates) <= canvas.n_dates + 1
        assert canvas is SMALL or expected in dates
