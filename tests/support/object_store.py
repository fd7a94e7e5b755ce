"""A true S3 server on loopback, and what tests put into it and find in it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from f2f.library.remote.objects import Objects

SETTINGS = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def s3_server() -> Iterator[str]:
    """Run one; give its address."""
    from moto.server import ThreadedMotoServer

    for name in ("werkzeug", "botocore", "moto"):
        logging.getLogger(name).setLevel(logging.ERROR)
    os.environ.update(SETTINGS)  # moto itself asks botocore
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


class Bucket:
    """A bucket, or a folder of a store in memory.

    Args:
        objects: the store.
        name: of the bucket.
    """

    def __init__(self, objects: Objects, name: str) -> None:
        self.objects, self.key, self.url = objects, name, objects.url(name)
        self._path, self._fs = name, objects._fs

    def make(self) -> None:
        self._fs.mkdir(self._path)

    def put(self, name: str, text: str | bytes) -> None:
        self._fs.pipe_file(f"{self._path}/{name}", text.encode() if isinstance(text, str) else text)

    def get(self, name: str) -> str:
        return bytes(self._fs.cat_file(f"{self._path}/{name}")).decode()

    def remove(self, name: str) -> None:
        self._fs.rm_file(f"{self._path}/{name}")

    def names(self, folder: str = "") -> set[str]:
        top = f"{self._path}/{folder}".rstrip("/")
        found = self._fs.find(top)
        return {name.strip("/").removeprefix(self._path).strip("/") for name in found}
