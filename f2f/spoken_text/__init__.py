"""Text as it is written becomes text as it is said, before a voice gets it.

``spell_out("₹5,00,000 में 5 km", "hi")`` gives "पाँच लाख रुपये में पाँच किलोमीटर".

Cardinals come from ``indic-numtowords`` (languages of India) and ``num2words`` (some fifty others), names of
units, currencies and months from CLDR (``babel``). What neither has, operators and abbreviations for
instance, is written down in ``phrases.py`` for English, Hindi, Spanish, French, German, Portuguese and
Italian; in other languages such signs stay as they are. A language whose numbers no library knows keeps its
digits.
"""

from f2f.spoken_text.speller import NumberStyle, has_number_words, spell_out

__all__ = ["NumberStyle", "has_number_words", "spell_out"]
