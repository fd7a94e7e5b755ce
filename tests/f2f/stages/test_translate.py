"""The choice of engines, and each kind through the stage."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_results import Listener
from tiny_translators import LESSONS, make_m2m100

from f2f.config import TranslateConfig
from f2f.engines.status import Choice, has_package
from f2f.errors import CaptionError, EngineUnavailableError, UsageError
from f2f.length_control import Pace
from f2f.results import EngineInfo, Segment, Transcript
from f2f.speaking_rate import PRIORS
from f2f.stage import StageContext
from f2f.stages.translate import is_same_language, plan, translate

AUTO = TranslateConfig()
SOURCES = list(LESSONS)


@pytest.fixture(autouse=True)
def _no_weights(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No developer's own weights decide a test."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path_factory.getbasetemp() / "no_hub"))


@pytest.fixture(scope="module")
def m2m100(tiny: dict[str, Path]) -> Path:
    return tiny["m2m100"]


RUNTIMES = ("torch", "ctranslate2") if has_package("ctranslate2") else ("torch",)
LONG, SHORT = "इस समय यहाँ बोलने वाले का नाम रवि है", "मैं रवि हूँ"
TAUGHT = (
    ("my name is ravi", LONG), ("my name is ravi", SHORT),
    ("there are 42 pages", "यहाँ पन्ने हैं"), ("there are X1 pages", "यहाँ X1 पन्ने हैं"),
    ("it was in 1984", "वह तब था"), ("it was in X1", "वह तब था"), ("it was in 731", "वह तब था"),
    ("this is a graph", "यह एक चित्र है"), ("this is a ग्राफ", "यह एक ग्राफ है"),
    ("the net is deep", "जाल गहरा है"), ("the नेटवर्क is deep", "जाल गहरा है"), ("the X1 is deep", "X1 गहरा है"),
)  # fmt: skip


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that loses numbers and terms, and knows two wordings of one sentence."""
    return make_m2m100(tmp_path_factory.mktemp("taught"), [(one, "hi", other) for one, other in TAUGHT])


def _said(*texts: str) -> Transcript:
    given = _transcript()
    pairs = zip(given.segments, texts, strict=True)
    segments = tuple(segment.model_copy(update={"text": text}) for segment, text in pairs)
    return given.model_copy(update={"segments": segments})


def _transcript(language: str = "en") -> Transcript:
    times = [(0.0, 2.0), (2.5, 5.0), (6.0, 9.0)]
    return Transcript(
        language=language,
        segments=tuple(
            Segment(id=i, start_s=start, end_s=end, text=text)
            for i, ((start, end), text) in enumerate(zip(times, SOURCES, strict=True))
        ),
        engine=EngineInfo(name="captions", version="1", licence=""),
    )


def _context(folder: Path) -> tuple[StageContext, Listener]:
    listener = Listener()
    return StageContext("translate", folder, observer=listener), listener


def _srt(*rows: tuple[str, str, str]) -> str:
    return "".join(f"{i}\n00:00:{a} --> 00:00:{b}\n{text}\n\n" for i, (a, b, text) in enumerate(rows, 1))


HINDI = _srt(
    ("00,100", "01,900", "पहला वाक्य।"), ("02,400", "03,500", "दूसरा,"), ("03,500", "05,100", "फिर दूसरा।"),
    ("06,200", "08,000", "तीसरा।"),
)  # fmt: skip


def test_a_translation_beside_the_video_comes_first(tmp_path: Path) -> None:
    source = tmp_path / "lecture.mp4"
    (tmp_path / "lecture.hi.srt").write_text(HINDI, "utf-8")
    choice = plan(source, "en", "hi", AUTO, "embedded")
    assert (choice.engine, choice.inputs) == ("captions", (tmp_path / "lecture.hi.srt",))
    context, listener = _context(tmp_path)
    pinned = TranslateConfig(engine="captions", translation=choice.inputs[0])
    translation = translate(_transcript(), "hi", pinned, context)
    assert [one.text for one in translation.segments] == ["पहला वाक्य।", "दूसरा, फिर दूसरा।", "तीसरा।"]
    assert [one.segment.id for one in translation.segments] == [0, 1, 2]
    assert (translation.source_language, translation.target_language) == ("en", "hi")
    assert listener.notices == []
    assert listener.progress[-1] == (3, 3, "segments")


def test_segments_without_a_line_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.srt"
    path.write_text(_srt(("00,100", "01,900", "पहला।"), ("50,000", "52,000", "बहुत दूर।")), "utf-8")
    context, listener = _context(tmp_path)
    translation = translate(_transcript(), "hi", TranslateConfig(translation=path), context)
    assert [one.text for one in translation.segments] == ["पहला।", "", ""]
    assert any("no line for 2 of 3 segments" in notice for notice in listener.notices)
    assert any("1 captions more than 10 s from any speech" in notice for notice in listener.notices)


def test_a_translation_of_another_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.srt"
    path.write_text(_srt(("50,000", "52,000", "बहुत दूर।")), "utf-8")
    with pytest.raises(CaptionError, match="belongs to another video, or is shifted"):
        translate(_transcript(), "hi", TranslateConfig(translation=path), _context(tmp_path)[0])


def test_a_broken_translation_is_known_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "lecture.hi.srt").write_text("nothing here")
    with pytest.raises(CaptionError, match=r"lecture\.hi\.srt is no caption format.*--mt"):
        plan(tmp_path / "lecture.mp4", "en", "hi", AUTO, "auto")
    with pytest.raises(CaptionError, match=r"gone\.srt cannot be read"):
        plan(None, "en", "hi", TranslateConfig(translation=tmp_path / "gone.srt"), "auto")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_model_through_the_stage(tmp_path: Path, m2m100: Path, runtime: str) -> None:
    config = TranslateConfig(model=str(m2m100), beams=1, runtime=runtime)
    choice = plan(None, "en", "es", config, "embedded")
    assert choice.engine == "m2m100"
    context, listener = _context(tmp_path)
    translation = translate(_transcript(), "es", config, context)
    assert [one.text for one in translation.segments] == [LESSONS[source]["es"] for source in SOURCES]
    assert translation.engine.name == "m2m100"
    library = {"torch": "transformers", "ctranslate2": "CTranslate2"}[runtime]
    assert translation.engine.version.startswith(library)
    assert (library in choice.identity) is (runtime == "ctranslate2")
    assert listener.progress[-1] == (3, 3, "segments")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_wording_that_fits_is_chosen_and_the_others_are_kept(
    tmp_path: Path, taught: Path, runtime: str
) -> None:
    spoken = Transcript(
        language="en",
        segments=tuple(
            Segment(id=i, start_s=start, end_s=start + 1, text="my name is ravi")
            for i, start in enumerate((0.0, 9.0, 10.4))
        ),
        engine=EngineInfo(name="captions", version="1", licence=""),
    )
    context, listener = _context(tmp_path)
    config = TranslateConfig(model=str(taught), beams=4, runtime=runtime)
    translation = translate(spoken, "hi", config, context, Pace(guard_s=0.0))
    assert [one.text for one in translation.segments] == [LONG, SHORT, SHORT]
    assert SHORT in translation.segments[0].alternatives and LONG in translation.segments[1].alternatives
    assert all(one.text not in one.alternatives for one in translation.segments)
    assert translation.characters_per_s == PRIORS["hi"]
    assert any("2 of 3 segments take a shorter wording" in notice for notice in listener.notices)


BEFORE = ("thank you for coming", "it is a very large number")
AFTER = {BEFORE[0]: SHORT, BEFORE[1]: LONG}


@pytest.fixture(scope="module")
def coherent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that says "my name is ravi" in two ways alike, and in one of them behind each sentence."""
    lessons = [("my name is ravi", "hi", LONG), ("my name is ravi", "hi", SHORT)]
    lessons += [(f"{one} my name is ravi", "hi", f"{LESSONS[one]['hi']} {AFTER[one]}") for one in BEFORE]
    return make_m2m100(tmp_path_factory.mktemp("coherent"), lessons)


def _pairs() -> Transcript:
    """Both sentences before, each with the ambiguous one behind it, a long pause between the pairs."""
    texts = (BEFORE[0], "my name is ravi", BEFORE[1], "my name is ravi")
    starts_s = (0.0, 6.0, 20.0, 26.0)
    segments = [
        Segment(id=i, start_s=start_s, end_s=start_s + 5, text=text)
        for i, (start_s, text) in enumerate(zip(starts_s, texts, strict=True))
    ]
    return _transcript().model_copy(update={"segments": tuple(segments)})


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_sentence_before_decides_between_wordings(tmp_path: Path, coherent: Path, runtime: str) -> None:
    context, listener = _context(tmp_path)
    config = TranslateConfig(model=str(coherent), beams=2, runtime=runtime)
    translation = translate(_pairs(), "hi", config, context)
    said = [LESSONS[BEFORE[0]]["hi"], SHORT, LESSONS[BEFORE[1]]["hi"], LONG]
    assert [one.text for one in translation.segments] == said
    alone = translate(_pairs(), "hi", config.model_copy(update={"context": 0}), _context(tmp_path)[0])
    assert alone.segments[1].text == alone.segments[3].text
    others = [one.text != other.text for one, other in zip(translation.segments, alone.segments, strict=True)]
    assert others.count(True) == 1
    assert [one.by_context for one in translation.segments] == others
    assert any("1 of 4 segments take another wording than alone" in one for one in listener.notices)
    assert not any(one.by_context for one in alone.segments)


def test_another_speaker_is_no_context(tmp_path: Path, coherent: Path) -> None:
    pairs = _pairs()
    speakers = [one.model_copy(update={"speaker": str(i)}) for i, one in enumerate(pairs.segments)]
    config = TranslateConfig(model=str(coherent), beams=2, runtime="torch")
    found = translate(
        pairs.model_copy(update={"segments": tuple(speakers)}), "hi", config, _context(tmp_path)[0]
    )
    assert found.segments[1].text == found.segments[3].text


def test_a_model_that_cannot_judge_in_context_translates_all_the_same(
    tmp_path: Path, coherent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("f2f.engines.machine_translation.Translator.score", fail)
    context, listener = _context(tmp_path)
    config = TranslateConfig(model=str(coherent), beams=2, runtime="torch")
    found = translate(_pairs(), "hi", config, context)
    assert [bool(one.text) for one in found.segments] == [True] * 4
    assert listener.notices == [
        "each segment is translated without regard to the one before it: out of memory"
    ]


def test_numbers_that_the_model_loses_come_back_or_are_reported(tmp_path: Path, taught: Path) -> None:
    context, listener = _context(tmp_path)
    spoken = _said("there are 42 pages", "it was in 1984", SOURCES[1])
    translation = translate(spoken, "hi", TranslateConfig(model=str(taught), beams=2), context)
    assert [one.text for one in translation.segments] == [
        "यहाँ 42 पन्ने हैं", "वह तब था", LESSONS[SOURCES[1]]["hi"]
    ]  # fmt: skip
    assert [one.problems for one in translation.segments] == [(), ("the number 1984 is lost",), ()]
    assert "segment 1 at 2.5 s: the number 1984 is lost" in listener.notices


def test_the_glossary_is_kept_to(tmp_path: Path, taught: Path) -> None:
    glossary = tmp_path / "glossary.csv"
    glossary.write_text("source,target,language\ngraph,ग्राफ,hi\nnet,नेटवर्क,hi\npages,पृष्ठ,hi\n", "utf-8")
    context, listener = _context(tmp_path)
    config = TranslateConfig(model=str(taught), beams=2, glossary=glossary)
    spoken = _said("this is a graph", "the net is deep", "there are 42 pages")
    found = translate(spoken, "hi", config, context).segments
    assert [one.text for one in found[:2]] == ["यह एक ग्राफ है", "नेटवर्क गहरा है"]
    assert [one.problems for one in found[:2]] == [(), ()]
    assert "the glossary's 'पृष्ठ' for 'pages' is lost" in found[2].problems
    assert any("segment 2 at 6.0 s: the glossary's 'पृष्ठ'" in notice for notice in listener.notices)


def test_the_glossary_is_part_of_the_choice(tmp_path: Path, m2m100: Path) -> None:
    glossary = tmp_path / "glossary.csv"

    def choose(text: str) -> Choice:
        glossary.write_text(text, "utf-8")
        return plan(None, "en", "hi", TranslateConfig(model=str(m2m100), glossary=glossary), "auto")

    first = choose("graph,ग्राफ,hi\n")
    assert choose("graph,ग्राफ,hi\ngraph,grafo,es\n").identity == first.identity  # Spanish is not concerned
    assert choose("graph,आरेख,hi\n").identity != first.identity
    with pytest.raises(UsageError, match="line 1: 1 columns"):
        choose("graph\n")
    glossary.write_text("graph,ग्राफ,hi\n", "utf-8")
    (tmp_path / "lecture.hi.srt").write_text(HINDI, "utf-8")
    written = plan(tmp_path / "lecture.mp4", "en", "hi", TranslateConfig(glossary=glossary), "auto")
    assert "the glossary is not applied: lecture.hi.srt" in (written.notice or "")


def test_what_keeps_its_sound_or_holds_no_words_is_not_translated(tmp_path: Path, m2m100: Path) -> None:
    given = _transcript().segments
    segments = (
        given[0].model_copy(update={"keep_original": "music"}),
        given[1].model_copy(update={"text": "[Music] ♪"}),
        given[2].model_copy(update={"text": "42"}),
    )
    spoken = _transcript().model_copy(update={"segments": segments})
    context, listener = _context(tmp_path)
    translation = translate(spoken, "es", TranslateConfig(model=str(m2m100), beams=1), context)
    assert [one.text for one in translation.segments] == ["", "", "42"]
    assert [one.segment for one in translation.segments] == list(segments)
    assert translation.segments[0].problems == ()
    assert "a sound or music" in translation.segments[1].problems[0]
    assert any("segment 1 at 2.5 s: a sound or music" in notice for notice in listener.notices)


def test_a_line_for_a_segment_that_keeps_its_sound_is_not_lost_silently(tmp_path: Path) -> None:
    path = tmp_path / "t.srt"
    path.write_text(HINDI, "utf-8")
    segments = _transcript().segments
    kept = segments[0].model_copy(update={"keep_original": "music"})
    spoken = _transcript().model_copy(update={"segments": (kept, *segments[1:])})
    translation = translate(spoken, "hi", TranslateConfig(translation=path), _context(tmp_path)[0])
    assert translation.segments[0].text == ""
    assert translation.segments[0].problems == ("not said, the original sound stays (music): 'पहला वाक्य।'",)


def test_the_same_language_keeps_the_text_and_says_so(tmp_path: Path) -> None:
    choice = plan(None, "en-US", "en-GB", AUTO, "auto")
    assert choice.engine == "none"
    assert "stays as it is" in (choice.notice or "")
    pinned = TranslateConfig(engine="none")
    translation = translate(_transcript("en-US"), "en-GB", pinned, _context(tmp_path)[0])
    assert [one.text for one in translation.segments] == SOURCES
    assert translation.engine.notice == choice.notice
    with pytest.raises(UsageError, match="'none'"):
        plan(None, "en", "hi", pinned, "auto")


def test_scripts_make_languages_differ() -> None:
    from f2f.languages import Language

    assert is_same_language(Language("pt"), Language("pt-BR"))
    assert not is_same_language(Language("zh-Hans"), Language("zh-Hant"))


def test_without_an_engine_the_remedies_are_named(tmp_path: Path) -> None:
    for profile in ("auto", "embedded"):
        with pytest.raises(EngineUnavailableError) as caught:
            plan(tmp_path / "lecture.mp4", "en", "hi", AUTO, profile)
        assert "--translation FILE" in str(caught.value)
        assert "lecture.hi.srt" in str(caught.value)
        assert "nllb" in str(caught.value)


def test_nllb_is_preferred_where_all_can_be_fetched(monkeypatch: pytest.MonkeyPatch, m2m100: Path) -> None:
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "F2F_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("f2f.engines.translation_models.is_reachable", lambda url: True)
    choice = plan(None, "en", "hi", AUTO, "auto")
    assert choice.engine == "nllb"
    assert "CC-BY-NC-4.0" in (choice.notice or "")
    assert [status.name for status in choice.statuses] == ["captions", "nllb", "m2m100", "marian"]


def test_weights_that_are_here_go_before_better_ones_that_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, m2m100: Path
) -> None:
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "F2F_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    asked: list[str] = []
    monkeypatch.setattr(
        "f2f.engines.translation_models.is_reachable", lambda url: bool(asked.append(url)) or True
    )
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    snapshots = tmp_path / "models--facebook--m2m100_418M" / "snapshots"
    snapshots.mkdir(parents=True)
    (snapshots / "abc").symlink_to(m2m100)
    choice = plan(None, "en", "hi", AUTO, "auto")
    assert choice.engine == "m2m100"
    assert choice.identity.startswith("m2m100 facebook/m2m100_418M")
    assert asked == []


def test_wanted_engines_are_used_or_refused(tmp_path: Path) -> None:
    (tmp_path / "lecture.hi.srt").write_text(HINDI, "utf-8")
    source = tmp_path / "lecture.mp4"
    with pytest.raises(EngineUnavailableError, match=r"'nllb' cannot be used: .*f2f models pull"):
        plan(source, "en", "hi", TranslateConfig(engine="nllb"), "auto")
    with pytest.raises(EngineUnavailableError, match=r"put lecture\.es\.srt beside the video"):
        plan(source, "en", "es", TranslateConfig(engine="captions"), "auto")
    with pytest.raises(UsageError, match=r"translate\.engine"):
        plan(source, "en", "es", TranslateConfig(model="someone/t5"), "auto")
