"""Instruction-following difficulty: how little a prompt helps a model to the answer."""

from __future__ import annotations

from collections.abc import Sequence

from curate.steps.base import StepContext
from curate.steps.scoring.base import Found, Measured, Record
from curate.steps.scoring.chats import (
    NotScored,
    Passage,
    answer_opening,
    check_known,
    check_length,
    passage,
    supervised,
    trained_chat,
)
from curate.steps.scoring.configs import Ifd
from curate.steps.scoring.language_model import (
    TOO_LARGE,
    LanguageModelScorer,
    by_passages,
    exponential,
    finite,
)
from evalsuite.engine.passes import TOKENS, batches
from workspace.errors import DataError

Pair = tuple[Passage, Passage]


class IfdScorer(LanguageModelScorer):
    """IFD = exp(S(A | Q) / N) / exp(S(A) / N), with N tokens of the answer A and S = −Σ ln p.

    Li et al., arXiv 2308.12032, who divide the mean losses, S(A | Q) / S(A); the ratio of the
    perplexities is that of their Superfiltering, arXiv 2402.00530. Both are 1 for the same rows:
    where the prompt Q helps nothing. Above 1 it misleads: prompt and answer hardly belong
    together.

    A is the last answer of the row with its end token, the same tokens in both; Q is all before
    it. Without Q the answer follows the words with which the template opens an answer, so that
    they count on both sides. The authors' code puts nothing before it and no template around.
    """

    def __init__(self, config: Ifd, context: StepContext) -> None:
        if context.type == "text":
            raise DataError(
                "plain text has no prompt",
                where="score.ifd",
                cause="Instruction-following difficulty compares answers with and without one.",
                cure="Use `perplexity` for plain text.",
            )
        super().__init__("ifd", config, context)
        self.columns: tuple[str, ...] = (config.column,)
        self.opening = answer_opening(self.model.tokenizer)

    def measure(self, records: Sequence[Record]) -> Found:
        """Yield the difficulty of each row."""
        yield from by_passages(records, self._pair, self._measure)

    def _pair(self, record: Record) -> Pair:
        model = self.model
        chat = trained_chat(model.tokenizer, supervised(record, self.kind))
        if not chat.turns:
            raise NotScored("there is no answer")
        start, end = chat.turns[-1]
        answer = chat.input_ids[start:end]
        if not start:
            raise NotScored("there is no prompt")
        asked = passage(chat.input_ids[:end], [False] * start + [True] * len(answer))
        check_length(chat.input_ids[:end], model.context)
        check_known(chat.input_ids[:end], model.vocabulary, model.tokenizer)
        alone = passage(
            [*self.opening, *answer], [False] * len(self.opening) + [True] * len(answer)
        )
        if not self.opening:  # nothing predicts the first token: it counts on neither side
            asked = passage(
                list(asked.ids), [*([False] * (start + 1)), *([True] * (len(answer) - 1))]
            )
        return asked, alone

    def _measure(self, pairs: Sequence[Pair]) -> Found:
        """Read both sides of the rows of one batch before the next: what is done is whole."""

        def fits(rows: int, longest: int) -> bool:
            return rows * longest <= TOKENS

        for some in batches([len(asked.ids) for asked, _ in pairs], fits):
            asked = self._sums([pairs[place][0] for place in some])
            alone = self._sums([pairs[place][1] for place in some])
            found = [
                self._found(pairs[place], with_prompt, without)
                for place, with_prompt, without in zip(some, asked, alone, strict=True)
            ]
            yield some, found

    def _sums(self, passages: Sequence[Passage]) -> list[float | None]:
        sums: dict[int, float | None] = {}
        for places, found in self.language_model.surprises(passages):
            sums.update(zip(places, found, strict=True))
        return [sums[place] for place in range(len(passages))]

    def _found(self, pair: Pair, asked: float | None, alone: float | None) -> Measured:
        if asked is None or alone is None:
            return TOO_LARGE
        return finite(exponential((asked - alone) / len(pair[0].answer)))
