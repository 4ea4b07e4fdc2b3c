"""A judge at work: an event loop in a thread of its own, with one log, one purse, one model.

The steps of a curation are plain functions; requests run side by side in the loop, and what comes
back is handed over in batches.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator, Sequence
from pathlib import Path

from curate.steps.scoring.base import Found, Measured
from curate.steps.scoring.configs import Judge
from curate.synth.templates import Prompts
from evalsuite.asking.desk import Interrupted, RequestFailed
from evalsuite.asking.forms import BadOutput, ask_form
from evalsuite.asking.judge import JudgeRoom
from evalsuite.asking.purse import BudgetGone
from evalsuite.asking.requests import ChatRequest, Turn
from workspace.errors import WorkError

_POLL_SECONDS = 0.2
"""How often a wait for answers is interrupted, so that a stop is noticed."""


class RowJudge(JudgeRoom[Judge]):
    """Asks one judge for grades; what was paid for is in the log before anyone sees it."""

    def __init__(self, config: Judge, prompts: Prompts, base_dir: Path, log: Path) -> None:
        """Open the log and the model.

        Raises:
            UsageError: another process uses the log, or the key is not in the environment.
            ModelError: there is no such local model.
        """
        self.prompts = prompts
        super().__init__(
            config,
            base_dir=base_dir,
            log=log,
            cure="Wait for it, or give the judge another rubric.",
        )

    def grades(self, entries: Sequence[str]) -> Found:
        """Yield grades as they come; an empty batch now and then, while none does.

        Raises:
            WorkError: the endpoint answers nobody; what it answered is kept.
        """
        answers: queue.Queue[tuple[int, Measured]] = queue.Queue()
        work = asyncio.run_coroutine_threadsafe(self._all(entries, answers), self._loop)
        try:
            while not work.done():
                yield _batch(answers, _POLL_SECONDS)
            yield _batch(answers, 0.0)
            work.result()
        finally:
            if not work.done():  # a stop: what is under way still ends and is kept
                self._loop.call_soon_threadsafe(self.desk.stopping.set)
                work.exception()

    async def _all(
        self, entries: Sequence[str], answers: queue.Queue[tuple[int, Measured]]
    ) -> None:
        async def one(place: int, entry: str) -> None:
            answers.put((place, await self._grade(entry)))

        asked = (one(place, entry) for place, entry in enumerate(entries))
        for found in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(found, BaseException) and not isinstance(found, Interrupted):
                raise found

    async def _grade(self, entry: str) -> Measured:
        least, most = self.config.scale
        text = self.prompts.render(
            "judge_score", entry=entry, rubric=self.config.rubric, least=least, most=most
        )
        request = ChatRequest(
            (Turn("user", text),), 0.0, 1.0, self.config.max_tokens, self.config.seed
        )
        try:
            found, _ = await ask_form(
                self.desk, self.prompts, request, self.form, self.config.repairs
            )
        except BadOutput as error:
            return Measured(reason=f"the judge's reply is no grade: {error.problem}")
        except RequestFailed as error:
            return Measured(reason=f"the request failed: {error}", lasting=False)
        except BudgetGone as error:
            return Measured(reason=f"the budget is gone: {error.limit}", lasting=False)
        except WorkError:
            self.desk.stopping.set()
            raise
        return Measured((float(found.score),))


def _batch(
    answers: queue.Queue[tuple[int, Measured]], seconds: float
) -> tuple[list[int], list[Measured]]:
    """Return what is there; waits a little for the first."""
    found = list(_waiting(answers, seconds))
    return [place for place, _ in found], [one for _, one in found]


def _waiting(
    answers: queue.Queue[tuple[int, Measured]], seconds: float
) -> Iterator[tuple[int, Measured]]:
    try:
        yield answers.get(timeout=seconds) if seconds else answers.get_nowait()
        while True:
            yield answers.get_nowait()
    except queue.Empty:
        return
