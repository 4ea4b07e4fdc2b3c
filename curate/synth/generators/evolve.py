"""Harder or neighbouring questions, with answers of their own."""

from __future__ import annotations

from typing import ClassVar, Literal

from curate.reasons import Reason
from curate.synth.generators.base import Bench, Draft, Lost, NewIn, OneParent, Task, asked_in
from curate.synth.generators.configs import Evolve
from curate.synth.seeds import Seed
from curate.synth.structured import Question
from evalsuite.asking.requests import Turn


class EvolveGenerator(OneParent):
    """Each task evolves one question some rounds, then asks for its answer (Xu et al. 2023)."""

    name: ClassVar[str] = "evolve"
    new_in: ClassVar[NewIn] = "question"
    makes: ClassVar[Literal["same", "messages", "preference"]] = "same"

    def __init__(self, config: Evolve) -> None:
        self.config = config

    def usable(self, seed: Seed) -> bool:
        """Only questions complete in themselves."""
        return bool(seed.question) and seed.single

    def per_row(self) -> int:
        """So many evolutions of a row."""
        return self.config.per_row

    async def make(self, task: Task, bench: Bench) -> list[Draft | Lost]:
        """Evolve, then answer."""
        parent, rng = task.parents[0], task.rng
        question, receipts, ways = parent.question, [], []
        for _ in range(self.config.rounds):
            way = rng.choice(self.config.directions)
            prompt = bench.prompts.render(f"evolve_{way}", question=question)
            found, paid = await bench.form(task, prompt, Question, self.config, sample=task.nth)
            question = found.question
            receipts += paid
            ways.append(way)
        turns = (*parent.history, Turn("user", question))
        reply, receipt = await bench.ask(asked_in(turns, self.config, task))
        receipts.append(receipt)
        if reply.cut:
            detail = f"the answer was cut: {reply.finish} (max_tokens {self.config.max_tokens})"
            lost = Lost(Reason.CUT_OUTPUT, detail, task.parents, reply.text, tuple(receipts))
            return [lost]
        draft = Draft(
            question,
            reply.text.strip(),
            task.parents,
            parent.history,
            label=task.label or parent.label,
            receipts=tuple(receipts),
            note=", ".join(ways),
        )
        return [draft]
