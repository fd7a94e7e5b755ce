from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from made_results import context_in, make_fitted, make_transcript, make_translation
from safetensors.torch import save_file
from synthetic import ffmpeg, make_clip, make_talking_face

from f2f.config import LipsyncConfig
from f2f.errors import EngineUnavailableError, UsageError
from f2f.results import FittedSpeech, LipSyncResult, Transcript
from f2f.stages.lipsync import active_frames, lipsync, plan, speech_spans
from f2f.stages.probe import probe
from lipsync_core.inference import read_patches
from lipsync_core.models import Wav2Lip
from lipsync_core.runtime import ENGINES

FPS = Fraction(25)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator with seeded random weights: real code, quick, and plainly not a mouth."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "own.safetensors"
    save_file(dict(Wav2Lip(0.125).state_dict()), path, {"width": "0.125"})
    return path


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1.6 s of a face, then 0.8 s of a slide."""
    return make_talking_face(tmp_path_factory.mktemp("lecture") / "lecture.mp4", 2.4, blank_from_s=1.6)


def synced(
    source: Path,
    weights: Path,
    folder: Path,
    transcript: Transcript | None = None,
    runtime: str = "auto",
) -> tuple[LipSyncResult, list[str], FittedSpeech]:
    video = probe(source, context_in(folder / "probe")[0])
    transcript = transcript or make_transcript()
    fitted = make_fitted(folder, make_translation(transcript), video.duration_s)
    context, listener = context_in(folder / "lipsync", "lipsync")
    config = LipsyncConfig(weights=weights, detector="centerface", batch_size=4, runtime=runtime)
    result = lipsync(source, video, transcript, fitted, folder, config, context)
    assert listener.progress[-1] == (video.n_frames, video.n_frames, "frames")
    return result, listener.notices, fitted


TRANSCRIPT = make_transcript(((0.24, 0.8), (1.8, 2.3)))  # the second while the slide is shown


@pytest.fixture(scope="module")
def done(
    lecture: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LipSyncResult, list[str], FittedSpeech, Path]:
    folder = tmp_path_factory.mktemp("done")
    return (*synced(lecture, weights, folder, TRANSCRIPT), folder / "lipsync")


def test_patches_lie_where_someone_speaks_and_a_face_is(
    done: tuple[LipSyncResult, list[str], FittedSpeech, Path],
) -> None:
    result, _, fitted, folder = done
    transcript = TRANSCRIPT
    active = active_frames(speech_spans(transcript, fitted), FPS, result.n_frames)
    patches = dict(read_patches(folder / str(result.patches)))
    expected = {k for k in range(result.n_frames) if active[k] and k < 40}
    assert set(patches) <= {k for k in range(40) if active[k]}
    assert len(expected - set(patches)) <= 3, "at most the frames at the cut may be missed"
    assert result.n_synced == len(patches)
    assert sum(stretch.n_synced for stretch in result.stretches) == result.n_synced
    first = result.stretches[0]
    assert first.first_frame == 0 and 36 <= first.last_frame <= 40
    assert 90 < first.mean_box_height_px < 150  # the drawn face has about 117 pixels
    assert all(0 < patch.opacity <= 1 and patch.face_bgr.shape == (96, 96, 3) for patch in patches.values())


def test_result_names_the_weights(done: tuple[LipSyncResult, list[str], FittedSpeech, Path]) -> None:
    result, notices, _, _ = done
    assert result.engine.name == "wav2lip" and "own.safetensors" in result.engine.detail
    assert "CenterFace" in result.engine.detail
    assert result.engine.notice is None and notices == []


def test_result_names_what_ran_the_network(
    done: tuple[LipSyncResult, list[str], FittedSpeech, Path], lecture: Path, weights: Path, tmp_path: Path
) -> None:
    runtime = done[0].runtime
    assert runtime is not None and runtime.name == "torch" and "compact" in runtime.reason
    spoken = make_transcript(((0.2, 1.6),))
    result, notices, _ = synced(lecture, weights, tmp_path, spoken, "torch-bf16")
    assert result.runtime is not None and result.runtime.name == "torch-bf16"
    assert result.runtime.psnr_db is not None and result.runtime.max_difference is not None
    assert 30 < result.runtime.psnr_db < 90 and 0 < result.runtime.max_difference < 0.2
    assert result.runtime.faces_per_s is not None and result.runtime.faces_per_s > 0
    assert any("torch-bf16" in line and "dB PSNR to fp32" in line for line in notices)
    assert LipSyncResult.model_validate_json(result.model_dump_json()) == result


def test_runtimes_are_those_of_lipsync_core(monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    assert get_args(LipsyncConfig.model_fields["runtime"].annotation) == ENGINES
    with pytest.raises(UsageError, match="not on cuda"):
        plan(LipsyncConfig(weights=weights, runtime="openvino"), "auto", "cuda")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EngineUnavailableError, match="pip install openvino"):
        plan(LipsyncConfig(weights=weights, runtime="openvino-int8"), "auto", "cpu")


def test_a_video_without_a_face_is_no_error(weights: Path, tmp_path: Path) -> None:
    """Wav2Lip#163, #532, #632: a frame without a face ends the job."""
    result, notices, _ = synced(make_clip(tmp_path / "card.mp4", 2.0), weights, tmp_path)
    assert result.patches is None and result.n_synced == 0 and result.stretches == ()
    assert "no face" in result.warnings[0] and result.warnings[0] in notices
    assert list((tmp_path / "lipsync").iterdir()) == []


def test_nobody_speaks_nothing_changes(lecture: Path, weights: Path, tmp_path: Path) -> None:
    result, _, _ = synced(lecture, weights, tmp_path, make_transcript(spans=()))
    assert result.patches is None
    assert result.warnings == (), "a face is there; that nobody speaks is no fault"
    assert result.stretches[0].n_synced == 0


def test_switched_off_touches_and_decodes_nothing(tmp_path: Path) -> None:
    video = probe(make_clip(tmp_path / "a.mp4", 0.4), context_in(tmp_path / "probe")[0])
    transcript = make_transcript()
    fitted = make_fitted(tmp_path, make_translation(transcript), 0.4)
    context, _ = context_in(tmp_path / "lipsync")
    gone = tmp_path / "gone.mp4"
    result = lipsync(gone, video, transcript, fitted, tmp_path, LipsyncConfig(engine="none"), context)
    assert result.patches is None and result.engine.name == "none"


def test_same_inputs_give_the_same_patches(
    done: tuple[LipSyncResult, list[str], FittedSpeech, Path], lecture: Path, weights: Path, tmp_path: Path
) -> None:
    synced(lecture, weights, tmp_path, TRANSCRIPT)
    first, second = (
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (done[3], tmp_path / "lipsync")
    )
    assert first == second and len(first) == 2


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0.4, 0.8)], [(6, 23)]),  # 0.25 ... 0.95 s
        ([(0.4, 0.8), (1.2, 1.6)], [(6, 43)]),  # padded gap 0.1 s: one run
        ([(1.2, 1.6), (0.4, 0.8)], [(6, 43)]),  # order does not matter
        ([(0.4, 0.8), (1.42, 1.6)], [(6, 23), (31, 43)]),  # padded gap 0.32 s: two runs
        ([(0.4, 1.2), (0.6, 0.8)], [(6, 33)]),  # one inside the other
        ([(0.0, 0.1)], [(0, 6)]),
        ([(3.9, 9.0)], [(93, 99)]),
        ([(1.0, 1.0), (7.0, 8.0)], []),
        ([], []),
    ],
)
def test_active_frames(spans: list[tuple[float, float]], expected: list[tuple[int, int]]) -> None:
    active = active_frames(spans, FPS, 100)
    edges = np.diff(np.array([0, *active, 0], int))
    runs = list(zip(np.nonzero(edges == 1)[0], np.nonzero(edges == -1)[0] - 1, strict=True))
    assert runs == expected


def test_both_mouths_count() -> None:
    transcript = make_transcript(((0.0, 1.0),))
    fitted = FittedSpeech.model_validate(
        {
            "wav": "x", "sample_rate_hz": 1, "duration_s": 9, "overflow_s": 0,
            "placements": [{"segment_id": 0, "start_s": 5, "end_s": 6, "slot_end_s": 7, "tempo": 1}],
        }
    )  # fmt: skip
    assert speech_spans(transcript, fitted) == [(0.0, 1.0), (5.0, 6.0)]


def test_what_keeps_its_sound_keeps_its_lips() -> None:
    transcript = make_transcript(((0.0, 1.0), (2.0, 3.0), (4.0, 5.0)))
    music = transcript.segments[2].model_copy(update={"keep_original": "music"})
    transcript = transcript.model_copy(update={"segments": (*transcript.segments[:2], music)})
    fitted = FittedSpeech(wav="x", sample_rate_hz=1, duration_s=9, overflow_s=0, placements=(), undubbed=(1,))
    assert speech_spans(transcript, fitted) == [(0.0, 1.0)]


def test_plan_changes_with_the_file(weights: Path, tmp_path: Path) -> None:
    one = plan(LipsyncConfig(weights=weights), "auto", "cpu")
    copy = tmp_path / "own.safetensors"
    copy.write_bytes(weights.read_bytes())
    assert plan(LipsyncConfig(weights=copy), "auto", "cpu").identity == one.identity
    torch.manual_seed(1)
    save_file(dict(Wav2Lip(0.125).state_dict()), copy, {"width": "0.125"})
    assert plan(LipsyncConfig(weights=copy), "auto", "cpu").identity != one.identity
    assert plan(LipsyncConfig(engine="none"), "auto", "cpu").engine == "none"


def test_plan_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="wav2lip_gan"):
        plan(LipsyncConfig(engine="wav2lip_gan"), "embedded", "cpu")
    with pytest.raises(UsageError, match=r"nowhere\.pth"):
        plan(LipsyncConfig(weights=tmp_path / "nowhere.pth"), "auto", "cpu")


def test_thirty_frames_a_second(weights: Path, tmp_path: Path) -> None:
    slow = make_talking_face(tmp_path / "slow.mp4", 0.8)
    source = tmp_path / "ntsc.mp4"
    ffmpeg("-i", slow, "-vf", "fps=30000/1001", "-c:a", "copy", source)
    result, _, _ = synced(source, weights, tmp_path, make_transcript(((0.3, 0.5),)))
    indices = [index for index, _ in read_patches(tmp_path / "lipsync" / str(result.patches))]
    assert indices[0] == int(0.15 * 30000 / 1001) and indices == list(range(indices[0], indices[-1] + 1))
