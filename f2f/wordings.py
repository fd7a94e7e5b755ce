"""Which of a model's translations is spoken: quality first, alone and in context, then length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from f2f.candidates import Candidate
from f2f.context_ranking import Ranked, choose_in_context
from f2f.engines.segment_translation import ContextModel
from f2f.errors import EngineUnavailableError
from f2f.length_control import Pace, wording_chooser
from f2f.results import Segment
from f2f.stage import StageContext


@dataclass(frozen=True)
class Wording:
    """What is said in one segment.

    Attributes:
        candidates: all translations, best first.
        chosen: index of the one to speak.
        is_by_context: without the sentences before it another one would be spoken.
    """

    candidates: tuple[Candidate, ...]
    chosen: int
    is_by_context: bool = False

    @classmethod
    def only(cls, text: str) -> Wording:
        """Return the wording of a text of which there is no other."""
        return cls((Candidate(text),), 0)


@dataclass(frozen=True)
class ChoiceTerms:
    """By what is chosen.

    Attributes:
        language: code of the target language.
        pace: how much time there is, and how fast the voice is.
        n_before: how many sentences before one count; 0 for none.
    """

    language: str
    pace: Pace
    n_before: int = 0


def choose_wordings(
    translations: Sequence[Sequence[Candidate]],
    segments: Sequence[Segment],
    model: ContextModel,
    terms: ChoiceTerms,
    context: StageContext,
) -> list[Wording]:
    """Choose for each segment what is spoken, and say how often that is not the model's own best.

    Args:
        translations: of each segment, best first, never none.
        segments: in time order.
        model: that made the translations, to judge them once more.
        terms: language, time, and sentences before.
        context: told of the choice.
    """
    choose = wording_chooser(segments, terms.language, terms.pace)
    alone = [Ranked(tuple(found), choose(i, found)) for i, found in enumerate(translations)]
    ranked = alone
    if terms.n_before:
        try:
            ranked = choose_in_context(
                translations, segments, terms.n_before, model.score, choose,
                lambda done, total: context.progress(done, total, "segments in context"),
            )  # fmt: skip
        except (EngineUnavailableError, RuntimeError) as error:  # no memory, above all
            reason = " ".join(str(error).split())[:200]
            context.notice(f"each segment is translated without regard to the one before it: {reason}")
    wordings = [
        Wording(one.candidates, one.chosen, one.text != before.text)
        for one, before in zip(ranked, alone, strict=True)
    ]
    n_shorter, n_other = sum(one.chosen > 0 for one in wordings), sum(one.is_by_context for one in wordings)
    if n_shorter:
        context.notice(
            f"{n_shorter} of {len(segments)} segments take a shorter wording than the model's best, to fit "
            "their time at a natural rate"
        )
    if n_other:
        context.notice(
            f"{n_other} of {len(segments)} segments take another wording than alone, because of what is said "
            "before them"
        )
    return wordings
