"""Downloads published weights: resumable, verified, never a half-written file under the final name."""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import queue
import re
import shutil
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from lipsync_core.containers import is_web_page, sha256_of
from lipsync_core.errors import CheckpointError, MissingModelError
from lipsync_core.weights.lookup import cache_folder, how_to_get, verified_path, write_marker
from lipsync_core.weights.registry import Weights

logger = logging.getLogger(__name__)

Progress = Callable[[int, "int | None"], None]
"""Called with bytes done and bytes in total (None while unknown)."""

PROBE_TIMEOUT_S = 3.0
_STALL_TIMEOUT_S = 30.0
_BLOCK_BYTES = 1 << 18
_ATTEMPTS_PER_MIRROR = 3  # after a cut connection the rest is asked for, not the whole
_USER_AGENT = "lipsync_core"
_RETRY_AFTER_S = 60.0
_UNREACHABLE: dict[str, float] = {}  # host: until when (monotonic clock) it is not asked again
_CONNECTION_ERRORS = (
    urllib.error.URLError,
    TimeoutError,
    ConnectionError,
    ssl.SSLError,
    http.client.HTTPException,
)
_NETWORK_ERRORS = (OSError, http.client.HTTPException, ValueError)


class _MirrorError(Exception):
    """A mirror does not give the file; the message says why."""


def is_fetchable(weights: Weights, timeout_s: float = PROBE_TIMEOUT_S) -> bool:
    """Ask all mirrors at once whether one offers the file now (its first byte is asked for).

    Any failure means no; never raises and never takes longer than ``timeout_s``, not even where name
    look-up hangs. A host that could not be reached is not asked again for a minute; a yes is never kept.
    """
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
    urls = [url for url in weights.urls if _UNREACHABLE.get(_host(url), 0.0) < time.monotonic()]
    for url in urls:
        # Daemons: a look-up that hangs must not hold up the end of the program.
        threading.Thread(
            target=lambda url=url: answers.put(_offers(url, weights, timeout_s)), daemon=True
        ).start()
    deadline = time.monotonic() + timeout_s
    for _ in urls:
        try:
            if answers.get(timeout=max(0.0, deadline - time.monotonic())):
                return True
        except queue.Empty:
            _UNREACHABLE.update({_host(url): time.monotonic() + _RETRY_AFTER_S for url in urls})
            return False
    return False


def fetch(weights: Weights, progress: Progress | None = None, target: Path | None = None) -> Path:
    """Bring the file of published weights into `cache_folder` and return its path.

    What an interrupted run left in ``<file>.part`` is continued. Mirrors are tried in order. The file gets
    its final name only after size and SHA-256 are right. Two processes never write into one folder at once.

    Args:
        weights: from `resolve`; returned at once when already here.
        progress: told how many bytes are done.
        target: where the file shall lie, if not in `cache_folder`.

    Raises:
        MissingModelError: no mirror gave the right file, or the disk is full; the message has each
            mirror's reason and where to put the file by hand.
    """
    if weights.path is not None:
        return weights.path
    target = target or cache_folder() / weights.file
    if (found := _already_here(weights, target)) is not None:
        return found
    part = target.with_name(target.name + ".part")
    reasons: list[str] = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone_in(target.parent):
            if (found := _already_here(weights, target)) is not None:  # another process was faster
                return found
            if _from_mirrors(weights, part, progress, reasons):
                part.replace(target)
                write_marker(target, weights.sha256)
                return target
    except OSError as error:
        reasons.append(f"cannot write {part}: {error}")
    told = "; ".join(reasons) or "it has no address"
    raise MissingModelError(
        f"weights {weights.name} could not be fetched ({told}). By hand: {how_to_get(weights, target)}"
    )


def _from_mirrors(weights: Weights, part: Path, progress: Progress | None, reasons: list[str]) -> bool:
    """Fill ``part`` from the first mirror that gives the right file; note why the others do not."""
    for url in weights.urls:
        try:
            was_begun = part.exists()
            _download(url, part, weights, progress)
            if not _is_right(part, weights) and was_begun:  # the beginning may be to blame
                part.unlink()
                _download(url, part, weights, progress)
            _check(part, weights)
        except _MirrorError as error:
            logger.warning("%s: %s", url, error)
            reasons.append(f"{url}: {error}")
            continue
        return True
    return False


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; where the system has no such locks, do without."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have none either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _already_here(weights: Weights, target: Path) -> Path | None:
    try:
        return verified_path(weights, target)
    except CheckpointError as error:  # will be replaced
        logger.warning("%s", error)
        return None


def _offers(url: str, weights: Weights, timeout_s: float) -> bool:
    # One byte by GET: hubs redirect to signed addresses, which answer HEAD with 403.
    headers = {"User-Agent": _USER_AGENT, "Range": "bytes=0-0"}
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            if answer.status == http.client.PARTIAL_CONTENT:
                length = answer.headers.get("Content-Range", "").rpartition("/")[2]
            else:
                length = answer.headers.get("Content-Length", "")
            is_page = answer.headers.get_content_type() == "text/html"
            right_size = not (length.isdigit() and weights.size_bytes) or int(length) == weights.size_bytes
            return right_size and not is_page
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except _NETWORK_ERRORS as error:
        logger.debug("%s does not answer: %s", url, error)
        _UNREACHABLE[_host(url)] = time.monotonic() + _RETRY_AFTER_S
        return False


def _host(url: str) -> str:
    try:
        return urllib.parse.urlsplit(url).netloc
    except ValueError:  # a malformed address; opening it will say so
        return url


def _download(url: str, part: Path, weights: Weights, progress: Progress | None) -> None:
    """Fill ``part`` from one mirror, asking again for the rest when the connection is cut."""
    reason = ""
    for _ in range(_ATTEMPTS_PER_MIRROR):
        try:
            total = _stream(url, part, weights, progress)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise _MirrorError(f"HTTP {error.code} {error.reason}") from error
            if _size(part) == weights.size_bytes:  # all was there already
                return
            part.unlink(missing_ok=True)
            reason = "cannot resume"
            continue
        except _CONNECTION_ERRORS as error:
            reason = f"connection lost: {getattr(error, 'reason', error)}"
            continue
        if total is None or _size(part) >= total:
            return
        reason = f"cut off after {_size(part):,} of {total:,} bytes"
    raise _MirrorError(reason)


def _stream(url: str, part: Path, weights: Weights, progress: Progress | None) -> int | None:
    """Append to ``part`` what the mirror sends, and return how long the whole file is said to be."""
    done = _size(part)
    if weights.size_bytes and done >= weights.size_bytes:
        if done == weights.size_bytes:
            return done
        part.unlink()
        done = 0
    headers = {"User-Agent": _USER_AGENT} | ({"Range": f"bytes={done}-"} if done else {})
    with urllib.request.urlopen(
        urllib.request.Request(url, headers=headers), timeout=_STALL_TIMEOUT_S
    ) as answer:
        if answer.status != http.client.PARTIAL_CONTENT:
            done = 0  # the mirror ignores Range and begins again
        elif _first_byte(answer.headers.get("Content-Range", "")) not in (None, done):
            raise _MirrorError("sends another part of the file than was asked for")
        length = answer.headers.get("Content-Length", "")
        total = done + int(length) if length.isdecimal() else weights.size_bytes
        _refuse_wrong_size(total, weights)
        _refuse_full_disk(part, (total or 0) - done)
        with part.open("ab" if done else "wb") as file:
            while block := answer.read1(_BLOCK_BYTES):  # what is there now: a stall costs nothing
                if done == 0 and (is_web_page(block) or answer.headers.get_content_type() == "text/html"):
                    raise _MirrorError("sends a web page instead of the file")
                file.write(block)
                done += len(block)
                _refuse_wrong_size(max(done, weights.size_bytes or 0), weights)
                if progress is not None:
                    progress(done, total)
    return total


def _first_byte(content_range: str) -> int | None:
    found = re.match(r"bytes (\d+)-", content_range)
    return int(found.group(1)) if found else None


def _refuse_wrong_size(size: int | None, weights: Weights) -> None:
    if size and weights.size_bytes and size != weights.size_bytes:
        raise _MirrorError(f"offers {size:,} bytes, expected are {weights.size_bytes:,}")


def _refuse_full_disk(part: Path, needed_bytes: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed_bytes > free:
        raise OSError(f"{needed_bytes:,} bytes needed, {free:,} free")


def _is_right(part: Path, weights: Weights) -> bool:
    return weights.sha256 is None or sha256_of(part) == weights.sha256


def _check(part: Path, weights: Weights) -> None:
    if not _is_right(part, weights):
        part.unlink()
        raise _MirrorError("sent another file (its SHA-256 differs from the published one)")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
