"""Hands what a finished translation leaves behind to Prefect, which shows it on the run page."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.settings import PREFECT_API_URL

from f2f.manifest import Manifest
from f2f.report.moments import picture_time_s, source_time_s
from f2f.request import Outputs
from flows import artifacts
from flows.names import artifact_key, lecture_key
from flows.server import ask_server
from flows.shown import shown_if_possible


def publish(source: Path, outputs: Outputs) -> None:
    """Create the artifacts of one finished language in the current flow run.

    One that cannot be shown keeps none of the others away, unless the server is gone: each would wait for it.
    """
    manifest = artifacts.read_manifest(outputs)

    def page(key: str, text: str | None, description: str) -> None:
        if text:
            create_markdown_artifact(text, key=key, description=description)

    shows: dict[str, Callable[[str], object]] = {
        "report": lambda key: page(key, artifacts.files_markdown(outputs), "Report and other files"),
        "picture": lambda key: page(key, _picture_page(source, outputs, manifest), "Before and after"),
        "segments": lambda key: create_table_artifact(**artifacts.segment_table(manifest), key=key),
        "lip-sync-error": lambda key: create_table_artifact(**artifacts.score_table(manifest), key=key),
        "lip-sync-plot": lambda key: page(key, artifacts.plot_markdown(manifest), "Lip-sync error over time"),
        "stages": lambda key: create_table_artifact(**artifacts.stage_table(manifest), key=key),
        "notices": lambda key: page(key, artifacts.notices_markdown(manifest), "Notices and warnings"),
    }
    for what, show in shows.items():
        key = artifact_key(lecture_key(source), outputs.target_language, what)
        is_shown = shown_if_possible(what, partial(show, key))
        if not is_shown and not ask_server(PREFECT_API_URL.value() or "").healthy:
            return


def _picture_page(source: Path, outputs: Outputs, manifest: Manifest) -> str:
    time_s = picture_time_s(manifest)
    jpeg = artifacts.before_after_jpeg(
        source, outputs.video, time_s, source_time_s=source_time_s(manifest, time_s)
    )
    return artifacts.picture_markdown(jpeg, manifest, time_s)
