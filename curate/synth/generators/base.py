"""What a generator is: from source rows to drafts, by a rule or by asking a model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar, Literal, Protocol

from curate.reasons import Reason
from curate.synth.generators.configs import Sampling
from curate.synth.seeds import Seed
from curate.synth.structured import Better
from curate.synth.templates import Prompts
from evalsuite.asking.desk import Answer, Desk, all_that_answer
from evalsuite.asking.forms import BadOutput, FormT, ask_form
from evalsuite.asking.requests import ChatRequest, Receipt, Turn

NewIn = Literal["bytes", "question", "answer"]
"""Where a draft must be new. `bytes`: it must differ at all, being near its parent by nature
(noise, slots, pairs of answers); `question`: there, the answer may stay; `answer`:
another answer to a known question, compared with those that are known."""


@dataclass(frozen=True)
class Draft:
    """A row that may come to be."""

    question: str
    answer: str
    """For a preference pair the better answer."""
    parents: tuple[Seed, ...]
    """What it was made from; the first is the nearest."""
    history: tuple[Turn, ...] = ()
    rejected: str | None = None
    """The worse answer of a preference pair."""
    label: str | None = None
    document: str | None = None
    receipts: tuple[Receipt, ...] = ()
    """What was paid for it."""
    verified: str = ""
    """How a verifier already found it right; empty: not yet looked at."""
    note: str = ""
    """What the rule did, in a few words."""
    passage: str = ""
    """The piece of the parent that it was made from, where that is not the whole."""


@dataclass(frozen=True)
class Lost:
    """A draft that did not come to be."""

    reason: Reason
    detail: str
    parents: tuple[Seed, ...]
    raw: str = ""
    """The model's last reply."""
    receipts: tuple[Receipt, ...] = ()


@dataclass(frozen=True)
class Task:
    """One act of making: which rows to look at, with which seed."""

    parents: tuple[Seed, ...]
    number: int
    """Counts the tasks of a generator for one cell."""
    nth: int
    """How often the first parent was taken before."""
    seed: int
    label: str | None = None
    """The label that is missing, where one is."""

    @property
    def rng(self) -> Random:
        """A random stream that is the same for the same task."""
        return Random(self.seed)


@dataclass(frozen=True)
class Bench:
    """What a generator works with."""

    prompts: Prompts
    repairs: int = 2
    desk: Desk | None = None
    """Who writes; None where no generator asks a model."""
    judge: Desk | None = None
    """Who compares answers, where a generator asks for that."""
    paid: list[Receipt] = field(default_factory=list)
    """All answers that one task got, also where nothing came of it."""

    def cleared(self) -> Bench:
        """Return the same bench for another task."""
        return Bench(self.prompts, self.repairs, self.desk, self.judge)

    @property
    def _asked(self) -> Desk:
        if self.desk is None:
            raise AssertionError("the recipe was checked: who asks has a backend")
        return self.desk

    async def ask(self, request: ChatRequest) -> Answer:
        """Ask the model. Raises as `Desk.ask`."""
        reply, receipt = await self._asked.ask(request)
        self.paid.append(receipt)
        return reply, receipt

    async def ask_all(self, requests: Sequence[ChatRequest]) -> list[Answer]:
        """Ask all at once; return the answers there are. Raises as `all_that_answer`."""
        return await all_that_answer([self._asked.ask(one) for one in requests], self.paid)

    async def compare(self, fields: Mapping[str, str], max_tokens: int, seed: int) -> int:
        """Ask the judge which of two answers is better: 1, 2, or 0 for neither.

        Raises:
            BadOutput, RequestFailed, BudgetGone, Interrupted, WorkError: as `ask_form`.
        """
        assert self.judge is not None  # the recipe was checked
        prompt = Turn("user", self.prompts.render("judge_compare", **fields))
        request = ChatRequest((prompt,), 0.0, 1.0, max_tokens, seed)
        try:
            found, paid = await ask_form(self.judge, self.prompts, request, Better, self.repairs)
        except BadOutput as error:
            self.paid.extend(error.receipts)
            raise
        self.paid.extend(paid)
        return found.better

    async def form(
        self, task: Task, prompt: str, form: type[FormT], how: Sampling, *, sample: int = 0
    ) -> tuple[FormT, list[Receipt]]:
        """Ask for JSON of a form, with the task's seed."""
        request = chat(prompt, how, task, sample)
        try:
            found, paid = await ask_form(self._asked, self.prompts, request, form, self.repairs)
        except BadOutput as error:
            self.paid.extend(error.receipts)
            raise
        self.paid.extend(paid)
        return found, paid


class Generator(Protocol):
    """One way of making rows."""

    name: ClassVar[str]
    new_in: ClassVar[NewIn]
    makes: ClassVar[Literal["same", "messages", "preference"]]
    """Type of the made rows; `same`: the source's, where it has a question and an answer."""

    def usable(self, seed: Seed) -> bool:
        """Whether rows can be made from this one."""
        ...

    def per_row(self) -> int | None:
        """How many tasks one source row gives at most; None: as many as wanted."""
        ...

    def expected(self) -> int:
        """How many rows one task should give."""
        ...

    def parents(self, task: Task, draw: Callable[[int], Sequence[Seed]]) -> tuple[Seed, ...]:
        """Return the rows to look at beside the first; `draw(n)` gives others of the cell."""
        ...

    async def make(self, task: Task, bench: Bench) -> list[Draft | Lost]:
        """Make the rows of one task.

        Raises:
            RequestFailed, BadOutput: nothing came of it; the caller accounts for it.
            BudgetGone, Interrupted, WorkError: as `Desk.ask`.
        """
        ...


class OneParent:
    """What most generators share: each task looks at one row that ends with a question."""

    def usable(self, seed: Seed) -> bool:
        """Whether there is a question."""
        return bool(seed.question)

    def expected(self) -> int:
        """One row."""
        return 1

    def parents(self, task: Task, draw: Callable[[int], Sequence[Seed]]) -> tuple[Seed, ...]:
        """Return the one row."""
        return task.parents


def chat(prompt: str, how: Sampling, task: Task, sample: int = 0) -> ChatRequest:
    """Return a request of one user turn."""
    return asked_in((Turn("user", prompt),), how, task, sample)


def asked_in(turns: tuple[Turn, ...], how: Sampling, task: Task, sample: int = 0) -> ChatRequest:
    """Return a request for the answer to a conversation."""
    return ChatRequest(turns, how.temperature, how.top_p, how.max_tokens, task.seed, sample)


def reworded(task: Task, question: str, receipts: Sequence[Receipt], note: str = "") -> Draft:
    """Return a draft with another question and the parent's answer, history and label."""
    parent = task.parents[0]
    return Draft(
        question=question,
        answer=parent.answer,
        parents=task.parents,
        history=parent.history,
        label=task.label or parent.label,
        document=parent.document,
        receipts=tuple(receipts),
        note=note,
    )


def seed_number(*parts: object) -> int:
    """Return a number below 2**31 from any parts; the same for the same parts everywhere."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


__all__ = [
    "Bench",
    "Draft",
    "Generator",
    "Lost",
    "NewIn",
    "OneParent",
    "Task",
    "asked_in",
    "chat",
    "reworded",
    "seed_number",
]
