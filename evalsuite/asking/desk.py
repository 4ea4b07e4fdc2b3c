"""Asking a model: never twice for the same, never beyond the budget, never unlogged."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from evalsuite.asking.backends.base import AttemptFailed, Backend
from evalsuite.asking.log import RequestLog
from evalsuite.asking.purse import Purse
from evalsuite.asking.requests import ChatRequest, Receipt, Reply, Usage
from workspace.errors import WorkError

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0
_TOLD_JITTER = 2.0
"""Least room for jitter, in seconds, on top of the wait that a server asks for."""
_FAILURES_IN_A_ROW = 24
"""So many requests given up with none answered between them: the server is broken, not the rows."""


class RequestFailed(Exception):
    """A request was given up; its row is lost, the job goes on."""


class Interrupted(Exception):
    """The job was asked to stop; nothing more is sent."""


@dataclass
class Counts:
    """What happened so far in this process."""

    answered: int = 0
    """Requests answered by a model."""
    remembered: int = 0
    """Requests found in the log."""
    failed: int = 0
    """Requests given up."""
    retried: int = 0
    """Attempts that were followed by another."""


class Desk:
    """One model with the log and the purse that all models of a job share."""

    def __init__(
        self,
        backend: Backend,
        log: RequestLog,
        purse: Purse,
        *,
        counts: Counts | None = None,
        stopping: asyncio.Event | None = None,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        self.backend = backend
        self.log = log
        self.purse = purse
        self.counts = counts or Counts()
        self.stopping = stopping or asyncio.Event()
        """Set it, and nothing more is sent; what is under way still ends and is kept."""
        self._told = told
        self._under_way: dict[str, asyncio.Future[Reply]] = {}
        self._answered_at = 0.0
        self._lost_in_a_row = 0
        self._random = random.Random()

    async def ask(self, request: ChatRequest) -> tuple[Reply, Receipt]:
        """Return the answer to a request: the one in the log, or a new one once it is in the log.

        Raises:
            RequestFailed: it was given up.
            BudgetGone: it could exceed the budget.
            Interrupted: the job is stopping.
            WorkError: the server answers nobody; the job should stop.
        """
        key = request.key(self.backend.model)
        known = self.log.find(key)
        if known is not None:
            self.counts.remembered += 1
        else:
            known = await self._once(key, request)
        self._told()
        receipt = Receipt(
            key,
            request.prompt_hash,
            self.backend.model,
            request.sent_seed,
            request.sample,
            known.usage,
        )
        return known, receipt

    async def _once(self, key: str, request: ChatRequest) -> Reply:
        """Let all who ask the same wait for one answer."""
        if key in self._under_way:
            return await asyncio.shield(self._under_way[key])
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._under_way[key] = answer
        try:
            reply = await self._persist(key, request)
        except BaseException as error:
            known = isinstance(error, Exception)
            answer.set_exception(error if known else Interrupted())
            answer.exception()  # nobody else may be waiting
            raise
        else:
            answer.set_result(reply)
            return reply
        finally:
            del self._under_way[key]

    async def _persist(self, key: str, request: ChatRequest) -> Reply:
        """Try until there is an answer, or until trying has no sense any more."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        attempt = tries = waits = 0
        while True:
            if self.stopping.is_set():
                raise Interrupted
            attempt += 1
            try:
                return await self._attempt(key, attempt, request)
            except AttemptFailed as failure:
                asked = failure.wait_seconds or 0.0
                if asked > self.backend.patience_seconds:
                    raise self._nobody_answers(failure) from None
                if failure.kind in ("refused", "unreachable"):
                    waits += 1
                    since = clock() - max(begun, self._answered_at)
                    if since + asked > self.backend.patience_seconds:
                        raise self._nobody_answers(failure) from None
                elif failure.kind == "fatal":
                    raise self._nobody_answers(failure) from None
                else:
                    tries += 1
                    if failure.kind == "rejected" or tries > self.backend.retries:
                        raise self._given_up(failure) from None
                self.counts.retried += 1
                await self._wait(failure, tries + waits)

    async def _attempt(self, key: str, attempt: int, request: ChatRequest) -> Reply:
        worst = self.backend.worst(request)
        async with self.backend.turn():
            if self.stopping.is_set():
                raise Interrupted
            await self.purse.reserve(worst)
            used: Usage | None = None
            try:
                if self.stopping.is_set():  # while it waited for room
                    used = Usage()
                    raise Interrupted
                await self.log.sent(key, attempt, worst)
                try:
                    reply = await self.backend.attempt(request, key)
                except AttemptFailed as failure:
                    used = failure.used
                    await self.log.failed(key, attempt, failure.detail, used)
                    raise
                used = reply.usage
                await self.log.done(key, attempt, self.backend.model, request.record(), reply)
            finally:
                await asyncio.shield(self.purse.settle(worst, used))
        self._answered_at = asyncio.get_running_loop().time()
        self._lost_in_a_row = 0
        self.counts.answered += 1
        return reply

    async def _wait(self, failure: AttemptFailed, failures: int) -> None:
        """Exponential backoff with full jitter (Brooker 2015); never shorter than asked for."""
        most = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(failures - 1, 20))
        if failure.wait_seconds is not None:  # the server knows better than a guess that doubles
            most = min(most, max(_TOLD_JITTER, failure.wait_seconds))
        seconds = self._random.uniform(0.0, most) + (failure.wait_seconds or 0.0)
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            return
        raise Interrupted

    def _given_up(self, failure: AttemptFailed) -> Exception:
        self.counts.failed += 1
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= _FAILURES_IN_A_ROW:
            return self._nobody_answers(failure)
        return RequestFailed(failure.detail)

    def _nobody_answers(self, failure: AttemptFailed) -> WorkError:
        return WorkError(
            "the endpoint does not answer",
            where=self.backend.described,
            cause=f"{failure.detail}.",
            cure="What was answered is kept: put it right, and the same command goes on.",
        )


Answer = tuple[Reply, Receipt]


async def all_that_answer(
    asks: Sequence[Coroutine[Any, Any, Answer]], paid: list[Receipt]
) -> list[Answer]:
    """Wait for all; return those that were answered, in order.

    None is cancelled for another's failure: it may be paid for already.

    Args:
        asks: what to ask.
        paid: gets the receipts of all answers, in order, also where something is raised.

    Raises:
        RequestFailed: none was answered.
        BudgetGone, Interrupted, WorkError: one of them was stopped by it.
    """
    found = await asyncio.gather(*asks, return_exceptions=True)
    answers = [one for one in found if not isinstance(one, BaseException)]
    paid += [receipt for _, receipt in answers]
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, RequestFailed):
            raise one
    for one in found:
        if isinstance(one, RequestFailed) and not answers:
            raise one
    return answers
