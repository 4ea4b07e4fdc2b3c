"""New questions with answers, like a few source rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

from curate.synth.generators.base import Bench, Draft, Lost, NewIn, Task
from curate.synth.generators.configs import SelfInstruct
from curate.synth.seeds import Seed
from curate.synth.structured import QuestionAnswer


class SelfInstructGenerator:
    """Each task shows a few rows and asks for one more (Wang et al. 2023, section 2).

    Where a label is missing, the rows shown have it, and so has the new one. Unlike the paper,
    question and answer are one reply: an answer check asks for the answer again.
    """

    name: ClassVar[str] = "self_instruct"
    new_in: ClassVar[NewIn] = "question"
    makes: ClassVar[Literal["same", "messages", "preference"]] = "same"

    def __init__(self, config: SelfInstruct) -> None:
        self.config = config

    def usable(self, seed: Seed) -> bool:
        """Only whole examples: a question within a conversation is none."""
        return bool(seed.question) and seed.single

    def per_row(self) -> None:
        """As many as wanted."""

    def expected(self) -> int:
        """One row."""
        return 1

    def parents(self, task: Task, draw: Callable[[int], Sequence[Seed]]) -> tuple[Seed, ...]:
        """Return the rows to show."""
        return tuple(draw(self.config.examples))

    async def make(self, task: Task, bench: Bench) -> list[Draft | Lost]:
        """Ask for one more."""
        examples = [{"question": one.question, "answer": one.answer} for one in task.parents]
        prompt = bench.prompts.render("self_instruct", examples=examples, label=task.label)
        found, receipts = await bench.form(task, prompt, QuestionAnswer, self.config)
        draft = Draft(
            found.question,
            found.answer,
            task.parents,
            task.parents[0].history,
            label=task.label,
            receipts=tuple(receipts),
        )
        return [draft]
