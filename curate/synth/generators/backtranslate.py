"""Questions for texts that exist: what a person wrote is the answer."""

from __future__ import annotations

from typing import ClassVar, Literal

from curate.synth.generators.base import Bench, Draft, Lost, NewIn, OneParent, Task
from curate.synth.generators.configs import Backtranslate
from curate.synth.seeds import Seed
from curate.synth.structured import Question


class BacktranslateGenerator(OneParent):
    """Each task asks which request a text answers (Li et al. 2023, section 2.2)."""

    name: ClassVar[str] = "backtranslate"
    new_in: ClassVar[NewIn] = "question"
    makes: ClassVar[Literal["same", "messages", "preference"]] = "same"

    def __init__(self, config: Backtranslate) -> None:
        self.config = config

    def usable(self, seed: Seed) -> bool:
        """Whether the text, or the row's answer, is short enough to be one whole answer."""
        return seed.single and 0 < len(seed.answer) <= self.config.most_characters

    def per_row(self) -> int:
        """So many questions for a text."""
        return self.config.per_row

    async def make(self, task: Task, bench: Bench) -> list[Draft | Lost]:
        """Ask for the request."""
        parent = task.parents[0]
        prompt = bench.prompts.render("backtranslate", text=parent.answer)
        found, receipts = await bench.form(task, prompt, Question, self.config, sample=task.nth)
        draft = Draft(
            found.question,
            parent.answer,
            task.parents,
            parent.history,
            label=task.label or parent.label,
            document=parent.document or parent.id,
            receipts=tuple(receipts),
        )
        return [draft]
