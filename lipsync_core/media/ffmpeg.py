"""Run the bundled ffmpeg: argument lists only, its words in every error."""

from __future__ import annotations

import collections
import contextlib
import io
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import IO

from lipsync_core.errors import MediaError, MissingModelError
from lipsync_core.whole_files import part_beside

PIPE_BYTES = 1 << 20  # what Linux lets anyone have
TAIL_LINES = 12  # of stderr kept for error messages
MAX_BLOCK_BYTES = 1 << 30  # what a file makes ffmpeg ask for at once; an 8K picture needs a quarter
LIMITS = ("-max_alloc", str(MAX_BLOCK_BYTES))
QUIET = ("-hide_banner", "-nostdin", "-loglevel", "error", *LIMITS)


@lru_cache(maxsize=1)
def ffmpeg_path() -> str:
    """Return the path of the ffmpeg binary that ``imageio-ffmpeg`` brings (or ``$IMAGEIO_FFMPEG_EXE``).

    Raises:
        MissingModelError: the package or its binary is not there.
    """
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as exc:
        raise MissingModelError(f"no ffmpeg here ({exc}); run: pip install imageio-ffmpeg") from exc


def input_argument(path: Path | str) -> str:
    """Return ``path`` as an ffmpeg input that no protocol prefix or leading dash can disguise.

    Raises:
        MediaError: there is no such file.
    """
    file = Path(path)
    if not file.is_file():
        raise MediaError(f"no such file: {file}")
    return f"file:{file}"


def run_ffmpeg(args: Sequence[str], *, what: str) -> bytes:
    """Run ffmpeg with ``args`` (existing outputs are overwritten) and return what it wrote to stdout.

    Args:
        args: everything after the program's name; input paths should pass through `input_argument`.
        what: what is being done, for the error message ("decoding talk.mp4").

    Raises:
        MediaError: ffmpeg failed; holds its last lines.
    """
    command = [ffmpeg_path(), *QUIET, "-y", *args]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            output, messages = process.communicate()
        except BaseException:
            stop_process(process)  # subprocess.run would leave it to be reaped by nobody
            raise
    if process.returncode:
        raise failure(what, command, messages.decode("utf-8", "replace"), process.returncode)
    return output


def failure(what: str, command: Sequence[str], stderr: str, code: int = 0) -> MediaError:
    """Return the error for a failed ffmpeg run: one line, its reason last.

    Args:
        what: what was being done.
        command: how ffmpeg was called.
        stderr: what it said.
        code: its exit code; negative if a signal ended it.
    """
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    tail = "\n".join(lines[-TAIL_LINES:])
    crash = _crash(code)
    reason = crash or _reason(lines)
    return MediaError(f"{what} failed: {reason}", command=command, stderr_tail=tail)


def _crash(code: int) -> str | None:
    """Say that a signal ended ffmpeg; None if it ended by itself."""
    if code >= 0:
        return None
    name = signal.Signals(-code).name if -code in list(signal.Signals) else f"signal {-code}"
    if -code == signal.SIGKILL:
        return f"ffmpeg was ended from outside ({name}); perhaps memory ran out"
    return f"ffmpeg crashed on it ({name}): export the file again, or convert it with another program"


def _reason(lines: Sequence[str]) -> str:
    """Return the most telling line: the last that is not one of ffmpeg's closing formulas."""
    formulas = ("Error opening", "Error while opening", "Conversion failed", "Nothing was", "Task finished")
    bare = [line.split("] ", 1)[1] if line.startswith("[") and "] " in line else line for line in lines]
    telling = [line for line in bare if not line.startswith(formulas)] or bare
    return telling[-1] if telling else "ffmpeg gave no reason"


class StderrTail:
    """Drains a process's stderr in a thread, so that it never blocks, and keeps the last lines."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._lines: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)
        # A file of its own: Popen.__exit__ closes the pipe, and closing it under a reading thread can crash.
        self._pipe = os.fdopen(os.dup(pipe.fileno()), "rb")
        pipe.close()
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        with self._pipe:
            for line in self._pipe:
                self._lines.append(line.decode("utf-8", "replace").rstrip())

    def text(self) -> str:
        """Return the last lines; call after the process has ended."""
        self._thread.join(timeout=5)
        return "\n".join(self._lines)


def widen_pipe(pipe: IO[bytes]) -> None:
    """Let a pipe hold 1 MiB instead of 64 KiB where the system allows it: fewer switches per frame."""
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (ImportError, AttributeError, OSError):  # not on Linux, or the user's share is used up
        return


def stop_process(process: subprocess.Popen[bytes]) -> None:
    """End a child process and reap it, whatever state it is in."""
    if process.poll() is None:
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None and not pipe.closed:
            try:
                pipe.close()
            except BrokenPipeError:  # unwritten bytes for a process that is gone
                continue


class FfmpegProcess:
    """A running ffmpeg and its pipes; as a context manager it is ended and reaped in any case.

    Its messages are drained all the time, so that it never blocks on them; the last stand in errors.

    Args:
        args: everything after the program's name (existing outputs are overwritten).
        what: what is being done, for the error message ("decoding talk.mp4").
        is_fed: it reads ``pipe:0``, which is `input`.
        is_read: it writes ``pipe:1``, which is `output`.
    """

    def __init__(
        self, args: Sequence[str], what: str, *, is_fed: bool = False, is_read: bool = False
    ) -> None:
        quiet = [word for word in QUIET if not (is_fed and word == "-nostdin")]
        self._command, self._what = [ffmpeg_path(), *quiet, "-y", *args], what
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE if is_fed else subprocess.DEVNULL,
            stdout=subprocess.PIPE if is_read else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert self._process.stderr is not None
        self._tail = StderrTail(self._process.stderr)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                widen_pipe(pipe)

    @property
    def input(self) -> io.BufferedWriter:
        """What it reads; `write` turns errors into ffmpeg's own reason."""
        assert isinstance(self._process.stdin, io.BufferedWriter)
        return self._process.stdin

    @property
    def output(self) -> io.BufferedReader:
        """What it writes."""
        assert isinstance(self._process.stdout, io.BufferedReader)
        return self._process.stdout

    def write(self, data: bytes | memoryview) -> None:
        """Give it more input.

        Raises:
            MediaError: it has ended early.
        """
        try:
            self.input.write(data)
        except (OSError, ValueError) as exc:  # ValueError: killed, and the pipe closed
            raise self.failure() from exc

    def wait(self) -> int:
        """Wait for its end and return the exit code; it must have no input to wait for."""
        return self._process.wait()

    def said(self) -> str:
        """Return its last lines; call after its end."""
        return self._tail.text()

    def failure(self) -> MediaError:
        """Wait for its end and return the error that tells why it failed."""
        code = self._process.wait()
        return failure(self._what, self._command, self._tail.text(), code)

    def kill(self) -> None:
        """End it at once; a `write` in another thread then fails."""
        self._process.kill()

    def stop(self) -> None:
        """End and reap it, whatever state it is in."""
        stop_process(self._process)

    def __enter__(self) -> FfmpegProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class FfmpegFile(FfmpegProcess):
    """A running ffmpeg that is fed and writes one file, which appears under its name with `finish`.

    Until then it lies beside it as a hidden ``.part`` file, which goes when ffmpeg is stopped.

    Args:
        path: file to write.
        args: everything between the program's name and the output.
        what: as for `FfmpegProcess`.
    """

    def __init__(self, path: Path, args: Sequence[str], what: str) -> None:
        self._path = path
        self._part = part_beside(path)
        super().__init__([*args, f"file:{self._part}"], what, is_fed=True)

    def finish(self) -> None:
        """End the input, wait for the file and give it its name.

        Raises:
            MediaError: ffmpeg failed.
        """
        with contextlib.suppress(BrokenPipeError):  # the exit code tells
            self.input.close()
        if self.wait() != 0 or not self._part.is_file():
            raise self.failure()
        self._part.replace(self._path)

    def stop(self) -> None:
        """End and reap it; what is not finished is removed."""
        super().stop()
        self._part.unlink(missing_ok=True)
