"""The scripts of the grown set-up find PostgreSQL, or say in one line that they need it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCH)
    found = importlib.import_module("postgresql")
    monkeypatch.setattr(found, "_has_account", lambda: True)
    return found


def install(folder: Path, *programs: str) -> Path:
    folder.mkdir(parents=True)
    for name in programs:
        (folder / name).touch(mode=0o755)
    return folder


def test_the_newest_of_debians_is_taken(module: ModuleType, tmp_path: Path) -> None:
    for version in ("9.6", "15"):
        install(tmp_path / version / "bin", *module.PROGRAMS)
    newest = install(tmp_path / "16" / "bin", *module.PROGRAMS)
    install(tmp_path / "17" / "bin", "psql")  # of the client alone
    assert module.find_postgresql(debian=tmp_path) == newest


def test_others_are_found_on_the_path_or_where_it_is_said(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = install(tmp_path / "local" / "bin", *module.PROGRAMS)
    monkeypatch.setenv("PATH", str(there))
    assert module.find_postgresql(debian=tmp_path / "none") == there
    assert module.find_postgresql(there, debian=tmp_path / "none") == there


@pytest.mark.parametrize("script", ["grown_setup.py", "two_hosts.py"])
def test_where_there_is_none_a_script_says_so_in_one_line(script: str, tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH / script), "--postgres", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(BENCH.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    said = f"no PostgreSQL (initdb, pg_ctl, psql) in {tmp_path}; Debian: apt-get install postgresql\n"
    assert (done.returncode, done.stderr, done.stdout) == (1, said, "")


def test_as_root_it_needs_a_user_to_run_as(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = install(tmp_path / "bin", *module.PROGRAMS)
    monkeypatch.setattr(module, "_has_account", lambda: False)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    with pytest.raises(SystemExit, match="as root PostgreSQL runs as the user postgres, and there is none"):
        module.find_postgresql(there)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert module.find_postgresql(there) == there
