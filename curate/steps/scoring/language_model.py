"""Scores by a language model: loaded when first asked, rows that it cannot read told apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curate.steps.base import StepContext
from curate.steps.scoring.base import Found, Measured, Record
from curate.steps.scoring.chats import NotScored, Passage
from curate.steps.scoring.configs import Ifd, Perplexity
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


class LanguageModelScorer:
    """A score by the likelihood of answers under a language model on this machine."""

    def __init__(self, kind: str, config: Perplexity | Ifd, context: StepContext) -> None:
        self.model = scoring_model(config.model, config.revision, context)
        self.kind = context.type
        self.language_model = LanguageModel(self.model, config.dtype)
        self.described = f"{self.model.source.name} on this machine"
        self.fingerprint: Mapping[str, Any] = {
            "kind": kind,
            "version": VERSION,
            "type": context.type,
            "model": self.model.source.digest,
            "dtype": config.dtype,
        }

    def excused(self, source: str | None, user_id: str | None) -> str:
        """Any row may be scored."""
        return ""

    def notes(self) -> tuple[str, ...]:
        """Say that a template does not show what the assistant writes, where that matters."""
        if self.kind == "text" or self.model.tokenizer.finds_answers:
            return ()
        return (
            "The chat template does not show what the assistant writes: the last answer of each "
            "row was scored.",
        )

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
