"""The bench of buckets waits for one batch after the other, which must not keep the others waiting."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
# Says more than a pipe holds, as ``f2f batch --json`` does with a few lectures.
BATCH = """
import json, os, pathlib, sys
for number in range(2000):
    print(json.dumps({"event": "stage_finished", "stage": f"stage {number}", "reused": number % 2 == 1}))
    sys.stderr.write("one line of the progress, which is long, too\\n")
name = pathlib.Path(os.environ["F2F_HOME"]).name
print(json.dumps({"event": "language", "lecture": f"{name}.mp4", "state": "made"}))
sys.exit(name == "broken")
"""


def test_batches_that_nobody_hears_yet_come_to_their_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCH)
    bucket = importlib.import_module("bucket")
    (tmp_path / "f2f.py").write_text(BATCH, encoding="utf-8")
    monkeypatch.chdir(tmp_path)  # which comes first for ``python -m f2f``
    machines = [bucket.Machine(tmp_path / name) for name in ("one", "two", "broken")]
    try:
        for machine in machines:
            machine.process.wait(timeout=60)
        assert [machine.end() for machine in machines[:2]] == [["one.mp4"], ["two.mp4"]]
        assert (machines[1].worked[-1], machines[1].reused[-1]) == ("stage 1998", "stage 1999")
        with pytest.raises(SystemExit, match=r"^broken: one line of the progress"):
            machines[2].end()
    finally:
        for machine in machines:
            machine.process.kill()
            machine.process.wait()
