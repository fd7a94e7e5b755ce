"""A model hub on this machine with the addresses and headers of the real one, which misbehaves on demand."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
_LARGE = (".bin", ".safetensors", ".pth", ".h5", ".model")


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Hub:
    """Repositories, and what was asked.

    Attributes:
        files: contents by repository and name.
        how: what goes wrong, by file name: ``cut`` once, ``stall`` once, ``altered``; ``"*"``: ``html``.
        requests: method, path and range of every request.
    """

    address: str = ""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    how: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)

    def listing(self, repository: str) -> list[dict[str, Any]]:
        return [self._entry(name, content) for name, content in self.files[repository].items()]

    def _entry(self, name: str, content: bytes) -> dict[str, Any]:
        entry = {"type": "file", "path": name, "rfilename": name, "size": len(content)}
        entry |= {"oid": git_sha1(content), "blobId": git_sha1(content)}
        if name.endswith(_LARGE):
            sha256 = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"oid": sha256, "sha256": sha256, "size": len(content), "pointerSize": 130}
        return entry

    def etag(self, repository: str, name: str) -> str:
        entry = self._entry(name, self.files[repository][name])
        return str(entry["lfs"]["sha256"] if "lfs" in entry else entry["oid"])


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.hub.requests.append((self.command, path, self.headers.get("Range")))
        if self.hub.how.get("*") == "html":
            self._send(b"<!DOCTYPE html><html>sign in to this network</html>", {"Content-Type": "text/html"})
            return
        if not path:  # its front page
            self._send(b"hub", {})
            return
        if path.startswith("api/models/"):
            self._api(path.removeprefix("api/models/"))
            return
        repository, _, rest = path.partition("/resolve/")
        name = rest.partition("/")[2]
        if name not in self.hub.files.get(repository, {}):
            self._send(b"", {"X-Error-Code": "EntryNotFound"}, 404)
            return
        self._file(repository, name, with_body)

    def _api(self, path: str) -> None:
        repository = "/".join(path.split("/")[:2])
        if repository not in self.hub.files:
            self._send(b"{}", {"X-Error-Code": "RepoNotFound"}, 404)
            return
        listing = self.hub.listing(repository)
        about = {"id": repository, "sha": COMMIT, "siblings": listing, "private": False, "tags": []}
        answer = listing if "/tree/" in path else about
        self._send(json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _file(self, repository: str, name: str, with_body: bool) -> None:
        content, how = self.hub.files[repository][name], self.hub.how.get(name)
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{self.hub.etag(repository, name)}"'}
        headers["Content-Length"] = str(len(content))
        start, status = 0, 200
        if how == "altered":
            content = content[::-1]
        if with_body and (wanted := self.headers.get("Range")):
            start, status = int(wanted.removeprefix("bytes=").split("-")[0]), 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            headers["Content-Length"] = str(len(content) - start)
        body = content[start:] if with_body else b""
        if with_body and how in ("cut", "stall"):
            del self.hub.how[name]
            self._send(body[: len(body) // 2], headers, status)
            if how == "stall":
                self.wfile.flush()
                time.sleep(2)
            return
        self._send(body, headers, status)

    def _send(self, body: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served_hub() -> Iterator[Hub]:
    """Serve on a free port for the time of the block."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        hub.address = f"http://127.0.0.1:{server.server_address[1]}"
        yield hub
        server.shutdown()
        thread.join()
