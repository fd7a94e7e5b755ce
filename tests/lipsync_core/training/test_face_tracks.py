import numpy as np
import pytest

from lipsync_core.faces.centerface import FaceBox
from lipsync_core.training.face_tracks import follow_faces


class Painted:
    """Finds faces whose corners a frame carries in its first row: x1, y1, x2, y2 for each."""

    name = "painted"

    def __init__(self):
        self.n_looks = 0

    def detect(self, frame_bgr):
        self.n_looks += 1
        values = frame_bgr[0, :, 0].reshape(-1, 4).astype(float)
        return [FaceBox(*v, score=0.9) for v in values if v.any()]


def frame(*boxes, level=50):
    picture = np.full((100, 160, 3), level, np.uint8)
    picture[0] = 0
    for number, box in enumerate(boxes):
        picture[0, 4 * number : 4 * number + 4] = np.array(box)[:, None]
    return picture


def follow(frames):
    detector = Painted()
    tracks: dict[int, dict[int, tuple]] = {}
    ended = set()
    for face in follow_faces(frames, detector):
        if face.frame_bgr is None:
            ended.add(face.track)
            continue
        assert face.track not in ended
        rows = tracks.setdefault(face.track, {})
        assert not rows or face.frame_index == max(rows) + 1, "no gaps"
        rows[face.frame_index] = face.box
    assert ended == set(tracks)
    return tracks, detector


def test_a_still_face_keeps_its_box_in_every_frame():
    tracks, detector = follow([frame((20, 30, 60, 80))] * 23)
    assert list(tracks) == [0]
    assert sorted(tracks[0]) == list(range(23))
    for box in tracks[0].values():
        assert box == pytest.approx((20, 30, 60, 80))
    assert detector.n_looks == 6, "every fifth frame and the last"


def test_steady_motion_is_followed_between_detections():
    tracks, _ = follow([frame((20 + i, 30, 60 + i, 80)) for i in range(41)])
    for index, box in tracks[0].items():
        assert box == pytest.approx((20 + index, 30, 60 + index, 80), abs=0.01)


def test_fast_motion_is_looked_at_frame_by_frame():
    xs = [20] * 10 + [20, 26, 32, 38, 38] + [38] * 10
    tracks, detector = follow([frame((x, 30, x + 40, 80)) for x in xs])
    assert detector.n_looks > 9
    assert tracks[0][12][0] == pytest.approx(31, abs=3)
    assert tracks[0][24] == pytest.approx((38, 30, 78, 80))


def test_two_people_are_two_tracks():
    tracks, _ = follow([frame((10, 30, 50, 80), (90, 20, 140, 80))] * 12)
    assert sorted(tracks) == [0, 1]
    assert all(len(rows) == 12 for rows in tracks.values())


def test_cuts_end_tracks_at_the_very_frame():
    shots = [frame((20, 30, 60, 80), level=30)] * 13 + [frame((22, 30, 62, 80), level=200)] * 9
    tracks, _ = follow(shots)
    assert [sorted(rows) for rows in tracks.values()] == [list(range(13)), list(range(13, 22))]


def test_short_absences_are_bridged_and_long_ones_end_a_track():
    seen, gone = frame((20, 30, 60, 80)), frame()
    tracks, _ = follow([seen] * 11 + [gone] * 8 + [seen] * 11)
    assert [len(rows) for rows in tracks.values()] == [30]
    tracks, _ = follow([seen] * 11 + [gone] * 20 + [seen] * 11)
    assert len(tracks) == 2
    assert sorted(tracks[0]) == list(range(11))


def test_few_frames_are_held():
    alive = []

    def frames():
        for _ in range(200):
            picture = frame((20, 30, 60, 80))
            alive.append(picture)
            yield picture

    handed_out = 0
    for face in follow_faces(frames(), Painted()):
        handed_out += face.frame_bgr is not None
        assert len(alive) - handed_out <= 12
    assert handed_out == 200


def test_no_frames_no_tracks():
    assert follow([])[0] == {}
