"""A real voice and a real video: one line is edited, one done again, the others stay bit for bit."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from synthetic import make_clip
from typer.testing import CliRunner

from f2f import cli
from lipsync_core.media import probe_media

LINES = {
    "en": ("Hello everyone.", "Today we learn.", "Let us begin."),
    "hi": ("सबको नमस्ते।", "आज हम सीखेंगे।", "चलिए शुरू करें।"),
}
TIMES = ("00:00:00,200 --> 00:00:01,700", "00:00:02,000 --> 00:00:03,600", "00:00:04,000 --> 00:00:05,500")


def f2f(*words: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert done.exit_code == code, done.stderr
    return done.stdout + done.stderr


def takes(film: Path) -> list[str]:
    """Hashes of the takes that the finished video was made of, in order."""
    [folder] = [
        max(film.parent.glob(".f2f/lecture/synthesize/*"), key=lambda one: one.stat().st_mtime_ns),
    ]
    return [hashlib.sha256(wav.read_bytes()).hexdigest() for wav in sorted(folder.glob("*.wav"))]


def segments(film: Path) -> list[dict[str, Any]]:
    return list(json.loads(film.with_name("lecture.hi.json").read_text("utf-8"))["segments"])


def test_one_line_is_edited_and_one_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyvideotrans#1165, #649: regenerate one line, not the job; pause between stages."""
    monkeypatch.setenv("F2F_RUNNER", "inline")
    film = make_clip(tmp_path / "lecture.mp4", 6, fps="8", size="128x96")
    for code, texts in LINES.items():
        blocks = [f"{k}\n{times}\n{text}\n" for k, (times, text) in enumerate(zip(TIMES, texts, strict=True))]
        film.with_name(f"lecture.{code}.srt").write_text("\n".join(blocks), encoding="utf-8")
    command = ["translate", film, "--to", "hi", "--from", "en", "--profile", "embedded", "--no-lipsync"]
    f2f(*command, "--until", "synthesize")
    first = takes(film)
    assert len(set(first)) == 3

    table = film.with_name("lecture.hi.csv")
    rows = list(csv.DictReader(io.StringIO(table.read_text("utf-8-sig"), newline="")))
    assert [row["target"] for row in rows] == list(LINES["hi"])
    rows[1]["target"] = "आज हम रॉकेट बनाएँगे।"
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    table.write_text(text.getvalue(), encoding="utf-8-sig", newline="")

    shown = f2f(*command, "--until", "translate", code=2)
    assert "lecture.hi.csv was edited" in shown
    assert "f2f resume takes the edits" in shown
    f2f("resume", film, "--to", "hi")
    second = takes(film)
    assert [one == two for one, two in zip(first, second, strict=True)] == [True, False, True]
    assert [one["edited"] for one in segments(film)] == [[], ["text"], []]
    assert "रॉकेट" in film.with_name("lecture.hi.dub.srt").read_text("utf-8")
    assert "edited by a person" in film.with_name("lecture.hi.html").read_text("utf-8")
    assert len(probe_media(film.with_name("lecture.hi.mp4")).audio) == 2

    manifest = film.with_name("lecture.hi.json")
    f2f("redo", manifest, "--segment", str(segments(film)[2]["id"]), "--voice", "+m3")
    third = takes(film)
    assert [one == two for one, two in zip(second, third, strict=True)] == [True, True, False]
    assert [one["voice"].endswith("+m3") for one in segments(film)] == [False, False, True]
    number = str(segments(film)[0]["id"])
    shown = f2f("redo", manifest, "--segment", number, "--voice", "nobody", code=2)
    assert "nobody" in shown
    f2f(*command)
    assert takes(film) == third
