"""Python runs this at its start when its folder is on PYTHONPATH: a batch's workers get stages of no work.

Every stage that works adds a line to ``$TINY_LOG``. What a "film" holds says what happens to it.
"""

import errno
import importlib
import os
import signal
import sys
import time
from pathlib import Path

if "f2f.library.worker" in sys.orig_argv:
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    import tiny_stages

    from f2f.errors import StageError, UsageError
    from f2f.preflight import Problems

    class _Patch:
        """As much of pytest's as is needed; pytest itself takes a while to import."""

        def setattr(self, name, value):
            module, _, attribute = name.rpartition(".")
            setattr(importlib.import_module(module), attribute, value)

    log = Path(os.environ["TINY_LOG"])
    tiny = tiny_stages.install(_Patch())

    def _note(line):
        with log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    class _Log(list):
        def append(self, line):
            _note(f"{os.getpid()} {line}")

    tiny.ran = _Log()

    def _transcribe(source, *args, _plain=tiny.transcribe):
        _note(f"{os.getpid()} film {source.name}")
        for word in source.read_text(encoding="utf-8").split():
            if word == "crash":
                os.kill(os.getpid(), signal.SIGKILL)
            if word == "fail":
                raise StageError("transcribe", "transcribe: nothing is heard")
            if word == "once" and log.read_text(encoding="utf-8").count(f"film {source.name}") == 1:
                raise StageError("transcribe", "transcribe: not the first time")
            if word == "full" and not log.with_name("room").exists():
                raise OSError(errno.ENOSPC, "No space left on device")
            if word == "slow":
                time.sleep(0.3)
            if word == "endless" and not log.with_name("go").exists():
                time.sleep(60)
            while word == "held" and not log.with_name("go").exists():
                time.sleep(0.05)
        return _plain(source, *args)

    def _check(request):
        words = request.source.read_text(encoding="utf-8").split()
        if "lacks" in words:
            problems = Problems(engines=["no engine speaks Hindi"])
            if "room" in words:
                problems.add_passing("the disk is full")
            problems.raise_any()
        if "unusable" in words:
            raise UsageError(f"cannot use {request.source.name}: no picture")
        return "cpu"

    _patch = _Patch()
    _patch.setattr("f2f.stages.transcribe.transcribe", _transcribe)
    _patch.setattr("f2f.preflight.check", _check)
    _patch.setattr("f2f.library.casting.find_people", lambda *args: {})  # a film has no voices to hear
