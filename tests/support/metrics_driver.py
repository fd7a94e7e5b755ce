"""Run by the tests of library.jsonl: ``metrics_driver.py WAY OUT MANIFEST…`` appends from forks of itself.

WAY ``together``: a fork for each manifest, all at once. WAY ``torn``: one fork, killed in the middle of its
write.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from f2f.library.metrics import append_metrics


def die_halfway(file: int, data: bytes) -> int:
    real_write(file, data[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def look_slowly(file: int, size: int, offset: int) -> bytes:
    found = real_pread(file, size, offset)
    time.sleep(0.05)  # long enough for the others to look, too, if they may
    return found


real_write, real_pread = os.write, os.pread


def main(way: str, output_dir: Path, manifests: list[Path]) -> None:
    forks: list[Any] = []
    wait, start = os.pipe()
    for manifest in manifests:
        forks.append(os.fork())
        if forks[-1] == 0:
            os.close(start)
            os.read(wait, 1)  # until the last fork is there
            os.pread = look_slowly
            if way == "torn":
                os.write = die_halfway  # type: ignore[assignment]
            append_metrics(output_dir, f"physics/{manifest.name.partition('.')[0]}.mp4", manifest)
            os._exit(0)
    os.close(start)
    for fork in forks:
        os.waitpid(fork, 0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
