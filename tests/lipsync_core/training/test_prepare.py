import numpy as np
import pytest
from synthetic import make_clip, make_talking_face, write_wav

from lipsync_core.audio import mel_spectrogram
from lipsync_core.errors import InvalidInputError
from lipsync_core.media import read_audio
from lipsync_core.training import prepare as preparation
from lipsync_core.training.dataset import PreparedClips
from lipsync_core.training.prepare import main, prepare


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    (folder / "ann").mkdir()
    (folder / "card").mkdir()
    make_talking_face(folder / "ann" / "one.mp4", seconds=1.4)
    make_clip(folder / "card" / "faceless.mp4", seconds=1.0)
    write_wav(folder / "ann" / "notes.wav", np.zeros(1600), 16_000)
    return folder


def test_faces_and_sound_are_stored_and_faceless_clips_named(clips, tmp_path, caplog):
    assert prepare(clips, tmp_path / "data") == 1
    assert "faceless.mp4" in caplog.text
    assert not (tmp_path / "data.part").exists()
    data = PreparedClips(tmp_path / "data")
    (clip,) = data.clips
    assert (clip.name, clip.identity, clip.n_frames) == ("one", "ann", 35)
    faces, heads = data.faces(clip, 0, 35), data.heads(clip, 0, 35)
    assert faces.shape == (35, 120, 120, 3)
    assert heads.shape == (35, 112, 112, 3)
    skin_bgr = faces[0, 50:70, 50:70].mean(axis=(0, 1))
    assert skin_bgr[2] > skin_bgr[0] + 20, "skin is redder than blue, so the order is BGR"
    mel = mel_spectrogram(read_audio(clips / "ann" / "one.mp4"))
    np.testing.assert_allclose(data.mel(clip)[:, :100], mel[:, :100], atol=0.05)


def test_long_clips_are_cut_into_pieces(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "MAX_PIECE_FRAMES", 17)
    assert prepare(clips, tmp_path / "data") == 2
    data = PreparedClips(tmp_path / "data")
    assert [c.name for c in data.clips] == ["one", "one-1"]
    assert [c.n_frames for c in data.clips] == [17, 17]
    whole = mel_spectrogram(read_audio(clips / "ann" / "one.mp4"))
    second = data.mel(data.clips[1])  # begins at frame 17, column 54.4
    middle = second[:, 10:40]
    shifts = [np.abs(whole[:, 10 + s : 40 + s] - middle).mean() for s in range(45, 65)]
    assert int(np.argmin(shifts)) + 45 in (54, 55)


def test_mistakes_are_named(clips, tmp_path):
    with pytest.raises(InvalidInputError, match="no clips"):
        prepare(tmp_path, tmp_path / "data")
    with pytest.raises(InvalidInputError, match="none of the 1 clips"):
        prepare(clips / "card", tmp_path / "data")
    assert main([str(clips), str(tmp_path)]) == 2
