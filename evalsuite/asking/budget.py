"""What asking models may cost."""

from __future__ import annotations

from pydantic import Field

from workspace.recipe import Section


class Budget(Section):
    """What may be spent over all runs of the same work; nothing is sent that could exceed it.

    Counted are the tokens that servers report, and for requests whose outcome is not known (a
    stall, a dropped connection, a kill) all that they might have cost.
    """

    money: float | None = Field(default=None, gt=0)
    """In the currency of the backends' prices."""
    tokens: int | None = Field(default=None, ge=1)
    """Prompts and answers together."""
    requests: int | None = Field(default=None, ge=1)
    """Requests sent, failed ones included."""
