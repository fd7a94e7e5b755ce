"""Languages as people name them, and as each engine spells them.

A :class:`Language` is a BCP-47 tag that ``langcodes`` knows. Engines use six different spellings of it; the
tables below hold what cannot be derived, each with its source, and the tests compare them with the engines'
own packages.
"""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass
from typing import Any

from f2f.errors import UsageError

# Codes of NLLB-200: language (ISO 639-3) and script, from the FLORES-200 list in the paper's Table 1,
# https://arxiv.org/abs/2207.04672.
_NLLB = """
ace_Arab ace_Latn acm_Arab acq_Arab aeb_Arab afr_Latn ajp_Arab aka_Latn als_Latn amh_Ethi apc_Arab
arb_Arab ars_Arab ary_Arab arz_Arab asm_Beng ast_Latn awa_Deva ayr_Latn azb_Arab azj_Latn bak_Cyrl
bam_Latn ban_Latn bel_Cyrl bem_Latn ben_Beng bho_Deva bjn_Arab bjn_Latn bod_Tibt bos_Latn bug_Latn
bul_Cyrl cat_Latn ceb_Latn ces_Latn cjk_Latn ckb_Arab crh_Latn cym_Latn dan_Latn deu_Latn dik_Latn
dyu_Latn dzo_Tibt ell_Grek eng_Latn epo_Latn est_Latn eus_Latn ewe_Latn fao_Latn fij_Latn fin_Latn
fon_Latn fra_Latn fur_Latn fuv_Latn gaz_Latn gla_Latn gle_Latn glg_Latn grn_Latn guj_Gujr hat_Latn
hau_Latn heb_Hebr hin_Deva hne_Deva hrv_Latn hun_Latn hye_Armn ibo_Latn ilo_Latn ind_Latn isl_Latn
ita_Latn jav_Latn jpn_Jpan kab_Latn kac_Latn kam_Latn kan_Knda kas_Arab kas_Deva kat_Geor kaz_Cyrl
kbp_Latn kea_Latn khk_Cyrl khm_Khmr kik_Latn kin_Latn kir_Cyrl kmb_Latn kmr_Latn knc_Arab knc_Latn
kon_Latn kor_Hang lao_Laoo lij_Latn lim_Latn lin_Latn lit_Latn lmo_Latn ltg_Latn ltz_Latn lua_Latn
lug_Latn luo_Latn lus_Latn lvs_Latn mag_Deva mai_Deva mal_Mlym mar_Deva min_Latn mkd_Cyrl mlt_Latn
mni_Beng mos_Latn mri_Latn mya_Mymr nld_Latn nno_Latn nob_Latn npi_Deva nso_Latn nus_Latn nya_Latn
oci_Latn ory_Orya pag_Latn pan_Guru pap_Latn pbt_Arab pes_Arab plt_Latn pol_Latn por_Latn prs_Arab
quy_Latn ron_Latn run_Latn rus_Cyrl sag_Latn san_Deva sat_Beng scn_Latn shn_Mymr sin_Sinh slk_Latn
slv_Latn smo_Latn sna_Latn snd_Arab som_Latn sot_Latn spa_Latn srd_Latn srp_Cyrl ssw_Latn sun_Latn
swe_Latn swh_Latn szl_Latn tam_Taml taq_Latn taq_Tfng tat_Cyrl tel_Telu tgk_Cyrl tgl_Latn tha_Thai
tir_Ethi tpi_Latn tsn_Latn tso_Latn tuk_Latn tum_Latn tur_Latn twi_Latn tzm_Tfng uig_Arab ukr_Cyrl
umb_Latn urd_Arab uzn_Latn vec_Latn vie_Latn war_Latn wol_Latn xho_Latn ydd_Hebr yor_Latn yue_Hant
zho_Hans zho_Hant zsm_Latn zul_Latn
"""
NLLB_CODES = frozenset(_NLLB.split())

# ISO 639-3 macrolanguages, and the member that NLLB-200 was trained on.
_NLLB_MEMBER = {
    "ara": "arb", "aym": "ayr", "aze": "azj", "cmn": "zho", "est": "est", "fas": "pes", "fil": "tgl",
    "ful": "fuv", "kau": "knc", "kur": "kmr", "lav": "lvs", "mlg": "plt", "mon": "khk", "msa": "zsm",
    "nep": "npi", "nor": "nob", "ori": "ory", "orm": "gaz", "pus": "pbt", "que": "quy", "sqi": "als",
    "swa": "swh", "uzb": "uzn", "yid": "ydd", "din": "dik",
}  # fmt: skip

# Languages of facebook/m2m100_418M, https://arxiv.org/abs/2010.11125, Table 1 (its own two-letter codes).
_M2M100 = """
af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu ha he hi hr ht
hu hy id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr ms my ne nl no ns oc or pa pl
ps pt ro ru sd si sk sl so sq sr ss su sv sw ta th tl tn tr uk ur uz vi wo xh yi yo zh zu
"""
M2M100_CODES = frozenset(_M2M100.split())
_M2M100_SPELLING = {"cmn": "zh", "fil": "tl", "nb": "no", "nn": "no", "nso": "ns"}

# Languages of openai-whisper (``whisper.tokenizer.LANGUAGES``).
_WHISPER = """
af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu
hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt
ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh
"""
WHISPER_CODES = frozenset(_WHISPER.split())
_WHISPER_SPELLING = {"cmn": "zh", "fil": "tl", "jv": "jw", "nb": "no"}

# Languages of XTTS v2 (model card of coqui/XTTS-v2).
_XTTS = """
ar cs de en es fr hi hu it ja ko nl pl pt ru tr zh-cn
"""
XTTS_CODES = frozenset(_XTTS.split())

# Members of macrolanguages by which Marian models of several target languages call them, the first that a
# model has (model cards of opus-mt-en-zh, -en-iir, -en-gmq, -en-poz, -en-trk).
_MARIAN_MEMBERS = {
    "zho": ("cmn",), "fas": ("pes", "prs"), "nor": ("nob", "nno"), "msa": ("zsm", "zlm"), "ara": ("arb",),
    "swa": ("swh",), "est": ("ekk",), "lav": ("lvs",), "nep": ("npi",), "aze": ("azj",), "fil": ("tgl",),
    "nob": ("nor",), "sqi": ("als",), "mlg": ("plt",), "mon": ("khk",), "yid": ("ydd",), "ori": ("ory",),
}  # fmt: skip

# Helsinki-NLP/opus-mt names most languages by their two letters; this pair is the exception we rely on.
_MARIAN_TARGET = {"ja": "jap"}

_NO_LANGUAGE = {"und", "mul", "zxx", "mis", "root"}


@dataclass(frozen=True)
class Language:
    """One language, perhaps of one region or script.

    Attributes:
        code: standard BCP-47 tag, such as ``"hi"``, ``"pt-BR"``, ``"zh-Hans"``.
    """

    code: str

    @property
    def _tag(self) -> Any:
        return _langcodes().Language.get(self.code)

    @property
    def primary(self) -> str:
        """The tag without region and script: ``"pt"`` for ``"pt-BR"``."""
        return str(self._tag.language)

    @property
    def name(self) -> str:
        """English name, such as ``"Hindi"``."""
        return str(self._tag.display_name("en"))

    @property
    def endonym(self) -> str:
        """The language's own name of itself, such as ``"हिन्दी"``."""
        return str(self._tag.autonym())

    @property
    def script(self) -> str:
        """ISO 15924 code of the script it is usually written in, such as ``"Deva"``."""
        return str(self._tag.maximize().script)

    @property
    def iso639_2(self) -> str:
        """Three-letter code for track tags of MP4 and Matroska, such as ``"hin"``."""
        return str(self._tag.to_alpha3())

    @property
    def nllb(self) -> str | None:
        """Code of NLLB-200, such as ``"hin_Deva"``; None where it was not trained on the language."""
        alpha3 = _NLLB_MEMBER.get(self.iso639_2, self.iso639_2)
        if alpha3 == "pes" and self._tag.territory == "AF":
            alpha3 = "prs"  # Dari
        own = f"{alpha3}_{self.script}"
        if own in NLLB_CODES:
            return own
        # langcodes does not know the script of rare languages; NLLB has just one for most of them.
        written = [code for code in NLLB_CODES if code.startswith(f"{alpha3}_")]
        return written[0] if len(written) == 1 and self._tag.script is None else None

    @property
    def m2m100(self) -> str | None:
        """Code of M2M-100, None where it does not know the language."""
        code = _M2M100_SPELLING.get(self.primary, self.primary)
        return code if code in M2M100_CODES else None

    @property
    def whisper(self) -> str | None:
        """Code of openai-whisper, None where it does not know the language."""
        code = _WHISPER_SPELLING.get(self.primary, self.primary)
        return code if code in WHISPER_CODES else None

    @property
    def xtts(self) -> str | None:
        """Code of Coqui XTTS v2, None where it does not speak the language."""
        code = "zh-cn" if self.primary in {"zh", "cmn"} else self.primary
        return code if code in XTTS_CODES else None

    def marian_pair(self, target: Language) -> str:
        """Name of the pair in ``Helsinki-NLP/opus-mt-{pair}``, such as ``"en-hi"``."""
        spelling = {"cmn": "zh", "fil": "tl", "nb": "no"}
        source_code = spelling.get(self.primary, self.primary)
        target_code = spelling.get(target.primary, target.primary)
        return f"{source_code}-{_MARIAN_TARGET.get(target_code, target_code)}"

    @property
    def marian_codes(self) -> tuple[str, ...]:
        """What Marian models of several target languages may call it in ``>>code<<``, the closest first.

        Older models say ``>>pt_br<<`` and ``>>pt<<``, newer ones ``>>srp_Cyrl<<`` and ``>>srp<<``; their
        capitals vary.
        """
        alpha3 = (self.iso639_2, *_MARIAN_MEMBERS.get(self.iso639_2, ()))
        region = (f"{self.primary}_{self._tag.territory}",) if self._tag.territory else ()
        return (*region, *(f"{one}_{self.script}" for one in alpha3), *alpha3, self.primary)

    def matches(self, other: Language) -> bool:
        """Whether both are the same language, where a missing region or script stands for any."""
        mine, theirs = self._tag, other._tag
        if _MACRO.get(mine.language, mine.language) != _MACRO.get(theirs.language, theirs.language):
            return False
        if mine.territory and theirs.territory and mine.territory != theirs.territory:
            return False
        return not (mine.script and theirs.script and mine.script != theirs.script)

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"


_MACRO = {"cmn": "zh", "nb": "no", "tl": "fil", "arb": "ar", "pes": "fa"}


@functools.lru_cache(maxsize=512)
def parse_language(text: str) -> Language:
    """Return the language that ``text`` names: a tag ("hi", "hin", "pt-BR") or a name ("hindi", "हिन्दी").

    Raises:
        UsageError: no such language; the message has the nearest ones.
    """
    wanted = text.strip().replace("_", "-")
    return _by_tag(wanted) or _by_name(wanted) or _unknown(text)


def find_language(text: str | None) -> Language | None:
    """Return the language of a track tag or a part of a file name, None where it names none.

    Only tags count ("hi", "hin", "pt-BR"), not names: "lecture.final.srt" is not in a language "final".
    """
    return _by_tag(text.strip().replace("_", "-")) if text else None


def detect_language(text: str) -> Language | None:
    """Return the language that ``text`` is written in, None where that is not clear.

    At least 30 letters are asked for, and a lead of 10 nats over the next language: shorter texts and
    closer decisions were often wrong on single sentences. Only languages that some engine here can
    recognise or translate are considered.

    Raises:
        UsageError: the package for it is not installed.
    """
    # Vowel signs count: in Indic scripts they are as many as the letters.
    if sum(unicodedata.category(character)[0] in "LM" for character in text) < 30:
        return None
    try:
        import py3langid
    except ImportError as exc:
        raise UsageError(
            "the language of the captions is not said, and py3langid is not here to recognise it: "
            "add --from LANG, or run: pip install py3langid"
        ) from exc
    served = M2M100_CODES | WHISPER_CODES
    ranked = [(str(code), float(score)) for code, score in py3langid.rank(text[:20000]) if code in served]
    return _by_tag(ranked[0][0]) if ranked[0][1] - ranked[1][1] >= 10 else None


def _langcodes() -> Any:
    try:
        import langcodes
    except ImportError as exc:
        raise UsageError('language names need langcodes: pip install "f2f[standard]"') from exc
    return langcodes


def _by_tag(tag: str) -> Language | None:
    langcodes = _langcodes()
    try:
        parsed = langcodes.Language.get(tag)
    except (langcodes.tag_parser.LanguageTagError, ValueError):
        return None
    known = parsed.is_valid() and parsed.language and parsed.language not in _NO_LANGUAGE
    if not known or parsed.display_name("en").startswith("Unknown language"):
        return None
    return Language(parsed.to_tag())


def _by_name(name: str) -> Language | None:
    if len(name) < 4 and name.isascii():  # "e" would be found as Ewe
        return None
    try:
        return Language(_langcodes().find(name).to_tag())
    except LookupError:
        return None


def _unknown(text: str) -> Language:
    import difflib

    names = {Language(code).name.lower(): Language(code) for code in sorted(M2M100_CODES - {"ns"})}
    near = [
        names[name] for name in difflib.get_close_matches(text.strip().lower(), list(names), n=3, cutoff=0.5)
    ]
    nearest = f"; nearest: {', '.join(f'{one.code} ({one.name})' for one in near)}" if near else ""
    raise UsageError(
        f"unknown language {text!r}{nearest if near else ''}; use a code such as hi, es, pt-BR, zh-Hans, "
        "or a name such as hindi"
    )
