from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from made_results import Listener, context_in
from safetensors.torch import save_file
from synthetic import make_clip, make_talking_face

from f2f.config import EvaluateConfig
from f2f.errors import EngineUnavailableError, StageError
from f2f.results import EngineInfo, SourceScore
from f2f.stages.evaluate import evaluate, evaluate_source, plan
from lipsync_core.evaluate import score_video
from lipsync_core.models import SyncNet
from lipsync_core.scoring import load_syncnet
from lipsync_core.weights import lookup

CONFIG = EvaluateConfig(syncnet="embedded")


@pytest.fixture(autouse=True)
def syncnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A SyncNet with seeded random weights in the place of the embedded one: small and quick."""
    torch.manual_seed(0)
    folder = tmp_path / "package"
    folder.mkdir()
    save_file(dict(SyncNet(0.125).state_dict()), folder / "syncnet.safetensors", {"width": "0.125"})
    monkeypatch.setattr(lookup, "PACKAGE_FOLDER", folder)
    return folder


def scored(source: Path, tmp_path: Path) -> tuple[SourceScore, Listener]:
    context, listener = context_in(tmp_path / "evaluate_source", "evaluate_source")
    return evaluate_source(source, CONFIG, context), listener


def test_numbers_are_those_of_lipsync_core(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = make_talking_face(tmp_path / "a.mp4", 1.4)
    with caplog.at_level(logging.INFO, logger="f2f.stages.evaluate"):
        result, listener = scored(source, tmp_path)
    expected = score_video(source, syncnet=load_syncnet("embedded"))
    assert expected.whole is not None and result.score.whole is not None
    assert result.score.whole.lse_d == pytest.approx(expected.whole.distance, rel=1e-6)
    assert result.score.whole.lse_c == pytest.approx(expected.whole.confidence, rel=1e-6)
    assert result.score.whole.offset_frames == expected.whole.offset
    assert result.score.whole.n_windows == expected.whole.n_windows > 25
    assert result.score.curve.lse_d == pytest.approx(expected.curve.distance, abs=1e-4)
    assert len(result.score.stretches) == len(expected.tracks) == 1
    assert result.engine.name == "embedded" and "syncnet.safetensors" in result.engine.detail
    assert any("compare" in notice for notice in listener.notices), "embedded numbers are not the papers'"
    assert f"LSE-D {expected.whole.distance:.3f}" in caplog.text and "offset" in caplog.text
    assert listener.progress[-1][2] == "frames"

    evaluation = evaluate(source, result, CONFIG, context_in(tmp_path / "evaluate", "evaluate")[0])
    assert evaluation.source == result.score
    assert evaluation.output == result.score, "the same video must give the same numbers"


def test_no_face_is_said_in_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="f2f.stages.evaluate"):
        result, _ = scored(make_clip(tmp_path / "card.mp4", 1.5), tmp_path)
    assert result.score.whole is None and result.score.stretches == ()
    assert result.score.reason and result.score.reason in caplog.text


def test_two_different_syncnets_are_not_compared(tmp_path: Path) -> None:
    result, _ = scored(make_clip(tmp_path / "card.mp4", 1.2), tmp_path)
    other = EngineInfo(name="syncnet_v2", version="1", licence="MIT", detail="syncnet_v2.model")
    source = SourceScore(score=result.score, engine=other)
    with pytest.raises(StageError, match="cannot be compared"):
        evaluate(tmp_path / "card.mp4", source, CONFIG, context_in(tmp_path / "evaluate")[0])


def test_plan_follows_the_weights(syncnet: Path) -> None:
    one = plan(CONFIG, "embedded", "cpu")
    assert one.engine == "embedded" and one.notice
    assert {status.name: status.ready for status in one.statuses} == {"embedded": True, "syncnet_v2": False}
    torch.manual_seed(1)
    save_file(dict(SyncNet(0.125).state_dict()), syncnet / "syncnet.safetensors", {"width": "0.125"})
    assert plan(CONFIG, "embedded", "cpu").identity != one.identity
    with pytest.raises(EngineUnavailableError, match="syncnet_v2"):
        plan(EvaluateConfig(syncnet="syncnet_v2"), "embedded", "cpu")
