"""Perplexity and bits per byte of the answers under a model."""

from __future__ import annotations

import math
from collections.abc import Sequence

from curate.steps.base import StepContext
from curate.steps.scoring.base import Found, Measured, Record
from curate.steps.scoring.chats import (
    Passage,
    check_known,
    check_length,
    passage,
    supervised,
    trained_chat,
)
from curate.steps.scoring.configs import Perplexity
from curate.steps.scoring.language_model import (
    TOO_LARGE,
    LanguageModelScorer,
    by_passages,
    exponential,
    finite,
)


class PerplexityScorer(LanguageModelScorer):
    """With N trained tokens of a row, B bytes of text in them, and S = −Σ ln p(token | before):

    perplexity = exp(S / N); bits per byte = S / (ln 2 · B).

    Trained tokens are those of the loss mask that training uses, end tokens included; special
    tokens have no bytes. A row of type preference is scored by its chosen answer.
    """

    def __init__(self, config: Perplexity, context: StepContext) -> None:
        super().__init__("perplexity", config, context)
        own = config.name or config.kind
        self.columns: tuple[str, ...] = (own, f"{own}_bits_per_byte")

    def measure(self, records: Sequence[Record]) -> Found:
        """Yield perplexity and bits per byte of each row."""
        yield from by_passages(records, self._passage, self._measure)

    def _passage(self, record: Record) -> Passage:
        model = self.model
        chat = trained_chat(model.tokenizer, supervised(record, self.kind))
        found = passage(chat.input_ids, chat.loss_mask)
        check_length(chat.input_ids, model.context)
        check_known(chat.input_ids, model.vocabulary, model.tokenizer)
        return found

    def _measure(self, passages: Sequence[Passage]) -> Found:
        for places, sums in self.language_model.surprises(passages):
            yield (
                places,
                [self._found(passages[i], one) for i, one in zip(places, sums, strict=True)],
            )

    def _found(self, one: Passage, total: float | None) -> Measured:
        if total is None:
            return TOO_LARGE
        size = len(self.model.tokenizer.decode(one.answer).encode())
        per_byte = total / math.log(2) / size if size else math.inf
        return finite(exponential(total / len(one.answer)), per_byte)
