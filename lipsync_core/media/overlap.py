"""Let decoding and encoding run beside the computation: two threads with short queues.

Reading from and writing to ffmpeg's pipes, and OpenCV's and torch's own work, release Python's lock, so
threads are enough.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import TypeVar

from lipsync_core.media.writer import VideoWriter
from lipsync_core.pictures import Picture

T = TypeVar("T")
QUEUE_BYTES = 12 << 20  # of frames that wait in one queue
MIN_QUEUE, MAX_QUEUE = 2, 16
_POLL_S = 0.05


def queue_length(width: int, height: int) -> int:
    """Return how many frames of this size may wait in a queue."""
    return min(max(QUEUE_BYTES // (width * height * 3 // 2), MIN_QUEUE), MAX_QUEUE)


def read_ahead(items: Iterator[T], n_ahead: int) -> Generator[T, None, None]:
    """Yield ``items``, which a thread of its own produces up to ``n_ahead`` items early.

    What the iterator raises is raised here, in its turn. Closing the generator ends the thread, which then
    closes the iterator (if it is a generator), so no decoder is left behind.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(n_ahead)
    stopped = threading.Event()
    thread = threading.Thread(target=_produce, args=(items, waiting, stopped), daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stopped.set()
        while thread.is_alive():  # it may wait for room in the queue
            with contextlib.suppress(queue.Empty):
                waiting.get(timeout=_POLL_S)
        thread.join()


class _End:
    """Last thing in a queue: nothing more comes, or why."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def _produce(items: Iterator[T], waiting: queue.Queue[T | _End], stopped: threading.Event) -> None:
    end = _End()
    try:
        for item in items:
            if stopped.is_set():
                break
            waiting.put(item)
    except BaseException as error:  # noqa: BLE001 - raised again where the items are used
        end = _End(error)
    finally:
        if isinstance(items, Generator):
            items.close()
    waiting.put(end)


class BackgroundWriter:
    """Context manager that feeds a `VideoWriter` from a thread, behind a short queue.

    Args:
        writer: not yet entered; this enters and leaves it.
        n_waiting: frames that may wait.

    Raises:
        MediaError: as `VideoWriter`, from a later `write` or when leaving the context.
    """

    def __init__(self, writer: VideoWriter, n_waiting: int) -> None:
        self.writer = writer
        self.n_frames = 0
        self._waiting: queue.Queue[Picture | Callable[[], Picture] | None] = queue.Queue(n_waiting)
        self._error: BaseException | None = None
        self._stopped = False

    def __enter__(self) -> BackgroundWriter:
        self.writer.__enter__()
        self._thread = threading.Thread(target=self._consume, daemon=True)
        self._thread.start()
        return self

    def write(self, picture: Picture | Callable[[], Picture]) -> None:
        """Append a frame, or what a function returns that is then called in the thread.

        Raises:
            MediaError: ffmpeg ended early, or whatever an earlier function raised.
        """
        self._raise_error()
        self._waiting.put(picture)
        self.n_frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._waiting.put(None)
                self._thread.join()
                self._raise_error()
        except BaseException as raised:
            self._abort()
            self.writer.__exit__(type(raised), raised, raised.__traceback__)
            raise
        if kind is not None:
            self._abort()
        self.writer.__exit__(kind, error, trace)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _abort(self) -> None:
        """End the thread without waiting for the encoder."""
        self._stopped = True
        self.writer.kill()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self._waiting.get_nowait()
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(None)
            self._thread.join(_POLL_S)

    def _consume(self) -> None:
        while (picture := self._waiting.get()) is not None:
            if self._stopped or self._error is not None:
                continue  # the queue must go on moving until the caller has noticed
            try:
                self.writer.write(picture() if callable(picture) else picture)
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                self._error = error
