from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from made_results import ENGINE, context_in, make_fitted, make_speech, make_transcript, make_translation
from synthetic import ffmpeg, make_talking_face

from f2f.manifest import Job, StageRecord, build_manifest
from f2f.report.page import summary_tiles
from f2f.report.pictures import choose_moments, crop_around, read_frame
from f2f.report.plot import Line, clock, plot_lse_distance
from f2f.results import (
    EngineInfo,
    Evaluation,
    FaceStretch,
    LipSyncResult,
    LipSyncScore,
    MuxResult,
    ScoreCurve,
    SoundMix,
    VideoScore,
)
from f2f.stages.probe import probe
from f2f.stages.report import report
from lipsync_core.inference import FacePatch, PatchWriter
from lipsync_core.media import read_frames

CURVE = ScoreCurve(
    time_s=(0.2, 0.24, 0.28, 1.2, 1.24), lse_d=(7.0, 7.5, 7.1, 6.0, 6.2), lse_c=(3, 3, 3, 4, 4)
)
WHOLE = LipSyncScore(start_s=0, end_s=2, lse_d=7.25, lse_c=3.5, offset_frames=-1, n_windows=46)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job whose output is the source mirrored, so that before and after can be told apart."""
    folder = tmp_path_factory.mktemp("job")
    source, output = make_talking_face(folder / "lecture.mp4", 2.0), folder / "video.mp4"
    ffmpeg("-i", source, "-vf", "hflip", "-crf", "12", "-c:a", "copy", output)
    (folder / "target.srt").write_text("1\n00:00:00,300 --> 00:00:01,000\nनमस्ते\n", encoding="utf-8")
    video = probe(source, context_in(folder / "probe")[0])
    with PatchWriter(folder / "patches.mkv", Fraction(25)) as writer:
        for index in range(4, 30):
            writer.write(index, FacePatch((140, 60, 240, 180), np.zeros((96, 96, 3), np.uint8), 1.0))
    stretch = FaceStretch(first_frame=0, last_frame=29, n_synced=26, mean_box_height_px=120)
    transcript = make_transcript(((0.2, 0.9), (1.2, 1.6), (1.7, 1.9)))
    translation = make_translation(transcript)
    score = VideoScore(whole=WHOLE, curve=CURVE)
    return Job(
        source=source,
        output_name="lecture.hi.mp4",
        video=video,
        transcript=transcript,
        translation=translation,
        speech=make_speech(translation),
        fitted=make_fitted(folder, translation, 2.0),
        lips=LipSyncResult(
            patches="patches.mkv", n_frames=50, n_synced=26, stretches=(stretch,), engine=ENGINE
        ),
        muxed=MuxResult(
            video="video.mp4", target_subtitles="target.srt", n_frames=50, duration_s=2.0,
            size_bytes=2_345_678, engine=ENGINE,
        ),
        evaluation=Evaluation(source=score, output=score, engine=ENGINE),
        lips_folder=folder,
        muxed_folder=folder,
        stages=(StageRecord(stage="transcribe", seconds=1.25, reused=True, engine=ENGINE),),
        notices=("a <script>alert(1)</script> notice",),
        command="f2f translate lecture.mp4 --to hi",
    )  # fmt: skip


@pytest.fixture(scope="module")
def page_of_base(base: Job, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Page, Path]:
    folder = tmp_path_factory.mktemp("page") / "report"
    return (*written(base, folder), folder)


class Page(HTMLParser):
    """Collects what a page refers to, and checks that its tags are closed."""

    VOID = frozenset({"meta", "img", "br", "line", "rect", "polyline", "circle"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def picture(address: str) -> np.ndarray:
    kind, data = address.split(",", 1)
    assert kind == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)


def written(job: Job, folder: Path) -> tuple[str, Page]:
    context, _ = context_in(folder, "report")
    result = report(job, context)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        (result.html, result.manifest, result.subtitles)
    )
    text = (folder / result.html).read_text(encoding="utf-8")
    return text, Page(text)


@pytest.mark.parametrize(
    ("separator", "duck_db", "words"),
    [
        (ENGINE, None, "speech of the source removed by captions"),
        (None, 20.0, "sound of the source 20 dB lower under the dub"),
        (None, None, "without the sound of the source"),
    ],
)
def test_report_says_what_became_of_the_source_s_sound(
    base: Job, separator: EngineInfo | None, duck_db: float | None, words: str
) -> None:
    sound = SoundMix(
        background="x",
        separator=separator,
        duck_db=duck_db,
        gain_db=3,
        loudness_lufs=-16.04,
        true_peak_dbtp=-2,
    )
    muxed = base.muxed.model_copy(update={"sound": sound})
    manifest = build_manifest(replace(base, muxed=muxed))
    assert manifest.output.sound == sound
    tile = next(tile for tile in summary_tiles(manifest) if tile.label == "Sound")
    assert tile.value == "−16.0 LUFS" and words in tile.note


def test_report_is_one_page_that_needs_nothing_else(page_of_base: tuple[str, Page, Path]) -> None:
    text, page, folder = page_of_base
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    assert all(str(image["src"]).startswith("data:image/jpeg") for image in page.all("img"))
    assert [link["href"] for link in page.all("a")] == ["lecture.hi.mp4"]
    assert "url(" not in text and "@import" not in text and "http" not in text
    manifest = json.loads((folder / "lecture.hi.json").read_text(encoding="utf-8"))
    assert manifest["output"]["name"] == "lecture.hi.mp4"
    assert "नमस्ते" in (folder / "lecture.hi.srt").read_text(encoding="utf-8")


def test_report_tells_everything_and_escapes_what_users_wrote(page_of_base: tuple[str, Page, Path]) -> None:
    text, page, _ = page_of_base
    assert "Hello &lt;b&gt;all&lt;/b&gt; &amp; welcome." in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    for words in (
        "नमस्ते, सबका स्वागत है।",
        "1.25×",
        "hi+f1",
        "7.25",
        "3.50",
        "not spoken",
        "as the file",
        "2.3 MB",
    ):
        assert words in text
    assert "Synthetic media" in text and "--to hi" in text and "captions" in text
    assert text.index("segment 9 has no word") < text.index("Lip-sync error"), "warnings come first"
    cells = [attrs for attrs in page.all("td") if attrs.get("lang") == "hi"]
    assert len(cells) == 3 and all(cell["dir"] == "auto" for cell in cells)


def test_pictures_are_the_same_moments_before_and_after(page_of_base: tuple[str, Page, Path]) -> None:
    _, page, _ = page_of_base
    images = page.all("img")
    assert len(images) == 2 * 4, "three moments and one enlarged face"
    for before, after in zip(images[::2], images[1::2], strict=True):
        one, other = picture(str(before["src"])), picture(str(after["src"]))
        assert one.shape == other.shape
        assert str(one.shape[1]) == before["width"] and str(one.shape[0]) == before["height"]
        assert np.abs(one.astype(int) - other).mean() > 8, "the output is mirrored, so they must differ"


def test_without_lips_and_faces_there_is_still_a_report(base: Job, tmp_path: Path) -> None:
    nothing = VideoScore(whole=None, reason="no face was found")
    job = replace(
        base,
        lips=base.lips.model_copy(update={"patches": None, "n_synced": 0, "stretches": ()}),
        muxed=base.muxed.model_copy(update={"target_subtitles": None}),
        evaluation=Evaluation(source=nothing, output=nothing, engine=ENGINE),
    )
    text, page = written(job, tmp_path / "report")
    assert "not measured" in text and "no face was found" in text and "<svg" not in text
    assert len(page.all("img")) == 4, "two spoken segments, whole pictures"
    assert (tmp_path / "report" / "lecture.hi.srt").read_text() == ""


def test_a_right_to_left_language_and_problems_in_english_are_marked(base: Job, tmp_path: Path) -> None:
    first, *rest = base.translation.segments
    segments = (first.model_copy(update={"problems": ("the number <42> is lost",)}), *rest)
    changed = base.translation.model_copy(update={"target_language": "ar", "segments": segments})
    job = replace(base, translation=changed)
    text, page = written(job, tmp_path / "report")
    cells = [attrs for attrs in page.all("td") if attrs.get("lang") == "ar"]
    assert cells and all(cell["dir"] == "auto" for cell in cells)
    assert "Arabic" in text
    (problem,) = [attrs for attrs in page.all("span") if attrs.get("class") == "problem"]
    assert (problem["lang"], problem["dir"]) == ("en", "ltr")
    assert "the number &lt;42&gt; is lost</span>" in text


@pytest.mark.parametrize("index", [0, 7, 49])
def test_seeking_finds_the_frame_that_decoding_finds(base: Job, index: int) -> None:
    frames = list(read_frames(base.source))
    found = read_frame(base.source, index, Fraction(25)).astype(int)
    errors = [np.abs(found - frame).mean() for frame in frames[max(0, index - 2) : index + 3]]
    assert int(np.argmin(errors)) == min(index, 2) and min(errors) < 1.5


def test_moments_are_spread_and_few_are_kept() -> None:
    faces = ((k, (0, 0, 10, 10)) for k in range(100, 90_100))
    moments = [moment.index for moment in choose_moments(faces, 3)]
    assert moments == pytest.approx([15_100, 45_100, 75_100], rel=0.05)
    assert [m.index for m in choose_moments(iter([(5, (0, 0, 1, 1))]), 3)] == [5]
    assert choose_moments(iter(()), 3) == []


@pytest.mark.parametrize(
    "face", [(140, 60, 240, 180), (-20, -10, 60, 90), (330, 220, 420, 330), (0, 0, 384, 288)]
)
def test_crops_stay_inside_and_hold_the_face(face: tuple[int, int, int, int]) -> None:
    x1, y1, x2, y2 = crop_around(face, 384, 288, 3.0, 4 / 3)
    assert 0 <= x1 < x2 <= 384 and 0 <= y1 < y2 <= 288
    assert (x2 - x1) / (y2 - y1) == pytest.approx(4 / 3, rel=0.03)
    assert (
        x1 <= max(face[0], 0)
        and x2 >= min(face[2], 384)
        and y1 <= max(face[1], 0)
        and y2 >= min(face[3], 288)
    )


def test_plot_breaks_at_gaps_shades_slides_and_keeps_values() -> None:
    svg = plot_lse_distance([Line("source", "source", CURVE)], [(0.4, 1.1)], 2.0)
    tree = ElementTree.fromstring(svg)
    lines = tree.findall(".//polyline")
    assert [len(str(line.get("points")).split()) for line in lines] == [3, 2]
    (shade,) = tree.findall("./rect")
    first_x = float(str(lines[0].get("points")).split(",")[0])
    scale = float(str(shade.get("width"))) / 0.7
    assert first_x == pytest.approx(float(str(shade.get("x"))) - 0.2 * scale, abs=0.2)
    ys = [float(pair.split(",")[1]) for line in lines for pair in str(line.get("points")).split()]
    assert np.corrcoef(ys, CURVE.lse_d)[0, 1] == pytest.approx(-1, abs=1e-3), "up is more"
    assert "time (min:s)" in svg and "LSE-D" in svg


def test_a_long_curve_is_averaged_not_cut() -> None:
    n = 90_000
    time_s, values = np.arange(n) / 25, 7 + np.sin(np.arange(n) / 9_000)
    curve = ScoreCurve(time_s=tuple(time_s), lse_d=tuple(values), lse_c=tuple(values))
    svg = plot_lse_distance([Line("output", "output", curve)], [], n / 25)
    points = re.findall(r"points=\"([^\"]+)\"", svg)
    assert len(points) == 1 and 350 <= len(points[0].split()) <= 401
    assert "1:00:00" in svg and len(svg) < 20_000
    assert plot_lse_distance([Line("output", "output", ScoreCurve())], [], 10) == ""


def test_clock() -> None:
    assert [clock(0), clock(59.6), clock(3_599.6), clock(3_725)] == ["0:00", "1:00", "1:00:00", "1:02:05"]
    assert [clock(75.25, tenths=True), clock(59.96, tenths=True)] == ["1:15.2", "1:00.0"]
