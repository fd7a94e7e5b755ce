"""Kills what translates a library again and again, at each stage and at random moments, and looks on.

    python bench/faults.py [--through batch|schedule|workers] [--times 50] [--seed 1] [--keep FOLDER]

Makes a library of short clips (captions and translation given, espeak, embedded weights), begins to
translate it and kills (SIGKILL), with always a lecture that nobody has begun yet. Through ``batch`` one of
three dies: the batch alone, its worker alone, or both with everything they started, as in a power cut; then
the same command is given again, at the end until it says that all is done. Through ``schedule`` and
``workers``, the two set-ups of the README with Prefect, it is the process of a run, its child that does the
stages, the worker of the lectures, the server, or everything at once; what an init system would start again
is started again, and nothing else is done. Meanwhile a thread looks at every file under a final name as soon
as it is there.

Fails unless every lecture is done in the end, no stage of a lecture was done twice, no file under a final
name was ever anything but whole, no run is left without an end, and a last look finds nothing to do.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import tempfile
from pathlib import Path

import faults_batch
import faults_prefect
from faults_library import Library


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--through", choices=("batch", "schedule", "workers"), default="batch")
    parser.add_argument("--times", type=int, default=50, help="how often to kill")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    parser.add_argument("--keep", type=Path, help="leave the library there")
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = (args.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))).absolute()
        library, chance = Library(folder / "library"), random.Random(args.seed)
        if args.through == "batch":
            os.environ["F2F_HOME"] = str(folder / "home")
            problems = faults_batch.torment(library, args.times, chance)
        else:
            problems = faults_prefect.torment(args.through, library, folder / "prefect", args.times, chance)
    for problem in problems:
        print(f"FAILED: {problem}")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
