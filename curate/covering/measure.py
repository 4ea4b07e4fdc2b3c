"""From training rows and real inputs to what is lacking."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.conventions.language import languages_of
from curate.covering.edges import RuleCounts, edge_cases, unseen_languages
from curate.covering.inputs import Inputs, as_series
from curate.covering.nearest import Nearest, among_themselves
from curate.covering.prompts import Template, template_of, turns_of
from curate.covering.regions import Balance, balances, clusters, named
from curate.covering.result import Coverage, Region
from curate.covering.unseen_words import UnseenWords
from curate.steps.base import StepContext
from curate.texts import prompt_text
from evalsuite.embedding import Embedder, Floats, open_embedder
from evalsuite.embedding.lexical import Lexical
from evalsuite.similarity.tokens import sequence_hashes, tokenise
from workspace.errors import DataError

Rows = NDArray[np.int64]

_LOOKED_AT = 2_000
"""Training prompts of which the template is told."""
_SAMPLE = 6_000
"""Most training prompts that regions are made with."""
_LETTERS = 40
_FEW, _MANY = 2, 120
_EXAMPLES, _SEEDS = 3, 200


@dataclass
class _Training:
    """What one pass over the training prompts gives."""

    nearest: Nearest
    rules: RuleCounts = field(default_factory=RuleCounts)
    languages: Counter[str] = field(default_factory=Counter)
    texts: list[str] = field(default_factory=list)
    vectors: list[Floats] = field(default_factory=list)


def measure_coverage(
    context: StepContext,
    inputs: Inputs,
    *,
    vectors: str = "lexical",
    regions: int | None = None,
    seed: int = 0,
) -> Coverage:
    """Return what the training rows lack, against a sample of real inputs.

    Args:
        context: over the training rows.
        inputs: real inputs.
        vectors: a folder with an embedder, or `lexical`: words weighted by their rarity.
        regions: how many; left out: one for each 40 distinct inputs, 2 to 120.
        seed: of the clusters and of the sample of training prompts.

    Raises:
        DataError: no training row.
        ModelError: no such embedder.
    """
    if not len(context.ids):
        raise DataError("there is no training row to compare with")
    chosen = _sampled(len(context.ids), seed)
    sample = _prompts(context, chosen)
    template = template_of(sample[:_LOOKED_AT])
    own = template_of(inputs.texts[:_LOOKED_AT])
    asked = own.stripped(template.stripped(as_series(inputs.texts)))
    embedder = _embedder(vectors, [template.stripped(as_series(sample)), asked], context.base_dir)
    first, times = _distinct(asked)
    texts = [asked[place] for place in first.tolist()]
    real = embedder.encode(texts)
    unseen = UnseenWords.of(asked)
    held = _pass_over(context, template, embedder, real, unseen, chosen)
    turns = pl.Series("turns", inputs.turns)
    edges = edge_cases(asked, turns, held.rules)
    spoken = _languages(asked)
    count = regions or int(np.clip(len(texts) // 40, _FEW, _MANY))
    found = _regions(texts, times, real, held, min(count, len(texts)), context, seed)
    return Coverage(
        embedder=embedder.name,
        semantic=embedder.semantic,
        inputs=inputs,
        distinct_inputs=len(texts),
        training_rows=len(context.ids),
        template=template.before + ("…" if template.after else "") + template.after,
        nearest=held.nearest.similarity[:, 0],
        among=among_themselves(real),
        regions=tuple(found),
        edges=tuple(edges),
        languages=unseen_languages(spoken, held.languages),
        words=tuple(unseen.left()),
    )


def _sampled(rows: int, seed: int) -> Rows:
    if rows <= _SAMPLE:
        return np.arange(rows, dtype=np.int64)
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(rows, _SAMPLE, replace=False))


def _prompts(context: StepContext, rows: Rows) -> list[str]:
    """Return some prompts, block by block."""
    text = prompt_text(context.type, system=False).alias("text")
    out: list[str] = []
    begin = 0
    for block in context.in_blocks():
        texts = block.select(text).collect()["text"]
        low, high = np.searchsorted(rows, (begin, begin + len(texts)))
        out += texts.gather(rows[low:high] - begin).to_list()
        begin += len(texts)
    return out


def _embedder(name: str, texts: list[pl.Series], base: Path) -> Embedder:
    if name == "lexical":
        return Lexical.learn(tokenise(texts))
    return open_embedder(name, base)


def _distinct(texts: pl.Series) -> tuple[Rows, Rows]:
    """Return the first of texts equal after normalising, and how often each occurs."""
    hashes = sequence_hashes(tokenise(texts))
    _, first, times = np.unique(hashes, return_index=True, return_counts=True)
    order = np.argsort(first)
    return first[order].astype(np.int64), times[order].astype(np.int64)


def _pass_over(
    context: StepContext,
    template: Template,
    embedder: Embedder,
    real: Floats,
    unseen: UnseenWords,
    chosen: Rows,
) -> _Training:
    held = _Training(Nearest.none(len(real)))
    columns = (
        prompt_text(context.type, system=False).alias("text"),
        turns_of(context.type).alias("turns"),
    )
    begin = 0
    known = np.empty(0, np.uint64)
    for block in context.in_blocks():
        context.tell(f"comparing with training prompts: {begin:,} of {len(context.ids):,}")
        frame = block.select(columns).collect()
        texts = template.stripped(frame["text"])
        table = tokenise(texts)
        held.rules.add(texts, frame["turns"])
        unseen.add(table)
        vectors = embedder.encode(texts.to_list())
        rows = np.arange(begin, begin + len(texts), dtype=np.int64)
        held.nearest.add(real, vectors, rows)
        mine = chosen[slice(*np.searchsorted(chosen, (begin, begin + len(texts))))] - begin
        # Regions are made of distinct prompts: a copy is no second witness.
        hashes = sequence_hashes(table)[mine]
        _, place = np.unique(hashes, return_index=True)
        fresh = np.sort(place[~np.isin(hashes[place], known)])
        known = np.concatenate([known, hashes[fresh]])
        some = mine[fresh]
        held.vectors.append(vectors[some])
        held.texts += texts.gather(some).to_list()
        held.languages.update(_languages(texts.gather(mine)))
        begin += len(texts)
    return held


def _languages(texts: pl.Series) -> dict[str, int]:
    names: dict[str, int] = {}
    codes = languages_of(texts, names, _LETTERS)
    return {name: int((codes == number).sum()) for name, number in names.items()}


def _regions(
    texts: list[str],
    times: Rows,
    real: Floats,
    held: _Training,
    count: int,
    context: StepContext,
    seed: int,
) -> list[Region]:
    training = np.concatenate(held.vectors)
    context.tell("finding regions")
    labels = clusters(np.concatenate([real, training]), count, seed)
    mine, theirs = labels[: len(texts)], labels[len(texts) :]
    in_real = np.bincount(mine, minlength=count).astype(np.int64)
    in_training = np.bincount(theirs, minlength=count).astype(np.int64)
    traffic = np.bincount(mine, weights=times, minlength=count)
    compared = balances(in_real, in_training)
    names = named(texts, mine, count)
    out = []
    for number in np.flatnonzero(in_real).tolist():
        members = np.flatnonzero(mine == number)
        out.append(
            _region(
                names[number],
                members,
                float(traffic[number] / times.sum()),
                int(in_training[number]),
                len(training),
                compared[number],
                texts,
                times,
                held,
                context,
            )
        )
    return sorted(out, key=lambda one: (not one.gap, -one.lacking, -one.traffic, one.name))


def _region(
    name: str,
    members: Rows,
    traffic: float,
    training: int,
    trained: int,
    balance: Balance,
    texts: list[str],
    times: Rows,
    held: _Training,
    context: StepContext,
) -> Region:
    nearest = held.nearest.similarity[members, 0]
    order = np.argsort(nearest, kind="stable")
    # A typical input first: the one whose likeness to training is the region's median.
    shown = [members[order[len(order) // 2]], *members[order[:_EXAMPLES]]]
    examples = tuple(dict.fromkeys(texts[int(place)] for place in shown))[:_EXAMPLES]
    seeds = held.nearest.rows[members[order]].ravel()
    rows = np.array([*dict.fromkeys(seeds[seeds >= 0].tolist())][:_SEEDS], np.int64)
    return Region(
        name=name,
        inputs=int(times[members].sum()),
        traffic=traffic,
        training=training,
        training_share=training / max(trained, 1),
        balance=balance,
        nearest=float(np.median(nearest)),
        examples=examples,
        seeds=tuple(context.ids.gather(rows).to_list()),
        wanted=max(round((traffic - training / max(trained, 1)) * len(context.ids)), 0),
    )
