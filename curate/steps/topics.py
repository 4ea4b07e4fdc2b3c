"""Each row's topic, by which later steps and the split can go."""

from __future__ import annotations

from typing import ClassVar, Literal

import polars as pl

from curate.embedding.configs import Topics
from curate.embedding.topics import find_topics
from curate.frame import DROPPED, ROW
from curate.steps.base import Outcome, StepContext, positions


class TopicsStep:
    """Writes the column `topic`; every row stays, and its text as it was."""

    name: ClassVar[str] = "topics"
    scope: ClassVar[Literal["row", "global"]] = "global"

    def __init__(self, config: Topics) -> None:
        self.config = config

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Give each row its topic.

        Raises:
            ModelError: the embedder cannot be loaded.
        """
        rows = positions(frame)
        found = find_topics(rows, self.config, context)
        column = pl.DataFrame({ROW: rows, "topic": found.keys}).lazy()
        kept = frame.drop("topic", strict=False).join(
            column, on=ROW, how="left", maintain_order="left"
        )
        return Outcome(kept, pl.DataFrame(schema=DROPPED), found.notes, marked=True)
