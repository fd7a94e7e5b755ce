"""Captions as they come: awkward, broken, in every encoding."""

from __future__ import annotations

import codecs
import json
import unicodedata
from itertools import pairwise
from pathlib import Path

import pysubs2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import ffmpeg, make_clip

from f2f.caption_layout import LINE_WIDTH, format_srt
from f2f.captions import (
    Captions,
    find_sidecar,
    is_own_output,
    list_sidecars,
    read_captions,
    read_embedded_captions,
    write_srt,
)
from f2f.errors import CaptionError

TWO = "1\n00:00:01,000 --> 00:00:02,500\nFirst line.\n\n2\n00:00:03,000 --> 00:00:04,000\nSecond line.\n"


def _read(tmp_path: Path, content: str | bytes, name: str = "a.srt", language: str | None = None) -> Captions:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_captions(path, language)


def _rows(captions: Captions) -> list[tuple[float, float, str]]:
    return [(cue.start_s, cue.end_s, cue.text) for cue in captions]


EXPECTED = [(1.0, 2.5, "First line."), (3.0, 4.0, "Second line.")]


@pytest.mark.parametrize(
    "data",
    [
        TWO.encode(),
        codecs.BOM_UTF8 + TWO.encode(),
        TWO.replace("\n", "\r\n").encode(),
        TWO.replace("\n", "\r").encode(),
        TWO.encode("utf-16"),
        codecs.BOM_UTF16_BE + TWO.encode("utf-16-be"),
        TWO.encode("utf-16-le"),
        TWO.encode("utf-16-be"),
        TWO.encode("utf-32"),
        TWO.replace(",", ".").encode(),
        TWO.replace("00:00:0", "0:0:").encode(),
        TWO.replace("-->", "->").encode(),
        TWO.replace("1\n00", "00").replace("2\n00", "00").encode(),
        ("WEBVTT\n\n" + TWO.replace(",", ".").replace("00:00:", "00:")).encode(),
        TWO.replace("1\n", "").replace("\n2\n", "\n").replace(",", ".").replace(" --> ", ",").encode(),
    ],
)
def test_every_shape_gives_the_same_cues(tmp_path: Path, data: bytes) -> None:
    assert _rows(_read(tmp_path, data)) == EXPECTED


@pytest.mark.parametrize(
    ("encoding", "language", "text"),
    [
        ("gb18030", None, "宇宙守护神保护我们远离邪恶，他能徒手抓住子弹"),
        ("big5", "zh", "今天我們要談談光的速度以及聲音的性質"),
        ("cp932", "ja", "これは最初の字幕です。今日は良い天気ですね。"),
        ("cp1251", None, "Здравствуйте, дорогие друзья. Сегодня мы поговорим о физике."),
        ("cp1252", "es", "El niño comió piña mañana. ¿Qué pasó?"),
        ("cp1250", "cs", "Dobrý den, dnes budeme mluvit o fyzice, příště žluťoučký kůň"),
        ("cp1253", "el", "Καλημέρα σας, σήμερα θα μιλήσουμε για το φως"),
    ],
)
def test_legacy_encodings_are_read_and_reported(
    tmp_path: Path, encoding: str, language: str | None, text: str
) -> None:
    content = TWO.replace("First line.", text).encode(encoding)
    captions = _read(tmp_path, content, language=language)
    assert captions.cues[0].text == text
    assert any("not in Unicode" in note for note in captions.notes)


def test_hindi_in_utf16_without_mark(tmp_path: Path) -> None:
    text = "प्रकाश की गति बहुत अधिक है। यह पूरा वाक्य हिन्दी में है।"
    assert _read(tmp_path, TWO.replace("First line.", text).encode("utf-16-le")).cues[0].text == text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "no caption format|is empty"),
        (b"WEBVTT\n", "no spoken line"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (bytes(range(256)) * 50, "binary"),
        (b"Dear diary, nothing happened.", "no caption format"),
        (b"1\n00:00:01,000 --> 00:00:02,000\n\n", "no spoken line"),
        ("1\n00:00:01,000 --> 00:00:02,000\n[Music] ♪♪\n".encode(), "no spoken line"),
        (b"1\n-00:00:05,000 --> -00:00:02,000\nToo early\n", "no spoken line"),
        (b"{1}{50}Hello", "frame rate"),
    ],
)
def test_unusable_files_are_clear_errors(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(CaptionError, match=words) as caught:
        _read(tmp_path, content)
    assert str(caught.value).startswith("a.srt")


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CaptionError, match=r"nowhere\.srt cannot be read: No such file"):
        read_captions(tmp_path / "nowhere.srt")


def test_tags_sounds_and_dashes_are_not_spoken(tmp_path: Path) -> None:
    text = (
        "WEBVTT\nLanguage: en\n\nSTYLE\n::cue { color: red }\n\nNOTE by\nsomebody\n\nintro\n"
        "00:01.000 --> 00:02.000 align:start\n"
        "<v.loud Anna Maria>Like a <00:01.500><c.x>pizza</c> &amp; pie</v>\n\n"
        "NOTE 00:01\n\n2\n00:02.000 --> 00:03.000\n- [door slams] <i>Is it?</i>\n- Yes, 5 < 6.\n(laughter)\n"
    )
    captions = _read(tmp_path, text, "a.vtt")
    assert [(cue.text, cue.speaker) for cue in captions] == [
        ("Like a pizza & pie", "Anna Maria"),
        ("Is it? Yes, 5 < 6.", None),
    ]
    assert captions.language is not None
    assert captions.language.code == "en"


def test_speakers_in_capitals_and_numbers_that_are_words(tmp_path: Path) -> None:
    content = TWO.replace("First line.", ">> JOHN SMITH: The answer is\n42").replace("Second line.", "42")
    captions = _read(tmp_path, content)
    assert [(cue.text, cue.speaker) for cue in captions] == [("The answer is 42", "John Smith"), ("42", None)]


def test_ssa_names_and_comments(tmp_path: Path) -> None:
    subs = pysubs2.SSAFile()
    subs.append(pysubs2.SSAEvent(1000, 2000, r"{\i1}Hello{\i0}\Nthere", name="Anna"))
    subs.append(pysubs2.SSAEvent(1000, 2000, "not said", type="Comment"))
    subs.append(pysubs2.SSAEvent(2000, 3000, r"{\p1}m 0 0 l 1 1{\p0}"))
    subs.save(str(tmp_path / "a.ass"))
    captions = read_captions(tmp_path / "a.ass")
    assert [(cue.text, cue.speaker) for cue in captions] == [("Hello there", "Anna")]


def test_times_that_run_backward_or_before_zero_are_repaired(tmp_path: Path) -> None:
    content = (
        "1\n-0:00:04,567 --> -0:00:03,456\nGone.\n\n2\n-00:00:02,345 --> 00:00:01,234\nClipped.\n\n"
        "3\n00:00:05,000 --> 00:00:04,000\nBackward but said.\n\n"
        "4\n00:00:09,000 --> 00:00:10,000\nLast.\n\n5\n"
    )
    captions = _read(tmp_path, content)
    assert [cue.text for cue in captions] == ["Clipped.", "Backward but said.", "Last."]
    assert captions.cues[0].start_s == 0
    assert captions.cues[1].end_s > captions.cues[1].start_s == 5
    assert any("end before they start" in note for note in captions.notes)


def test_automatic_captions_that_roll_up_say_each_word_once(tmp_path: Path) -> None:
    content = (
        "WEBVTT\nKind: captions\nLanguage: en\n\n"
        "00:00.000 --> 00:02.000 align:start\n \nhello<00:00.500><c> everyone</c>\n\n"
        "00:02.000 --> 00:02.010\nhello everyone\n \n\n"
        "00:02.010 --> 00:04.000\nhello everyone\ntoday<00:03.000><c> we talk</c>\n\n"
        "00:04.000 --> 00:04.010\ntoday we talk\n \n\n"
        "00:04.010 --> 00:06.000\ntoday we talk\nabout light\n"
    )
    captions = _read(tmp_path, content, "a.vtt")
    assert [cue.text for cue in captions] == ["hello everyone", "today we talk", "about light"]
    assert [cue.start_s for cue in captions] == [0.0, 2.01, 4.01]


def test_growing_live_captions_say_each_word_once(tmp_path: Path) -> None:
    lines = ["the", "the speed", "the speed of", "the speed of light"]
    content = "".join(
        f"{i + 1}\n00:00:0{i},000 --> 00:00:0{i + 1},000\n{line}\n\n" for i, line in enumerate(lines)
    )
    assert " ".join(cue.text for cue in _read(tmp_path, content)) == "the speed of light"


def test_a_line_that_is_said_twice_stays_twice(tmp_path: Path) -> None:
    content = TWO.replace("First line.", "No.").replace("Second line.", "No.").replace("02,500", "03,000")
    assert [cue.text for cue in _read(tmp_path, content)] == ["No.", "No."]


def test_overlaps_are_resolved_without_loss(tmp_path: Path) -> None:
    content = (
        "1\n00:00:01,000 --> 00:00:05,000\nOne.\n\n2\n00:00:03,000 --> 00:00:06,000\nTwo.\n\n"
        "3\n00:00:03,100 --> 00:00:04,000\nThree.\n\n4\n00:00:02,000 --> 00:00:02,900\nEarly.\n\n"
        "5\n00:00:01,000 --> 00:00:05,000\nOne.\n"
    )
    rows = _rows(_read(tmp_path, content))
    assert rows == [(1.0, 2.0, "One."), (2.0, 2.9, "Early."), (3.0, 6.0, "Two. Three.")]


def _columns(line: str) -> int:
    return sum(unicodedata.category(character) != "Mn" for character in line)


_CUES = st.lists(
    st.tuples(
        st.integers(0, 60_000),
        st.integers(1, 8_000),
        st.lists(
            st.sampled_from(["light", "sound", "is", "42", "fast.", "प्रकाश", "¿Qué?"]),
            min_size=1,
            max_size=30,
        ),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(_CUES)
def test_written_srt_is_in_order_narrow_and_whole(cues: list[tuple[int, int, list[str]]]) -> None:
    start_s, rows = 0.0, []
    for pause_ms, length_ms, words in cues:
        start_s += pause_ms / 1000
        rows.append((start_s, start_s + length_ms / 1000, " ".join(words)))
        start_s += length_ms / 1000
    content = format_srt(rows)
    assert content == format_srt(rows)
    parsed = pysubs2.SSAFile.from_string(content, "srt")
    assert " ".join(event.plaintext for event in parsed).split() == " ".join(row[2] for row in rows).split()
    assert all(one.end <= two.start for one, two in pairwise(parsed))
    assert all(one.start < one.end for one in parsed)
    lines = [event.plaintext.split("\n") for event in parsed]
    assert all(len(two) <= 2 and max(map(_columns, two)) <= LINE_WIDTH for two in lines)


def test_text_without_spaces_is_wrapped_by_width(tmp_path: Path) -> None:
    text = "宇宙守护神保护我们远离邪恶" * 5
    write_srt(tmp_path / "a.srt", [(0, 10, text), (11, 12, " ")])
    captions = pysubs2.load(str(tmp_path / "a.srt"))
    assert "".join(event.plaintext for event in captions).replace("\n", "") == text
    assert max(len(line) for event in captions for line in event.plaintext.split("\n")) <= LINE_WIDTH / 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.srt"]


def test_sidecars_are_found_by_language(tmp_path: Path) -> None:
    source = tmp_path / "lecture.mp4"
    names = ["lecture.srt", "lecture.en.vtt", "lecture.en-GB.srt", "lecture.hi.SRT", "lecture.es.forced.srt",
             "lecture.es.dub.srt", "lecture.es.review.srt",
             "lecture.final.srt", "lecture2.en.srt", "lecture.en.txt", "other.en.srt"]  # fmt: skip
    for name in names:
        (tmp_path / name).write_text(TWO)
    assert {one.path.name for one in list_sidecars(source)} == set(names[:4])
    assert find_sidecar(source, "en") == tmp_path / "lecture.en.vtt"
    assert find_sidecar(source, "en-GB") == tmp_path / "lecture.en-GB.srt"
    assert find_sidecar(source, "hi") == tmp_path / "lecture.hi.SRT"
    assert find_sidecar(source, "es") is None
    assert find_sidecar(source, "es", unnamed=True) == tmp_path / "lecture.srt"
    assert find_sidecar(source, None) == tmp_path / "lecture.srt"
    assert find_sidecar(tmp_path / "nowhere" / "a.mp4", "en") is None


def test_our_own_output_is_no_sidecar_until_somebody_edits_it(tmp_path: Path) -> None:
    source, subtitles = tmp_path / "lecture.mp4", tmp_path / "lecture.hi.srt"
    text = "प्रकाश की गति बहुत अधिक है और ध्वनि की गति उससे बहुत कम है, यह हम देखेंगे।"
    write_srt(subtitles, [(0.0, 4.0, text)])
    manifest = {
        "format": "f2f-manifest/1",
        "stages": [{"stage": "translate", "engine": {"name": "nllb"}}, {"stage": "report", "engine": None}],
        "segments": [{"target_text": text}],
    }
    assert find_sidecar(source, "hi") == subtitles
    subtitles.with_suffix(".json").write_text(json.dumps(manifest))
    assert is_own_output(subtitles)
    assert find_sidecar(source, "hi") is None
    subtitles.write_text(subtitles.read_text("utf-8").replace("बहुत", "अति"), "utf-8")
    assert find_sidecar(source, "hi") == subtitles
    subtitles.with_suffix(".json").write_text("{")
    assert find_sidecar(source, "hi") == subtitles


def test_a_text_track_inside_the_video(tmp_path: Path) -> None:
    from lipsync_core.media import probe_media

    clip = make_clip(tmp_path / "clip.mp4", seconds=5)
    (tmp_path / "en.srt").write_text(TWO)
    (tmp_path / "hi.srt").write_text(TWO.replace("First line.", "पहली पंक्ति।"), "utf-8")
    both = tmp_path / "both.mkv"
    ffmpeg(
        "-i", clip, "-i", tmp_path / "en.srt", "-i", tmp_path / "hi.srt",
        "-map", "0", "-map", "1", "-map", "2",
        "-c", "copy", "-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=hin", both,
    )  # fmt: skip
    info = probe_media(both)
    assert _rows(read_embedded_captions(both, info, "en")) == EXPECTED
    assert read_embedded_captions(both, info, "hi").cues[0].text == "पहली पंक्ति।"
    with pytest.raises(CaptionError, match=r"no text track in fr .*eng.*hin"):
        read_embedded_captions(both, info, "fr")
    with pytest.raises(CaptionError, match="subtitle tracks: none"):
        read_embedded_captions(clip, probe_media(clip))


def test_awkward_files_of_other_projects(shared_media: Path) -> None:
    found = {}
    for path in sorted((shared_media / "captions").iterdir()):
        try:
            found[path.name] = read_captions(path).text
        except CaptionError as error:
            found[path.name] = f"error: {error}"
    assert found["bad_negative_times.srt"].startswith("This is the second subtitle.")
    assert found["bad_unexpected_end.srt"].endswith("second line.")
    assert found["empty.vtt"].startswith("error: empty.vtt is empty")
    assert "Kyle" not in found["messy_comments.vtt"]
    assert found["messy_cue_tags.vtt"].split("\n") == [
        "When the moon hits your eye", "Like a big-a pizza pie", "That's amore",
    ]  # fmt: skip
    assert found["messy_gb2312.srt"].startswith("宇宙守护神")
    assert found["messy_utf16be.srt"].startswith("This is the first subtitle.")
