"""Replies that must be JSON of a certain form: checked, and sent back with what is wrong."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
)

from evalsuite.asking.desk import Desk
from evalsuite.asking.requests import ChatRequest, Receipt, Turn
from evalsuite.scorers.json_text import NotJson, parse

_OUTERMOST = re.compile(r"\{.*\}", re.DOTALL)
_SHOWN = 300


class Form(BaseModel):
    """Base of all wanted forms: unknown keys are passed over, blank texts refused."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)


FormT = TypeVar("FormT", bound=Form)


class Words(Protocol):
    """Has the words of a request."""

    def render(self, name: str, **fields: Any) -> str:
        """Return the prompt `name`; `repair`, with `problem`, is asked for here."""
        ...


def _no_truth(value: Any) -> Any:
    """Refuse true and false, which pydantic would read as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a whole number, not true or false")
    return value


class Scored(Form):
    """A judge's grade of one entry; its bounds are checked where the scale is known."""

    score: Annotated[int, BeforeValidator(_no_truth)]
    reason: str = ""


def scored_from(least: int, most: int) -> type[Scored]:
    """Return the form of a grade on a scale.

    >>> scored_from(0, 3).model_validate({"score": 3}).score
    3
    """
    grade = Annotated[int, BeforeValidator(_no_truth), Field(ge=least, le=most)]
    return create_model("Scored", __base__=Scored, score=(grade, ...))


class BadOutput(Exception):
    """The model did not give the wanted form, even after repairs."""

    def __init__(self, problem: str, raw: str, receipts: list[Receipt], *, cut: bool) -> None:
        super().__init__(problem)
        self.problem = problem
        self.raw = raw
        """Its last reply."""
        self.receipts = receipts
        """What was paid for."""
        self.cut = cut
        """Whether that reply ended at the token limit."""


async def ask_form(
    desk: Desk, prompts: Words, request: ChatRequest, form: type[FormT], repairs: int
) -> tuple[FormT, list[Receipt]]:
    """Ask for JSON of a form; a reply that is not is sent back with the problem.

    Args:
        desk: whom to ask.
        prompts: has the words of the repair.
        request: the first question; its `form` is filled in here.
        form: what the reply must be.
        repairs: how often a bad reply is sent back.

    Raises:
        BadOutput: the last reply is still not of that form.
        RequestFailed, BudgetGone, Interrupted, WorkError: as `Desk.ask`.
    """
    shape = (form.__name__, json.dumps(form.model_json_schema(), sort_keys=True))
    messages = request.messages
    receipts: list[Receipt] = []
    for left in range(repairs, -1, -1):
        asked = ChatRequest(
            messages,
            request.temperature,
            request.top_p,
            request.max_tokens,
            request.seed,
            request.sample,
            shape,
        )
        reply, receipt = await desk.ask(asked)
        receipts.append(receipt)
        try:
            return read_form(reply.text, form), receipts
        except ValueError as error:
            problem = str(error)
        if left == 0:
            raise BadOutput(problem, reply.text, receipts, cut=reply.cut)
        again = prompts.render("repair", problem=problem)
        messages = (*request.messages, Turn("assistant", reply.text), Turn("user", again))
    raise AssertionError("the loop ends by return or raise")


def read_form(text: str, form: type[FormT]) -> FormT:
    """Return the form that a reply holds: bare, in a code fence, or with words around it.

    Raises:
        ValueError: what is wrong, in words that a model can act on.

    >>> read_form('Sure! {"score": 3}', Scored).score
    3
    """
    try:
        value = _json_in(text)
    except NotJson as error:
        raise ValueError(f"it is not JSON ({error})") from None
    try:
        return form.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the object"
        raise ValueError(f"{place}: {first['msg']}"[:_SHOWN]) from None


def _json_in(text: str) -> Any:
    text = text.rpartition("</think>")[2]  # what a model thought aloud is not its reply
    try:
        return parse(text)
    except NotJson:
        inner = _OUTERMOST.search(text)
        if inner is None or inner.group() == text.strip():
            raise
        return parse(inner.group())
