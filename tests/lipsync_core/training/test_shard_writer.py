import shutil

import numpy as np
import pytest

from lipsync_core.errors import InvalidInputError
from lipsync_core.training.dataset import PreparedClips
from lipsync_core.training.shard_writer import (
    ClipArrays,
    ShardWriter,
    SourceReport,
    locked,
    seal_leftovers,
    sealed_sources,
)
from lipsync_core.training.shards import ClipRecord


def clip(source, n_frames=6):
    rng = np.random.default_rng(sum(source.encode()))
    record = ClipRecord(source, "ann", 0, 0, 0, 0, 0, 0, (1.0, 2.0, 3.0, 4.0), source=source)
    return ClipArrays(
        record,
        faces=rng.integers(0, 256, (n_frames, 120, 120, 3), dtype=np.uint8),
        heads=rng.integers(0, 256, (n_frames, 112, 112, 3), dtype=np.uint8),
        mel=rng.random((n_frames * 3, 80), np.float32),
        mfcc=rng.random((n_frames * 4, 13), np.float32),
    )


def store(writer, source):
    writer.commit(SourceReport(source, clips=[writer.add(clip(source))]))


def check(root, sources):
    assert sorted(report["source"] for report in sealed_sources(root)) == sorted(sources)
    data = PreparedClips(root)
    assert [c.source for c in data.clips] == sorted(sources)
    for record in data.clips:
        made = clip(record.source)
        np.testing.assert_array_equal(data.faces(record, 0, 6), made.faces)
        np.testing.assert_array_equal(data.heads(record, 0, 6), made.heads)
        np.testing.assert_array_equal(data.mel(record), made.mel.T)
        np.testing.assert_array_equal(data.mfcc_at(record, 1), made.mfcc[4:24].T)


def test_shards_are_sealed_when_large_enough_and_read_back(tmp_path):
    writer = ShardWriter(tmp_path, max_bytes=700_000)  # a clip has half a million
    for source in "abcde":
        store(writer, source)
    writer.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shard-00000", "shard-00001", "shard-00002"]
    check(tmp_path, "abcde")


def test_writers_of_several_processes_never_share_a_shard(tmp_path):
    first, second = ShardWriter(tmp_path), ShardWriter(tmp_path)
    store(first, "a")
    store(second, "b")
    store(first, "c")
    first.close()
    store(second, "d")
    second.close()
    check(tmp_path, "abcd")


def interrupted(folder):
    """Two sources stored, a third under way."""
    writer = ShardWriter(folder)
    store(writer, "a")
    store(writer, "b")
    writer.add(clip("c"))
    for file in writer._files.values():
        file.close()
    return folder / "shard-00000.part"


def test_a_kill_costs_only_the_source_under_way(tmp_path):
    interrupted(tmp_path)
    seal_leftovers(tmp_path)
    check(tmp_path, "ab")
    writer = ShardWriter(tmp_path)
    store(writer, "c")
    writer.close()
    check(tmp_path, "abc")


@pytest.mark.parametrize("cut", [1, 30, 400])
def test_a_line_of_the_journal_counts_only_when_whole(tmp_path, cut):
    journal = interrupted(tmp_path) / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-cut])
    seal_leftovers(tmp_path)
    check(tmp_path, "a")


def test_rows_that_never_reached_the_disk_do_not_count(tmp_path):
    faces = interrupted(tmp_path) / "faces.u8"
    with faces.open("r+b") as file:
        file.truncate(6 * 43_200 + 17)  # the first source and a bit
    seal_leftovers(tmp_path)
    check(tmp_path, "a")


def test_kills_while_sealing_are_mended(tmp_path):
    part = interrupted(tmp_path)
    before = tmp_path / "copy"
    shutil.copytree(part, before)
    seal_leftovers(tmp_path)
    sealed = tmp_path / "shard-00000"
    # After the index was written, before the journal was removed:
    shutil.copy(before / "journal.jsonl", sealed / "journal.jsonl")
    sealed.rename(part)
    shutil.rmtree(before)
    seal_leftovers(tmp_path)
    check(tmp_path, "ab")
    sealed.rename(part)  # after that, before the folder was renamed
    seal_leftovers(tmp_path)
    check(tmp_path, "ab")


def test_a_source_that_breaks_off_leaves_nothing_behind(tmp_path):
    writer = ShardWriter(tmp_path)
    store(writer, "a")
    writer.add(clip("bad"))
    writer.rewind()
    writer.commit(SourceReport("bad", error="it broke"))
    store(writer, "c")
    writer.close()
    errors = {report["source"]: report["error"] for report in sealed_sources(tmp_path)}
    assert errors == {"a": None, "bad": "it broke", "c": None}
    assert (tmp_path / "shard-00000" / "faces.u8").stat().st_size == 2 * 6 * 43_200
    assert [c.source for c in PreparedClips(tmp_path).clips] == ["a", "c"]


def test_a_folder_has_one_writer_at_a_time(tmp_path):
    with locked(tmp_path), pytest.raises(InvalidInputError, match="another process"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_an_empty_part_is_removed(tmp_path):
    (tmp_path / "shard-00003.part").mkdir()
    seal_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []
