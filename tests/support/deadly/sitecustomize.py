"""Python runs this at its start when its folder is on PYTHONPATH: one file kills what reads it."""

import os
import signal
import sys

if "--multiprocessing-fork" in sys.argv:
    from lipsync_core.training.clip_making import ClipMaker

    _clips = ClipMaker.clips

    def _deadly_clips(self, source):
        if source.name.endswith("deadly.mp4"):
            os.kill(os.getpid(), signal.SIGKILL)
        return _clips(self, source)

    ClipMaker.clips = _deadly_clips
