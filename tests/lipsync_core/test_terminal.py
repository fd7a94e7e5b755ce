"""The line of progress, on a terminal and elsewhere."""

from __future__ import annotations

import sys

import pytest

from lipsync_core import terminal
from lipsync_core.terminal import StatusLine


def test_a_terminal_sees_the_line_twice_a_second_and_its_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = [10.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    line = StatusLine()
    assert not line.is_due(is_last=False) and line.is_due(is_last=True)
    now_s[0] += 0.5
    assert line.is_due(is_last=False)
    line.show("1 of 2", is_last=False)
    assert not line.is_due(is_last=False)
    line.keep("skipped a")
    line.show("2 of 2", is_last=True)
    assert capsys.readouterr().err == "\r1 of 2\rskipped a\n\r2 of 2\n"


def test_elsewhere_only_what_stays_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    line = StatusLine()
    assert not line.is_due(is_last=True)
    line.keep("skipped a")
    assert capsys.readouterr().err == "skipped a\n"
