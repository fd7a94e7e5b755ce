from pathlib import PurePosixPath

import pytest

from lipsync_core.errors import InvalidInputError
from lipsync_core.training.sources import find_sources, identity_of


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("main/5535415699068794046/00001.mp4", "5535415699068794046"),  # LRS2
        ("pretrain/5535415699068794046/00003.mp4", "5535415699068794046"),
        ("trainval/0af00UcTOSc/50001.mp4", "0af00UcTOSc"),  # LRS3
        ("s12/video/mpg_6000/bbaf2n.mpg", "s12"),  # GRID
        ("s3_processed/bbaf2n.mpg", "s3"),
        ("id10270/5r0dWxy17C8/00001.mp4", "id10270"),  # VoxCeleb
        ("ann/monday/one.mkv", "ann/monday"),
        ("talk.mp4", "talk"),
        ("s100/a.mp4", "s100"),
        ("speakers/a.mp4", "speakers"),
    ],
)
def test_identity_comes_from_the_layout(name, identity):
    assert identity_of(PurePosixPath(name)) == identity


def test_the_source_folder_itself_may_be_a_speaker():
    assert identity_of(PurePosixPath("bbaf2n.mpg"), "s7") == "s7"


def test_lrs2_lists_give_splits_and_the_lists_first_word_counts(tmp_path):
    touch(tmp_path, "main/1/00001.mp4", "main/1/00002.mp4", "main/2/00001.mp4", "pretrain/1/00001.mp4")
    (tmp_path / "train.txt").write_text("1/00001\n\n1/00002\n")
    (tmp_path / "test.txt").write_text("2/00001 NF MV\n")
    (tmp_path / "pretrain.txt").write_text("1/00001\n")
    splits = {s.name: s.split for s in find_sources(tmp_path)}
    assert splits == {
        "main/1/00001.mp4": "train",
        "main/1/00002.mp4": "train",
        "main/2/00001.mp4": "test",
        "pretrain/1/00001.mp4": "pretrain",
    }
    assert [s.name for s in find_sources(tmp_path, splits=["test"])] == ["main/2/00001.mp4"]


def test_wav2lips_lists_lie_in_a_folder(tmp_path):
    touch(tmp_path, "main/1/00001.mp4", "main/1/00002.mp4")
    (tmp_path / "filelists").mkdir()
    (tmp_path / "filelists" / "val.txt").write_text("main/1/00002\n")
    assert [s.split for s in find_sources(tmp_path)] == ["", "val"]


def test_lrs3_folders_are_splits(tmp_path):
    touch(tmp_path, "pretrain/a/1.mp4", "test/b/1.mp4", "trainval/c/1.mp4", "trainval/c/1.txt")
    assert [(s.identity, s.split) for s in find_sources(tmp_path)] == [
        ("a", "pretrain"),
        ("b", "test"),
        ("c", "trainval"),
    ]


def test_only_listed_files_are_taken_and_missing_ones_are_told(tmp_path, caplog):
    touch(tmp_path, "main/1/00001.mp4", "main/1/00002.mp4", "x/a.webm")
    lists = tmp_path / "mine.lst"
    lists.write_text("1/00002\nx/a.webm\n1/00009\n")
    assert [s.name for s in find_sources(tmp_path, [lists])] == ["main/1/00002.mp4", "x/a.webm"]
    assert "1 files that are not there, 1/00009" in caplog.text
    lists.write_text("1/00009\n")
    with pytest.raises(InvalidInputError, match=r"none of the files listed in .*mine\.lst"):
        find_sources(tmp_path, [lists])


def test_mistakes_are_named(tmp_path):
    with pytest.raises(InvalidInputError, match="no clips"):
        find_sources(tmp_path)
    touch(tmp_path, "a.MP4")
    with pytest.raises(InvalidInputError, match="split val; known here: none"):
        find_sources(tmp_path, splits=["val"])
    with pytest.raises(InvalidInputError, match="is no folder"):
        find_sources(tmp_path / "a.MP4")
    with pytest.raises(InvalidInputError, match=r"cannot read file list .*nowhere"):
        find_sources(tmp_path, [tmp_path / "nowhere.txt"])
