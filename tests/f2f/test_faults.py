"""What goes wrong with disks and sources under way: one clear line each, nothing lost, nothing half-made."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from tiny_stages import TinyStages, install, request_for

from f2f.disk_errors import disk_words, is_of_the_disk
from f2f.errors import StageError
from f2f.library.batch import run_batch
from f2f.library.lecture import Lecture, LibraryOptions
from f2f.library.processing import BatchRun
from f2f.library.summary import Row, Summary
from f2f.pipeline import translate_video
from f2f.session import explain
from lipsync_core.errors import MediaError

SUPPORT = Path(__file__).parents[1] / "support"

SMALL_DISK = """
import sys
from pathlib import Path
import pytest
from tiny_stages import install, request_for
from f2f.pipeline import translate_video
from f2f.session import explain

folder, megabytes = Path(sys.argv[1]), int(sys.argv[2])
tiny = install(pytest.MonkeyPatch())
def fit(*args, plain=tiny.fit):
    (args[-1].folder / "sound.wav").write_bytes(bytes(megabytes * 2**20))
    return plain(*args)
pytest.MonkeyPatch().setattr("f2f.stages.fit.fit", fit)
try:
    translate_video(request_for(folder))
except Exception as error:
    print(*explain(error)[0], sep="\\n")
print(*tiny.ran, sep=",")
"""


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> TinyStages:
    return install(monkeypatch)


def leftovers(folder: Path) -> list[str]:
    """Everything under a final name beside the source, and everything unfinished in the workspace."""
    beside = [path.name for path in folder.glob("lecture.hi*")]
    return beside + [path.name for path in (folder / ".f2f").rglob(".*.tmp")]


def meanwhile(monkeypatch: pytest.MonkeyPatch, tiny: TinyStages, stage: str, act: Any) -> None:
    """Let something happen while a stage works, once."""
    plain, has_acted = getattr(tiny, stage), list[bool]()

    def work(*args: Any) -> Any:
        if not has_acted:
            has_acted.append(True)
            act()
        return plain(*args)

    monkeypatch.setattr(f"f2f.stages.{stage}.{stage}", work)


def test_a_file_that_may_not_grow_is_one_line_and_the_same_command_goes_on(
    tiny: TinyStages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    big = tmp_path / "big"
    meanwhile(monkeypatch, tiny, "fit", lambda: big.write_bytes(bytes(3 * 2**20)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))
    try:
        with pytest.raises(StageError, match=r"^fit: .*a file grew larger than is allowed") as caught:
            translate_video(request_for(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    assert leftovers(tmp_path) == []
    tiny.clear()
    [outputs] = translate_video(request_for(tmp_path))
    assert tiny.ran[0] == "fit hi" and outputs.video.is_file()


@pytest.fixture
def small_disk(tmp_path: Path) -> list[str]:
    """Return words that run a command with a disk of 4 MB at ``tmp_path / "disk"``, where that is allowed."""
    (tmp_path / "disk").mkdir()
    script = 'mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"'
    words = ["unshare", "-Urm", "sh", "-c", script, str(tmp_path / "disk")]
    if not shutil.which("unshare") or subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("no disk may be mounted here")
    return words


def test_a_full_disk_is_one_line_and_after_room_is_made_the_rest_is_done(
    small_disk: list[str], tmp_path: Path
) -> None:
    run = f'"{sys.executable}" -c "$CODE" {tmp_path / "disk"}'
    script = (
        f"{run} 8; find {tmp_path}/disk -name '*.tmp' -o -name 'lecture.hi*'; echo again; {run} 1; "
        f"mount -o remount,ro {tmp_path}/disk; echo read-only; {run} 2"
    )
    done = subprocess.run(
        [*small_disk, "sh", "-c", script], capture_output=True, text=True, check=False,
        env={**os.environ, "CODE": SMALL_DISK, "PYTHONPATH": str(SUPPORT)},
    )  # fmt: skip
    full, _, rest = done.stdout.partition("again\n")
    again, _, read_only = rest.partition("read-only\n")
    line, resume, ran = full.splitlines()  # and nothing that find found
    assert line.startswith("fit: ") and "the disk is full; make room" in line, done
    assert "the same command resumes" in resume and ran.endswith("synthesize hi")
    assert again.startswith("fit hi,lipsync") and again.endswith("report\n")
    assert "the disk can only be read; choose other folders with -o" in read_only.splitlines()[0]
    assert ".tmp" not in read_only  # a name that says nothing to a person


def test_a_source_that_is_replaced_under_way_is_said_and_gives_no_output(
    tiny: TinyStages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_for(tmp_path)
    meanwhile(monkeypatch, tiny, "lipsync", lambda: request.source.write_bytes(b"another film"))
    with pytest.raises(StageError, match="was replaced or changed while it was translated") as caught:
        translate_video(request)
    assert "\n" not in str(caught.value)
    assert leftovers(tmp_path) == [] and not list((tmp_path / ".f2f" / "lecture" / "lipsync").iterdir())
    tiny.clear()
    translate_video(request)
    assert tiny.ran[0] == "probe" and "lipsync embedded" in tiny.ran


def test_a_source_that_is_replaced_while_it_is_probed_is_not_taken_for_the_first(
    tiny: TinyStages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_for(tmp_path)
    meanwhile(monkeypatch, tiny, "probe", lambda: request.source.write_bytes(b"another film"))
    with pytest.raises(StageError, match="was replaced"):
        translate_video(request)
    assert not list((tmp_path / ".f2f" / "lecture" / "probe").iterdir())


def test_a_source_that_is_only_touched_is_the_same(
    tiny: TinyStages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_for(tmp_path)
    meanwhile(monkeypatch, tiny, "lipsync", lambda: os.utime(request.source, (1, 1)))
    assert translate_video(request)[0].files[0].is_file()


def test_a_source_that_vanishes_is_the_reason_whatever_the_stage_says(
    tiny: TinyStages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_for(tmp_path)

    def vanish() -> None:
        request.source.unlink()
        raise MediaError("decoding it failed: no such thing")

    meanwhile(monkeypatch, tiny, "lipsync", vanish)
    with pytest.raises(StageError, match=r"lecture\.mp4 can no longer be read: No such file"):
        translate_video(request)
    assert leftovers(tmp_path) == []
    request.source.write_bytes(b"a film")
    tiny.clear()
    translate_video(request)
    assert tiny.ran[0] == "lipsync embedded"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "x", "/a/b"), "/a/b: the disk is full; make room"),
        (OSError(errno.EROFS, "x"), "/work: the disk can only be read; choose"),
        (PermissionError(errno.EACCES, "x", "/a/b"), "/a/b: this user may not do that"),
        (MediaError("writing v.mp4 failed: No space left on device"), "make room on the disk of /work"),
        (MediaError("writing v.mp4 failed: no such codec"), None),
        (ConnectionResetError(errno.ECONNRESET, "x"), None),
    ],
)
def test_errors_of_disks_have_remedies_and_others_stay_as_they_are(
    error: Exception, words: str | None
) -> None:
    found = disk_words(error, Path("/work"))
    assert found is None if words is None else found is not None and words in found


@pytest.mark.parametrize(
    ("number", "is_of_it"),
    [
        *((errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EROFS, True), (errno.ESTALE, True)),
        *((errno.ENODEV, True), (errno.ENXIO, True), (errno.ENOTCONN, True)),
        *((errno.EIO, False), (errno.ENOENT, False), (errno.EACCES, False), (errno.EFBIG, False)),
    ],
)
def test_a_disk_that_is_full_or_away_says_nothing_of_the_lecture(number: int, is_of_it: bool) -> None:
    error = OSError(number, os.strerror(number), "/a/b")
    assert is_of_the_disk(error) is is_of_it
    assert (disk_words(error) or "").startswith("/a/b: ")
    stage = StageError("fit", "fit: it failed")
    stage.__cause__ = error
    assert is_of_the_disk(stage) is is_of_it


def test_a_disk_that_fills_up_while_a_result_is_sealed_is_said_with_its_stage(
    tiny: TinyStages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")  # as the system says it: of no file

    request = request_for(tmp_path)
    with monkeypatch.context() as full:
        meanwhile(monkeypatch, tiny, "fit", lambda: full.setattr(os, "fsync", fsync))
        with pytest.raises(StageError, match=r"^fit: .*result\.json: the disk is full; make room") as error:
            translate_video(request)
        assert is_of_the_disk(error.value)
    assert not is_of_the_disk(StageError("fit", "fit: nothing is heard"))
    assert leftovers(tmp_path) == []
    tiny.clear()
    translate_video(request)
    assert tiny.ran[0] == "fit hi"


def test_outside_of_stages_an_error_of_the_disk_is_one_line_too() -> None:
    lines, code = explain(OSError(errno.ENOSPC, "No space left on device", "/out/lecture.hi.srt"))
    assert lines[0].startswith("/out/lecture.hi.srt: the disk is full") and code == 4


@pytest.mark.parametrize("jump", [timedelta(days=-2), timedelta(days=2)], ids=["back", "forward"])
def test_a_batch_waits_by_a_clock_that_nobody_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    looks: list[str] = []
    now = datetime.now(timezone.utc)

    def process(lecture: Lecture, run: Any) -> tuple[list[Row], datetime | None]:
        nonlocal now
        looks.append(lecture.name)
        due = now + timedelta(seconds=0.05) if len(looks) == 1 else None
        return [Row(lecture.name, "hi", "held" if due else "made")], due

    class Listener:
        def row(self, row: Row) -> None:
            """Ignore."""

        def note(self, text: str) -> None:
            nonlocal now
            now += jump  # between the first look and the second

    monkeypatch.setattr("f2f.library.batch.process_lecture", process)
    monkeypatch.setattr("f2f.library.batch.utc_now", lambda: now)
    run: Any = BatchRun(LibraryOptions(tmp_path, tmp_path, ("hi",)), Listener())  # type: ignore[arg-type]
    run_batch(run, [Lecture(tmp_path / "a.mp4", "a.mp4", ("hi",))], Summary(), max_wait_s=1)
    assert looks == ["a.mp4", "a.mp4"]
