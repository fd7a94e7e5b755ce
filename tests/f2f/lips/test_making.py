"""Parts made by other processes, in any order, are those of one run, to the bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from made_results import context_in, make_fitted, make_transcript, make_translation
from synthetic import ffmpeg, make_talking_face
from tiny_weights import write_tiny_weights

from f2f.config import LipsyncConfig
from f2f.errors import StageError
from f2f.lips.job import JOB_NAME, LipJob, plan_seeks, read_part
from f2f.lips.worker import make_part_at
from f2f.results import LipSyncResult
from f2f.stage import StageContext
from f2f.stages.lipsync import lipsync
from f2f.stages.probe import probe
from f2f.workspace import hash_file
from lipsync_core.media import read_pictures

SPEECH = make_transcript(((0.3, 0.9), (2.6, 3.2), (5.0, 5.7)))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_weights(tmp_path_factory.mktemp("weights")) / "wav2lip.safetensors"


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 s of a face with B-frames, in groups of 30 pictures."""
    folder = tmp_path_factory.mktemp("lecture")
    face = make_talking_face(folder / "face.mp4", 6.0)
    ffmpeg("-i", face, "-c:a", "copy", "-c:v", "libx264", "-g", "30", "-bf", "3", folder / "lecture.mp4")
    return folder / "lecture.mp4"


class Elsewhere:
    """Has parts made by ``make``, in the order in which it likes to."""

    is_elsewhere = True

    def __init__(self, make: Callable[[Path, Sequence[int]], None]) -> None:
        self.make = make
        self.asked: list[list[int]] = []

    def __call__(
        self, folder: Path, numbers: Sequence[int], n_parts: int, made: Callable[[int], None]
    ) -> None:
        self.asked.append(list(numbers))
        self.make(folder, numbers)
        for number in reversed(numbers):
            made(number)


def in_another_process(folder: Path, numbers: Sequence[int]) -> None:
    code = (
        "import sys; from f2f.lips.worker import make_part_at\n"
        "for number in sys.argv[2:]: make_part_at(sys.argv[1], int(number))"
    )
    command = [sys.executable, "-c", code, str(folder), *map(str, reversed(numbers))]
    subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "2"}, check=True, timeout=120)


def run(
    source: Path, weights: Path, folder: Path, elsewhere: Elsewhere | None = None, parts: Path | None = None
) -> tuple[LipSyncResult, str, list[str]]:
    """Return the stage's result, a hash of its patches, and what it told."""
    attempt = sum(1 for _ in folder.glob("lipsync*"))
    video = probe(source, context_in(folder / f"probe{attempt}")[0])
    fitted = make_fitted(folder, make_translation(SPEECH), video.duration_s)
    context, listener = context_in(folder / f"lipsync{attempt}", "lipsync")
    config = LipsyncConfig(weights=weights, detector="centerface", min_part_s=1.0)
    place = StageContext("lipsync", context.folder, "cpu", listener, parts, elsewhere)
    result = lipsync(source, video, SPEECH, fitted, folder, config, place)
    assert listener.progress[-1] == (video.n_frames, video.n_frames, "frames")
    files = sorted(path.name for path in context.folder.iterdir())
    assert files == ["patches.jsonl", "patches.mkv"]
    hashes = [hash_file(context.folder / name) for name in files]
    return result, " ".join(hashes), listener.notices


@pytest.fixture(scope="module")
def single(
    lecture: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LipSyncResult, str]:
    result, patches, notices = run(lecture, weights, tmp_path_factory.mktemp("single"))
    assert notices == [] and result.n_synced > 40
    assert len(result.stretches) == 1, "a face that stays is one stretch, over all parts"
    return result, patches


def test_parts_made_elsewhere_are_those_of_one_run(
    lecture: Path, weights: Path, single: tuple[LipSyncResult, str], tmp_path: Path
) -> None:
    workers = Elsewhere(in_another_process)
    parts = tmp_path / "parts"
    result, patches, notices = run(lecture, weights, tmp_path, workers, parts)
    assert workers.asked == [[0, 1, 2]] and notices == []
    assert (result, patches) == single
    job = LipJob.model_validate_json((parts / JOB_NAME).read_text())
    assert [part.seek for part in job.parts] == [0, 30, 90]


def test_a_run_that_was_killed_goes_on_with_the_next_part(
    lecture: Path, weights: Path, single: tuple[LipSyncResult, str], tmp_path: Path
) -> None:
    def die(folder: Path, numbers: Sequence[int]) -> None:
        make_part_at(str(folder), 0)
        raise KeyboardInterrupt

    parts = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        run(lecture, weights, tmp_path, Elsewhere(die), parts)
    before = hash_file(parts / "part-0001.mkv"), (parts / "part-0001.json").stat().st_mtime_ns
    result, patches, notices = run(lecture, weights, tmp_path, None, parts)
    assert (result, patches) == single
    assert before == (hash_file(parts / "part-0001.mkv"), (parts / "part-0001.json").stat().st_mtime_ns)
    assert any("goes on with the parts" in line for line in notices)


def test_parts_of_other_conditions_are_not_gone_on_with(
    lecture: Path, weights: Path, single: tuple[LipSyncResult, str], tmp_path: Path
) -> None:
    parts, other = tmp_path / "parts" / "key", tmp_path / "parts" / "another key"
    run(lecture, weights, tmp_path, None, other)
    job = json.loads((other / JOB_NAME).read_text())
    other.rename(parts)
    other.mkdir()
    (other / JOB_NAME).write_text(json.dumps(job))
    (parts / JOB_NAME).write_text(json.dumps(job | {"environment": {"torch": "0.1"}}))
    (parts / "part-0002.mkv").write_bytes(b"what another torch made")
    result, patches, notices = run(lecture, weights, tmp_path, None, parts)
    assert (result, patches) == single and notices == []
    assert not other.exists()


def test_a_worker_that_is_not_alike_says_so(lecture: Path, weights: Path, tmp_path: Path) -> None:
    def make(folder: Path, numbers: Sequence[int]) -> None:
        job = json.loads((folder / JOB_NAME).read_text())
        for change, words in (
            (
                {"environment": job["environment"] | {"torch": "0.1"}},
                r"of 0\.1; workers must be alike",
            ),
            ({"source": str(folder / "gone.mp4")}, "does not see .*gone.mp4: it must lie on a shared"),
            ({"source_bytes": 7}, "not 7: give it the same file"),
        ):
            (folder / JOB_NAME).write_text(json.dumps(job | change))
            with pytest.raises(StageError, match=words):
                make_part_at(str(folder), 1)
        with pytest.raises(StageError, match=r"does not see .*job\.json .*on a shared file system"):
            make_part_at(str(folder / "elsewhere"), 1)

    with pytest.raises(StageError, match="part 1 of the lips is said to be done, but"):
        run(lecture, weights, tmp_path, Elsewhere(make))


def test_a_part_that_a_power_cut_spoilt_is_made_again(
    lecture: Path, weights: Path, single: tuple[LipSyncResult, str], tmp_path: Path
) -> None:
    parts = tmp_path / "parts"

    def spoil(folder: Path, numbers: Sequence[int]) -> None:
        in_another_process(folder, numbers)
        (folder / "part-0002.mkv").write_bytes((folder / "part-0002.mkv").read_bytes()[:-100])
        (folder / "part-0003.jsonl").unlink()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(lecture, weights, tmp_path, Elsewhere(spoil), parts)
    workers = Elsewhere(in_another_process)
    result, patches, _ = run(lecture, weights, tmp_path, workers, parts)
    assert workers.asked == [[1, 2]]
    assert (result, patches) == single


def test_a_gap_between_parts_is_seen_and_none_of_them_kept(
    lecture: Path, weights: Path, single: tuple[LipSyncResult, str], tmp_path: Path
) -> None:
    def make(folder: Path, numbers: Sequence[int]) -> None:
        for number in numbers:
            make_part_at(str(folder), number)
        part = read_part(folder, 1)
        assert part is not None
        (folder / "part-0002.json").write_text(part.model_copy(update={"before": "x"}).model_dump_json())

    parts = tmp_path / "parts"
    with pytest.raises(StageError, match="part 2 of the lips does not begin where the one before it ends"):
        run(lecture, weights, tmp_path, Elsewhere(make), parts)
    result, patches, notices = run(lecture, weights, tmp_path, None, parts)
    assert (result, patches) == single and notices == []


def test_only_closed_groups_are_sought(lecture: Path, tmp_path: Path) -> None:
    spans = [(0, 60), (60, 61), (61, 150)]
    parts, reason = plan_seeks(lecture, Fraction(25), spans)
    assert [(part.first, part.stop, part.seek) for part in parts] == [(0, 60, 0), (60, 61, 30), (61, 150, 60)]
    assert reason == ""
    ffmpeg("-i", lecture, "-c:v", "mpeg4", "-bf", "2", "-g", "12", tmp_path / "other.mp4")
    parts, reason = plan_seeks(tmp_path / "other.mp4", Fraction(25), spans)
    assert [part.seek for part in parts] == [0, 0, 0] and "not H.264" in reason


def test_frames_from_a_closed_group_are_those_from_the_beginning(lecture: Path) -> None:
    fps = Fraction(25)
    whole = [picture.region_bgr((0, 0, 64, 64)).tobytes() for picture in read_pictures(lecture, fps=fps)]
    for first in (30, 60, 120):
        sought = [
            picture.region_bgr((0, 0, 64, 64)).tobytes()
            for picture in read_pictures(lecture, fps=fps, first_frame=first)
        ]
        assert sought == whole[first:]
