"""PostgreSQL with a role, password and database for Prefect, as in the grown set-up of the README."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEBIAN = Path("/usr/lib/postgresql")
PROGRAMS = ("initdb", "pg_ctl", "psql")
ACCOUNT = "postgres"  # of the system; the server refuses to run as root


def find_postgresql(given: Path | None = None, debian: Path = DEBIAN) -> Path:
    """Return the folder of PostgreSQL's programs; end the script in one line where there is none.

    Args:
        given: folder to take; None takes the newest of Debian's, or what is on the PATH.
        debian: folder of Debian's versions.
    """
    on_path = shutil.which(PROGRAMS[0])
    newest = sorted(debian.glob("*/bin"), key=lambda folder: _version(folder.parent.name), reverse=True)
    folders = [given] if given else [*newest, *([Path(on_path).resolve().parent] if on_path else [])]
    found = next((one for one in folders if all((one / name).is_file() for name in PROGRAMS)), None)
    if found is None:
        where = f"in {given}" if given else f"below {debian} or on the PATH"
        sys.exit(f"no PostgreSQL ({', '.join(PROGRAMS)}) {where}; Debian: apt-get install postgresql")
    if os.getuid() == 0 and not _has_account():
        sys.exit(f"as root PostgreSQL runs as the user {ACCOUNT}, and there is none")
    return found


def _version(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return 0.0


def _has_account() -> bool:
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        return False
    return True


@contextmanager
def postgresql(programs: Path, folder: Path) -> Iterator[str]:
    """Run a server with a database of its own for Prefect; give the address with role and password.

    Args:
        programs: folder of ``initdb``, ``pg_ctl`` and ``psql``.
        folder: for its files; must not exist.
    """
    folder.mkdir()
    words: list[str] = []
    if os.getuid() == 0:
        shutil.chown(folder, ACCOUNT, ACCOUNT)
        words = ["runuser", "-u", ACCOUNT, "--"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(program: str, *arguments: str, told: str | None = None, check: bool = True) -> None:
        command = [*words, str(programs / program), *arguments]
        subprocess.run(command, check=check, stdout=subprocess.DEVNULL, cwd="/", input=told, text=True)

    data = ("-D", str(folder / "data"))
    access = ("--auth-local", "peer", "--auth-host", "scram-sha-256")  # Debian's own
    run("initdb", *data, *access, "-E", "UTF8")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    run("pg_ctl", *data, "-w", "-l", str(folder / "log"), "-o", options, "start")
    password = secrets.token_hex(8)
    try:
        orders = f"CREATE ROLE f2f LOGIN PASSWORD '{password}';\nCREATE DATABASE f2f OWNER f2f;\n"
        run("psql", "-h", str(folder), "-p", str(port), "-v", "ON_ERROR_STOP=1", "postgres", told=orders)
        yield f"postgresql+asyncpg://f2f:{password}@127.0.0.1:{port}/f2f"
    finally:
        run("pg_ctl", *data, "-m", "fast", "-w", "stop", check=False)
