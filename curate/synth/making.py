"""The loop: tasks in batches, each made, verified, compared and counted before the next.

Batches make the outcome independent of which request ends first: the same answers, from the log
or from the model, give the same rows. Everything that was paid for is in the log, so nothing here
needs to be saved.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from curate.reasons import Reason
from curate.synth.cells import Cell, Cursor, plan_batch
from curate.synth.generators.base import Bench, Draft, Lost, Task
from curate.synth.made import LostRow, MadeRow, Making, Stage, Standing
from curate.synth.novelty import Novelty
from curate.synth.verify import Refusal, Verifier
from evalsuite.asking.desk import Counts, Interrupted, RequestFailed
from evalsuite.asking.forms import BadOutput
from evalsuite.asking.purse import BudgetGone, Purse

DRAIN_SECONDS = 30.0
"""How long requests under way may still take once the job is asked to stop."""
_LOOK_SECONDS = 0.1


@dataclass
class _Outcome:
    """What one task gave."""

    rows: list[tuple[Draft, Refusal | None] | Lost] = field(default_factory=list)
    budget_gone: str = ""


class Maker:
    """Runs the loop in one event loop."""

    def __init__(
        self,
        cells: Sequence[Cell],
        bench: Bench,
        verifier: Verifier,
        novelty: Novelty,
        purse: Purse,
        *,
        counts: Counts,
        stopping: asyncio.Event,
        batch: int,
        at_once: int,
        give_up: float,
        stop_requested: Callable[[], bool],
        told: Callable[[Standing], None],
    ) -> None:
        self.cells = cells
        self.bench = bench
        self.verifier = verifier
        self.novelty = novelty
        self.purse = purse
        self.counts = counts
        self.stopping = stopping
        self.batch = batch
        # Rows that were begun are finished before others are: a budget that ends early has then
        # bought whole rows, not the first question of each.
        self._places = asyncio.Semaphore(at_once)
        self._budget_gone = ""
        self.give_up = give_up
        self.stop_requested = stop_requested
        self._told = told
        self._begun = time.monotonic()
        self._number = 0
        self.out = Making()

    async def run(self) -> Making:
        """Make rows until nothing is missing, nothing more can be made, or the budget is gone.

        Raises:
            Interrupted: the job was asked to stop.
            WorkError: the endpoint answers nobody, or the disk refuses.
        """
        while not self.out.budget_gone:
            if self.stop_requested():  # rules, and answers from the log, take no time
                raise Interrupted
            tasks = plan_batch(self.cells, self.batch)
            if not tasks:
                break
            outcomes = await self._watched(
                [self._one(cell, cursor, task) for cell, cursor, task in tasks]
            )
            self._count(tasks, outcomes)
            self.tell()
        return self.out

    def tell(self) -> None:
        """Say how far the job is."""
        wanted = sum(cell.deficit.wanted for cell in self.cells)
        seconds = time.monotonic() - self._begun
        accepted, lost = len(self.out.made), len(self.out.lost)
        self._told(Standing(accepted, wanted, lost, self.counts, self.purse, seconds))

    async def _watched(self, work: Sequence[Coroutine[Any, Any, _Outcome]]) -> list[_Outcome]:
        """Run a batch; end it soon, but not what is paid for, when a stop is asked for."""
        running = [asyncio.create_task(one) for one in work]
        watch = asyncio.create_task(self._watch(running))
        try:
            found = await asyncio.gather(*running, return_exceptions=True)
        finally:
            watch.cancel()
        errors = [one for one in found if isinstance(one, BaseException)]
        for error in errors:
            if not isinstance(error, Interrupted | asyncio.CancelledError):
                raise error
        if errors:
            raise Interrupted
        return [one for one in found if isinstance(one, _Outcome)]

    async def _watch(self, running: Sequence[asyncio.Task[_Outcome]]) -> None:
        deadline: float | None = None
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            broken = any(one.done() and not one.cancelled() and one.exception() for one in running)
            if (broken or self.stop_requested()) and deadline is None:
                deadline = time.monotonic() + DRAIN_SECONDS
                self.stopping.set()
            if deadline is None:
                continue
            if self.purse.under_way == 0 or time.monotonic() > deadline:
                for one in running:
                    one.cancel()

    async def _one(self, cell: Cell, cursor: Cursor, task: Task) -> _Outcome:
        """Make and verify the rows of one task, when its turn comes."""
        async with self._places:
            if self._budget_gone:
                return _Outcome(budget_gone=self._budget_gone)
            outcome = await self._made(cell, cursor, task)
            self._budget_gone = self._budget_gone or outcome.budget_gone
            return outcome

    async def _made(self, cell: Cell, cursor: Cursor, task: Task) -> _Outcome:
        """Make and verify the rows of one task; what fails costs its own row."""
        outcome, bench = _Outcome(), self.bench.cleared()
        try:
            made = await cursor.generator.make(task, bench)
        except RequestFailed as error:
            paid = tuple(bench.paid)
            made = [Lost(Reason.REQUEST_FAILED, str(error), task.parents, receipts=paid)]
        except BadOutput as error:
            reason = Reason.CUT_OUTPUT if error.cut else Reason.BAD_OUTPUT
            paid = tuple(bench.paid)
            made = [Lost(reason, error.problem, task.parents, error.raw, paid)]
        except BudgetGone as gone:
            outcome.budget_gone = gone.limit
            if bench.paid:
                detail = "the budget had no room for the rest of it"
                paid = tuple(bench.paid)
                outcome.rows.append(
                    Lost(Reason.REQUEST_FAILED, detail, task.parents, receipts=paid)
                )
            return outcome
        for row in made:
            if isinstance(row, Draft) and cell.lacks_not(row):
                detail = (
                    f"the answer is {row.answer[:80]!r}, and {cell.deficit.answer!r} is missing"
                )
                outcome.rows.append((row, Refusal(Reason.WRONG_ANSWER, detail)))
                continue
            if isinstance(row, Lost):
                outcome.rows.append(row)
                continue
            try:
                outcome.rows.append(await self.verifier.check(row))
            except BudgetGone as gone:
                outcome.budget_gone = gone.limit
                refusal = Refusal(Reason.NOT_CHECKED, "the budget had no room for its checks")
                outcome.rows.append((row, refusal))
        return outcome

    def _count(
        self, tasks: Sequence[tuple[Cell, Cursor, Task]], outcomes: Sequence[_Outcome]
    ) -> None:
        """Compare what was verified, accept what is new, in the order of the tasks."""
        rows = [
            (cell, cursor, task, place, row)
            for (cell, cursor, task), outcome in zip(tasks, outcomes, strict=True)
            for place, row in enumerate(outcome.rows)
        ]
        for outcome in outcomes:
            self.out.budget_gone = self.out.budget_gone or outcome.budget_gone
            self.out.unfinished += bool(outcome.budget_gone and not outcome.rows)
        passed = [
            (at, row[0])
            for at, (*_, row) in enumerate(rows)
            if not isinstance(row, Lost) and row[1] is None
        ]
        ids = [_row_id(cursor, task, place) for _, cursor, task, place, _ in rows]
        found = self.novelty.check(
            [draft for _, draft in passed],
            [ids[at] for at, _ in passed],
            [rows[at][1].generator.new_in for at, _ in passed],
        )
        new = {at: verdict for (at, _), verdict in zip(passed, found, strict=True)}
        for at, (cell, cursor, _, _, row) in enumerate(rows):
            accepted = self._enter(ids[at], cell, cursor, row, new.get(at))
            cell.note([accepted], self.give_up)

    def _enter(
        self,
        row_id: str,
        cell: Cell,
        cursor: Cursor,
        row: tuple[Draft, Refusal | None] | Lost,
        verdict: tuple[Refusal | None, float, str] | None,
    ) -> bool:
        """Put one row where it belongs; return whether it was accepted."""
        name, cell_name, number = cursor.generator.name, cell.deficit.name, self._number
        self._number += 1
        if isinstance(row, Lost):
            self.out.lost.append(
                LostRow(
                    row_id, name, cell_name, number, "generate", row.reason, row.detail,
                    row.parents, raw=row.raw, receipts=row.receipts,
                )
            )  # fmt: skip
            return False
        draft, refusal = row
        stage: Stage = "verify"
        if verdict is not None:
            refusal, stage = verdict[0], "novelty"
            if refusal is None and cell.missing == 0:
                refusal = Refusal(Reason.SURPLUS, f"{cell.deficit.wanted:,} rows were wanted")
        if refusal is not None:
            self.out.lost.append(
                LostRow(
                    row_id, name, cell_name, number, stage, refusal.reason, refusal.detail,
                    draft.parents, refusal.duplicate_of, draft, receipts=draft.receipts,
                )
            )  # fmt: skip
            return refusal.reason is Reason.SURPLUS
        assert verdict is not None  # what passed was compared
        self.out.made.append(
            MadeRow(row_id, draft, name, cell_name, number, verdict[1], verdict[2])
        )
        cell.accepted += 1
        return True


def _row_id(cursor: Cursor, task: Task, place: int) -> str:
    """Return an id that follows from how the row was made, so that a resumed job gives the same."""
    parts = [cursor.generator.name, cursor.place, cursor.cell, task.number, task.seed, place]
    parts += [parent.id for parent in task.parents]
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:32]


__all__ = ["LostRow", "MadeRow", "Maker", "Making", "Stage", "Standing"]
