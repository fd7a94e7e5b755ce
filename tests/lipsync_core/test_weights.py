from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lipsync_core.checkpoints import load_network
from lipsync_core.errors import CheckpointError, InvalidInputError, MissingModelError
from lipsync_core.weights import (
    REGISTRY,
    Weights,
    cache_folder,
    fetch,
    is_fetchable,
    lookup,
    resolve,
    verified_path,
)

CONTENT = np.random.default_rng(0).bytes(700_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PAGE = b"<!DOCTYPE html><html><body>quota exceeded</body></html>"


class _Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; the first part of the path says how it misbehaves."""

    protocol_version = "HTTP/1.0"
    requests: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        how = self.path.split("/")[1]
        wanted = self.headers.get("Range")
        self.requests.append((how, wanted))
        if how == "missing":
            self.send_error(404)
            return
        if how == "moved":
            self.send_response(302)
            self.send_header("Location", "/cut/file.pth?signature=x")
            self.end_headers()
            return
        if how == "hang":
            time.sleep(5)
            return
        body = {"html": PAGE, "sneaky": PAGE, "wrong": CONTENT[::-1], "short": CONTENT[:1000]}.get(
            how, CONTENT
        )
        start = 0
        if wanted and how != "norange":
            first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted).groups()  # type: ignore[union-attr]
            start = int(first)
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206)
            whole, body = len(body), body[: int(last) + 1] if last else body
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{whole}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", "text/html" if how == "html" else "application/octet-stream")
        if how != "nolength":
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        rest = body[start:]
        with contextlib.suppress(ConnectionError):  # a probe hangs up early
            self.wfile.write(rest[:300_000] if how == "cut" else rest)

    def log_message(self, *_: object) -> None:
        pass


class Mirror:
    def __init__(self, address: str, requests: list[tuple[str, str | None]]) -> None:
        self.address = address
        self.requests = requests

    def weights(self, *how: str, **changes: object) -> Weights:
        urls = tuple(f"{self.address}/{one}/file.pth" for one in how)
        base = Weights("some", "wav2lip", "some.pth", SHA256, len(CONTENT), urls, "MIT")
        return replace(base, **changes)  # type: ignore[arg-type]


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    requests: list[tuple[str, str | None]] = []
    handler = type("Handler", (_Handler,), {"requests": requests})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Mirror(f"http://127.0.0.1:{server.server_address[1]}", requests)
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("LIPSYNC_CORE_HOME", str(folder))
    return folder


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own folder of embedded weights."""
    folder = tmp_path / "package"
    folder.mkdir()
    monkeypatch.setattr(lookup, "PACKAGE_FOLDER", folder)
    return folder


def register(monkeypatch: pytest.MonkeyPatch, *known: Weights) -> None:
    """Let these be the published weights of their kinds."""
    kept = {n: w for n, w in REGISTRY.items() if w.is_embedded}
    monkeypatch.setattr(lookup, "REGISTRY", {w.name: w for w in known} | kept)


def embed(package: Path, name: str = "wav2lip") -> Path:
    path = package / f"{name}.safetensors"
    save_file({"a": torch.ones(3)}, path, metadata={"width": "0.25", "mel_offset_frames": "-1"})
    return path


# --- registry ---------------------------------------------------------------------------------------


def test_published_facts_are_well_formed() -> None:
    for name, weights in REGISTRY.items():
        assert weights.name == name
        assert weights.licence
        if weights.is_embedded:
            assert not weights.urls
            continue
        assert re.fullmatch(r"[0-9a-f]{64}", weights.sha256 or "")
        assert weights.urls
        for url in weights.urls:
            assert re.fullmatch(r"https://[\w.]+/[\w./~-]+", url)
            assert url.endswith(weights.file)
            assert "huggingface" not in url or re.search(r"co/\w+/\w+/resolve/\w+/", url)
    assert not [url for url in REGISTRY["wav2lip"].urls if "camenduru" in url]  # the stub


def test_importing_the_registry_is_light() -> None:
    heavy = ("torch", "cv2", "safetensors")
    code = f"import sys, lipsync_core.weights; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_cache_folder_follows_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == home
    monkeypatch.delenv("LIPSYNC_CORE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "lipsync_core"


# --- resolve ----------------------------------------------------------------------------------------


def test_auto_prefers_published_weights_that_are_here(
    home: Path, package: Path, monkeypatch: pytest.MonkeyPatch, mirror: Mirror
) -> None:
    register(monkeypatch, mirror.weights("good", name="first", file="first.pth"), mirror.weights("good"))
    embed(package)
    assert resolve("wav2lip", allow_download=False).name == "embedded_wav2lip"
    home.mkdir()
    (home / "some.pth").write_bytes(CONTENT)
    found = resolve("wav2lip", allow_download=True)
    assert (found.name, found.path) == ("some", home / "some.pth")  # here beats fetchable
    assert mirror.requests == []


def test_auto_takes_what_can_be_fetched_before_the_embedded(
    package: Path, monkeypatch: pytest.MonkeyPatch, mirror: Mirror
) -> None:
    register(
        monkeypatch, mirror.weights("missing", name="gone"), mirror.weights("html", "good", name="there")
    )
    embed(package)
    found = resolve("wav2lip", allow_download=True)
    assert (found.name, found.path) == ("there", None)
    assert fetch(found).read_bytes() == CONTENT


def test_auto_without_network_is_the_embedded_one(package: Path) -> None:
    """The published addresses themselves; the test network blocks them."""
    path = embed(package)
    found = resolve("wav2lip", allow_download=True)
    assert (found.name, found.path) == ("embedded_wav2lip", path)
    assert found.metadata()["mel_offset_frames"] == "-1"


def test_auto_ignores_a_damaged_download_aloud(
    home: Path,
    package: Path,
    monkeypatch: pytest.MonkeyPatch,
    mirror: Mirror,
    caplog: pytest.LogCaptureFixture,
) -> None:
    register(monkeypatch, mirror.weights("missing"))
    embed(package)
    home.mkdir()
    (home / "some.pth").write_bytes(PAGE)
    assert resolve("wav2lip", allow_download=False).is_embedded
    assert "web page" in caplog.text


def test_nothing_at_all_says_what_to_do(package: Path, home: Path) -> None:
    with pytest.raises(MissingModelError) as caught:
        resolve("wav2lip", allow_download=False)
    assert "https://huggingface.co/Nekochu/Wav2Lip/resolve/" in str(caught.value)
    assert str(home / "wav2lip_gan.pth") in str(caught.value)


def test_explicit_name(home: Path, package: Path, monkeypatch: pytest.MonkeyPatch, mirror: Mirror) -> None:
    register(monkeypatch, mirror.weights("good"))
    with pytest.raises(MissingModelError, match="not on this machine") as caught:
        resolve("wav2lip", "some", allow_download=False)
    assert f"{mirror.address}/good/file.pth (700,000 bytes)" in str(caught.value)
    assert resolve("wav2lip", "some", allow_download=True).path is None
    home.mkdir()
    (home / "some.pth").write_bytes(CONTENT[:5000])
    with pytest.raises(CheckpointError, match="SHA-256"):
        resolve("wav2lip", "some", allow_download=False)
    replaced = fetch(resolve("wav2lip", "some", allow_download=True))
    assert replaced.read_bytes() == CONTENT
    assert resolve("wav2lip", "some", allow_download=False).path == replaced


def test_explicit_name_that_no_mirror_has(monkeypatch: pytest.MonkeyPatch, mirror: Mirror) -> None:
    register(monkeypatch, mirror.weights("missing", "html", "short"))
    with pytest.raises(MissingModelError, match="no mirror answers"):
        resolve("wav2lip", "some", allow_download=True)


def test_embedded_by_choice(package: Path) -> None:
    with pytest.raises(MissingModelError, match="reinstall"):
        resolve("syncnet", "embedded", allow_download=True)
    path = embed(package, "syncnet")
    found = resolve("syncnet", "embedded", allow_download=True)
    assert found.path == path and found.is_embedded


def test_embedded_file_is_checked_against_its_manifest(package: Path) -> None:
    path = embed(package)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    (package / "SHA256SUMS").write_text(f"{sha256}  {path.name}\n")
    assert resolve("wav2lip", "embedded", allow_download=False).sha256 == sha256
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match="reinstall"):
        resolve("wav2lip", "embedded", allow_download=False)


def test_own_file(tmp_path: Path) -> None:
    path = tmp_path / "embedded_mine.pth"
    path.write_bytes(b"x")
    found = resolve("wav2lip", str(path), allow_download=False)
    assert (found.path, found.name, found.is_embedded) == (path, "embedded_mine", False)
    assert fetch(found) == path


@pytest.mark.parametrize("choice", ["syncnet_v2", "no/such/file.pth", "wav2lip-gan"])
def test_unknown_choice_lists_the_allowed(choice: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{choice}.*auto, embedded, wav2lip_gan, wav2lip"):
        resolve("wav2lip", choice, allow_download=False)


def test_unknown_kind() -> None:
    with pytest.raises(InvalidInputError, match=r"'vocoder'.*wav2lip, .*lipsync_expert"):
        resolve("vocoder", allow_download=False)


def test_big_files_are_hashed_once(home: Path, monkeypatch: pytest.MonkeyPatch, mirror: Mirror) -> None:
    weights = mirror.weights("good")
    home.mkdir()
    path = home / "some.pth"
    path.write_bytes(CONTENT)
    assert verified_path(weights) == path
    marker = json.loads((home / "some.pth.verified.json").read_text())
    assert marker["sha256"] == SHA256 and marker["size_bytes"] == len(CONTENT)
    hashed: list[Path] = []
    real = lookup.sha256_of
    monkeypatch.setattr(lookup, "sha256_of", lambda p: (hashed.append(p), real(p))[1])
    assert verified_path(weights) == path
    assert hashed == []
    path.write_bytes(CONTENT[::-1])  # same size, other content and time
    os.utime(path, ns=(1, 1))
    with pytest.raises(CheckpointError, match="SHA-256"):
        verified_path(weights)
    assert hashed == [path]


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


# --- the files in the package -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["wav2lip", "lipsync_expert", "syncnet"])
def test_embedded_weights_load(kind: str) -> None:
    weights = resolve(kind, "embedded", allow_download=False)
    assert weights.sha256 is not None  # from the manifest
    network = load_network(fetch(weights), kind, sha256=weights.sha256)  # type: ignore[arg-type]
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())
