"""Which variables keep files of the current folder from being modules."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import f2f
from f2f.foreign_modules import safe_path_variables


@pytest.mark.parametrize("first", ["", "root", "bin"])
def test_f2f_is_found_again_where_only_the_current_folder_holds_it(
    monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    root = Path(f2f.__file__).parents[1]
    monkeypatch.chdir(root)
    monkeypatch.setenv("PYTHONPATH", "before")
    monkeypatch.setattr(sys, "path", [str(root) if first == "root" else first, *sys.path])
    variables = safe_path_variables()
    assert variables.pop("PYTHONSAFEPATH") == "1"
    assert variables == ({} if first == "bin" else {"PYTHONPATH": os.pathsep.join(["before", str(root)])})
