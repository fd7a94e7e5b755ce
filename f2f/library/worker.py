"""The process that translates one lecture for a batch; ``child.py`` starts it.

One JSON line on stdin says what to do; every event is one JSON line on stdout. Stdin stays open as long as
whoever asked lives: when it ends, nobody wants the work any more, and the process ends with all its children.
A crash in here, of a decoder say, takes this one lecture with it and nothing else.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict

from f2f.console import JsonObserver
from f2f.disk_errors import is_of_the_disk
from f2f.errors import EXIT_DONE, EXIT_ENGINE_MISSING, EXIT_INTERRUPTED, EXIT_USAGE
from f2f.record import request_from, request_values
from f2f.request import Outputs, Request

DONE_EVENT, FAILED_EVENT, BEGIN_EVENT = "language_done", "language_failed", "language_started"
_FINAL_CODES = (EXIT_USAGE, EXIT_ENGINE_MISSING)
_PATIENCE_S = 5.0  # for a clean end when nobody wants the work any more


class Order(BaseModel):
    """What a worker is to do.

    Attributes:
        requests: as ``f2f.record.request_values`` writes them, by language; done in this order.
        force: overwrite outputs that f2f did not make.
        runner: who carries the runs out, None to choose.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests: dict[str, dict[str, Any]]
    force: bool = False
    runner: str | None = None


def order_for(requests: Sequence[Request], *, force: bool, runner: str | None) -> Order:
    """Return the order for requests of one language each."""
    values = {request.targets[0]: request_values(request) for request in requests}
    return Order(requests=values, force=force, runner=runner)


def run_order(order: Order, events: JsonObserver) -> None:
    """Translate into each language; one that fails does not stop the others."""
    from f2f.checked import checked
    from f2f.runners import choose_runner
    from f2f.session import RESUME, explain

    runner = None
    for target, values in order.requests.items():
        events.emit(BEGIN_EVENT, target_language=target)
        started_s = time.monotonic()
        try:
            ready = checked(replace(request_from(values, target), force=order.force))
            runner = runner or choose_runner(order.runner, events)
            [outputs] = runner.run(ready, events)
        except Exception as error:  # noqa: BLE001 - the other languages go on, and this one is told
            lines, code = explain(error)
            is_passing = getattr(error, "is_passing", False) or is_of_the_disk(error)
            events.emit(
                FAILED_EVENT,
                target_language=target,
                messages=[line for line in lines if line != RESUME],
                exit_code=code,
                is_final=code in _FINAL_CODES and not is_passing,
                is_passing=is_passing or code == EXIT_ENGINE_MISSING,
                seconds=round(time.monotonic() - started_s, 3),
            )
        else:
            assert isinstance(outputs, Outputs)  # a batch never asks to stop before the end
            seconds = round(time.monotonic() - started_s, 3)
            events.emit(DONE_EVENT, target_language=target, seconds=seconds, **_facts(outputs))


def _facts(outputs: Outputs) -> dict[str, Any]:
    manifest: Mapping[str, Any] = json.loads(outputs.manifest.read_text(encoding="utf-8"))
    return {
        "manifest": str(outputs.manifest),
        "subtitles": str(outputs.subtitles),
        "reused": outputs.reused,
        "duration_s": manifest["source"]["duration_s"],
    }


def main() -> int:
    """Do what stdin says; return the exit code of the process."""
    from lipsync_core.waiting import wait_passively

    faulthandler.enable()
    wait_passively()
    orders, events = _take_streams()
    order = Order.model_validate_json(orders.readline())
    threading.Thread(target=_end_with, args=(orders,), daemon=True).start()
    try:
        run_order(order, JsonObserver(events))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_DONE


def _take_streams() -> tuple[IO[bytes], IO[str]]:
    """Return stdin and stdout for this module alone: children read nothing, stray prints go to stderr."""
    orders = os.fdopen(os.dup(0), "rb", buffering=0)
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return orders, events


def _end_with(orders: IO[bytes]) -> None:
    """Wait until stdin ends, then end this process: cleanly if it can, with all children in any case."""
    with contextlib.suppress(OSError):
        while orders.read(4096):
            pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_PATIENCE_S)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
