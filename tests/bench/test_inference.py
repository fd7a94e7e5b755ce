"""The bench of engines prints a table whose numbers fit together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench" / "inference.py"


def test_a_line_for_each_engine() -> None:
    options = ["--widths", "0.1", "--rounds", "1", "--batch", "2", "--engines", "torch", "torch-bf16"]
    done = subprocess.run([sys.executable, str(BENCH), *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    cells = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    header, published, exact, half = cells
    assert header[0] == "engine"
    assert [row[0] for row in (published, exact, half)] == ["as published", "torch", "torch-bf16"]
    assert published[2] == published[4] == "1.00"
    assert 0 < float(exact[3]) < 1000
    assert float(exact[2]) == pytest.approx(float(exact[1]) / float(published[1]), rel=0.05)
    assert float(exact[4]) == pytest.approx(float(published[3]) / float(exact[3]), rel=0.05)
    assert float(published[6]) > 90 > 60 > float(half[6]) > 20
    assert float(exact[7]) == 0 < float(published[7]) < 1e-3 < float(half[7])
