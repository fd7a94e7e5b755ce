"""A runner whose stages wait instead of working; everything around them is real. For ``two_hosts.py``.

Each stage sleeps ``F2F_SIMULATED_STAGE_S`` seconds, then its result is a copy of the one in the workspace
``F2F_SIMULATED_FROM``, of a lecture that was translated. Plans, leases, processes, slots, Prefect's runs and
tasks, the store, outputs, status, metrics and pages are what they always are.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from f2f.request import Outcome, Request
from f2f.stage import Observer, StageContext
from f2f.workspace import RESULT_NAME, Workspace
from flows.environment import prepare_client
from flows.runner import PrefectRunner
from flows.server import find_api_url

if TYPE_CHECKING:
    from f2f.stage_call import R, StageCall
    from f2f.workspace import Stored

ENTRY_POINT = "[f2f.runners]\nsimulated = simulated_stages:runner\n"


class SimulatedRunner(PrefectRunner):
    """Runs translations as the flow ``translate-video``, without the stages' own work."""

    name = "simulated"

    def run(self, request: Request, observer: Observer) -> list[Outcome]:
        """Run ``request`` as a flow whose stages wait."""
        prepare_client(find_api_url())
        from flows.stage_tasks import StageTasks

        class SimulatedTasks(StageTasks):
            def __call__(self, call: StageCall[R], /) -> Stored[R]:
                return super().__call__(replace(call, work=lambda context: stand_in(call, context)))

        with patch("flows.translate_video.StageTasks", SimulatedTasks):
            return super().run(request, observer)


def stand_in(call: StageCall[R], context: StageContext) -> R:
    """Wait, then take over what the same stage made of another lecture."""
    time.sleep(float(os.environ["F2F_SIMULATED_STAGE_S"]))
    [folder] = (Path(os.environ["F2F_SIMULATED_FROM"]) / call.stage).glob("[!.]*")
    found = Workspace(folder.parents[1]).load(call.stage, folder.name, call.kind)
    assert found is not None
    shutil.copytree(folder, context.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(RESULT_NAME))
    return found.result


runner = SimulatedRunner()
