"""The bench of data loading draws the same from both stores, and measures both."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from synthetic import make_talking_face

from lipsync_core.training.dataset import PreparedClips
from lipsync_core.training.preprocess import PreprocessOptions, preprocess

pytest.importorskip("librosa")
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*slated for removal in Python 3.13:DeprecationWarning"
)  # librosa.load
BENCH = Path(__file__).resolve().parents[2] / "bench" / "data_loading.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("data_loading", BENCH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    make_talking_face(folder / "one.mp4", seconds=1.2)
    make_talking_face(folder / "two.mp4", seconds=1.4)
    return folder


def test_both_ways_deliver_the_same_windows(bench, clips, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "BATCH", 2)
    shards, published = tmp_path / "shards", tmp_path / "published"
    preprocess(clips, shards, PreprocessOptions(is_filtered=False))
    bench.write_published(clips, shards, published, 2)
    bench.check_sound(published)
    theirs = bench.PublishedWay(published, 0).batch()
    ours = bench.OurWay(shards, 0, 0.0).published_batch()
    assert theirs["faces"].shape == (2, 6, 5, 96, 96)
    assert theirs["sync_mel"].shape == ours["sync_mel"].shape == (2, 1, 80, 16)
    assert theirs["mels"].shape == ours["mels"].shape == (2, 5, 1, 80, 16)
    for batch in (theirs, ours):
        faces = batch["faces"].transpose(1, 2).reshape(-1, 6, 96, 96) if batch is theirs else batch["faces"]
        assert not faces[:, :3, 48:].any(), "lower halves are blank"
        assert 0.2 < float(faces[:, 3:].mean()) < 0.8
    one = PreparedClips(shards).clips[0]
    jpegs = published / "one" / "one-0"
    assert len(list(jpegs.glob("*.jpg"))) == one.n_frames
    mel = bench.PublishedWay.mel(str(jpegs))
    start = np.floor(3.2 * 9)
    np.testing.assert_allclose(
        mel[:, int(start) : int(start) + 16], PreparedClips(shards).mel_at(one, 10, -1.0), atol=0.1
    )


def test_rates_and_ratios_are_measured(bench, clips, capsys):
    figures = bench.compare(clips, 1, 0.02, 1)
    assert figures[f"{bench.PUBLISHED}, ratio"] == 1.0
    assert all(value > 0 for value in figures.values())
    assert "| ratio |" in capsys.readouterr().out
