"""What is a URL of a library, and what is none."""

from __future__ import annotations

import pytest

from f2f.errors import UsageError
from f2f.library.urls import is_url, parse_url


@pytest.mark.parametrize(
    ("url", "path"), [("s3://b", "b"), ("S3://b/c d#/", "b/c d#"), ("gs://b/%20", "b/%20")]
)
def test_a_url_is_taken_as_it_stands(url: str, path: str) -> None:
    assert is_url(url)
    assert parse_url(url) == (url.partition(":")[0].lower(), path)


@pytest.mark.parametrize(
    "url", ["s3://", "s3:///x", "s3://b/../c", "s3://b//c", "zip://a::s3://b", "file:///data", "plain/path"]
)
def test_what_is_no_place_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="s3://bucket/lectures"):
        parse_url(url)


@pytest.mark.parametrize("path", ["lectures", "/data/lectures", "s3:/x", "a b://c", "C:/x"])
def test_paths_are_no_urls(path: str) -> None:
    assert not is_url(path)
