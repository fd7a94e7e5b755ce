from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f2f.errors import UsageError
from f2f.glossary import Term, choose_terms, find_terms, holds_term, read_glossary
from f2f.languages import Language

HI, ES = Language("hi"), Language("es")


def _write(folder: Path, text: str) -> Path:
    path = folder / "glossary.csv"
    path.write_bytes(text.encode("utf-8"))
    return path


@pytest.mark.parametrize(
    "text",
    [
        "neural network,red neuronal,es\nKaggle,,\n",
        "\ufeffsource,target,language\r\nneural network , red  neuronal,es\r\n\r\n# note\r\nKaggle,\r\n",
        "Source term;Target term;Language\nneural network;red neuronal;spanish\nKaggle;;\n",
        'neural network\t"red neuronal"\tes\nKaggle\tKaggle\n',
    ],
)
def test_the_ways_in_which_people_write_it(tmp_path: Path, text: str) -> None:
    terms = read_glossary(_write(tmp_path, text))
    assert [(term.source, term.target) for term in terms] == [
        ("neural network", "red neuronal"), ("Kaggle", "Kaggle")
    ]  # fmt: skip
    assert terms[0].language is not None and terms[0].language.primary == "es"
    assert terms[1].language is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no term"),
        ("source,target,language\n", "has no term"),
        ("a,b,es\nnetwork\n", r"glossary\.csv, line 2: 1 columns \(network\); must be source term"),
        ("a,b,c,es\n", r"line 1: 4 columns \(a \| b \| c \| es\)"),
        ("network,red,blorpish\n", "line 1: unknown language 'blorpish'"),
        (",red,es\n", "line 1: the source term is ''"),
        ("a,b,es\nA,c,es\n", "line 2: 'A' has a second translation, 'c'"),
        ('a,"b,es\n', "cannot be read: unexpected end of data"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_glossary(_write(tmp_path, text))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_glossary(_write(tmp_path, "a\nb,c,es\n,d,es\ne,f,xx\n"))
    assert [line.split(": ")[0][-6:] for line in str(caught.value).splitlines()] == [
        "line 1",
        "line 3",
        "line 4",
    ]


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.csv cannot be read"):
        read_glossary(tmp_path / "gone.csv")
    path = tmp_path / "glossary.csv"
    path.write_bytes("réseau,red,es\n".encode("latin-1"))
    with pytest.raises(UsageError, match="not in UTF-8"):
        read_glossary(path)


def test_terms_of_a_language_go_before_those_for_all() -> None:
    terms = (
        Term("graph", "graph"),
        Term("Graph", "grafo", ES),
        Term("neural network", "x", HI),
        Term("net", "y"),
    )
    assert choose_terms(terms, Language("es-MX")) == (terms[1], terms[3])
    assert choose_terms(terms, HI) == (terms[2], terms[0], terms[3])


def _found(sentence: str, *terms: Term) -> list[tuple[str, str]]:
    return [
        (sentence[one.start : one.end], one.replacement)
        for one in find_terms(sentence, choose_terms(terms, ES))
    ]


def test_terms_are_found_as_whole_words() -> None:
    net, network = Term("net", "red"), Term("neural network", "red neuronal")
    assert _found("Neural  networks, a net and the net's internet", net, network) == [
        ("Neural  networks", "red neuronal"), ("net", "red"), ("net's", "red")
    ]  # fmt: skip
    assert _found("IT is not it", Term("IT", "informática")) == [("IT", "informática")]
    assert _found("das Netz, die Netzwerke", Term("Netz", "red")) == [("Netz", "red")]
    assert _found("神经网络很好", Term("神经网络", "red neuronal")) == [("神经网络", "red neuronal")]
    assert _found("गति और गतिमान", Term("गति", "velocidad")) == [("गति", "velocidad")]


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("red neuronal", "Las redes neuronales aprenden."),
        ("aprendizaje automático", "de la automática del aprendizaje"),
        ("нейронная сеть", "в нейронной сети"),
        ("न्यूरल नेटवर्क", "न्यूरल नेटवर्कों में"),
        ("ग्रेडिएंट डिसेंट", "ग्रेडिएंट डिसेंट से"),
        ("شبكة عصبية", "الشبكة العصبية"),
        ("Netz", "des Netzes"),
        ("verkko", "verkoissa ja verkostojen verkkojen"),
        ("神经网络", "一个 神经网络"),
        ("H2O", "das H2O"),
    ],
)
def test_inflected_terms_are_there(term: str, text: str) -> None:
    assert holds_term(text, term)


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("red neuronal", "la red es muy buena, y además es neuronal"),
        ("red", "reducir el reducto rojo"),
        ("ग्रेडिएंट डिसेंट", "ग्रेडिएंट से"),
        ("神经网络", "神经的网络"),
        ("нейронная сеть", "нейронный"),
        ("grafo", ""),
    ],
)
def test_other_words_are_not_taken_for_the_term(term: str, text: str) -> None:
    assert not holds_term(text, term)


@settings(max_examples=80, deadline=None)
@given(st.text(min_size=1, max_size=12), st.text(max_size=20), st.text(max_size=20))
def test_a_term_is_in_every_text_that_has_it(term: str, before: str, after: str) -> None:
    if any(character.isalnum() for character in term):
        assert holds_term(f"{before} {term} {after}", term)
