"""Scorers: pure functions from an output and an item to a score.

Adding one is adding a file and its line in `ScorerConfig` and `ScorerKind`: the schema shows both.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from evalsuite.scorers.contains import ContainsScorer
from evalsuite.scorers.exact import ExactScorer
from evalsuite.scorers.json_fields import JsonScorer
from evalsuite.scorers.json_schema import JsonSchemaScorer
from evalsuite.scorers.normalised import NormalisedScorer
from evalsuite.scorers.numeric import NumericScorer, last_number
from evalsuite.scorers.score import Score


class ScorerKind(StrEnum):
    """Every scorer there is."""

    EXACT = "exact"
    NORMALISED = "normalised"
    CONTAINS = "contains"
    NUMERIC = "numeric"
    JSON = "json"
    JSON_SCHEMA = "json_schema"


def _named(value: Any) -> Any:
    """Allow `scorer: numeric` for `scorer: {kind: numeric}`."""
    return {"kind": value} if isinstance(value, str) else value


Scorer = (
    ExactScorer | NormalisedScorer | ContainsScorer | NumericScorer | JsonScorer | JsonSchemaScorer
)
ScorerConfig = Annotated[Scorer, Field(discriminator="kind"), BeforeValidator(_named)]

__all__ = [
    "ContainsScorer",
    "ExactScorer",
    "JsonSchemaScorer",
    "JsonScorer",
    "NormalisedScorer",
    "NumericScorer",
    "Score",
    "Scorer",
    "ScorerConfig",
    "ScorerKind",
    "last_number",
]
