"""What a disk's error means for a person, in one line with the remedy."""

from __future__ import annotations

import errno
from pathlib import Path

_ELSEWHERE = "choose other folders with -o DIR (translate: --workdir DIR, too)"
_BACK = "connect it or mount it again"
_REMEDIES = {
    errno.ENOSPC: ("the disk is full", f"make room, or {_ELSEWHERE}"),
    errno.EDQUOT: ("your share of the disk is used up", "make room, or choose another folder"),
    errno.EFBIG: (
        "a file grew larger than is allowed here",
        "raise the limit (ulimit -f), or choose another disk",
    ),
    errno.EROFS: ("the disk can only be read", _ELSEWHERE),
    errno.EACCES: ("this user may not do that", "give the right to, or choose other folders"),
    errno.EPERM: ("this user may not do that", "give the right to, or choose other folders"),
    errno.ENOENT: ("it is gone", "was it moved, or a disk taken away?"),
    errno.EIO: ("the disk cannot be read or written", "check it and its cable or network"),
    errno.ESTALE: ("its folder was lost on the server", "mount it again"),
    errno.ENODEV: ("the disk is away", _BACK),
    errno.ENXIO: ("the disk is away", _BACK),
    errno.ENOTCONN: ("the disk or its server is away", _BACK),
    errno.ENAMETOOLONG: ("the name is too long for this disk", "rename the video, or choose another disk"),
}
_FULL = "No space left on device"  # as ffmpeg says it
_OF_THE_DISK = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS),
    *(errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN),  # not EIO: the lecture's own file may be it
)


def disk_words(error: BaseException, place: Path | None = None) -> str | None:
    """Return what went wrong with a disk and what helps; None if that is not what the error is about.

    Args:
        error: as a stage or a library raised it.
        place: where it worked, for errors that do not say.
    """
    if not isinstance(error, OSError):
        return f"{error}; make room on the disk of {place}" if place and _FULL in str(error) else None
    found = _REMEDIES.get(error.errno or 0)
    if found is None:
        return None
    path = error.filename2 or error.filename or place
    return ": ".join((*([str(path)] if path else []), "; ".join(found)))


def is_of_the_disk(error: BaseException | None) -> bool:
    """Whether a disk that is full, read-only or away stopped the work: that says nothing of the lecture."""
    while error is not None:
        if (isinstance(error, OSError) and error.errno in _OF_THE_DISK) or _FULL in str(error):
            return True
        error = error.__cause__
    return False
