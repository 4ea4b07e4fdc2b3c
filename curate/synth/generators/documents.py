"""Questions with answers from documents, each proved by a passage that really stands there."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from curate.reasons import Reason
from curate.synth.generators.base import Bench, Draft, Lost, NewIn, OneParent, Task
from curate.synth.generators.configs import Documents
from curate.synth.seeds import Seed
from curate.synth.structured import ProvenPair, ProvenPairs

_SHORTEST_QUOTE = 3
"""Words; a shorter passage stands in any text."""


class DocumentsGenerator(OneParent):
    """Each task reads one piece of a document; pieces are taken in turn."""

    name: ClassVar[str] = "documents"
    new_in: ClassVar[NewIn] = "question"
    makes: ClassVar[Literal["same", "messages", "preference"]] = "messages"

    def __init__(self, config: Documents) -> None:
        self.config = config

    def usable(self, seed: Seed) -> bool:
        """Documents are rows of plain text."""
        return not seed.question and bool(seed.answer)

    def expected(self) -> int:
        """As many pairs as are asked for."""
        return self.config.pairs

    def per_row(self) -> None:
        """As often as wanted: each time the next piece, then the first again with another seed."""

    async def make(self, task: Task, bench: Bench) -> list[Draft | Lost]:
        """Ask for pairs; those without proof are lost."""
        parent = task.parents[0]
        texts = pieces(parent.answer, self.config.characters)
        text = texts[task.nth % len(texts)]
        prompt = bench.prompts.render("documents", text=text, pairs=self.config.pairs)
        found, receipts = await bench.form(
            task, prompt, ProvenPairs, self.config, sample=task.nth // len(texts)
        )
        made: list[Draft | Lost] = []
        for pair in found.pairs:
            if stands_in(pair.quote, text):
                made.append(_draft(pair, task, text))
                continue
            detail = f"the passage given as proof is not in the document: {pair.quote[:120]}"
            raw = f"{pair.question}\n{pair.answer}"
            made.append(Lost(Reason.NOT_PROVEN, detail, task.parents, raw))
        made[0] = replace(made[0], receipts=tuple(receipts))  # once: sums of costs stay right
        return made


def _draft(pair: ProvenPair, task: Task, text: str) -> Draft:
    parent = task.parents[0]
    return Draft(
        pair.question,
        pair.answer,
        task.parents,
        label=task.label or parent.label,
        document=parent.document or parent.id,
        note=f"proof: {pair.quote}",
        passage=text,
    )


def pieces(text: str, most: int) -> list[str]:
    """Return the text in pieces of at most `most` characters, cut between paragraphs, else lines,
    else words.

    >>> pieces("one two\\n\\nthree four\\n\\nfive", 12)
    ['one two', 'three four', 'five']
    """
    out: list[str] = []
    for separator in ("\n\n", "\n", " "):
        if len(text) <= most:
            break
        out, parts = [], text.split(separator)
        for part in parts:
            if out and len(out[-1]) + len(separator) + len(part) <= most:
                out[-1] += separator + part
            else:
                out.append(part)
        if max(map(len, out)) <= most:
            return [part.strip() for part in out if part.strip()]
    else:
        return [text[begin : begin + most] for begin in range(0, len(text), most)]
    return [text]


def stands_in(quote: str, text: str) -> bool:
    """Return whether a passage stands in a text, white space and case aside."""
    words = quote.casefold().split()
    return len(words) >= _SHORTEST_QUOTE and " ".join(words) in " ".join(text.casefold().split())
