"""chrF and BLEU by sacrebleu: how much of a reference's characters or words is in the output."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from evalsuite.scorers.score import Score
from workspace.errors import UsageError
from workspace.recipe import Section

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    from evalsuite.tasks.item import Item


class _Overlap(Section):
    """What both have in common: sacrebleu, a score per answer, and the corpus's own figure."""

    several: ClassVar[bool] = True

    @cached_property
    def _metric(self) -> BLEU | CHRF:
        raise NotImplementedError

    def demand(self) -> str:
        """Return what a person should know.

        Raises:
            UsageError: sacrebleu is not installed.
        """
        if importlib.util.find_spec("sacrebleu") is None:
            raise UsageError(
                "sacrebleu is not installed",
                where="scorers chrf and bleu",
                cause="They are computed by it, so that figures agree with published ones.",
                cure='pip install "welltempered[text]", or use the scorer `rouge_l`.',
            )
        return ""

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        return None if gold.strip() else "an empty gold answer"

    def score(self, output: str, item: Item) -> Score:
        """Compare `output` with all right answers.

        Raises:
            UsageError: sacrebleu is not installed.
        """
        self.demand()
        found = self._metric.sentence_score(output, list(item.right_answers))
        # sacrebleu gives 100.00000000000004 for equal texts.
        value = round(min(1.0, max(0.0, found.score / 100)), 12)
        return Score(value, "" if value == 1.0 else str(found))

    def corpus(self, outputs: Sequence[str], items: Sequence[Item]) -> str:
        """Return the figure over all answers together, with sacrebleu's signature.

        That is what publications report; it is not the mean of the answers' own scores.
        """
        self.demand()
        most = max(len(item.right_answers) for item in items)
        # sacrebleu wants the n-th reference of every item, with None where there is none.
        references = [
            [item.right_answers[n] if n < len(item.right_answers) else None for item in items]
            for n in range(most)
        ]
        found = self._corpus_metric.corpus_score(list(outputs), references)  # type: ignore[arg-type]
        return f"{found} ({self._corpus_metric.get_signature()})"

    @cached_property
    def _corpus_metric(self) -> BLEU | CHRF:
        return self._metric


class ChrfScorer(_Overlap):
    """chrF of the answer, from 0 to 1 (Popović 2015); the corpus's figure is told in a note."""

    kind: Literal["chrf"] = "chrf"
    """Character n-grams in common, by sacrebleu: for translation, and for languages whose words
    have many forms."""
    word_order: Literal[0, 1, 2] = 0
    """Longest n-gram of words that counts too; 2 is chrF++."""
    ignore_case: bool = False
    """Pass over differences of case."""

    @cached_property
    def _metric(self) -> CHRF:
        from sacrebleu.metrics.chrf import CHRF

        return CHRF(word_order=self.word_order, lowercase=self.ignore_case)


class BleuScorer(_Overlap):
    """Sentence BLEU of the answer, from 0 to 1, with exponential smoothing (Chen and Cherry 2014);
    the corpus's BLEU is told in a note."""

    kind: Literal["bleu"] = "bleu"
    """Word n-grams in common, by sacrebleu. Of single answers it is a rough measure: `chrf` agrees
    better with people."""
    tokenize: Literal["13a", "intl", "char", "zh", "none"] = "13a"
    """How words are told apart: `13a` as in publications, `intl` for other scripts' punctuation,
    `char` by characters, `zh` for Chinese, `none` at white space."""
    ignore_case: bool = False
    """Pass over differences of case."""
    max_ngram_order: int = Field(default=4, ge=1, le=8)
    """Longest n-gram that counts."""

    @cached_property
    def _metric(self) -> BLEU:
        return self._made(effective_order=True)

    @cached_property
    def _corpus_metric(self) -> BLEU:
        return self._made(effective_order=False)

    def _made(self, *, effective_order: bool) -> BLEU:
        from sacrebleu.metrics.bleu import BLEU

        return BLEU(
            lowercase=self.ignore_case,
            force=True,  # without it sacrebleu warns of texts that look tokenised
            tokenize=self.tokenize,
            max_ngram_order=self.max_ngram_order,
            effective_order=effective_order,
        )
