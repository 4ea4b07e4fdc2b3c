"""Tasks that were not answered, and why: said, and never counted as kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evalsuite.models.template import TemplateRefused
from evalsuite.verdict import State
from workspace.errors import TemperError

Key = tuple[str, str]
"""(suite, task)."""


@dataclass(frozen=True)
class Unmeasured:
    """Why there are no scores for a task."""

    state: State
    """error, incompatible or not_run."""
    reason: str
    """One sentence, without a stop."""


Missing = Mapping[Key, Unmeasured]
"""Tasks without scores."""


def cannot_be_asked(error: TemperError) -> Unmeasured:
    """Return what an error in making a task's requests means.

    A template that fails on the task's messages is an error; a model that lacks what the task
    takes (a template, an end token, words of its vocabulary) is incompatible with it.
    """
    return Unmeasured(
        "error" if isinstance(error, TemplateRefused) else "incompatible", said(error)
    )


def said(error: TemperError) -> str:
    """Return an error in one line."""
    place = f"{error.where}: " if error.where else ""
    return f"{place}{error.title}{': ' if error.cause else ''}{error.cause.rstrip('.')}"


def why_not(keys: list[Key], *missing: Missing) -> Unmeasured | None:
    """Return why an ability that several tasks measure together has no scores; None if it has.

    One task without scores is enough: the others alone would measure something else.
    """
    for key in keys:
        for one in missing:
            if key in one:
                return Unmeasured(one[key].state, f"task {key[1]}: {one[key].reason}")
    return None
