"""The parent's side of ``espeak_worker.py``: starts it, talks to it, starts it again after a crash."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

ANSWER_TIMEOUT_S = 20.0
_WORKER = Path(__file__).with_name("espeak_worker.py")


class WorkerError(Exception):
    """The worker died or did not answer; ``str`` says which."""


class Worker:
    """The worker process: started on first use, started again after it died. One request at a time."""

    def __init__(self, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self._answer_timeout_s = answer_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.Queue[bytes] = queue.Queue()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id while the worker runs."""
        return self._process.pid if self._process else None

    def request(self, timeout_s: float | None = None, **fields: Any) -> dict[str, Any]:
        """Send one request and return the answer.

        Raises:
            WorkerError: no answer came; the process has been ended and the next request starts another.
        """
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(fields).encode() + b"\n")
            process.stdin.flush()
            line = self._answers.get(timeout=timeout_s or self._answer_timeout_s)
        except queue.Empty:
            self._end()
            raise WorkerError("the voice did not answer in time") from None
        except (BrokenPipeError, OSError):
            line = b""
        if not line:
            code = self._end()
            raise WorkerError(f"the voice process ended with code {code}{self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process, if it runs."""
        self._end()
        self._errors.close()

    def _start(self) -> subprocess.Popen[bytes]:
        import espeakng_loader

        # -I: neither PYTHONPATH nor this folder shadow the standard library, the only thing it imports.
        command = [sys.executable, "-I", str(_WORKER), espeakng_loader.get_library_path()]
        command.append(espeakng_loader.get_data_path())
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        self._answers = queue.Queue()
        threading.Thread(target=_pass_on, args=(process, self._answers), daemon=True).start()
        self._process = process
        return process

    def _end(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(OSError):  # it may be gone already
            process.stdin.close()  # the worker ends when its input does
        try:
            return process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def _pass_on(process: subprocess.Popen[bytes], answers: queue.Queue[bytes]) -> None:
    """Move answer lines to the queue, and an empty one when there are no more."""
    assert process.stdout is not None
    with process.stdout as stdout:
        for line in stdout:
            answers.put(line)
    answers.put(b"")
