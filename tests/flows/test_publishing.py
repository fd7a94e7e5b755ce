from pathlib import Path
from typing import Any

import pytest
from flow_samples import make_manifest

from f2f.request import Outputs
from flows.names import artifact_key, lecture_key
from flows.server import Answer

# Prefect's import passes through libraries whose own deprecations are not ours to fix.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SOURCE = Path("lecture.mp4")


def published(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, refused: str = "", is_there: bool = True
) -> list[str]:
    """Return the kinds of artifacts that are shown of a lecture whose source has vanished."""
    from flows import publishing

    outputs = Outputs("hi", *(folder / f"lecture.hi.{end}" for end in ("mp4", "srt", "json", "html")))
    outputs.manifest.write_text(make_manifest(SOURCE).model_dump_json(), encoding="utf-8")
    prefix = artifact_key(lecture_key(folder / SOURCE), "hi", "x").removesuffix("x")
    shown: list[str] = []

    def show(*args: Any, key: str, **rest: Any) -> None:
        what = key.removeprefix(prefix)
        if what == refused:
            raise RuntimeError("the server refuses it")
        shown.append(what)

    for kind in ("markdown", "table"):
        monkeypatch.setattr(publishing, f"create_{kind}_artifact", show)
    monkeypatch.setattr(publishing, "ask_server", lambda url: Answer(url, is_there))
    publishing.publish(folder / SOURCE, outputs)
    return shown


def test_an_artifact_that_fails_takes_none_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = ["report", "segments", "lip-sync-error", "stages", "notices"]
    assert published(tmp_path, monkeypatch) == rest
    rest.remove("segments")
    assert published(tmp_path, monkeypatch, refused="segments") == rest


def test_no_artifact_is_tried_where_the_server_went_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert published(tmp_path, monkeypatch, refused="report", is_there=False) == []
