"""Many videos: one row each, means, and reasons instead of crashes."""

from pathlib import Path

import pytest
from synthetic import ffmpeg

from lipsync_core.errors import InvalidInputError
from lipsync_core.metrics.videos import VideoMeter, VideoOptions, find_videos, reference_of, summarise
from lipsync_core.scoring import score_video


@pytest.fixture(scope="module")
def meter(clips, syncnet_file):
    options = VideoOptions(syncnet=str(syncnet_file), reference=clips / "true")
    meter = VideoMeter(options)
    (clips / "made/broken.mkv").write_bytes(b"no video at all" * 9)
    for video in find_videos([clips / "made"]):
        meter.measure(video)
    return meter


def test_rows_are_what_the_parts_measure(meter, clips, syncnet_file):
    assert [row.video.name for row in meter.rows] == ["broken.mkv", "same.mkv", "talk.mkv"]
    own = score_video(clips / "made/talk.mkv", syncnet=str(syncnet_file)).whole
    row = meter.rows[2]
    assert (row.score.whole.distance, row.score.whole.confidence) == (own.distance, own.confidence)
    assert row.figures["lse_d"] == own.distance and row.figures["psnr_db"] > 20
    assert row.error is None and row.comparison.n_frames == 27


def test_a_bad_file_is_a_row_with_the_reason(meter):
    row = meter.rows[0]
    assert row.score is None and row.comparison is None and "broken.mkv" in row.error
    assert set(row.figures.values()) == {None}
    plain = row.to_dict()
    assert plain["whole"] is None and plain["error"] == row.error


def test_summary_has_plain_means_and_the_distance_of_all_faces(meter):
    summary = meter.summary()
    assert (summary.n_videos, summary.n_failed) == (2, 1)
    distances = [row.figures["lse_d"] for row in meter.rows[1:]]
    assert summary.figures["lse_d"] == pytest.approx(sum(distances) / 2)
    assert summary.figures["psnr_db"] == meter.rows[2].figures["psnr_db"]  # the other one is infinite
    assert summary.frechet.n_pictures == 12 and summary.frechet.distance > 0
    assert "pip install face-alignment" in summary.not_measured["lmd_px"]
    assert summary.to_dict()["frechet"]["name"] == summary.frechet.name


def test_nothing_measured_gives_no_means():
    summary = summarise([], None, {})
    assert (summary.n_videos, summary.in_sync_share, summary.figures) == (0, None, {})


def test_folders_are_searched_in_the_order_of_names(tmp_path):
    for name in ("b/2.MP4", "b/1.mkv", "a.webm", "b/.hidden.mp4", "b/note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    single = Path("elsewhere.mp4")
    found = find_videos([single, tmp_path])
    assert [p.name for p in found] == ["elsewhere.mp4", "a.webm", "1.mkv", "2.MP4"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInputError, match="holds no videos"):
        find_videos([tmp_path / "empty"])


def test_references_are_found_by_name_and_nearest_folder(tmp_path):
    for name in ("t/x/1.mkv", "t/y/1.mp4", "t/2.mp4", "g/x/1.mp4", "g/2.mp4", "g/3.mp4", "g/1.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    true = tmp_path / "t"
    assert reference_of(tmp_path / "g/x/1.mp4", true) == true / "x/1.mkv"
    assert reference_of(tmp_path / "g/2.mp4", true) == true / "2.mp4"
    assert reference_of(tmp_path / "g/3.mp4", tmp_path / "t/2.mp4") == true / "2.mp4"
    with pytest.raises(InvalidInputError, match="no video named 3"):
        reference_of(tmp_path / "g/3.mp4", true)
    with pytest.raises(InvalidInputError, match="2 videos named 1"):
        reference_of(tmp_path / "g/1.mp4", true)


def test_two_faces_give_two_tracks(tmp_path, clips, syncnet_file):
    pair = tmp_path / "two.mkv"
    ffmpeg("-i", clips / "true/talk.mkv", "-filter_complex", "[0:v]split[a][b];[a][b]hstack", pair)
    meter = VideoMeter(VideoOptions(syncnet=str(syncnet_file)))
    row = meter.measure(pair)
    assert len(row.score.tracks) == 2
    assert row.score.whole.n_windows == sum(t.n_windows for t in row.score.tracks)
    strict = VideoMeter(VideoOptions(syncnet=str(syncnet_file), min_track_frames=101))
    assert "4 s or longer" in strict.measure(pair).error
