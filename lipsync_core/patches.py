"""Store generated faces without loss, so that the picture is encoded only once, at the very end.

Two files of one stem: ``NAME.mkv`` holds the 96x96 faces in FFV1 (lossless), ``NAME.jsonl`` one line per
face with its frame, box and opacity, after a header line. The same patches give the same bytes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TextIO

import numpy as np

from lipsync_core.errors import InvalidInputError, MediaError
from lipsync_core.faces.geometry import GENERATOR_FACE_SIZE_PX
from lipsync_core.faces.pasting import FacePatch
from lipsync_core.media.ffmpeg import FfmpegFile, input_argument
from lipsync_core.media.frames import pipe_frames
from lipsync_core.whole_files import part_beside

FORMAT = "lipsync_core patches"
FORMAT_VERSION = 1
_PIXELS = "bgr0"  # what FFV1 stores of 8-bit BGR; the fourth byte is 0


def table_path(path: Path | str) -> Path:
    """Return the file that lies beside a patch video and holds its boxes."""
    return Path(path).with_suffix(".jsonl")


class PatchWriter:
    """Context manager that writes patches in the order of their frames.

    Both files appear when all has succeeded; the table last, so that a table always has its video.

    Args:
        path: of the video, ending in ``.mkv``; the table lies beside it with the suffix ``.jsonl``.
        fps: rate of the video that the patches belong to (kept for information).

    Raises:
        InvalidInputError: another suffix.
        MediaError: ffmpeg fails, or nothing was written.
    """

    def __init__(self, path: Path | str, fps: Fraction) -> None:
        self.path = Path(path)
        if self.path.suffix != ".mkv":
            raise InvalidInputError(f"patches are written to a file ending in .mkv, not {self.path.name!r}")
        self.fps = Fraction(fps)
        self.n_patches = 0
        self._last_index = -1
        self._table_part = part_beside(table_path(self.path))

    def __enter__(self) -> PatchWriter:
        size = GENERATOR_FACE_SIZE_PX
        args = [
            "-f", "rawvideo", "-pix_fmt", _PIXELS, "-video_size", f"{size}x{size}",
            "-framerate", f"{self.fps.numerator}/{self.fps.denominator}", "-i", "pipe:0",
            "-c:v", "ffv1", "-level", "3", "-g", "1", "-slices", "4", "-slicecrc", "1", "-threads", "1",
            "-pix_fmt", _PIXELS, "-fflags", "+bitexact", "-flags:v", "+bitexact",
        ]  # fmt: skip
        self._table: TextIO = self._table_part.open("w", encoding="utf-8")
        self._table.write(_header(self.fps))
        self._file = FfmpegFile(self.path, args, f"writing {self.path}")
        return self

    def write(self, index: int, patch: FacePatch) -> None:
        """Append the patch of frame ``index``; frames come in rising order, each at most once.

        Raises:
            InvalidInputError: ``index`` is not above the last one.
            MediaError: ffmpeg has ended early.
        """
        if index <= self._last_index:
            raise InvalidInputError(f"patch of frame {index} comes after that of frame {self._last_index}")
        padded = np.zeros((GENERATOR_FACE_SIZE_PX, GENERATOR_FACE_SIZE_PX, 4), np.uint8)
        padded[:, :, :3] = patch.face_bgr
        self._file.write(padded.tobytes())
        self._table.write(_Row(index, patch.box, patch.opacity).line())
        self._last_index = index
        self.n_patches += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._table.close()
            if kind is None:
                self._finish()
        finally:
            self._file.stop()
            self._table_part.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self.n_patches == 0:
            raise MediaError(f"not one patch was given for {self.path}; nothing is written")
        self._file.finish()
        self._table_part.replace(table_path(self.path))


def join_patches(parts: Sequence[Path], path: Path, fps: Fraction) -> None:
    """Write the patches of several files into one: packets are copied, nothing is encoded again.

    Args:
        parts: at least one file of a `PatchWriter`, with rising frames from one to the next.
        path: as for `PatchWriter`.
        fps: rate of the video that the patches belong to.

    Raises:
        InvalidInputError: their frames do not rise.
        MediaError: a file is missing or damaged.
    """
    table = part_beside(table_path(path))
    try:
        _join_tables(parts, table, fps)
        _join_videos(parts, path)
        table.replace(table_path(path))
    finally:
        table.unlink(missing_ok=True)


def _join_videos(parts: Sequence[Path], path: Path) -> None:
    # A list for ffmpeg cannot hold every name that a folder may have; it gets links with plain ones.
    with tempfile.TemporaryDirectory(prefix="lipsync_core-") as folder:
        listing = Path(folder) / "parts.txt"
        for number, part in enumerate(parts):
            (Path(folder) / f"{number}.mkv").symlink_to(part.absolute())
        listing.write_text("".join(f"file {number}.mkv\n" for number in range(len(parts))), encoding="ascii")
        args = [
            "-f", "concat", "-i", input_argument(listing), "-map", "0:v:0", "-c", "copy",
            "-fflags", "+bitexact",
        ]  # fmt: skip
        file = FfmpegFile(path, args, f"joining {path}")
        try:
            file.finish()
        finally:
            file.stop()


def _join_tables(parts: Sequence[Path], path: Path, fps: Fraction) -> None:
    last = -1
    with path.open("w", encoding="utf-8") as joined:
        joined.write(_header(fps))
        for part in parts:
            for row in _read_table(table_path(part)):
                if row.frame <= last:
                    raise InvalidInputError(
                        f"patch of frame {row.frame} in {part} comes after that of frame {last}"
                    )
                joined.write(row.line())
                last = row.frame


def _header(fps: Fraction) -> str:
    return json.dumps({"format": FORMAT, "version": FORMAT_VERSION, "fps": str(fps)}) + "\n"


def read_patches(path: Path | str) -> Generator[tuple[int, FacePatch], None, None]:
    """Yield (frame index, patch) of a file that `PatchWriter` wrote, one at a time.

    Raises:
        MediaError: a file is missing or damaged, or the two do not belong together.
    """
    size = GENERATOR_FACE_SIZE_PX
    args = [
        "-i", input_argument(path), "-map", "0:v:0", "-fps_mode", "passthrough",
        "-f", "rawvideo", "-pix_fmt", "bgr24", "pipe:1",
    ]  # fmt: skip
    rows = _read_table(table_path(path))
    faces = pipe_frames(args, size, size, f"reading {path}")
    n_read = 0
    try:
        for row, face in zip(rows, faces, strict=True):
            yield row.frame, FacePatch(row.box, face, row.opacity)
            n_read += 1
    except ValueError as exc:
        raise MediaError(
            f"{path} and its table {table_path(path).name} differ after {n_read} patches: generate them again"
        ) from exc
    finally:
        faces.close()
        rows.close()


def read_patch_frames(path: Path | str) -> Generator[int, None, None]:
    """Yield the frame indices of a patch video, from its table alone.

    Raises:
        MediaError: the table is missing or damaged.
    """
    for row in _read_table(table_path(path)):
        yield row.frame


@dataclass(frozen=True)
class _Row:
    """One line of the table."""

    frame: int
    box: tuple[int, int, int, int]
    opacity: float

    def line(self) -> str:
        return (
            json.dumps({"frame": self.frame, "box": list(self.box), "opacity": round(self.opacity, 6)}) + "\n"
        )


def _read_table(path: Path) -> Generator[_Row, None, None]:
    try:
        with path.open(encoding="utf-8") as file:
            header = json.loads(file.readline())
            if not isinstance(header, dict) or (header.get("format"), header.get("version")) != (
                FORMAT,
                FORMAT_VERSION,
            ):
                raise MediaError(f"{path} is no table of {FORMAT} in version {FORMAT_VERSION}")
            for line in file:
                row = json.loads(line)
                x1, y1, x2, y2 = (int(v) for v in row["box"])
                yield _Row(int(row["frame"]), (x1, y1, x2, y2), float(row["opacity"]))
    except (OSError, ValueError, TypeError, KeyError) as exc:  # ValueError: broken JSON or text
        raise MediaError(f"cannot read {path}, the table of a patch video: {exc}") from exc
