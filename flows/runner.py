"""The runner that ``f2f`` finds through its entry point: runs show in Prefect while a server answers.

Prefect is imported only when a run or the server starts.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from f2f.errors import EngineUnavailableError
from f2f.request import Outcome, Request
from f2f.stage import Observer
from flows.address import listening_address
from flows.environment import prepare_client, settle_prefect
from flows.server import Answer, ask_server, find_api_url, serve

if TYPE_CHECKING:
    from pathlib import Path

    from f2f.library.lecture import LibraryOptions
    from f2f.library.timetable import Timetable

INSTALL = 'pip install "f2f[standard]"'


class PrefectRunner:
    """Runs translations as the flow ``translate-video``."""

    name = "prefect"

    def __init__(self) -> None:
        self._answer: Answer | None = None

    def is_available(self) -> bool:
        """Whether Prefect is installed and a server answers at ``PREFECT_API_URL`` or the local default."""
        if not _is_installed():
            return False
        self._answer = ask_server(find_api_url())
        return self._answer.healthy

    def hint(self) -> str:
        """Say how to see runs in the browser."""
        if not _is_installed():
            return f"To watch runs in the browser: {INSTALL}, then f2f ui"
        answer = self._answer or ask_server(find_api_url())
        if answer.healthy:
            return f"This run shows at {answer.ui_url}"
        if answer.api_url == find_api_url({}) and not answer.is_refused:
            return "To watch runs in the browser, start: f2f ui"
        if answer.is_refused:
            return f"The Prefect server at {answer.api_url} lets nobody in ({answer.reason}); running without"
        return (
            f"No Prefect server at {answer.api_url} ({answer.reason}); running without. To start one: f2f ui"
        )

    def run(self, request: Request, observer: Observer) -> list[Outcome]:
        """Run ``request`` as a flow; if the server goes away, finish without it.

        Raises:
            F2FError: exactly as the pipeline raised it.
            EngineUnavailableError: no server answers.
        """
        answer = self._answer or ask_server(find_api_url())
        if not answer.healthy:
            raise EngineUnavailableError(
                f"no Prefect server at {answer.api_url}: {answer.reason}; start: f2f ui"
            )
        prepare_client(answer.api_url)
        from flows.stage_tasks import ServerLostError
        from flows.translate_video import run_as_flow

        settle_prefect()
        try:
            return run_as_flow(request, observer)
        except ServerLostError as error:
            observer.notice(f"the Prefect server at {answer.api_url} was lost ({error}); going on without it")
        from f2f.pipeline import translate_video

        return translate_video(_alone(request, observer), observer)

    def ui(self, port: int | None = None, host: str | None = None) -> int:
        """Run a local server in the foreground until Ctrl-C; return the exit code.

        Args:
            port: to listen on; None takes ``PREFECT_SERVER_API_PORT``, else Prefect's usual 4200.
            host: address to listen on; None takes ``PREFECT_SERVER_API_HOST``, else this machine only.
        """
        return serve(*listening_address(port, host))

    def schedule(
        self,
        options: LibraryOptions,
        lecture_list: Path | None,
        timetable: Timetable,
        say: Callable[[str], None],
    ) -> int:
        """Look through a library at its times until Ctrl-C; return the exit code.

        Args:
            options: of the library.
            lecture_list: CSV or YAML with the lectures; None takes all of the folder.
            timetable: when to look.
            say: tells a person.
        """
        if not _is_installed():
            raise EngineUnavailableError(f"a schedule needs Prefect; run: {INSTALL}")
        from flows.schedule import serve_library

        return serve_library(options, lecture_list, timetable, say)


def _alone(request: Request, observer: Observer) -> Request:
    """Return the request for this process alone, which cannot speak with a Dask scheduler."""
    lipsync = request.config.lipsync
    if lipsync.workers is None:
        return request
    observer.notice(f"without it the workers at {lipsync.dask} cannot be asked: this machine makes the lips")
    config = request.config.model_copy(update={"lipsync": lipsync.model_copy(update={"dask": None})})
    return replace(request, config=config)


def _is_installed() -> bool:
    return importlib.util.find_spec("prefect") is not None


runner = PrefectRunner()
