"""The forms of JSON that generators and checks want of a model."""

from __future__ import annotations

from pydantic import Field

from evalsuite.asking.forms import Form


class Question(Form):
    """A question alone."""

    question: str = Field(min_length=1)


class QuestionAnswer(Form):
    """A question with its answer."""

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)


class ProvenPair(QuestionAnswer):
    """A question with its answer and the passage that proves it."""

    quote: str = Field(min_length=1)


class ProvenPairs(Form):
    """Several of them."""

    pairs: list[ProvenPair] = Field(min_length=1)


class Grades(Form):
    """A judge's grades of two entries."""

    first: int = Field(ge=1, le=5)
    second: int = Field(ge=1, le=5)
    reason: str = ""


class Better(Form):
    """Which of two answers a judge finds better; 0: neither."""

    better: int = Field(ge=0, le=2)
    reason: str = ""
