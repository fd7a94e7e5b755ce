"""Runs the real command again and again, each time killed (SIGKILL) at another place.

``python kill_driver.py WEIGHTS LOGS PLACE[,PLACE…] WORDS…``: for each place a child runs the command with
WORDS; its JSON lines go to ``LOGS/<place>.jsonl``, and a line with its exit status to stdout. Places are
stage names (killed when the result is about to be stored), ``writing`` (in the middle of encoding, with
ffmpeg as a child), ``placing`` (an output copied but not yet renamed) and ``none``. One process imports, its
forks run: the imports are most of the time.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any


def die(*args: Any, **kwargs: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(place: str) -> None:
    """Make this process die at ``place``."""
    from f2f import outputs
    from f2f.workspace import Workspace
    from lipsync_core.media import VideoWriter

    commit, write, n_written = Workspace.commit, VideoWriter.write, 0

    def commit_or_die(self: Workspace, work: Any, *args: Any, **kwargs: Any) -> Any:
        return die() if work.stage == place else commit(self, work, *args, **kwargs)

    def write_or_die(self: VideoWriter, frame: Any) -> None:
        nonlocal n_written
        n_written += 1
        if n_written == 20:
            die()
        write(self, frame)

    def copy_and_die(stored: Path, path: Path, *, link: bool) -> None:
        path.with_name(f".{path.name}.{os.getpid()}.tmp").write_bytes(stored.read_bytes())
        die()

    Workspace.commit = commit_or_die  # type: ignore[method-assign]
    if place == "writing":
        VideoWriter.write = write_or_die  # type: ignore[method-assign]
    if place == "placing":
        outputs._put = copy_and_die


def run(place: str, log: Path, words: list[str]) -> int:
    """Run the command in a fork and return its wait status."""
    child = os.fork()
    if child == 0:
        with log.open("w") as stream:
            os.dup2(stream.fileno(), 1)
        code = 99
        try:
            from f2f import cli

            kill_at(place)
            code = cli.run(words)
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(weights: str, logs: str, places: str, *words: str) -> None:
    import lipsync_core.inference
    import lipsync_core.weights.lookup as lookup

    lookup.PACKAGE_FOLDER = Path(weights)
    assert lipsync_core.inference is not None  # imported for its time
    for place in places.split(","):
        status = run(place, Path(logs) / f"{place}.jsonl", list(words))
        sys.stdout.write(f"{place} {status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
