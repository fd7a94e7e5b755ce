import cv2
import numpy as np
from synthetic import astronaut_frame, ffmpeg, write_wav

from lipsync_core.training.dataset import PreparedClips
from lipsync_core.training.people import people_of
from lipsync_core.training.preprocess import PreprocessOptions, preprocess


def test_tracks_one_after_the_other_are_one_person():
    assert people_of({}) == {}
    assert people_of({0: (0, 40)}) == {0: 0}
    assert people_of({0: (0, 40), 1: (40, 90), 2: (93, 120)}) == {0: 0, 1: 0, 2: 0}


def test_who_is_seen_beside_another_is_told_apart():
    spans = {0: (0, 50), 1: (50, 100), 2: (50, 100), 3: (80, 95), 4: (100, 130)}
    assert people_of(spans) == {0: 0, 1: 1, 2: 2, 3: 3, 4: 0}


def test_a_moment_of_two_boxes_is_no_second_person():
    assert people_of({0: (0, 54), 1: (50, 100)}) == {0: 0, 1: 0}
    assert people_of({0: (0, 55), 1: (50, 100)}) == {0: 1, 1: 2}


def video_of(path, frames):
    """Write frames with noise as their sound."""
    sound = write_wav(path.with_suffix(".wav"), 0.1 * np.random.default_rng(0).normal(size=40_000), 16_000)
    pictures = path.with_suffix(".frames")
    pictures.mkdir()
    for number, frame in enumerate(frames):
        cv2.imwrite(str(pictures / f"{number:03d}.png"), frame)
    ffmpeg(
        "-framerate", 25, "-i", pictures / "%03d.png", "-i", sound, "-pix_fmt", "yuv420p", "-shortest", path
    )


def test_two_people_in_one_video_become_two_identities(tmp_path):
    """One face, and after a cut two; another file shows the first one again."""
    face = astronaut_frame(256, 288)
    alone = np.hstack([face, np.full_like(face, 200)])
    both = np.hstack([face, face[:, ::-1]]) // 2
    folder = tmp_path / "videos" / "show"
    folder.mkdir(parents=True)
    video_of(folder / "talk.mp4", [alone] * 30 + [both] * 30)
    video_of(folder / "more.mp4", [alone] * 28)
    preprocess(tmp_path / "videos", tmp_path / "data", PreprocessOptions(is_filtered=False))
    clips = [(c.source, c.start_s, c.person, c.identity) for c in PreparedClips(tmp_path / "data").clips]
    assert sorted(clips) == [
        ("show/more.mp4", 0.0, 0, "show"),
        ("show/talk.mp4", 0.0, 0, "show"),
        ("show/talk.mp4", 1.2, 1, "show/talk#1"),
        ("show/talk.mp4", 1.2, 2, "show/talk#2"),
    ]
