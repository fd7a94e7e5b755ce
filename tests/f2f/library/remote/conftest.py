from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from object_store import SETTINGS, Bucket, s3_server

from f2f.library.remote.objects import Objects


@pytest.fixture(scope="session")
def s3_objects() -> Iterator[Objects]:
    """An S3 server, which all processes of the tests see."""
    with s3_server() as address, pytest.MonkeyPatch.context() as settings:
        for name, value in {**SETTINGS, "AWS_ENDPOINT_URL": address}.items():
            settings.setenv(name, value)
        yield Objects("s3")


@pytest.fixture
def s3(s3_objects: Objects) -> Bucket:
    """A new bucket of that server."""
    bucket = Bucket(s3_objects, f"b-{uuid.uuid4().hex}")
    bucket.make()
    return bucket


@pytest.fixture
def memory() -> Bucket:
    """A folder of a store in this process's memory."""
    return Bucket(Objects("memory"), f"m-{uuid.uuid4().hex}")
