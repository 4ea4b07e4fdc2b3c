"""Rows that mean the same as a better one, by the cosine of their embeddings."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.embedding.background import background
from curate.embedding.configs import SemanticDuplicates
from curate.embedding.greedy import Near, greedy_near
from curate.embedding.rows import Embedded, embedded
from curate.reasons import Reason
from curate.steps.alike import by_preference
from curate.steps.base import Outcome, Rows, StepContext, dropped_rows, positions, split_off
from evalsuite.similarity.index import SHORT_ANSWER
from evalsuite.similarity.tokens import TokenTable, joined, mix, only_symbols, sequence_hashes


class SemanticDuplicatesStep:
    """Drops a row only for the sake of a kept one, after comparing the two exactly."""

    name: ClassVar[str] = "semantic_duplicates"
    scope: ClassVar[Literal["row", "global"]] = "global"

    def __init__(self, config: SemanticDuplicates) -> None:
        self.config = config

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Drop rows near better ones.

        Raises:
            ModelError: the embedder cannot be loaded.
            UsageError: there are more rows than all can be compared, and no index is installed.
        """
        rows = positions(frame)
        config = self.config
        have = embedded(rows, config.embedder, config.text, context)

        def tell(done: int) -> None:
            context.check_stop()
            context.tell(f"comparing {done:,} of {rows.size:,} rows")

        near = greedy_near(
            have.vectors,
            by_preference(rows, config.keep, context),
            config.threshold,
            self._apart(rows, context),
            tell=tell,
        )
        gone = near.partner >= 0
        of = context.ids.gather(rows[near.partner[gone]])
        detail = [
            f"cosine {value:.4f} >= {config.threshold:g} to {kept}, by {have.told}"
            for value, kept in zip(near.cosine[gone].tolist(), of, strict=True)
        ]
        reason = Reason.SEMANTIC_DUPLICATE if have.semantic else Reason.LEXICAL_DUPLICATE
        dropped = dropped_rows(self.name, rows[gone], reason, detail, of)
        return split_off(frame, dropped, self._notes(have, near))

    def _apart(self, rows: Rows, context: StepContext) -> NDArray[np.uint64]:
        """Return a number for each row that rows must share to be the same."""
        marks = np.zeros(rows.size, np.uint64)
        if context.marks is not None:
            marks = mix(context.marks[rows].astype(np.uint64) + np.uint64(1))
        if context.pictures is not None:  # one question to two images is two questions
            marks ^= mix(mix(context.pictures[rows].astype(np.uint64) + np.uint64(1)))
        if not self.config.same_numbers:
            return marks
        marks ^= sequence_hashes(only_symbols(self._compared(context).take(rows)))
        if self.config.text == "whole" and context.type != "text":
            answers = context.answers.take(rows)
            short = answers.lengths <= SHORT_ANSWER
            marks ^= mix(np.where(short, sequence_hashes(answers), np.uint64(0)))
        return marks

    def _compared(self, context: StepContext) -> TokenTable:
        if self.config.text == "prompt" or context.type == "text":
            return context.prompts
        if self.config.text == "answer":
            return context.answers
        return joined(context.prompts, context.answers)

    def _notes(self, have: Embedded, near: Near) -> tuple[str, ...]:
        notes = list(have.notes)
        random = background(have.vectors)
        if random is not None:
            notes.append(f"By {have.told}, {random.told}.")
            if self.config.threshold < random.p999:
                notes.append(
                    f"WARNING: the threshold {self.config.threshold:g} is below the cosine of one "
                    f"in a thousand random pairs ({random.p999:.3f}): rows go that have no more in "
                    "common than their field. Raise it, and look at what was dropped."
                )
        if near.indexed_rows:
            notes.append(
                f"For {near.indexed_rows:,} rows an index proposed what to compare; it can miss a "
                "few. Each row that goes was compared exactly."
            )
        return tuple(notes)
