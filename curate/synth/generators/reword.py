"""The same question otherwise put, by a model: paraphrases and personas. The answer stays."""

from __future__ import annotations

from typing import ClassVar, Literal

from curate.synth.generators.base import Bench, Draft, Lost, NewIn, OneParent, Task, reworded
from curate.synth.generators.configs import Paraphrase, Persona
from curate.synth.structured import Question


class ParaphraseGenerator(OneParent):
    """Each task asks for one paraphrase."""

    name: ClassVar[str] = "paraphrase"
    new_in: ClassVar[NewIn] = "question"
    makes: ClassVar[Literal["same", "messages", "preference"]] = "same"

    def __init__(self, config: Paraphrase) -> None:
        self.config = config

    def per_row(self) -> int:
        """So many paraphrases of a row."""
        return self.config.per_row

    async def make(self, task: Task, bench: Bench) -> list[Draft | Lost]:
        """Ask for one paraphrase."""
        parent = task.parents[0]
        prompt = bench.prompts.render("paraphrase", question=parent.question, label=parent.label)
        found, receipts = await bench.form(task, prompt, Question, self.config, sample=task.nth)
        return [reworded(task, found.question, receipts)]


class PersonaGenerator(OneParent):
    """Each task lets one persona ask."""

    name: ClassVar[str] = "persona"
    new_in: ClassVar[NewIn] = "question"
    makes: ClassVar[Literal["same", "messages", "preference"]] = "same"

    def __init__(self, config: Persona) -> None:
        self.config = config

    def per_row(self) -> int:
        """No row is put to more personas than there are."""
        return min(self.config.per_row, len(self.config.personas))

    async def make(self, task: Task, bench: Bench) -> list[Draft | Lost]:
        """Ask for the question as one persona would put it; each row meets each persona once."""
        parent, personas = task.parents[0], self.config.personas
        first = sum(parent.id.encode()) % len(personas)
        persona = personas[(first + task.nth) % len(personas)]
        prompt = bench.prompts.render(
            "persona", question=parent.question, label=parent.label, persona=persona
        )
        found, receipts = await bench.form(task, prompt, Question, self.config)
        return [reworded(task, found.question, receipts, note=persona)]
