"""The desk: what a lecture needs is here while it is worked on, and only then."""

from __future__ import annotations

import errno
import importlib
import os
import random
import tarfile
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from object_store import Bucket

from f2f.config import Config
from f2f.config_file import overlay_config
from f2f.errors import F2FError
from f2f.library.child import LanguageResult, LostError
from f2f.library.lecture import Lecture, LibraryOptions
from f2f.library.listing import LectureList
from f2f.library.options import build_library_options
from f2f.library.planning import hash_settings, plan_lecture
from f2f.library.remote import desk as desks
from f2f.library.remote.objects import Entry, Objects
from f2f.library.remote.parcels import find_results, pack, unpack
from f2f.library.scanning import find_lectures
from f2f.library.status import LanguageStatus, LectureStatus, SourceFingerprint
from f2f.request import OUTPUT_SUFFIXES
from f2f.stage import SilentObserver
from f2f.workspace import Workspace

NOW = datetime.now(timezone.utc)
CUE = "1\n00:00:00,200 --> 00:00:01,800\nGood morning\n"


@pytest.fixture
def options(memory: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LibraryOptions:
    monkeypatch.setenv("F2F_HOME", str(tmp_path / "home"))
    memory.put("lec/w/a.mp4", "a film")
    memory.put("lec/w/a.en.srt", CUE)
    memory.put("lec/w/ab.srt", CUE)
    memory.put("lec/subs/better.srt", CUE + "\n")
    options = build_library_options(
        f"{memory.url}/lec", ["hi"], config=Config(), output_dir=f"{memory.url}/out"
    )
    options.store.look()
    return options


def held() -> bool:
    """Of a lease that nobody takes away."""
    return True


def the_lecture(options: LibraryOptions) -> Lecture:
    [lecture] = find_lectures(options)
    assert isinstance(lecture, Lecture)
    return lecture


def test_only_sizes_and_stamps_are_here_until_it_is_worked_on(options: LibraryOptions) -> None:
    lecture = the_lecture(options)
    captions = lecture.source.with_name("a.en.srt")
    shape = (lecture.source.stat(), captions.stat())
    assert [name for name, _, _ in lecture.sidecars] == ["a.en.srt"]
    assert lecture.source.read_bytes() == bytes(6)
    plan = plan_lecture(lecture, options, NOW)
    with options.store.desk(plan, options, held):
        assert (lecture.source.read_text(), captions.read_text()) == ("a film", CUE)
        assert lecture.source.with_name("ab.srt").read_bytes() == bytes(len(CUE))  # of another lecture
        assert plan_lecture(lecture, options, NOW) == plan  # it is the same, though it is whole now
    assert lecture.source.read_bytes() == bytes(6)
    after = (lecture.source.stat(), captions.stat())
    assert [(one.st_size, one.st_mtime_ns) for one in after] == [
        (one.st_size, one.st_mtime_ns) for one in shape
    ]


def test_captions_in_another_case_than_the_video_are_brought_too(
    options: LibraryOptions, memory: Bucket
) -> None:
    memory.put("lec/x/Talk.mp4", "a film")
    memory.put("lec/x/talk.en.srt", CUE)
    options.store.look()
    lecture = next(one for one in find_lectures(options) if one.name == "x/Talk.mp4")
    assert isinstance(lecture, Lecture)
    captions = lecture.source.with_name("talk.en.srt")
    with options.store.desk(plan_lecture(lecture, options, NOW), options, held):
        assert captions.read_text() == CUE
    assert captions.read_bytes() == bytes(len(CUE))


def test_files_of_the_library_that_a_list_names_are_brought_too(
    options: LibraryOptions, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("lecture,captions\nw/a.mp4,subs/better.srt\n", encoding="utf-8")
    [lecture] = LectureList(path, options)()
    assert isinstance(lecture, Lecture)
    plan = plan_lecture(lecture, options, NOW)
    with options.store.desk(plan, options, held):
        assert (options.root / "subs" / "better.srt").read_text() == CUE + "\n"


def test_a_glossary_counts_by_its_content_for_each_machine_has_its_own(
    options: LibraryOptions, tmp_path: Path
) -> None:
    glossary, lecture = tmp_path / "words.csv", the_lecture(options)
    config = overlay_config(options.config, {"translate.glossary": glossary}, "test")
    options = replace(options, config=config)
    hashes = []
    for text, stamp_s in (("film", 1), ("film", 2), ("film, too", 2)):
        glossary.write_text(text, encoding="utf-8")
        os.utime(glossary, (stamp_s, stamp_s))
        hashes.append(hash_settings(lecture, options, "hi"))
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_video_that_was_replaced_since_it_was_listed_is_not_worked_on(
    options: LibraryOptions, memory: Bucket
) -> None:
    lecture = the_lecture(options)
    plan = plan_lecture(lecture, options, NOW)
    memory.put("lec/w/a.mp4", "another film")
    with pytest.raises(F2FError, match=r"w/a\.mp4 was replaced while it was read"):
        options.store.desk(plan, options, held).__enter__()
    assert lecture.source.stat().st_size == len("another film")


def test_finished_stages_go_to_the_store_and_come_back_but_no_half(
    options: LibraryOptions, memory: Bucket
) -> None:
    lecture = the_lecture(options)
    plan = plan_lecture(lecture, options, NOW)
    root = plan.workspace_root
    with options.store.desk(plan, options, held) as desk:
        for name, files in {"done": ("result.json", "sound.wav"), ".half": ("sound.wav",)}.items():
            folder = root / "synthesize" / name / "below"
            folder.mkdir(parents=True)
            for file in files:
                (folder.parent / file).write_text(file)
            (folder / "more").write_text("more")
        desk.watch(SilentObserver()).stage_finished("synthesize", 1.0, reused=False)
        assert memory.names("out") == {"out/.f2f-stages/w/a/synthesize/done.tar"}
    assert not (root / "synthesize").exists()
    memory.put("out/.f2f-stages/w/a/fit/torn.tar", memory.objects.read_part(
        f"{memory.key}/out/.f2f-stages/w/a/synthesize/done.tar", 0, 700))  # fmt: skip
    memory.put("out/.f2f-stages/w/a/fit/../../x.tar", "nothing")
    with options.store.desk(plan, options, held):
        [found] = find_results(root)
        assert found == root / "synthesize" / "done"
        assert (found / "below" / "more").read_text() == "more"
        with Workspace(root).lock(SilentObserver()):
            assert not list((root / "fit").glob("*"))


def test_an_archive_puts_nothing_outside_its_folder(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / "result.json").write_text("{}")
    (made / "out").symlink_to("/etc")
    pack(made, tmp_path / "made.tar")
    assert not unpack(tmp_path / "made.tar", tmp_path / "unpacked")
    assert not list(tmp_path.glob("*unpacked*"))


def test_an_archive_whose_key_leads_elsewhere_is_not_unpacked(
    options: LibraryOptions, memory: Bucket, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / "result.json").write_text("{}")
    pack(made, tmp_path / "made.tar")
    plan = plan_lecture(the_lecture(options), options, NOW)
    root = plan.workspace_root
    for name in ("../evil", "probe/..", "probe/.", "probe/", "./evil", "status.json/evil", "probe/good"):
        memory.put(f"out/.f2f-stages/w/a/{name}.tar", (tmp_path / "made.tar").read_bytes())
    root.mkdir(parents=True)
    (root / "status.json").write_text("{}")
    with options.store.desk(plan, options, held):
        found = [path.parent for path in root.parents[2].rglob("result.json")]
        assert found == [root / "probe" / "good"]
        assert (root / "status.json").read_text() == "{}"


@pytest.mark.parametrize("n_held", range(8))
def test_once_the_lease_is_lost_nothing_more_goes_to_the_store(
    options: LibraryOptions, memory: Bucket, n_held: int
) -> None:
    plan = plan_lecture(the_lecture(options), options, NOW)
    root, answers = plan.workspace_root, iter([True] * n_held)
    with options.store.desk(plan, options, lambda: next(answers, False)) as desk:
        for name in ("outputs.json", "metrics.json", "status.json"):
            (root / name).write_text("{}")
        for suffix in OUTPUT_SUFFIXES:
            (root.parents[1] / f"a.hi{suffix}").write_text(suffix)
        manifest = root.parents[1] / "a.hi.json"
        done = LanguageResult("hi", 1.0, manifest=str(manifest), subtitles=str(manifest.with_suffix(".srt")))
        before = memory.names("out")
        if n_held < 5:
            with pytest.raises(LostError):
                desk.publish(done)
        else:
            answers = iter([True] * (n_held - 5))
            with pytest.raises(LostError):
                desk.keep_books(replace(done, manifest=None))
        assert len(memory.names("out") - before) == n_held % 5
        assert not any(name.endswith("status.json") for name in memory.names("out"))


def test_batches_into_several_languages_take_no_picture_anew(
    options: LibraryOptions, memory: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []

    def refresh(path: Path, video: Path, manifest: Path) -> None:
        taken.append(video.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\xff\xd8")

    def make(target: str) -> None:
        plan = plan_lecture(replace(the_lecture(options), targets=(target,)), options, NOW)
        root, known = plan.workspace_root, plan.status.languages if plan.status else {}
        done = LanguageStatus(
            state="done", settings="", source_sha256="", finished=NOW.isoformat(), seconds=1.0
        )
        status = LectureStatus(
            name="w/a.mp4", source=SourceFingerprint(size=6, mtime_ns=1, sha256=""),
            languages={**known, target: done},
        )  # fmt: skip
        with options.store.desk(plan, options, held) as desk:
            for suffix in OUTPUT_SUFFIXES:
                (root.parents[1] / f"a.{target}{suffix}").write_text(suffix)
            (root / "outputs.json").write_text("{}")
            (root / "status.json").write_text(status.model_dump_json())
            desk.publish(LanguageResult(target, 1.0, manifest=f"a.{target}.json"))
            desk.keep_books(LanguageResult(target, 1.0))

    monkeypatch.setattr(desks, "refresh_thumbnail", refresh)
    for target in ("hi", "es", "fr", "hi"):
        make(target)
    assert taken == ["a.hi.mp4", "a.es.mp4"]  # the first of those that there are, as in folders
    memory.remove("out/w/a.es.mp4")
    options.store.look()
    make("fr")
    assert taken[2:] == ["a.fr.mp4"]


@pytest.mark.parametrize("way", ["gz", "bz2", "xz"])
def test_a_compressed_archive_is_not_unpacked(tmp_path: Path, way: str) -> None:
    made, archive = tmp_path / "made", tmp_path / "made.tar"
    made.mkdir()
    (made / "result.json").write_text("{}")
    pack(made, archive)
    data = importlib.import_module({"gz": "gzip", "xz": "lzma"}.get(way, way)).compress(archive.read_bytes())
    for written in (data, data[: len(data) // 2]):
        archive.write_bytes(written)
        assert not unpack(archive, tmp_path / "unpacked")
        assert [path.name for path in tmp_path.glob("*unpacked*")] == []


@pytest.mark.parametrize("names", [["a\0b"], ["x" * 256], ["a", "a/b"]])
def test_an_archive_with_names_that_no_disk_takes_is_as_none(tmp_path: Path, names: list[str]) -> None:
    archive = tmp_path / "made.tar"
    with tarfile.open(archive, "w") as tar:
        for name in ("result.json", *names):
            member = tarfile.TarInfo("plain")
            member.pax_headers = {"path": name}
            tar.addfile(member)
    assert not unpack(archive, tmp_path / "unpacked")
    assert [path.name for path in tmp_path.glob("*unpacked*")] == []


def test_a_disk_that_is_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / "result.json").write_text("{}")
    pack(made, tmp_path / "made.tar")

    def extractall(*args: Any, **rest: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "extractall", extractall)
    with pytest.raises(OSError, match="No space left"):
        unpack(tmp_path / "made.tar", tmp_path / "unpacked")


@pytest.mark.parametrize("newest", ['{"es": {"figures": {"manifest": "0"}}}', "{}", "[]", '{"hi'])
def test_the_status_is_kept_even_where_the_figures_were_not(
    options: LibraryOptions, memory: Bucket, newest: str
) -> None:
    plan = plan_lecture(the_lecture(options), options, NOW)
    with options.store.desk(plan, options, held) as desk:
        (plan.workspace_root / "metrics.json").write_text(newest)
        (plan.workspace_root / "status.json").write_text("{}")
        desk.keep_books(LanguageResult("hi", 1.0, manifest="a.hi.json"))
    assert {"out/w/.f2f/a/status.json", "out/w/.f2f/a/metrics.json"} == memory.names("out")


def test_of_results_that_were_kept_long_ago_none_is_brought(
    options: LibraryOptions, memory: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, names = tmp_path / "made", [f"{number}" for number in range(9)]
    made.mkdir()
    (made / "result.json").write_text("{}")
    pack(made, tmp_path / "made.tar")
    order = random.Random(3).sample(names, 9)  # no order of names
    for name in order:
        memory.put(f"out/.f2f-stages/w/a/fit/{name}.tar", (tmp_path / "made.tar").read_bytes())
    memory.put("out/.f2f-stages/w/a/probe/0.tar", (tmp_path / "made.tar").read_bytes())
    plan = plan_lecture(the_lecture(options), options, NOW)
    fetched, plain = [], Objects.download

    def download(self: Objects, entry: Entry, path: Path) -> bool:
        fetched.append(entry.key.rpartition("/w/a/")[2])
        return plain(self, entry, path)

    monkeypatch.setattr(Objects, "download", download)
    for targets, count in ((("hi",), 2), (("hi", "es", "de"), 6)):
        fetched.clear()
        lecture = replace(plan.lecture, targets=targets)
        with options.store.desk(replace(plan, lecture=lecture), options, held):
            here = {path.name for path in (plan.workspace_root / "fit").iterdir()}
            assert here == set(order[-count:])
            assert {f"fit/{name}.tar" for name in here} | {"probe/0.tar"} == {
                key for key in fetched if key.endswith(".tar")
            }
