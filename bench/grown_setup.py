"""The grown set-up of the README on one machine: PostgreSQL, a Prefect server on it, two pools, two workers.

    python bench/grown_setup.py [--lectures 3] [--postgres FOLDER] [--port 4280]

Lets a tick translate a small library (captions and translation given, espeak, no lip-sync), kills the worker
of the lectures with everything below it in the middle of one more lecture, and waits until that run is marked
as crashed and another tick, which nobody asked for, has brought the lecture to its end. Prints how long each
step took. Needs PostgreSQL (Debian: apt-get install postgresql); as root it runs as the user postgres.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from postgresql import find_postgresql, postgresql
from prefect_setup import LECTURES, VIDEOS, Server, kill_tree, make_lecture, told, wait_for


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lectures", type=int, default=3)
    parser.add_argument("--postgres", type=Path, help="folder of PostgreSQL's programs")
    parser.add_argument("--port", type=int, default=4280)
    args = parser.parse_args()
    args.postgres = find_postgresql(args.postgres)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)  # the user postgres must get through
        show(folder, stack, args)


def show(folder: Path, stack: ExitStack, args: argparse.Namespace) -> None:
    server = Server(folder, args.port, auth=f"f2f:{secrets.token_hex(8)}")
    with told("PostgreSQL made and started"):
        url = stack.enter_context(postgresql(args.postgres, folder / "postgres"))
    with told("Prefect server on the empty database"):
        stack.enter_context(server.running(url))
    with told("two pools and three deployments"):
        server.deploy(
            folder / "library", targets=["es"], source_language="en", config={"profile": "embedded"},
            options={"lipsync": False},
        )  # fmt: skip
    stack.enter_context(server.worker("ticks"))
    work = stack.enter_context(server.worker("lectures"))
    for number in range(args.lectures):
        make_lecture(folder / "library" / f"week{number + 1}.mp4")
    with told(f"a tick and {args.lectures} lectures"):
        server.tick()
        wait_for(lambda: len(list((folder / "library").glob("*.es.html"))) == args.lectures)
        wait_for(lambda: len(server.runs(LECTURES, "COMPLETED")) == args.lectures)
    print(f"  runs: {[run['name'] for run in server.runs(LECTURES)]}")
    server.tick()
    print(f"  a second tick: {server.last_tick()!r}, {len(server.runs(LECTURES))} runs")

    make_lecture(folder / "library" / "late.mp4", seconds=20)
    server.tick()
    wait_for(lambda: any(run["name"].startswith("late") for run in server.runs(VIDEOS, "RUNNING")))
    time.sleep(2)
    kill_tree(work)
    with told("kill -9 of the worker until its run is marked as crashed"):
        wait_for(lambda: len(server.runs(LECTURES, "CRASHED")) == 1)
    stack.enter_context(server.worker("lectures"))
    with told("from there by itself until the lecture is done by another worker"):
        wait_for(lambda: (folder / "library" / "late.es.html").exists())
        wait_for(lambda: len(server.runs(LECTURES, "COMPLETED")) == args.lectures + 1)
    print(f"  states: {sorted(run['state_name'] for run in server.runs(LECTURES))}")


if __name__ == "__main__":
    main()
