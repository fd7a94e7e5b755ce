"""Signs and abbreviations in words, for the languages in which somebody wrote them down.

CLDR names units, currencies and months; it has no words for "=" or "e.g.". Tables of one language stand
together; ``{0}`` and ``{1}`` are the numbers beside the sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Phrases:
    """Words of one language.

    Attributes:
        signs: operators and other signs, each said between spaces.
        minus: said before a negative number.
        over: the line of a fraction.
        to: between the ends of a range.
        power: template of a power; ``squared`` and ``cubed`` are said behind the base.
        fractions: names of the usual fractions, by (numerator, denominator).
        dot: in addresses, with ``slash``, ``at``, ``dash`` and ``underscore``.
        time: template of a time with minutes; ``full_hour`` of one without.
        currencies: sign to (one, many); ``cents`` is the template of an amount with hundredths.
        coins: sign to the name of its hundredth, where that is always said.
        magnitudes: words that may stand between a currency's number and its name.
        of: between such a word and the currency ("millones de euros").
        abbreviations: as written, to what is said.
        before_numbers: such that are said so only before a number ("No. 5", not "No.").
    """

    signs: Mapping[str, str]
    minus: str
    over: str
    to: str
    power: str
    squared: str
    cubed: str
    fractions: Mapping[tuple[int, int], str]
    dot: str
    slash: str
    at: str
    dash: str
    underscore: str
    time: str
    full_hour: str
    currencies: Mapping[str, tuple[str, str]]
    cents: str
    magnitudes: tuple[str, ...]
    abbreviations: Mapping[str, str]
    before_numbers: Mapping[str, str]
    of: str = ""
    coins: Mapping[str, str] = field(default_factory=dict)
    greek: Mapping[str, str] = field(default_factory=dict)


def _signs(words: str) -> dict[str, str]:
    """Return sign to words from ``"= equals; + plus"``."""
    pairs = (entry.strip().partition(" ") for entry in words.split(";"))
    return {sign: word for sign, _, word in pairs}


def _fractions(words: str) -> dict[tuple[int, int], str]:
    """Return the names of 1/2, 1/3, 2/3, 1/4, 3/4 in this order."""
    order = ((1, 2), (1, 3), (2, 3), (1, 4), (3, 4))
    return dict(zip(order, (word.strip() for word in words.split(";")), strict=True))


_GREEK = _signs(
    "α alpha; β beta; γ gamma; δ delta; Δ delta; ε epsilon; η eta; θ theta; λ lambda; μ mu; ν nu; π pi; "
    "ρ rho; σ sigma; Σ sigma; τ tau; φ phi; χ chi; ψ psi; ω omega; Ω omega"
)

ENGLISH = Phrases(
    signs=_signs(
        "= equals; ≠ is not equal to; ≈ is approximately; + plus; ± plus or minus; × times; · times; "
        "÷ divided by; < is less than; > is greater than; ≤ is at most; ≥ is at least; √ the square root of; "
        "∞ infinity; ∑ the sum of; ∫ the integral of; → to; & and; § section; © copyright"
    ),
    minus="minus", over="over", to="to", power="{0} to the power of {1}", squared="squared", cubed="cubed",
    fractions=_fractions("one half; one third; two thirds; one quarter; three quarters"),
    dot="dot", slash="slash", at="at", dash="dash", underscore="underscore",
    time="{0} {1}", full_hour="{0} o'clock",
    currencies={"$": ("dollar", "dollars"), "€": ("euro", "euros"), "£": ("pound", "pounds"),
                "¥": ("yen", "yen"), "₹": ("rupee", "rupees")},
    cents="{0} {1}",
    magnitudes=("thousand", "million", "billion", "trillion", "lakh", "crore"),
    abbreviations={
        "Dr.": "Doctor", "Mr.": "Mister", "Mrs.": "Missus", "Prof.": "Professor", "St.": "Saint",
        "e.g.": "for example", "i.e.": "that is", "etc.": "and so on", "vs.": "versus",
        "approx.": "approximately", "a.m.": "a m", "p.m.": "p m",
    },
    before_numbers={
        "No.": "number", "Nos.": "numbers", "Fig.": "figure", "Eq.": "equation", "Ch.": "chapter",
        "p.": "page", "pp.": "pages", "#": "number",
    },
    greek=_GREEK,
)  # fmt: skip

HINDI = Phrases(
    signs=_signs(
        "= बराबर; ≠ बराबर नहीं; ≈ लगभग; + जोड़; ± जोड़ या घटा; × गुणा; · गुणा; ÷ भाग; < से कम; > से अधिक; "
        "≤ से कम या बराबर; ≥ से अधिक या बराबर; √ वर्गमूल; ∞ अनंत; ∑ योग; ∫ समाकलन; → से; & और; § अनुच्छेद; © कॉपीराइट"
    ),
    minus="माइनस", over="बटा", to="से", power="{0} की घात {1}", squared="का वर्ग", cubed="का घन",
    fractions=_fractions("आधा; एक तिहाई; दो तिहाई; एक चौथाई; तीन चौथाई"),
    dot="डॉट", slash="स्लैश", at="ऐट", dash="डैश", underscore="अंडरस्कोर",
    time="{0} बजकर {1} मिनट", full_hour="{0} बजे",
    currencies={"$": ("डॉलर", "डॉलर"), "€": ("यूरो", "यूरो"), "£": ("पाउंड", "पाउंड"), "¥": ("येन", "येन"),
                "₹": ("रुपया", "रुपये")},
    cents="{0} {1} {2}", coins={"₹": "पैसे", "$": "सेंट", "€": "सेंट", "£": "पेंस"},
    magnitudes=("हज़ार", "हजार", "लाख", "करोड़", "अरब", "खरब", "मिलियन", "बिलियन"),
    abbreviations={
        "डॉ.": "डॉक्टर", "प्रो.": "प्रोफ़ेसर", "रु.": "रुपये", "ई.पू.": "ईसा पूर्व",
        "उदा.": "उदाहरण", "Dr.": "डॉक्टर", "vs.": "बनाम", "etc.": "इत्यादि",
    },
    before_numbers={
        "सं.": "संख्या", "पृ.": "पृष्ठ", "No.": "नंबर", "ई.": "ईस्वी", "#": "नंबर",
    },
    greek=_signs(
        "α अल्फ़ा; β बीटा; γ गामा; δ डेल्टा; Δ डेल्टा; ε एप्सिलॉन; η ईटा; θ थीटा; λ लैम्डा; μ म्यू; ν न्यू; π पाई; ρ रो; "
        "σ सिग्मा; Σ सिग्मा; τ टाऊ; φ फ़ाई; χ काई; ψ साई; ω ओमेगा; Ω ओमेगा"
    ),
)  # fmt: skip

SPANISH = Phrases(
    signs=_signs(
        "= es igual a; ≠ es distinto de; ≈ es aproximadamente; + más; ± más o menos; × por; · por; "
        "÷ dividido por; < es menor que; > es mayor que; ≤ es menor o igual que; ≥ es mayor o igual que; "
        "√ la raíz cuadrada de; ∞ infinito; ∑ la suma de; ∫ la integral de; → a; & y; § sección; © copyright"
    ),
    minus="menos", over="sobre", to="a", power="{0} elevado a {1}", squared="al cuadrado", cubed="al cubo",
    fractions=_fractions("un medio; un tercio; dos tercios; un cuarto; tres cuartos"),
    dot="punto", slash="barra", at="arroba", dash="guion", underscore="guion bajo",
    time="{0} y {1}", full_hour="{0} en punto",
    currencies={"$": ("dólar", "dólares"), "€": ("euro", "euros"), "£": ("libra", "libras"),
                "¥": ("yen", "yenes"), "₹": ("rupia", "rupias")},
    cents="{0} con {1}",
    magnitudes=("mil millones", "millones", "millón", "billones", "mil"), of="de",
    abbreviations={
        "Sr.": "señor", "Sra.": "señora", "Dr.": "doctor", "Dra.": "doctora", "Prof.": "profesor",
        "p. ej.": "por ejemplo", "p.ej.": "por ejemplo", "etc.": "etcétera", "EE. UU.": "Estados Unidos",
        "EE.UU.": "Estados Unidos", "aprox.": "aproximadamente",
        "a. C.": "antes de Cristo", "d. C.": "después de Cristo",
    },
    before_numbers={
        "núm.": "número", "n.º": "número", "nº": "número", "pág.": "página", "fig.": "figura",
        "#": "número",
    },
    greek={**_GREEK, "φ": "fi", "χ": "ji"},
)  # fmt: skip

FRENCH = Phrases(
    signs=_signs(
        "= égale; ≠ est différent de; ≈ est environ; + plus; ± plus ou moins; × fois; · fois; ÷ divisé par; "
        "< est inférieur à; > est supérieur à; ≤ est inférieur ou égal à; ≥ est supérieur ou égal à; "
        "√ racine carrée de; ∞ l'infini; ∑ la somme de; ∫ l'intégrale de; → vers; & et; "
        "§ paragraphe; © copyright"
    ),
    minus="moins", over="sur", to="à", power="{0} puissance {1}", squared="au carré", cubed="au cube",
    fractions=_fractions("un demi; un tiers; deux tiers; un quart; trois quarts"),
    dot="point", slash="barre oblique", at="arobase", dash="tiret", underscore="tiret bas",
    time="{0} heures {1}", full_hour="{0} heures",
    currencies={"$": ("dollar", "dollars"), "€": ("euro", "euros"), "£": ("livre", "livres"),
                "¥": ("yen", "yens"), "₹": ("roupie", "roupies")},
    cents="{0} {1}",
    magnitudes=("mille", "millions", "million", "milliards", "milliard"), of="de",
    abbreviations={
        "M.": "monsieur", "Mme": "madame", "Mlle": "mademoiselle", "Dr": "docteur", "Pr": "professeur",
        "p. ex.": "par exemple", "p.ex.": "par exemple", "c.-à-d.": "c'est-à-dire", "etc.": "et cetera",
        "env.": "environ", "av. J.-C.": "avant Jésus-Christ",
    },
    before_numbers={
        "n°": "numéro", "nᵒ": "numéro", "fig.": "figure", "p.": "page", "#": "numéro",
    },
    greek={**_GREEK, "μ": "mu", "χ": "khi"},
)  # fmt: skip

GERMAN = Phrases(
    signs=_signs(
        "= gleich; ≠ ungleich; ≈ ungefähr; + plus; ± plus minus; × mal; · mal; ÷ geteilt durch; "
        "< kleiner als; > größer als; ≤ kleiner oder gleich; ≥ größer oder gleich; √ Wurzel aus; "
        "∞ unendlich; ∑ Summe über; ∫ Integral über; → nach; & und; § Paragraf; © Copyright"
    ),
    minus="minus", over="durch", to="bis", power="{0} hoch {1}", squared="Quadrat", cubed="hoch drei",
    fractions=_fractions("ein halb; ein Drittel; zwei Drittel; ein Viertel; drei Viertel"),
    dot="Punkt", slash="Schrägstrich", at="ät", dash="Strich", underscore="Unterstrich",
    time="{0} Uhr {1}", full_hour="{0} Uhr",
    currencies={"$": ("Dollar", "Dollar"), "€": ("Euro", "Euro"), "£": ("Pfund", "Pfund"),
                "¥": ("Yen", "Yen"), "₹": ("Rupie", "Rupien")},
    cents="{0} {1}",
    magnitudes=("Tausend", "Millionen", "Million", "Milliarden", "Milliarde", "Mio.", "Mrd."),
    abbreviations={
        "z. B.": "zum Beispiel", "z.B.": "zum Beispiel", "d. h.": "das heißt", "d.h.": "das heißt",
        "u. a.": "unter anderem", "u.a.": "unter anderem", "usw.": "und so weiter", "bzw.": "beziehungsweise",
        "ca.": "circa", "Dr.": "Doktor", "Prof.": "Professor", "Hr.": "Herr", "Fr.": "Frau",
        "v. Chr.": "vor Christus", "Mio.": "Millionen", "Mrd.": "Milliarden",
    },
    before_numbers={
        "Nr.": "Nummer", "Abb.": "Abbildung", "S.": "Seite", "Kap.": "Kapitel", "#": "Nummer",
    },
    greek={**_GREEK, "μ": "mü", "ν": "nü"},
)  # fmt: skip

PORTUGUESE = Phrases(
    signs=_signs(
        "= é igual a; ≠ é diferente de; ≈ é aproximadamente; + mais; ± mais ou menos; × vezes; · vezes; "
        "÷ dividido por; < é menor que; > é maior que; ≤ é menor ou igual a; ≥ é maior ou igual a; "
        "√ raiz quadrada de; ∞ infinito; ∑ a soma de; ∫ a integral de; → para; & e; § seção; © copyright"
    ),
    minus="menos", over="sobre", to="a", power="{0} elevado a {1}", squared="ao quadrado", cubed="ao cubo",
    fractions=_fractions("um meio; um terço; dois terços; um quarto; três quartos"),
    dot="ponto", slash="barra", at="arroba", dash="hífen", underscore="sublinhado",
    time="{0} e {1}", full_hour="{0} horas",
    currencies={"R$": ("real", "reais"), "$": ("dólar", "dólares"), "€": ("euro", "euros"),
                "£": ("libra", "libras"), "¥": ("iene", "ienes"), "₹": ("rupia", "rupias")},
    cents="{0} e {1}",
    magnitudes=("mil milhões", "milhões", "milhão", "bilhões", "bilhão", "mil"), of="de",
    abbreviations={
        "Sr.": "senhor", "Sra.": "senhora", "Dr.": "doutor", "Dra.": "doutora", "Prof.": "professor",
        "p. ex.": "por exemplo", "p.ex.": "por exemplo", "etc.": "et cetera",
        "aprox.": "aproximadamente", "EUA": "Estados Unidos", "a.C.": "antes de Cristo",
    },
    before_numbers={
        "n.º": "número", "nº": "número", "pág.": "página", "fig.": "figura", "#": "número",
    },
    greek={**_GREEK, "β": "beta", "μ": "mi", "φ": "fi"},
)  # fmt: skip

ITALIAN = Phrases(
    signs=_signs(
        "= è uguale a; ≠ è diverso da; ≈ è circa; + più; ± più o meno; × per; · per; ÷ diviso; "
        "< è minore di; > è maggiore di; ≤ è minore o uguale a; ≥ è maggiore o uguale a; "
        "√ la radice quadrata di; ∞ infinito; ∑ la somma di; ∫ l'integrale di; → a; & e; "
        "§ paragrafo; © copyright"
    ),
    minus="meno", over="su", to="a", power="{0} alla {1}", squared="al quadrato", cubed="al cubo",
    fractions=_fractions("un mezzo; un terzo; due terzi; un quarto; tre quarti"),
    dot="punto", slash="barra", at="chiocciola", dash="trattino", underscore="trattino basso",
    time="{0} e {1}", full_hour="{0} in punto",
    currencies={"$": ("dollaro", "dollari"), "€": ("euro", "euro"), "£": ("sterlina", "sterline"),
                "¥": ("yen", "yen"), "₹": ("rupia", "rupie")},
    cents="{0} e {1}",
    magnitudes=("mila", "milioni", "milione", "miliardi", "miliardo"), of="di",
    abbreviations={
        "Sig.": "signor", "Sig.ra": "signora", "Dott.": "dottor", "Dott.ssa": "dottoressa",
        "Prof.": "professor",
        "ad es.": "ad esempio", "p.es.": "per esempio", "ecc.": "eccetera",
        "ca.": "circa", "a.C.": "avanti Cristo", "d.C.": "dopo Cristo",
    },
    before_numbers={
        "n.": "numero", "n°": "numero", "pag.": "pagina", "fig.": "figura", "#": "numero",
    },
    greek={**_GREEK, "φ": "fi", "χ": "chi", "μ": "mi"},
)  # fmt: skip

PHRASES: Mapping[str, Phrases] = {
    "en": ENGLISH, "hi": HINDI, "es": SPANISH, "fr": FRENCH, "de": GERMAN, "pt": PORTUGUESE, "it": ITALIAN,
}  # fmt: skip
