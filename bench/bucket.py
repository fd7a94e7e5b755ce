"""Machines without a shared folder work on one bucket: who makes what, and what becomes of one that dies.

    python bench/bucket.py [--lectures 4]

Runs an S3 server (moto) on loopback and puts lectures into a bucket (captions and translation given, espeak,
no lip-sync). Two `f2f batch`, each with a cache folder of its own, work on them at once; each lecture must be
made by one of them. Then one more lecture: the batch that works on it is killed with everything below it once
its speech is finished, and the other must go on from the finished stages. All the while somebody looks for
outputs that are there without being whole. Needs: pip install ".[standard,dev]".
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect_setup import kill_tree, make_lecture, wait_for

from f2f.library.remote.objects import Objects

LECTURES, OUT = "bucket/lectures", "bucket/out"
SPOKEN = "synthesize"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lectures", type=int, default=4)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, s3_server():
        objects = Objects("s3")
        objects._fs.mkdir("bucket")
        with Watch(objects):
            show_sharing(objects, Path(folder), args.lectures)
            show_death(objects, Path(folder))


def show_sharing(objects: Objects, folder: Path, n_lectures: int) -> None:
    for number in range(1, n_lectures + 1):
        put_lecture(objects, folder / f"week {number} #1.mp4", 3)
    began_s = time.monotonic()
    machines = [Machine(folder / name) for name in ("one", "two")]
    made = {machine.name: machine.end() for machine in machines}
    print(f"{n_lectures} lectures by two batches at once: {time.monotonic() - began_s:.1f} s")
    for name, lectures in made.items():
        print(f"  {name} made {len(lectures)}: {', '.join(lectures)}")
    together = sorted(lecture for lectures in made.values() for lecture in lectures)
    if len(together) != n_lectures or len(set(together)) != n_lectures:
        sys.exit(f"not each lecture was made once: {together}")
    lines = (objects.read(f"{OUT}/library.jsonl") or b"").splitlines()
    print(f"  library.jsonl has {len(lines)} lines")
    if len(lines) != n_lectures:
        sys.exit("not one line for each output")


def show_death(objects: Objects, folder: Path) -> None:
    put_lecture(objects, folder / "late.mp4", 20)
    one = Machine(folder / "one")
    wait_for(lambda: any(f"/late/{SPOKEN}/" in entry.key for entry in objects.find(f"{OUT}/.f2f-stages")))
    kill_tree(one.process)
    kept = sorted({entry.key.split("/")[-2] for entry in objects.find(f"{OUT}/.f2f-stages/late")})
    print(f"killed; in the bucket are of its stages: {', '.join(kept)}")
    began_s = time.monotonic()
    two = Machine(folder / "two")
    made = two.end()
    print(
        f"the other made {', '.join(made)} after {time.monotonic() - began_s:.1f} s; "
        "on one host it is known at once who died"
    )
    print(f"  found: {', '.join(two.reused)}; worked: {', '.join(two.worked)}")
    if made != ["late.mp4"] or SPOKEN not in two.reused:
        sys.exit("it did not go on from what was finished")


class Machine:
    """A batch with a cache folder of its own.

    Args:
        home: its cache folder, which names it.
    """

    def __init__(self, home: Path) -> None:
        self.name, self.reused, self.worked = home.name, list[str](), list[str]()
        # Not pipes: one that nobody reads yet fills up, and its batch stands still with a lease in its hands.
        self._events, self._said = home.with_suffix(".events"), home.with_suffix(".said")
        command = [
            sys.executable,
            "-m",
            "f2f",
            "batch",
            f"s3://{LECTURES}",
            "-o",
            f"s3://{OUT}",
            "--to",
            "es",
        ]
        with self._events.open("wb") as events, self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [*command, "--from", "en", "--no-lipsync", "--profile", "embedded", "--json"],
                stdout=events, stderr=said, start_new_session=True,
                env=os.environ | {"F2F_HOME": str(home), "F2F_RUNNER": "inline"},
            )  # fmt: skip

    def end(self) -> list[str]:
        """Wait for a good end; return the lectures that it made."""
        if self.process.wait():
            sys.exit(f"{self.name}: {self._said.read_text(encoding='utf-8')}")
        events = [json.loads(line) for line in self._events.read_text(encoding="utf-8").splitlines()]
        for event in events:
            if event["event"] == "stage_finished":
                (self.reused if event["reused"] else self.worked).append(event["stage"])
        return [one["lecture"] for one in events if one["event"] == "language" and one["state"] == "made"]


class Watch:
    """Looks for outputs that are there without being whole.

    Args:
        objects: the store.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects, self._stop, self._n_looks = objects, threading.Event(), 0
        self._thread = threading.Thread(target=self._look_again)
        self._faults: list[str] = []

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        print(f"{self._n_looks} looks at the outputs on the way, {len(self._faults)} were not whole")
        if self._faults:
            sys.exit("\n".join(self._faults))

    def _look_again(self) -> None:
        while not self._stop.wait(0.5):
            self._n_looks += 1
            keys = [entry.key for entry in self._objects.ls(OUT) if not entry.is_folder]
            for key in keys:
                data = self._objects.read(key) or b""
                is_whole = {
                    ".mp4": lambda data: b"moov" in data and b"mdat" in data,
                    ".json": _is_json,
                    ".html": lambda data: data.rstrip().endswith(b"</html>"),
                }.get(Path(key).suffix, bool)(data)
                if not is_whole:
                    self._faults.append(f"{key} is not whole ({len(data)} bytes)")


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def put_lecture(objects: Objects, path: Path, seconds: int) -> None:
    make_lecture(path, seconds)
    for one in path.parent.glob(f"{path.stem}.*"):
        objects.upload(one, f"{LECTURES}/{one.name}")


@contextmanager
def s3_server() -> Iterator[None]:
    """Run a server in a process of its own, which all others are told of."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ.update(
        AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench", AWS_DEFAULT_REGION="us-east-1",
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
    )  # fmt: skip
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for(answers)
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
