import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from synthetic import ffmpeg, make_clip, make_talking_face, write_wav

from lipsync_core.audio import mel_spectrogram, mfcc
from lipsync_core.errors import InvalidInputError, LipSyncError
from lipsync_core.media import read_audio
from lipsync_core.training import preprocess_workers
from lipsync_core.training.clip_sound import speech_features
from lipsync_core.training.dataset import PreparedClips
from lipsync_core.training.prepare import prepare
from lipsync_core.training.preprocess import PreprocessOptions, main, preprocess

UNFILTERED = PreprocessOptions(is_filtered=False)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """An LRS2-like tree: three talking faces, one with 30 frames a second, a test card, and a broken file."""
    root = tmp_path_factory.mktemp("videos")
    for name in ("main/1", "main/2"):
        (root / name).mkdir(parents=True)
    make_talking_face(root / "main/1/00001.mp4", seconds=1.4)
    make_talking_face(root / "main/1/00002.mp4", seconds=1.2)
    make_talking_face(root / "main/2/00001.mp4", seconds=1.2, fps=30)
    make_clip(root / "main/2/00002.mp4", seconds=1.0)
    (root / "main/2/00003.mp4").write_bytes((root / "main/1/00001.mp4").read_bytes()[:1500])
    (root / "train.txt").write_text("1/00001\n1/00002\n")
    (root / "test.txt").write_text("2/00001 NF\n")
    return root


@pytest.fixture(scope="module")
def shards(videos, tmp_path_factory):
    target = tmp_path_factory.mktemp("shards") / "data"
    return target, preprocess(videos, target, UNFILTERED)


def read(folder):
    data = PreparedClips(folder)
    return [
        (c.name, c.source, data.faces(c, 0, c.n_frames), data.heads(c, 0, c.n_frames), data.mel(c))
        for c in data.clips
    ]


def assert_same(first, second):
    pairs = list(zip(read(first), read(second), strict=True))
    assert pairs
    for one, other in pairs:
        assert one[:2] == other[:2]
        for a, b in zip(one[2:], other[2:], strict=True):
            np.testing.assert_array_equal(a, b)


def test_every_face_becomes_a_clip_with_identity_split_and_25_frames_a_second(shards):
    data = PreparedClips(shards[0])
    assert [(c.source, c.identity, c.split, c.name) for c in data.clips] == [
        ("main/1/00001.mp4", "1", "train", "00001"),
        ("main/1/00002.mp4", "1", "train", "00002"),
        ("main/2/00001.mp4", "2", "test", "00001"),
    ]
    assert [c.n_frames for c in data.clips] == [35, 30, 30]
    assert [c.identity for c in PreparedClips(shards[0], splits=["test"]).clips] == ["2"]
    clip = data.clips[0]
    assert data.last_start(clip) == 29
    skin_bgr = data.faces(clip, 0, 1)[0, 50:70, 50:70].mean(axis=(0, 1))
    assert skin_bgr[2] > skin_bgr[0] + 20, "skin is redder than blue, so the order is BGR"


def test_the_table_counts_what_was_kept_and_what_not(shards):
    target, summary = shards
    assert (summary.n_sources, summary.n_kept, summary.n_identities) == (5, 3, 2)
    assert list(summary.unreadable) == ["main/2/00003.mp4"]
    assert summary.n_dropped == {"no face": 1}
    assert summary.splits == {"train": 2, "test": 1}
    assert summary.kept_s == pytest.approx(95 / 25)
    index = json.loads((target / "shards.json").read_text())
    assert index["is_finished"]
    assert index["summary"] == summary.to_dict()


def test_sound_is_that_of_the_whole_file(videos, shards):
    data = PreparedClips(shards[0])
    wave = read_audio(videos / "main/1/00001.mp4")
    clip = data.clips[0]
    np.testing.assert_allclose(data.mel(clip)[:, :100], mel_spectrogram(wave)[:, :100], atol=0.04)
    pcm = np.round(wave * 32768).astype(np.int16)
    np.testing.assert_allclose(data.mfcc_at(clip, 3), mfcc(pcm)[:, 12:32], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("first_frame", [0, 5, 10])
def test_a_stretch_of_sound_has_the_features_of_the_whole(first_frame):
    wave = 0.2 * np.random.default_rng(0).standard_normal(3 * 16_000).clip(-4, 4)
    mel, cepstra = speech_features(wave, first_frame * 640, 25 * 640)
    assert (len(mel), len(cepstra)) == (81, 100)
    column, pcm = first_frame * 80 // 25, np.round(wave * 32768).astype(np.int16)
    np.testing.assert_allclose(mel.T, mel_spectrogram(pcm / 32768)[:, column : column + 81], atol=1e-4)
    np.testing.assert_allclose(cepstra.T, mfcc(pcm)[:, 4 * first_frame : 4 * first_frame + 100], atol=1e-3)


def test_silent_files_take_the_wav_beside_them(tmp_path):
    face, source = tmp_path / "face.mp4", tmp_path / "src"
    source.mkdir()
    make_talking_face(face, seconds=1.2)
    ffmpeg("-i", face, "-c", "copy", "-an", source / "a.mp4")
    write_wav(source / "a.wav", read_audio(face), 16_000)
    assert preprocess(source, tmp_path / "data", UNFILTERED).n_kept == 1


def test_shots_and_long_tracks_are_cut(tmp_path, monkeypatch):
    source = tmp_path / "src"
    source.mkdir()
    make_talking_face(tmp_path / "face.mp4", seconds=2.4)
    # After 1.2 s another shot: the same face, mirrored and darker.
    ffmpeg(
        "-i", tmp_path / "face.mp4", "-vf",
        "split[a][b];[b]hflip,eq=brightness=-0.4[c];[a][c]overlay=enable='gte(t,1.19)'",
        "-c:a", "copy", "-crf", "12", source / "two.mp4",
    )  # fmt: skip
    monkeypatch.setattr("lipsync_core.training.clip_making.PIECE_FRAMES", 17)
    monkeypatch.setattr("lipsync_core.training.clip_making.LONGEST_PIECE_FRAMES", 22)
    options = PreprocessOptions(is_filtered=False, min_seconds=0.6)
    preprocess(source, tmp_path / "data", options)
    data = PreparedClips(tmp_path / "data")
    assert [(c.name, c.track, c.n_frames) for c in data.clips] == [("two", 0, 17), ("two-1", 1, 17)]
    assert [c.start_s for c in data.clips] == pytest.approx([0.0, 1.2])
    monkeypatch.setattr("lipsync_core.training.clip_making.LONGEST_PIECE_FRAMES", 32)
    preprocess(source, tmp_path / "longer", options)
    assert [c.n_frames for c in PreparedClips(tmp_path / "longer").clips] == [30, 30]
    dropped = json.loads((tmp_path / "data" / "shards.json").read_text())["summary"]["n_dropped"]
    assert dropped == {"too short": 2}


def test_small_faces_are_dropped(videos, tmp_path):
    options = PreprocessOptions(is_filtered=False, min_face_px=250, filelists=(videos / "test.txt",))
    assert preprocess(videos, tmp_path / "data", options).n_dropped == {"face too small": 1}


def test_two_processes_store_the_same_as_one(videos, shards, tmp_path):
    several = PreprocessOptions(workers=2, is_filtered=False, shard_bytes=1)
    summary = preprocess(videos, tmp_path / "data", several)
    assert summary == shards[1]
    assert len(list((tmp_path / "data").glob("shard-*"))) > 2
    assert_same(tmp_path / "data", shards[0])


def test_a_second_run_does_nothing_again_and_takes_up_new_files(videos, tmp_path):
    source = tmp_path / "src"
    shutil.copytree(videos / "main" / "1", source)
    said = []
    assert preprocess(source, tmp_path / "data", UNFILTERED).n_kept == 2
    shutil.copy(videos / "main/2/00001.mp4", source / "new.mp4")
    summary = preprocess(source, tmp_path / "data", UNFILTERED, lambda *news: said.append(news))
    assert summary.n_kept == 3
    assert [(report.source, done, total) for report, done, total in said] == [("new.mp4", 3, 3)]


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_killed_run_goes_on_where_it_was(videos, shards, tmp_path, n_workers):
    target = tmp_path / "data"
    command = [sys.executable, "-m", "lipsync_core", "preprocess", str(videos), str(target)]
    command += ["--no-filter", "--workers", str(n_workers)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not list(target.glob("shard-*.part/journal.jsonl")):
            time.sleep(0.02)
        process.kill()
    time.sleep(0.5)  # its workers notice by themselves
    if process.returncode == -signal.SIGKILL:
        assert not json.loads((target / "shards.json").read_text())["is_finished"]
    summary = preprocess(videos, target, UNFILTERED)
    assert summary.n_sources == 5
    assert not list(target.glob("*.part"))
    assert_same(target, shards[0])


def test_a_file_that_kills_its_process_costs_only_itself(videos, shards, tmp_path, monkeypatch):
    source = tmp_path / "src"
    shutil.copytree(videos, source)
    shutil.copy(videos / "main/1/00001.mp4", source / "main/1/00000deadly.mp4")
    support = Path(__file__).parents[2] / "support" / "deadly"
    here = os.pathsep.join([str(support), str(Path(__file__).parents[3])])
    monkeypatch.setenv("PYTHONPATH", here)
    summary = preprocess(source, tmp_path / "data", PreprocessOptions(workers=2, is_filtered=False))
    assert "killed its process (exit code -9)" in summary.unreadable["main/1/00000deadly.mp4"]
    assert_same(tmp_path / "data", shards[0])


def test_workers_that_cannot_begin_are_no_fault_of_the_files(videos, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif '--multiprocessing-fork' in sys.argv:\n    import os\n    os._exit(3)\n"
    )
    with pytest.raises(LipSyncError, match="exit code 3"):
        preprocess(videos, tmp_path / "data", PreprocessOptions(workers=2, is_filtered=False))


def test_errors_that_are_not_the_files_stop_everything(videos, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(preprocess_workers.ShardWriter, "add", full)
    with pytest.raises(OSError, match="No space left"):
        preprocess(videos, tmp_path / "data", UNFILTERED)


def test_mistakes_are_named(videos, tmp_path, prepared_folder):
    with pytest.raises(InvalidInputError, match="no clips"):
        preprocess(tmp_path, tmp_path / "data", UNFILTERED)
    with pytest.raises(InvalidInputError, match="workers is 0"):
        PreprocessOptions(workers=0)
    with pytest.raises(InvalidInputError, match="format 1"):
        preprocess(videos, prepared_folder, UNFILTERED)
    only_card = PreprocessOptions(is_filtered=False, filelists=(videos / "test.txt",))
    preprocess(videos, tmp_path / "data", only_card)
    with pytest.raises(InvalidInputError, match=r"was begun with .*min_frames"):
        preprocess(videos, tmp_path / "data", PreprocessOptions(is_filtered=False, min_seconds=2.0))


def test_command_line_prints_and_writes_the_table(videos, tmp_path, capsys):
    target, table = tmp_path / "data", tmp_path / "table.json"
    arguments = [str(videos), str(target), "--no-filter", "--split", "test", "--json", str(table)]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "clips kept" in out
    assert "1 identities" in out
    assert json.loads(table.read_text())["n_kept"] == 1


def test_preparing_for_evaluation_keeps_everything_and_names_what_it_cannot(videos, tmp_path, caplog):
    assert prepare(videos, tmp_path / "data") == 3
    assert "main/2/00002.mp4: no face" in caplog.text
    assert "main/2/00003.mp4: reading" in caplog.text
    assert not (tmp_path / "data.part").exists()
    assert len(PreparedClips(tmp_path / "data").clips) == 3
    with pytest.raises(InvalidInputError, match="exists"):
        prepare(videos, tmp_path / "data")
    (tmp_path / "cards").mkdir()
    shutil.copy(videos / "main/2/00002.mp4", tmp_path / "cards")
    with pytest.raises(InvalidInputError, match="none of the 1 clips"):
        prepare(tmp_path / "cards", tmp_path / "none")


def test_the_sync_filter_keeps_corrects_and_drops_real_clips(shared_media, tmp_path):
    real = shared_media / "grid" / "test" / "s1"
    first = min(real.glob("*.mkv"))
    source = tmp_path / "src" / "s1"
    source.mkdir(parents=True)
    shutil.copy(first, source / "good.mkv")
    # Sound five frames late, as a constant offset; and the sound of another film.
    ffmpeg("-i", first, "-itsoffset", "0.2", "-i", first, "-map", "0:v", "-map", "1:a", "-c:v", "copy",
           "-c:a", "flac", source / "late.mkv")  # fmt: skip
    ffmpeg("-i", first, "-i", shared_media / "speech" / "jfk.flac", "-map", "0:v", "-map", "1:a",
           "-c", "copy", "-shortest", source / "wrong.mkv")  # fmt: skip
    options = PreprocessOptions(syncnet="embedded")
    summary = preprocess(tmp_path / "src", tmp_path / "data", options)
    data = PreparedClips(tmp_path / "data")
    clips = {c.name: c for c in data.clips}
    assert sorted(clips) == ["good", "late"]
    assert abs(clips["good"].sync_offset) <= 1
    assert clips["good"].sound_shift_frames == 0
    assert clips["late"].sound_shift_frames == clips["late"].sync_offset == -5
    index = json.loads((tmp_path / "data" / "shards.json").read_text())
    assert index["settings"]["syncnet"] == "embedded_syncnet"
    assert (summary.n_kept, summary.n_corrected) == (2, 1)
    assert summary.n_dropped == {"lips and sound do not agree": 1}
    good, late = data.mel(clips["good"]), data.mel(clips["late"])
    n = min(good.shape[1], late.shape[1]) - 3
    assert np.abs(good[:, 3:n] - late[:, 3:n]).mean() < 0.02, "shifted back, both hear the same"
    assert clips["late"].n_frames <= clips["good"].n_frames
