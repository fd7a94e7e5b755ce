"""Libraries behind URLs in flows: what workers on machines without a shared folder are given and do."""

from __future__ import annotations

import errno
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from object_store import Bucket
from run_pool import Pool

from f2f.config import Config
from f2f.errors import UsageError
from f2f.library.options import build_library_options
from f2f.library.remote import RemoteStore
from f2f.library.remote.objects import Objects
from flows import library
from flows.library_parameters import LibraryParameters, library_key

# Prefect's import passes through libraries whose own deprecations are not ours to fix.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def bucket(tmp_path: Path, worker_log: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setenv("F2F_HOME", str(tmp_path / "home"))
    bucket = Bucket(Objects("memory"), f"m-{uuid.uuid4().hex}")
    bucket.put("physics/week 1/a.mp4", "a film")
    return bucket


def test_workers_get_urls_and_do_the_work(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "create_table_artifact", lambda *args, **rest: None)
    pools: dict[str, Pool] = {}
    monkeypatch.setattr(library, "PrefectRunPool", lambda name: pools.setdefault(name, Pool()))
    places = (f"{bucket.url}/physics", f"{bucket.url}/out")
    options = build_library_options(places[0], ["hi"], config=Config(), output_dir=places[1])
    parameters = LibraryParameters.of(options)
    assert (parameters.library, parameters.output_dir) == places
    assert library_key(options) == library_key(parameters.as_options())  # the same on every machine

    values = dict(parameters)
    ended = library.translate_library.fn(**values, deployment="translate-lecture/translate-lecture")
    assert (ended.type.value, ended.message) == ("COMPLETED", "1 started")
    ended = library.translate_library.fn(**values, deployment="translate-lecture/translate-lecture")
    assert ended.message == "1 under way"
    [given] = [one["parameters"] for pool in pools.values() for one in pool.started]
    assert (given["lecture"], given["library"]) == ("week 1/a.mp4", places[0])

    ended = library.translate_lecture.fn(**given)
    assert (ended.type.value, ended.message) == ("COMPLETED", "1 made"), ended.message
    assert bucket.get("out/week 1/a.hi.mp4") == "hello in hi crf 18"
    ended = library.translate_library.fn(**values, deployment="translate-lecture/translate-lecture")
    assert ended.message == "1 done"
    assert json.loads(bucket.get("out/library.jsonl"))["lecture"] == "week 1/a.mp4"


def test_a_bucket_that_holds_nothing_ends_a_tick_in_one_line(bucket: Bucket) -> None:
    ended = library.translate_library.fn(f"{bucket.url}/none", ["hi"])
    assert ended.type.value == "FAILED"
    assert "holds nothing" in ended.message and "\n" not in ended.message


def test_a_lecture_outside_a_bucket_empties_no_folder_here(bucket: Bucket, tmp_path: Path) -> None:
    mine = tmp_path / "mine" / "thesis.tex"
    mine.parent.mkdir()
    mine.write_text("years of work")
    options = build_library_options(f"{bucket.url}/physics", ["hi"], config=Config())
    up = "../" * len(options.root.relative_to(tmp_path).parts)
    given = dict(LibraryParameters.of(options))
    for name in (f"{up}mine/a.mp4", str(tmp_path / "mine" / "a.mp4")):
        with pytest.raises(UsageError, match="is none of the library"):
            LibraryParameters(**given).lecture(name, options)
        ended = library.translate_lecture.fn(name, **given)
        assert f"lecture {name!r} is none of the library" in ended.message
    assert mine.read_text() == "years of work"


def test_a_flow_that_fails_names_urls(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    given = dict(LibraryParameters(library=f"{bucket.url}/physics", targets=["hi"]))

    def take(store: RemoteStore, workspace_root: Path, *rest: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(workspace_root))

    monkeypatch.setattr(RemoteStore, "take_lease", take)
    ended = library.translate_lecture.fn("week 1/a.mp4", **given)
    assert ended.message.startswith(f"{bucket.url}/physics/week 1/.f2f/a: the disk can only be read")
    ended = library.translate_library.fn(**given)
    assert ended.message.startswith(f"{bucket.url}/physics/.f2f/library/tick: the disk can only be read")
