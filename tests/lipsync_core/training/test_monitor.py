import builtins
import io
import json
import logging
import warnings

import pytest
import torch

from lipsync_core.training.monitor import Monitor


class Terminal(io.StringIO):
    def isatty(self):
        return True


def followed(folder, tensorboard=False):
    with Monitor(folder, 0, 0.0, tensorboard) as monitor:
        for step in (1, 2, 3, 4):
            monitor.note({"loss": float(step)})
            if step % 2 == 0:
                monitor.report(step, step / 10, step / 8)
        monitor.validated(4, 0.4, {"loss": 9.0})
        monitor.picture(4, "faces", torch.full((3, 8, 8), 0.5))


def test_means_are_logged_and_lines_say_rate_and_time_left(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    followed(tmp_path)
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert entries == [
        {"step": 2, "seconds": 0.2, "loss": 1.5},
        {"step": 4, "seconds": 0.4, "loss": 3.5},
        {"step": 4, "seconds": 0.4, "val_loss": 9.0},
    ]
    assert "step 4  50 %" in caplog.text
    assert "steps/s  ETA 0:00:" in caplog.text
    assert "held-out clips: loss 9.0000" in caplog.text


def test_a_terminal_gets_a_bar(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    followed(tmp_path)
    assert "50 %|" in screen.getvalue()
    assert "ETA" in screen.getvalue()
    assert "held-out clips: loss 9.0000" in screen.getvalue()
    assert not caplog.text


@pytest.mark.parametrize("package", ["tqdm", "torch.utils.tensorboard"])
def test_without_extras_there_are_lines_and_one_hint(package, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    importing = builtins.__import__

    def without(name, *args, **kwargs):
        if name == package:
            raise ImportError(name)
        return importing(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr("sys.stderr", Terminal())
    if package == "tqdm":
        followed(tmp_path)
        assert "step 4  50 %" in caplog.text
    else:
        followed(tmp_path, tensorboard=True)
        assert caplog.text.count("pip install 'f2f[train]'") == 1


def test_tensorboard_gets_scalars_and_pictures(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TensorBoard's own dependencies
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        followed(tmp_path, tensorboard=True)
        events = EventAccumulator(str(tmp_path / "tensorboard"))
        events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(2, 1.5), (4, 3.5)]
    assert [e.value for e in events.Scalars("val_loss")] == [9.0]
    (picture,) = events.Images("faces")
    assert (picture.width, picture.height) == (8, 8)
