"""A finished stage result as one object: a tar archive of its folder, which is there whole or not at all."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from f2f.library.remote.objects import DISK_ERRORS
from f2f.workspace import RESULT_NAME

SUFFIX = ".tar"


def find_results(workspace_root: Path) -> list[Path]:
    """Return the folders of all finished results of a workspace."""
    return sorted(path.parent for path in workspace_root.glob(f"*/[!.]*/{RESULT_NAME}"))


def pack(folder: Path, archive: Path) -> None:
    """Write a folder's files into an archive.

    Raises:
        OSError: a file cannot be read, or the archive not be written.
    """
    with tarfile.open(archive, "w") as tar:
        for path in sorted(folder.rglob("*")):
            tar.add(path, path.relative_to(folder).as_posix(), recursive=False)


def unpack(archive: Path, folder: Path) -> bool:
    """Put an archive's files into a new folder, whole or not at all; return whether that went well.

    Raises:
        OSError: the disk here cannot take them.
    """
    temporary = folder.with_name(f".{folder.name}.unpacked.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with tarfile.open(archive, "r:") as tar:  # none that is compressed: a few bytes could fill the disk
            tar.extractall(temporary, filter="data")  # nothing outside, no links out, no devices
        if not (temporary / RESULT_NAME).is_file():
            return False
        temporary.replace(folder)
    except (tarfile.TarError, ValueError):
        return False
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise
        return False  # names that no disk takes, a file that is a folder, too
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True
