"""The topic of each row: a cluster of vectors, and its name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.embedding.configs import Topics
from curate.embedding.kmeans import spherical_kmeans
from curate.embedding.naming import topic_names
from curate.embedding.rows import embedded, part_text
from curate.frame import ROW
from curate.steps.base import StepContext
from curate.texts import prompt_text

Rows = NDArray[np.int64]
NAMED_BY = 65_536
"""Words are counted in at most about so many rows, evenly spread."""
_SHOWN = 30


@dataclass(frozen=True)
class FoundTopics:
    """Topics of some rows."""

    names: tuple[str, ...]
    """The largest first."""
    of: Rows
    """Number of each row's topic, -1 where it has no words; shape (rows,)."""
    sizes: Rows
    """Rows of each topic."""
    notes: tuple[str, ...]

    @property
    def keys(self) -> pl.Series:
        """Name of each row's topic, null where it has none."""
        number = pl.Series(self.of).set(pl.Series(self.of < 0), None)
        return pl.Series("topic", self.names, pl.String).gather(number)


def find_topics(rows: Rows, config: Topics, context: StepContext) -> FoundTopics:
    """Return the topics of `rows`.

    Args:
        rows: positions, ascending.
        config: how many, and by which vectors.
        context: knows all rows.

    Raises:
        ModelError: the embedder cannot be loaded.
    """
    have = embedded(rows, config.embedder, config.text, context)
    context.tell(f"finding {config.count:,} topics in {rows.size:,} rows")
    clusters = spherical_kmeans(have.vectors, config.count, seed=config.seed)
    step = max(-(-rows.size // NAMED_BY), 1)
    context.tell("naming the topics")
    names = topic_names(
        _texts(rows[::step], config, context),
        clusters.of[::step],
        clusters.sizes.size,
        words_each=config.words,
    )
    sizes = clusters.sizes.tolist()
    listed = ", ".join(
        f"{name} {size:,}" for name, size in list(zip(names, sizes, strict=True))[:_SHOWN]
    )
    more = " …" if len(names) > _SHOWN else ""
    notes = [
        *have.notes,
        f"{len(names):,} topics by {have.told}; a row has a cosine of {clusters.cohesion:.2f} with "
        f"the mean of its topic: {listed}{more}.",
    ]
    if len(names) < min(config.count, rows.size):
        notes.append(f"{config.count:,} topics were asked for; there are no more different rows.")
    return FoundTopics(tuple(names), clusters.of, clusters.sizes, tuple(notes))


def _texts(rows: Rows, config: Topics, context: StepContext) -> Iterator[pl.Series]:
    """Yield what names a topic: what is compared, without system prompts."""
    text = part_text(context.type, config.text)
    if config.text == "prompt":
        text = prompt_text(context.type, system=False)
    wanted = pl.DataFrame({ROW: rows}).lazy()
    for block in context.in_blocks():
        here = block.join(wanted, on=ROW, how="semi", maintain_order="left").sort(ROW)
        yield here.select(text.alias("text")).collect()["text"]
