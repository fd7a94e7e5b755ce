from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic import ffmpeg, make_clip, make_talking_face, write_wav
from torch import Tensor

from lipsync_core.audio import mfcc
from lipsync_core.errors import InvalidInputError, MediaError, MissingModelError
from lipsync_core.evaluate import VideoScore, lse, score_video
from lipsync_core.faces import CenterFace
from lipsync_core.media import read_audio, read_frames
from lipsync_core.models import SyncNet
from lipsync_core.scoring import LoadedSyncNet, _video_score, load_syncnet
from lipsync_core.syncnet_crops import tracked_crops, whole_frame_crops
from lipsync_core.syncnet_meter import TrackDistances, mfcc_columns


@pytest.fixture(scope="module")
def random_net() -> LoadedSyncNet:
    torch.manual_seed(0)
    return LoadedSyncNet("random", SyncNet(0.125).eval())


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_talking_face(tmp_path_factory.mktemp("face") / "talking.mp4", seconds=1.6)


def naive(frames: list[np.ndarray], pcm: np.ndarray, net: SyncNet) -> tuple[np.ndarray, np.ndarray]:
    """Features as the published script computes them: one window at a time, all in memory."""
    columns = torch.from_numpy(mfcc(pcm))
    n = min(len(frames), pcm.size // 640)
    stack = torch.from_numpy(np.stack(frames)).float().permute(3, 0, 1, 2)[None]
    with torch.inference_mode():
        lips = [net.forward_lip(stack[:, :, v : v + 5]) for v in range(n - 5)]
        sounds = [net.forward_audio(columns[None, None, :, 4 * v : 4 * v + 20]) for v in range(n - 5)]
    return torch.cat(lips).numpy(), torch.cat(sounds).numpy()


def pcm_of(path: Path) -> np.ndarray:
    wave = read_audio(path, 16_000)
    return np.clip(np.round(wave * 32768), -32768, 32767).astype(np.int16)


# --- against the published computation --------------------------------------------------------------


def test_whole_frame_equals_the_naive_computation(talking: Path, random_net: LoadedSyncNet) -> None:
    import cv2

    frames = [cv2.resize(f, (224, 224)) for f in read_frames(talking, fps=Fraction(25))]
    expected = lse(*naive(frames, pcm_of(talking), random_net.network))
    found = score_video(talking, syncnet=random_net, mode="whole_frame").whole
    assert found is not None
    assert found.distance == pytest.approx(expected.distance, abs=1e-4)
    assert found.confidence == pytest.approx(expected.confidence, abs=1e-4)
    assert (found.offset, found.n_windows) == (expected.offset, expected.n_windows)
    assert (found.start_s, found.end_s) == (0.0, len(frames) / 25)


def test_track_equals_the_naive_computation_on_its_crops(talking: Path, random_net: LoadedSyncNet) -> None:
    crops = list(tracked_crops(read_frames(talking, fps=Fraction(25)), CenterFace()))
    assert {crop.track for crop in crops} == {0}
    images = [crop.image_bgr for crop in crops if crop.image_bgr is not None]
    expected = lse(*naive(images, pcm_of(talking), random_net.network))
    score = score_video(talking, syncnet=random_net)
    assert len(score.tracks) == 1 and score.whole == score.tracks[0]
    assert score.tracks[0].distance == pytest.approx(expected.distance, abs=1e-4)
    assert score.tracks[0].n_windows == len(images) - 5


def test_crops_show_the_face_as_syncnet_python_frames_it(talking: Path) -> None:
    frames = list(read_frames(talking, fps=Fraction(25)))
    crops = [c.image_bgr for c in tracked_crops(iter(frames), CenterFace()) if c.image_bgr is not None]
    assert len(crops) == len(frames)
    face = CenterFace().detect(crops[30])[0]
    # The crop is 2.8 half sizes wide with the box's centre 1.0 below its top: box of 160 px about (112, 80).
    # Detected anew at another scale, sizes differ by a tenth.
    assert max(face.x2 - face.x1, face.y2 - face.y1) == pytest.approx(160, abs=24)
    assert (face.x1 + face.x2) / 2 == pytest.approx(112, abs=8)
    assert (face.y1 + face.y2) / 2 == pytest.approx(80, abs=12)


@pytest.mark.parametrize(("first", "count"), [(0, 20), (4, 56), (40, 56), (100, 31)])
def test_mfcc_in_pieces_is_mfcc_of_the_whole(first: int, count: int) -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000 * 2)
    whole = mfcc(np.round(wave * 32768).astype(np.int16))
    np.testing.assert_array_equal(mfcc_columns(wave, first, count), whole[:, first : first + count])


# --- alignment, seen from outside -------------------------------------------------------------------


class FlashNet(SyncNet):
    """Hears loudness and sees brightness, frame by frame: a SyncNet whose right answers are known."""

    def forward_lip(self, frames: Tensor) -> Tensor:
        return (frames.mean(dim=(1, 3, 4)) > 128).float()

    def forward_audio(self, mfcc: Tensor) -> Tensor:
        # Column 4k + 1 lies wholly inside frame k.
        return (mfcc[:, 0, 0, 1::4] > 18).float()


@pytest.fixture(scope="module")
def flash_net() -> LoadedSyncNet:
    return LoadedSyncNet("flash", FlashNet(0.125).eval())


@pytest.fixture(scope="module")
def flashes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames flash at random, a tone sounds with them; audio stream 1 is three frames late."""
    folder = tmp_path_factory.mktemp("flash")
    is_on = np.random.default_rng(5).random(100) < 0.5
    (folder / "v.raw").write_bytes(
        np.repeat(np.where(is_on, 235, 20).astype(np.uint8), 64 * 64 * 3).tobytes()
    )
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(64_000) / 16_000) * np.repeat(is_on, 640)
    write_wav(folder / "now.wav", tone, 16_000)
    write_wav(folder / "late.wav", np.concatenate((np.zeros(3 * 640), tone))[:64_000], 16_000)
    out = folder / "flash.mkv"
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", "64x64", "-r", "25", "-i", folder / "v.raw",
        "-i", folder / "now.wav", "-i", folder / "late.wav", "-map", "0", "-map", "1", "-map", "2",
        "-c:v", "ffv1", "-c:a", "flac", out,
    )  # fmt: skip
    return out


def test_offset_of_synced_and_late_sound(flashes: Path, flash_net: LoadedSyncNet) -> None:
    synced = score_video(flashes, syncnet=flash_net, mode="whole_frame")
    late = score_video(flashes, syncnet=flash_net, mode="whole_frame", audio_stream=1)
    assert synced.whole is not None and late.whole is not None
    assert (synced.whole.offset, late.whole.offset) == (0, -3)
    assert synced.whole.distance < 0.01
    assert synced.whole.confidence > 1 and late.whole.confidence > 1
    assert max(synced.curve.distance) < 0.01 and min(synced.curve.confidence) > 0.5
    assert np.mean(late.curve.distance) > 1 and np.mean(late.curve.confidence) < 0.5
    assert (synced.syncnet_name, synced.mode) == ("flash", "whole_frame")


def test_other_sound_as_samples_or_file(flashes: Path, flash_net: LoadedSyncNet) -> None:
    late = read_audio(flashes, 16_000, 1)
    file = flashes.parent / "late.wav"
    for sound in (late, np.asarray(late, np.float64), file, str(file)):
        score = score_video(flashes, syncnet=flash_net, mode="whole_frame", waveform=sound)
        assert score.whole is not None and score.whole.offset == -3


def test_frames_beyond_the_sound_are_left_out(flashes: Path, flash_net: LoadedSyncNet) -> None:
    short = read_audio(flashes, 16_000)[: 50 * 640 + 300]
    score = score_video(flashes, syncnet=flash_net, mode="whole_frame", waveform=short)
    assert score.whole is not None
    assert (score.whole.n_windows, score.whole.end_s) == (45, 2.0)


def test_curve_has_one_point_a_window_and_the_right_times(flashes: Path, flash_net: LoadedSyncNet) -> None:
    curve = score_video(flashes, syncnet=flash_net, mode="whole_frame").curve
    assert len(curve.time_s) == len(curve.distance) == len(curve.confidence) == 95
    assert curve.time_s[0] == 0.1  # centre of frames 0 to 4
    np.testing.assert_allclose(np.diff(curve.time_s), 0.04, atol=1e-3)


def test_progress_counts_every_frame(flashes: Path, flash_net: LoadedSyncNet) -> None:
    told: list[tuple[int, int | None]] = []
    score_video(
        flashes,
        syncnet=flash_net,
        mode="whole_frame",
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(i, 100) for i in range(1, 101)]


# --- several tracks ---------------------------------------------------------------------------------


def test_whole_is_taken_over_the_windows_of_all_tracks() -> None:
    rng = np.random.default_rng(0)
    short, long = (rng.uniform(5, 6, (n, 31)).astype(np.float32) for n in (30, 90))
    short[:, 15] = 1.0
    long[:, 17] = 2.0
    score = _video_score([TrackDistances(200, 95, long), TrackDistances(10, 35, short)], "x", "track", 25)
    assert [track.start_s for track in score.tracks] == [0.4, 8.0]
    assert [track.offset for track in score.tracks] == [0, -2]
    together = np.concatenate((short, long)).astype(np.float64).mean(0)
    assert score.whole is not None
    assert score.whole.distance == pytest.approx(together.min())
    assert score.whole.confidence == pytest.approx(np.median(together) - together.min())
    assert (score.whole.n_windows, score.whole.start_s, score.whole.end_s) == (120, 0.4, 295 / 25)
    # The curve follows each track in turn, smoothed over one second, with a gap between.
    assert len(score.curve.time_s) == 120
    assert score.curve.time_s[29] < 2 and score.curve.time_s[30] > 8
    assert score.curve.distance[60] == pytest.approx(long[30 - 12 : 30 + 13, 15].mean(), abs=1e-5)
    assert score.curve.distance[:30] == pytest.approx([1.0] * 30)


def test_curve_of_two_faces_at_once_is_that_of_the_speaker() -> None:
    good, bad = np.full((40, 31), 9, np.float32), np.full((40, 31), 9, np.float32)
    good[:, 15] = 3
    score = _video_score([TrackDistances(0, 45, bad), TrackDistances(0, 45, good)], "x", "track", 25)
    assert score.curve.distance == (3.0,) * 40 and score.curve.confidence == (6.0,) * 40


def test_face_that_leaves_gives_a_stretch(tmp_path: Path, flash_net: LoadedSyncNet) -> None:
    path = make_talking_face(tmp_path / "f.mp4", seconds=2.4, blank_from_s=1.6)
    score = score_video(path, syncnet=flash_net)
    assert len(score.tracks) == 1
    assert score.tracks[0].end_s == pytest.approx(1.6, abs=0.05)
    none = score_video(path, syncnet=flash_net, min_track_frames=60)
    assert none.whole is None and none.reason == "no face was followed, with sound, for 2.4 s or longer"


def test_video_without_face_has_a_reason(tmp_path: Path, random_net: LoadedSyncNet) -> None:
    score = score_video(make_clip(tmp_path / "card.mp4", seconds=1.5), syncnet=random_net)
    assert score.whole is None and score.tracks == () and score.curve.time_s == ()
    assert score.reason == "no face was followed, with sound, for 1 s or longer"


def test_result_goes_to_json_and_back(flashes: Path, flash_net: LoadedSyncNet) -> None:
    score = score_video(flashes, syncnet=flash_net, mode="whole_frame")
    assert isinstance(score, VideoScore)
    plain = json.loads(json.dumps(score.to_dict()))
    assert plain == score.to_dict()
    assert plain["whole"]["n_windows"] == len(plain["curve"]["time_s"])
    assert set(plain) == {"whole", "tracks", "curve", "syncnet_name", "mode", "reason"}


# --- refusals ---------------------------------------------------------------------------------------


def test_refusals(tmp_path: Path, talking: Path, random_net: LoadedSyncNet) -> None:
    with pytest.raises(InvalidInputError, match=r"'lrs'.*'track' and 'whole_frame'"):
        score_video(talking, syncnet=random_net, mode="lrs")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match=r"\(100, 2\)"):
        score_video(talking, syncnet=random_net, waveform=np.zeros((100, 2)))
    with pytest.raises(InvalidInputError, match="int16"):
        score_video(talking, syncnet=random_net, waveform=np.zeros(100, np.int16))
    silent = tmp_path / "silent.mp4"
    ffmpeg("-i", talking, "-an", "-c", "copy", silent)
    with pytest.raises(MediaError, match=r"no audio|no sound"):
        score_video(silent, syncnet=random_net)
    with pytest.raises(MediaError, match="audio stream 3"):
        score_video(talking, syncnet=random_net, audio_stream=3)
    with pytest.raises(MissingModelError, match="syncnet_v2"):
        load_syncnet("syncnet_v2")


def test_too_short_a_video_has_a_reason(tmp_path: Path, flash_net: LoadedSyncNet) -> None:
    score = score_video(make_clip(tmp_path / "blink.mp4", seconds=0.2), syncnet=flash_net, mode="whole_frame")
    assert score.whole is None and score.reason is not None and "0.24 s" in score.reason


def test_whole_frame_crops_are_bilinear() -> None:
    ramp = np.repeat(np.arange(0, 224, 2, dtype=np.uint8)[None, :, None], 112, 0).repeat(3, 2)
    (crop,) = whole_frame_crops([ramp])
    assert crop.image_bgr is not None and crop.image_bgr.shape == (224, 224, 3)
    np.testing.assert_allclose(crop.image_bgr[5, 1:-1, 0], np.arange(1, 223) - 0.5, atol=1)


# --- a real SyncNet on real people ------------------------------------------------------------------


def test_real_clips_fit_their_own_sound_best(shared_media: Path) -> None:
    net = load_syncnet("embedded")
    clips = sorted((shared_media / "grid" / "test" / "s1").glob("*.mkv"))[:4]
    for clip, other in zip(clips, clips[1:] + clips[:1], strict=True):
        own = score_video(clip, syncnet=net).whole
        unsynced = score_video(clip, syncnet=net, waveform=other).whole
        assert own is not None and unsynced is not None
        assert own.distance < unsynced.distance and own.confidence > unsynced.confidence
        assert abs(own.offset) <= 1
