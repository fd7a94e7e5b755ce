import base64
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from flow_samples import engine, make_manifest
from synthetic import ffmpeg, make_clip

from f2f.manifest import StageRecord
from f2f.report.moments import picture_time_s
from f2f.request import Outputs
from f2f.results import ScoreCurve
from flows import artifacts
from lipsync_core.errors import MediaError

SOURCE = Path("lecture.mp4")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00.0"), (59.96, "1:00.0"), (127.44, "2:07.4"), (3600, "60:00.0")]
)
def test_clock(seconds: float, text: str) -> None:
    assert artifacts.clock(seconds) == text


def test_segment_table_has_every_segment_and_both_languages() -> None:
    manifest = make_manifest(SOURCE)
    made = artifacts.segment_table(manifest)
    first, second = made["table"]
    assert first["source (en)"] == "Good morning"
    assert first["target (hi)"] == "सुप्रभात"
    assert (first["spoken"], first["tempo"]) == ("0:00.0–0:00.8", "1.15×")
    assert second["spoken"] == "not spoken"
    assert set(first) == set(second)  # the page takes its columns from the first row
    assert (first["edited"], second["edited"]) == ("", "")
    edited = tuple(entry.model_copy(update={"edited": ("text", "voice")}) for entry in manifest.segments)
    rows = artifacts.segment_table(manifest.model_copy(update={"segments": edited}))["table"]
    assert rows[0]["edited"] == "text, voice"
    assert made["description"] == "2 segments, en → hi; voice: hi+f2"


def test_score_table_shows_both_videos_and_why_one_was_not_measured() -> None:
    made = artifacts.score_table(make_manifest(SOURCE))
    rows = made["table"]
    assert [(row["video"], row["part"]) for row in rows] == [
        ("source", "whole"),
        ("source", "0:00.4–0:01.2"),
        ("output", "whole"),
    ]
    assert (rows[0]["LSE-D"], rows[0]["LSE-C"], rows[0]["offset (frames)"]) == ("8.123", "5.500", "-1")
    assert (rows[2]["LSE-D"], rows[2]["note"]) == ("", "no face was found")
    assert all(set(row) == set(rows[0]) for row in rows)
    assert "syncnet" in made["description"] and "embedded" in made["description"]


def test_stage_table_shows_time_and_memory_of_the_work() -> None:
    records = (
        StageRecord(stage="probe", seconds=0.5, reused=True),
        StageRecord(
            stage="lipsync", seconds=5.0, reused=False, peak_memory_mib=812.4, engine=engine("embedded")
        ),
    )
    stages = tuple(record.beside(2.0) for record in records)
    made = artifacts.stage_table(make_manifest(SOURCE).model_copy(update={"stages": stages}))
    probe, lips = made["table"]
    assert list(lips.values()) == ["lipsync", "5.0", "2.500", "812 MiB", "", "embedded embedded-detail"]
    assert (probe["reused"], probe["peak memory"], set(probe)) == ("reused", "", set(lips))
    assert made["description"].startswith("5.0 s of work for 0:02.0 of video (2.50 × real time)")


def test_the_plot_needs_no_style_sheet_and_is_left_out_where_nothing_was_measured() -> None:
    manifest = make_manifest(SOURCE)
    assert artifacts.plot_markdown(manifest) is None
    curve = ScoreCurve(time_s=(0.2, 0.4, 0.6), lse_d=(7.0, 8.0, 7.5), lse_c=(3, 3, 3))
    source = manifest.metrics.source.model_copy(update={"curve": curve})
    metrics = manifest.metrics.model_copy(update={"source": source})
    page = artifacts.plot_markdown(manifest.model_copy(update={"metrics": metrics}))
    data = re.search(r"\(data:image/svg\+xml;base64,([^)]+)\)", page or "")
    assert data is not None
    svg = ElementTree.fromstring(base64.b64decode(data[1]))
    assert svg.tag == "{http://www.w3.org/2000/svg}svg" and svg.get("width") == "960"
    (style,) = svg.iter("{http://www.w3.org/2000/svg}style")
    drawn = {node.get("class") for node in svg.iter("{http://www.w3.org/2000/svg}polyline")}
    assert drawn == {"source"} and ".source{stroke:" in (style.text or "")


def test_the_picture_is_taken_where_most_lips_were_made() -> None:
    manifest = make_manifest(SOURCE)
    assert picture_time_s(manifest) == pytest.approx((10 + 29) / 2 / 25)
    untouched = manifest.lips.model_copy(update={"stretches": manifest.lips.stretches[:1]})
    assert picture_time_s(manifest.model_copy(update={"lips": untouched})) == 1.0


def test_before_after_shows_source_left_and_output_right(tmp_path: Path) -> None:
    import cv2
    import numpy as np

    red, blue = tmp_path / "red.mp4", tmp_path / "blue.mp4"
    # The output has another size and pixels twice as wide as high: shown 160×60, as wide as the source.
    ffmpeg("-f", "lavfi", "-i", "color=red:size=320x120:rate=25:duration=1", "-pix_fmt", "yuv420p", red)
    ffmpeg(
        "-f", "lavfi", "-i", "color=blue:size=80x60:rate=25:duration=1,setsar=2", "-pix_fmt", "yuv420p", blue
    )  # fmt: skip
    jpeg = artifacts.before_after_jpeg(red, blue, 0.5, height=90)
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (90, 480, 3)
    left, right = picture[:, :230].mean((0, 1)), picture[:, 250:].mean((0, 1))
    assert left[2] > 200 > 60 > left[0]
    assert right[0] > 200 > 60 > right[2]


def test_a_broken_video_is_a_media_error(tmp_path: Path) -> None:
    clip, broken = make_clip(tmp_path / "clip.mp4", 1), tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(MediaError, match="broken"):
        artifacts.before_after_jpeg(clip, broken, 0.5)


def test_picture_page_holds_the_picture_itself() -> None:
    manifest = make_manifest(SOURCE)
    page = artifacts.picture_markdown(b"\xff\xd8jpeg", manifest, 0.78)
    data = re.search(r"\(data:image/jpeg;base64,([^)]+)\)", page)
    assert data is not None and base64.b64decode(data[1]) == b"\xff\xd8jpeg"
    assert manifest.statement in page


def test_files_are_linked_and_spelled_out(tmp_path: Path) -> None:
    outputs = Outputs("hi", *(tmp_path / f"my lecture.hi.{end}" for end in ("mp4", "srt", "json", "html")))
    page = artifacts.files_markdown(outputs)
    assert f"[my lecture.hi.html]({(tmp_path / 'my lecture.hi.html').as_uri()})" in page
    assert "my%20lecture.hi.mp4" in page
    assert f"`{tmp_path / 'my lecture.hi.json'}`" in page


def test_names_and_notices_are_shown_as_they_are(tmp_path: Path) -> None:
    name = "a_[b](c)<i>`d`"
    outputs = Outputs("hi", *(tmp_path / f"{name}.hi.{end}" for end in ("mp4", "srt", "json", "html")))
    assert f"`` {tmp_path}/a_[b](c)<i>`d`.hi.json ``" in artifacts.files_markdown(outputs)
    assert "[a\\_\\[b\\](c)\\<i\\>\\`d\\`.hi.html](file:///" in artifacts.files_markdown(outputs)
    loud = make_manifest(SOURCE).model_copy(update={"notices": ("<img src=x>\n# *b*",), "warnings": ()})
    assert artifacts.notices_markdown(loud) == "### Good to know\n\n- \\<img src=x\\> \\# \\*b\\*\n"


def test_notices_are_told_once_or_not_at_all() -> None:
    page = artifacts.notices_markdown(make_manifest(SOURCE))
    assert page == (
        "### Look at this\n\n- segment 1 is fast\n\n### Good to know\n\n- a lesser engine was used\n"
    )
    quiet = make_manifest(SOURCE, notice=None).model_copy(update={"warnings": ()})
    assert artifacts.notices_markdown(quiet) is None


def test_manifests_are_read_back(tmp_path: Path) -> None:
    manifest = make_manifest(SOURCE)
    paths = [tmp_path / f"lecture.hi.{end}" for end in ("mp4", "srt", "json", "html")]
    paths[2].write_text(manifest.model_dump_json(), encoding="utf-8")
    assert artifacts.read_manifest(Outputs("hi", *paths)) == manifest
