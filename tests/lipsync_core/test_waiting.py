"""Idle threads of commands sleep, unless the user says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lipsync_core.waiting import VARIABLE, wait_passively


@pytest.mark.parametrize(("given", "kept"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_the_users_choice_stays(monkeypatch: pytest.MonkeyPatch, given: str | None, kept: str) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if given is not None:
        monkeypatch.setenv(VARIABLE, given)
    wait_passively()
    assert os.environ[VARIABLE] == kept


@pytest.mark.parametrize("command", ["lipsync_core.__main__", "f2f.cli"])
def test_commands_decide_before_torch_is_imported(command: str) -> None:
    check = (
        f"import os, sys; import {command} as command; assert 'torch' not in sys.modules\n"
        "run = getattr(command, 'run', command.main)\n"
        "try:\n    run(['--help'])\nexcept SystemExit:\n    pass\n"
        f"assert os.environ[{VARIABLE!r}] == 'PASSIVE'; assert 'torch' not in sys.modules"
    )
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    subprocess.run([sys.executable, "-c", check], check=True, env=environment, stdout=subprocess.DEVNULL)
