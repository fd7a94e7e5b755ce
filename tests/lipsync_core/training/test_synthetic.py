import numpy as np
import pytest

from lipsync_core.errors import InvalidInputError
from lipsync_core.training.dataset import PreparedClips
from lipsync_core.training.synthetic import CLIP_FRAMES, main, write_synthetic

MOUTH = np.s_[:, 74:90, 52:68]  # of stored 120-px face crops


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("synthetic") / "data"
    assert write_synthetic(target, clips=3, people=2) == 3
    return target


@pytest.fixture(scope="module")
def data(folder):
    return PreparedClips(folder)


def test_clips_have_people_frames_and_sound(data):
    assert [c.identity for c in data.clips] == ["person000", "person001", "person000"]
    for clip in data.clips:
        assert data.faces(clip, 0, CLIP_FRAMES).shape == (CLIP_FRAMES, 120, 120, 3)
        assert data.heads(clip, 0, CLIP_FRAMES).shape == (CLIP_FRAMES, 112, 112, 3)
        assert data.last_start(clip) >= CLIP_FRAMES - 8
    one, other, same = (data.faces(c, 0, 1)[0].astype(int) for c in data.clips)
    cheek = np.s_[60:66, 30:36]
    assert np.abs(one[cheek] - same[cheek]).mean() < 5 < np.abs(one[cheek] - other[cheek]).mean()


def test_mouths_open_with_the_sound_and_not_with_that_of_another_moment(data):
    for clip in data.clips:
        mouth = data.faces(clip, 0, CLIP_FRAMES)[MOUTH].mean(axis=(1, 2, 3))
        mel = data.mel(clip)
        loudness = np.array([mel[:, int(3.2 * f) : int(3.2 * f) + 4].mean() for f in range(CLIP_FRAMES)])
        now = np.corrcoef(-mouth, loudness)[0, 1]
        later = np.corrcoef(-mouth[:-5], loudness[5:])[0, 1]
        assert now > 0.5
        assert now > later + 0.3


def test_eyes_do_not_tell_what_is_said(data):
    frames = data.faces(data.clips[0], 0, CLIP_FRAMES)
    upper, mouth = frames[:, :60].std(axis=0).mean(), frames[MOUTH].std(axis=0).mean()
    assert mouth > 4 * upper


def test_the_same_seed_gives_the_same_data(folder, tmp_path):
    assert main([str(tmp_path / "again"), "--clips", "3", "--people", "2"]) == 0
    for name in ("faces.u8", "heads.u8", "mel.f32", "mfcc.f32", "clips.json"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_mistakes_are_named(folder, tmp_path):
    with pytest.raises(InvalidInputError, match="exists"):
        write_synthetic(folder)
    assert main([str(tmp_path / "none"), "--clips", "0"]) == 2
