"""Perplexity and bits per byte of the answers under a model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curate.steps.base import StepContext
from curate.steps.scoring.base import Found, Measured, Record
from curate.steps.scoring.chats import (
    NotScored,
    Passage,
    check_known,
    check_length,
    passage,
    supervised,
    trained_chat,
)
from curate.steps.scoring.configs import Perplexity
from curate.steps.scoring.models import ScoringModel, scoring_model

if TYPE_CHECKING:
    from evalsuite.engine.forward import Engine

VERSION = 2
"""Another number: what older versions computed is not looked up."""
TOO_LARGE = Measured(reason="this machine's memory does not suffice for it", lasting=False)


@dataclass
class LanguageModel:
    """A causal language model that is loaded when it is first asked."""

    model: ScoringModel
    dtype: str
    _engine: Engine | None = field(default=None, repr=False)

    def surprises(
        self, passages: Sequence[Passage]
    ) -> Iterator[tuple[list[int], list[float | None]]]:
        """Yield batches of places and summed negative log-likelihoods, in nats."""
        from curate.steps.scoring import likelihood

        if self._engine is None:
            pad = self.model.tokenizer.pad_id
            self._engine = likelihood.open_engine(self.model.path, self.dtype, pad)
        yield from likelihood.surprises(self._engine, passages)

    def close(self) -> None:
        """Let go of the weights."""
        self._engine = None


class PerplexityScorer:
    """With N trained tokens of a row, B bytes of text in them, and S = −Σ ln p(token | before):

    perplexity = exp(S / N); bits per byte = S / (ln 2 · B).

    Trained tokens are those of the loss mask that training uses, end tokens included; special
    tokens have no bytes. A row of type preference is scored by its chosen answer.
    """

    def __init__(self, config: Perplexity, context: StepContext) -> None:
        self.model = scoring_model(config.model, config.revision, context)
        self.kind = context.type
        self.language_model = LanguageModel(self.model, config.dtype)
        own = config.name or config.kind
        self.columns: tuple[str, ...] = (own, f"{own}_bits_per_byte")
        self.described = f"{self.model.source.name} on this machine"
        self.fingerprint: Mapping[str, Any] = {
            "kind": "perplexity",
            "version": VERSION,
            "type": context.type,
            "model": self.model.source.digest,
            "dtype": config.dtype,
        }

    def excused(self, source: str | None, user_id: str | None) -> str:
        """Any row may be scored."""
        return ""

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

    def notes(self) -> tuple[str, ...]:
        """Say where the template leaves more to guess."""
        return unmarked_note(self.model, self.kind)

    def close(self) -> None:
        """Let go of the weights."""
        self.language_model.close()


def by_passages(records: Sequence[Record], read: Any, measure: Any) -> Found:
    """Yield rows that cannot be read, with the reason, then what is measured of the others."""
    places: list[int] = []
    passages: list[Any] = []
    refused: list[int] = []
    reasons: list[Measured] = []
    for place, record in enumerate(records):
        try:
            passages.append(read(record))
            places.append(place)
        except NotScored as error:
            refused.append(place)
            reasons.append(Measured(reason=str(error)))
    if refused:
        yield refused, reasons
    if passages:
        for some, found in measure(passages):
            yield [places[i] for i in some], found


def exponential(value: float) -> float:
    """Return e to the `value`, infinity where a float cannot hold it."""
    return math.exp(value) if value < 709 else math.inf


def finite(*values: float) -> Measured:
    """Return numbers as what was found, or that they are none."""
    if all(map(math.isfinite, values)):
        return Measured(values)
    return Measured(reason="the model gives no finite number for it")


def unmarked_note(model: ScoringModel, kind: str) -> tuple[str, ...]:
    """Say that a template does not show what the assistant writes, where that matters."""
    if kind == "text" or model.tokenizer.finds_answers:
        return ()
    return (
        "The chat template does not show what the assistant writes: the last answer of each row "
        "was scored.",
    )
