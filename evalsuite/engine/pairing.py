"""Samples of two models to what the gate takes: paired scores per ability. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalsuite.engine.questions import Sample
from evalsuite.stats.perplexity import count_words, perplexity
from evalsuite.tasks import LoadedSuite, LoadedTask
from evalsuite.verdict import PairedAbility
from workspace.errors import WorkError

Samples = Mapping[tuple[str, str], Sequence[Sample]]
"""(suite, task) → samples in the order of the items, for one model."""


@dataclass(frozen=True)
class _Ability:
    name: str
    suite: LoadedSuite
    tasks: tuple[LoadedTask, ...]


def pair_abilities(
    suites: Sequence[LoadedSuite], base: Samples, tuned: Samples
) -> list[PairedAbility]:
    """Pair the scores of two models, ability by ability, in the order of the suites.

    Raises:
        WorkError: the two did not answer the same items.
    """
    return [_paired(ability, base, tuned) for ability in _abilities(suites)]


def ability_names(suites: Sequence[LoadedSuite]) -> dict[tuple[str, str], str]:
    """Return (suite, task) → the ability's name in results and samples."""
    return {
        (ability.suite.spec.name, task.spec.name): ability.name
        for ability in _abilities(suites)
        for task in ability.tasks
    }


def _abilities(suites: Sequence[LoadedSuite]) -> list[_Ability]:
    """Group tasks by ability; a name that two suites use is told apart by the suite's."""
    grouped = [
        (suite, name, tuple(task for task in suite.tasks if task.spec.measures == name))
        for suite in suites
        for name in dict.fromkeys(task.spec.measures for task in suite.tasks)
    ]
    used = Counter(name for _, name, _ in grouped)
    return [
        _Ability(f"{suite.spec.name}/{name}" if used[name] > 1 else name, suite, tasks)
        for suite, name, tasks in grouped
    ]


def _paired(ability: _Ability, base: Samples, tuned: Samples) -> PairedAbility:
    terms = ability.suite.spec
    ids: list[str] = []
    clusters: list[str] = []
    scores: tuple[list[float], list[float]] = ([], [])
    for task in ability.tasks:
        key = (terms.name, task.spec.name)
        one, two = base[key], tuned[key]
        if [sample.item_id for sample in one] != [sample.item_id for sample in two]:
            raise WorkError(f"base and tuned did not answer the same items of {task.spec.name}")
        ids += [f"{task.spec.name}/{sample.item_id}" for sample in one]
        clusters += [
            sample.cluster if task.spec.cluster else f"{task.spec.name}/{sample.item_id}"
            for sample in one
        ]
        scores[0].extend(sample.score for sample in one)
        scores[1].extend(sample.score for sample in two)
    return PairedAbility(
        name=ability.name,
        purpose=terms.purpose,
        base=scores[0],
        tuned=scores[1],
        item_ids=ids,
        clusters=clusters if len(set(clusters)) < len(clusters) else None,
        held_back=all(task.spec.held_back for task in ability.tasks),
        margin=terms.margin,
        min_gain=terms.min_gain,
        alpha=terms.alpha,
        min_items=terms.min_items,
        chance=_chance(ability.tasks),
    )


def _chance(tasks: Sequence[LoadedTask]) -> float | None:
    """Return the score of guessing; None where there is no such thing."""
    if any(task.spec.kind == "perplexity" for task in tasks):
        return None
    shares = [
        1 / len(item.choices) if item.choices else 0.0 for task in tasks for item in task.items
    ]
    return math.fsum(shares) / len(shares)


def notes_on(task: LoadedTask, model: str, samples: Sequence[Sample]) -> list[str]:
    """Return what a mean score does not show: cut answers, and perplexity in its usual units."""
    name = task.spec.name
    notes = []
    cut = sum(sample.cut for sample in samples)
    if cut:
        notes.append(
            f"{name}: {cut:,} of {len(samples):,} answers of {model} were cut at "
            f"{task.spec.max_new_tokens} tokens"
        )
    if task.spec.kind == "perplexity":
        texts = [item.text for item in task.items]
        found = perplexity(
            [sample.logprob for sample in samples],
            [count_words(text) for text in texts],
            [len(text.encode()) for text in texts],
            [sample.prompt_tokens for sample in samples],
        )
        notes.append(
            f"{name}: {model} has word perplexity {found.word:.4g}, byte perplexity "
            f"{found.byte:.4g}, {found.bits_per_byte:.4g} bits per byte"
        )
    return notes
