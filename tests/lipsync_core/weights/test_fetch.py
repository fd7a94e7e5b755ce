"""Weights from mirrors that are slow, broken, or not there."""

from __future__ import annotations

import re
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from mirror import CONTENT, SHA256, Mirror

from lipsync_core.errors import MissingModelError
from lipsync_core.weights import Weights, fetch, is_fetchable

# --- is_fetchable -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("good", True),
        ("norange", True),
        ("nolength", True),
        ("missing", False),
        ("html", False),
        ("short", False),
    ],
)
def test_probe(mirror: Mirror, how: str, expected: bool) -> None:
    assert is_fetchable(mirror.weights(how)) is expected
    assert mirror.requests == [(how, "bytes=0-0")]


def test_probe_asks_every_mirror(mirror: Mirror) -> None:
    assert is_fetchable(mirror.weights("missing", "html", "good"))
    assert not is_fetchable(mirror.weights())


def test_probe_gives_up_on_a_hanging_mirror_and_remembers_it(mirror: Mirror) -> None:
    assert not is_fetchable(mirror.weights("hang"), timeout_s=0.2)
    n_asked = len(mirror.requests)
    assert not is_fetchable(mirror.weights("good"))  # the same host, within a minute
    assert len(mirror.requests) == n_asked


def test_probe_never_raises() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/x", "https://no.such.host.invalid/x", "nonsense", "http://[::1"):
        assert not is_fetchable(Weights("w", "wav2lip", "w", SHA256, 1, (url,), "MIT"))


# --- fetch ------------------------------------------------------------------------------------------


def test_fetch_tells_progress_and_leaves_one_file(home: Path, mirror: Mirror) -> None:
    told: list[tuple[int, int | None]] = []
    path = fetch(mirror.weights("good"), lambda done, total: told.append((done, total)))
    assert path == home / "some.pth" and path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT)) and told == sorted(told)
    assert sorted(p.name for p in home.iterdir()) == ["some.pth", "some.pth.verified.json"]
    n_asked = len(mirror.requests)
    assert fetch(mirror.weights("good")) == path  # already here
    assert len(mirror.requests) == n_asked


def test_cut_connection_is_resumed(mirror: Mirror) -> None:
    assert fetch(mirror.weights("cut")).read_bytes() == CONTENT
    assert [r for _, r in mirror.requests] == [None, "bytes=300000-", "bytes=600000-"]


def test_redirects_keep_the_range(mirror: Mirror) -> None:
    weights = mirror.weights("moved")
    assert is_fetchable(weights)
    assert fetch(weights).read_bytes() == CONTENT
    assert ("cut", "bytes=0-0") in mirror.requests
    assert mirror.requests[-1] == ("cut", "bytes=600000-")


@pytest.mark.parametrize("how", ["good", "norange", "nolength"])
def test_interrupted_run_is_continued(home: Path, mirror: Mirror, how: str) -> None:
    home.mkdir()
    (home / "some.pth.part").write_bytes(CONTENT[:100_000])
    assert fetch(mirror.weights(how)).read_bytes() == CONTENT
    assert mirror.requests[0][1] == "bytes=100000-"


def test_whole_part_needs_no_download(home: Path, mirror: Mirror) -> None:
    home.mkdir()
    (home / "some.pth.part").write_bytes(CONTENT)
    assert fetch(mirror.weights("good")).read_bytes() == CONTENT
    assert mirror.requests == []


@pytest.mark.parametrize("stale", [b"x" * 1000, b"x" * 900_000], ids=["wrong start", "too long"])
def test_rotten_part_is_begun_again(home: Path, mirror: Mirror, stale: bytes) -> None:
    home.mkdir()
    (home / "some.pth.part").write_bytes(stale)
    assert fetch(mirror.weights("good")).read_bytes() == CONTENT


def test_rotten_part_of_unknown_size_is_begun_again(home: Path, mirror: Mirror) -> None:
    home.mkdir()
    (home / "some.pth.part").write_bytes(b"x" * 900_000)  # the mirror answers 416
    assert fetch(mirror.weights("good", size_bytes=None)).read_bytes() == CONTENT


def test_mirrors_are_tried_in_order(mirror: Mirror) -> None:
    weights = mirror.weights("missing", "html", "sneaky", "short", "wrong", "good")
    assert fetch(weights).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("missing", "HTTP 404"),
        ("html", r"web page|offers \d+ bytes"),
        ("short", "offers 1,000 bytes, expected are 700,000"),
        ("wrong", "another file"),
    ],
)
def test_bad_mirror_leaves_nothing_and_says_why(home: Path, mirror: Mirror, how: str, words: str) -> None:
    with pytest.raises(MissingModelError, match=words) as caught:
        fetch(mirror.weights(how))
    assert str(home / "some.pth") in str(caught.value)  # how to do it by hand
    assert not (home / "some.pth").exists()


@pytest.mark.parametrize("how", ["html", "sneaky"])
def test_web_page_is_refused_where_the_size_is_unknown(home: Path, mirror: Mirror, how: str) -> None:
    with pytest.raises(MissingModelError, match="web page"):
        fetch(mirror.weights(how, size_bytes=None))
    assert not (home / "some.pth").exists()


def test_dead_host_and_full_disk(home: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingModelError, match="connection lost"):
        fetch(replace(mirror.weights(), urls=("https://no.such.host.invalid/some.pth",)))
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(MissingModelError, match="700,000 bytes needed, 1,000 free"):
        fetch(mirror.weights("good"))


def test_stalled_connection_is_resumed(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["lipsync_core.weights.fetch"], "_STALL_TIMEOUT_S", 0.2)
    assert fetch(mirror.weights("stall")).read_bytes() == CONTENT
    assert [r for _, r in mirror.requests] == [None, "bytes=300000-", "bytes=600000-"]


@pytest.mark.parametrize("how", ["toolong", "tooshort"])
def test_lies_about_the_length_are_refused_by_the_published_size(mirror: Mirror, how: str) -> None:
    with pytest.raises(MissingModelError, match=r"offers [\d,]+ bytes, expected are 700,000"):
        fetch(mirror.weights(how))
    assert fetch(mirror.weights(how, "good")).read_bytes() == CONTENT


def test_lies_about_the_length_are_found_where_the_size_is_unknown(home: Path, mirror: Mirror) -> None:
    assert fetch(mirror.weights("nonsense", size_bytes=None, file="a.pth")).read_bytes() == CONTENT
    with pytest.raises(MissingModelError, match=r"cut off after|cannot resume"):
        fetch(mirror.weights("toolong", size_bytes=None))
    (home / "some.pth.part").unlink(missing_ok=True)
    with pytest.raises(MissingModelError, match="another file"):
        fetch(mirror.weights("tooshort", size_bytes=None))
    assert not (home / "some.pth").exists()


def test_a_mirror_that_sends_another_range_is_left(home: Path, mirror: Mirror) -> None:
    home.mkdir()
    (home / "some.pth.part").write_bytes(CONTENT[:100_000])
    assert fetch(mirror.weights("othersection", "good")).read_bytes() == CONTENT
    assert mirror.requests == [("othersection", "bytes=100000-"), ("good", "bytes=100000-")]


def test_any_place_can_be_the_target(tmp_path: Path, home: Path, mirror: Mirror) -> None:
    target = tmp_path / "elsewhere" / "small.pt"
    assert fetch(mirror.weights("good"), target=target) == target
    assert target.read_bytes() == CONTENT and not home.exists()
    with pytest.raises(MissingModelError, match=re.escape(str(tmp_path / "other.pt"))):
        fetch(mirror.weights("missing"), target=tmp_path / "other.pt")


def test_two_processes_do_not_write_into_one_part(home: Path, mirror: Mirror) -> None:
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: fetch(mirror.weights("cut")), range(4)))
    assert set(paths) == {home / "some.pth"} and paths[0].read_bytes() == CONTENT
    assert len(mirror.requests) == 3  # one download in three pieces
