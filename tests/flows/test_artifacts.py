import base64
import re
from pathlib import Path

import pytest
from flow_samples import make_manifest
from synthetic import ffmpeg, make_clip

from f2f.request import Outputs
from flows import artifacts
from lipsync_core.errors import MediaError

SOURCE = Path("lecture.mp4")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00.0"), (59.96, "1:00.0"), (127.44, "2:07.4"), (3600, "60:00.0")]
)
def test_clock(seconds: float, text: str) -> None:
    assert artifacts.clock(seconds) == text


def test_segment_table_has_every_segment_and_both_languages() -> None:
    made = artifacts.segment_table(make_manifest(SOURCE))
    first, second = made["table"]
    assert first["source (en)"] == "Good morning"
    assert first["target (hi)"] == "सुप्रभात"
    assert (first["spoken"], first["tempo"]) == ("0:00.0–0:00.8", "1.15×")
    assert second["spoken"] == "not spoken"
    assert set(first) == set(second)  # the page takes its columns from the first row
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


def test_the_picture_is_taken_where_most_lips_were_made() -> None:
    manifest = make_manifest(SOURCE)
    assert artifacts.picture_time_s(manifest) == pytest.approx((10 + 29) / 2 / 25)
    untouched = manifest.lips.model_copy(update={"stretches": manifest.lips.stretches[:1]})
    assert artifacts.picture_time_s(manifest.model_copy(update={"lips": untouched})) == 1.0


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


def test_notices_are_told_once_or_not_at_all() -> None:
    page = artifacts.notices_markdown(make_manifest(SOURCE))
    assert page == "- a lesser engine was used\n- segment 1 is fast\n"
    quiet = make_manifest(SOURCE, notice=None).model_copy(update={"warnings": ()})
    assert artifacts.notices_markdown(quiet) is None


def test_manifests_are_read_back(tmp_path: Path) -> None:
    manifest = make_manifest(SOURCE)
    paths = [tmp_path / f"lecture.hi.{end}" for end in ("mp4", "srt", "json", "html")]
    paths[2].write_text(manifest.model_dump_json(), encoding="utf-8")
    assert artifacts.read_manifest(Outputs("hi", *paths)) == manifest
