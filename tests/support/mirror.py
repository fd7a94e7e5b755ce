"""A web server on this machine that offers a file of weights, and misbehaves on demand."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lipsync_core.weights import Weights

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
            start = 0 if how == "othersection" else start
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{whole}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", "text/html" if how == "html" else "application/octet-stream")
        lengths = {"nonsense": "plenty", "toolong": str(2 * len(body)), "tooshort": "1000"}
        if how != "nolength":
            self.send_header("Content-Length", lengths.get(how, str(len(body) - start)))
        self.end_headers()
        rest = body[start:]
        with contextlib.suppress(ConnectionError):  # a probe hangs up early
            self.wfile.write(rest[:300_000] if how in ("cut", "stall") else rest)
            if how == "stall":
                self.wfile.flush()
                time.sleep(2)

    def log_message(self, *_: object) -> None:
        pass


class Mirror:
    """What was asked of the server, and weights that lie there."""

    def __init__(self, address: str, requests: list[tuple[str, str | None]]) -> None:
        self.address = address
        self.requests = requests

    def weights(self, *how: str, **changes: object) -> Weights:
        urls = tuple(f"{self.address}/{one}/file.pth" for one in how)
        base = Weights("some", "wav2lip", "some.pth", SHA256, len(CONTENT), urls, "MIT")
        return replace(base, **changes)  # type: ignore[arg-type]


@contextlib.contextmanager
def served() -> Iterator[Mirror]:
    """Serve on a free port for the time of the block."""
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
