"""Files named by URLs are refused; texts and addresses that look like one are not."""

from __future__ import annotations

import pytest

from f2f.commands.urls import refuse_urls
from f2f.errors import UsageError


@pytest.mark.parametrize(
    "words",
    [
        ["redo", "a.hi.json", "--segment", "1", "--text", "https://example.org/x"],
        ["redo", "a.hi.json", "--segment", "1", "--text=https://example.org/?a=b", "--voice", "hi://f2"],
        ["translate", "a.mp4", "--to", "hi", "--voice=hi://f2", "--dask", "tcp://192.0.2.10:8786"],
        ["batch", "s3://b/lectures", "--to", "hi", "-o", "s3://b/out"],
    ],
)
def test_what_is_no_file_may_look_like_a_url(words: list[str]) -> None:
    refuse_urls(words)


@pytest.mark.parametrize(
    "words",
    [
        ["redo", "https://example.org/a.hi.json", "--segment", "1", "--text", "https://example.org/x"],
        ["translate", "a.mp4", "--to", "hi", "--captions=https://example.org/a.srt"],
        ["batch", "s3://b/lectures", "--to", "hi", "--glossary", "s3://b/words.csv"],
    ],
)
def test_a_file_named_by_a_url_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError, match="cannot be read from there: copy it here"):
        refuse_urls(words)
