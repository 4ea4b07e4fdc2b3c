"""A budget that cannot be overspent: room is taken before a request is sent, for its worst case."""

from __future__ import annotations

import asyncio

from evalsuite.asking.budget import Budget
from evalsuite.asking.requests import Usage


class BudgetGone(Exception):
    """The next request could exceed the budget."""

    def __init__(self, limit: str) -> None:
        super().__init__(limit)
        self.limit = limit
        """Which limit: `money`, `tokens` or `requests`."""


class Purse:
    """What may still be spent. One event loop; no locks beyond its own."""

    def __init__(
        self, budget: Budget, *, spent: Usage | None = None, unsure: Usage | None = None
    ) -> None:
        self.budget = budget
        self.spent = spent or Usage()
        """What is known to have been used, by earlier runs too."""
        self.unsure = unsure or Usage()
        """What requests of unknown outcome may have used."""
        self.reserved = Usage()
        """What requests under way may use at most."""
        self.under_way = 0
        """Requests that hold room."""
        self._settled = asyncio.Condition()

    async def reserve(self, worst: Usage) -> None:
        """Take room for a request; waits for others to end where that may make room.

        Raises:
            BudgetGone: there is no room and nothing under way.
        """
        async with self._settled:
            while (limit := self._exceeded_with(worst)) is not None:
                if self.under_way == 0:
                    raise BudgetGone(limit)
                await self._settled.wait()
            self.reserved += worst
            self.under_way += 1

    async def settle(self, worst: Usage, used: Usage | None) -> None:
        """Give back the room of a request that ended; `used` None: what it used is not known."""
        async with self._settled:
            self.reserved -= worst
            self.under_way -= 1
            if used is None:
                self.unsure += worst
            else:
                self.spent += used
            self._settled.notify_all()

    def _exceeded_with(self, worst: Usage) -> str | None:
        total = self.spent + self.unsure + self.reserved + worst
        checks = (
            ("money", self.budget.money, total.money),
            ("tokens", self.budget.tokens, total.tokens),
            ("requests", self.budget.requests, total.requests),
        )
        # A sum of many prices is right to about 1e-12; a budget must allow what it just covers.
        return next(
            (name for name, most, sum_ in checks if most is not None and sum_ > most * (1 + 1e-9)),
            None,
        )
