"""Samples of two models to what the gate takes: paired scores per ability. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from evalsuite.engine.questions import Sample
from evalsuite.engine.unmeasured import Missing, Unmeasured, why_not
from evalsuite.scorers import is_opinion
from evalsuite.stats.perplexity import count_words, perplexity
from evalsuite.tasks import LoadedSuite, LoadedTask
from evalsuite.tasks.terms import Terms, terms_of
from evalsuite.verdict import PairedAbility
from workspace.errors import WorkError

Samples = Mapping[tuple[str, str], Sequence[Sample]]
"""(suite, task) → samples in the order of the items, for one model."""


_NOT_ASKED = Unmeasured("not_run", "it was not asked")


@dataclass(frozen=True)
class Ability:
    """The tasks of a suite that are judged together."""

    name: str
    """Its name in results; unique over all suites."""
    suite: LoadedSuite
    tasks: tuple[LoadedTask, ...]

    @property
    def terms(self) -> Terms:
        """On what terms it is judged."""
        return terms_of(self.suite.spec, self.tasks[0].spec)


def pair_abilities(
    suites: Sequence[LoadedSuite], base: Samples, tuned: Samples, *missing: Missing
) -> list[PairedAbility]:
    """Pair the scores of two models, ability by ability, in the order of the suites.

    Args:
        suites: what was asked.
        base: the base's samples.
        tuned: the tuned model's.
        missing: tasks that either of them has no samples of, and why.

    Raises:
        WorkError: the two did not answer the same items.
    """
    return [_paired(ability, base, tuned, missing) for ability in abilities_of(suites)]


def ability_names(suites: Sequence[LoadedSuite]) -> dict[tuple[str, str], str]:
    """Return (suite, task) → the ability's name in results and samples."""
    return {
        (ability.suite.spec.name, task.spec.name): ability.name
        for ability in abilities_of(suites)
        for task in ability.tasks
    }


def abilities_of(suites: Sequence[LoadedSuite]) -> list[Ability]:
    """Group tasks by ability; a name that two suites use is told apart by the suite's."""
    grouped = [
        (suite, name, tuple(task for task in suite.tasks if task.spec.measures == name))
        for suite in suites
        for name in dict.fromkeys(task.spec.measures for task in suite.tasks)
    ]
    used = Counter(name for _, name, _ in grouped)
    return [
        Ability(f"{suite.spec.name}/{name}" if used[name] > 1 else name, suite, tasks)
        for suite, name, tasks in grouped
    ]


def _paired(
    ability: Ability, base: Samples, tuned: Samples, missing: Sequence[Missing]
) -> PairedAbility:
    spec, terms = ability.suite.spec, ability.terms
    empty = PairedAbility(
        name=ability.name,
        purpose=spec.purpose,
        held_back=all(task.spec.held_back for task in ability.tasks),
        margin=terms.margin,
        min_gain=terms.min_gain,
        alpha=terms.alpha,
        min_items=terms.min_items,
        chance=chance_of(ability.tasks),
        bounded=False if ability.tasks[0].spec.unit == "rewards without bounds" else None,
    )
    keys = [(spec.name, task.spec.name) for task in ability.tasks]
    unasked = {key: _NOT_ASKED for key in keys if key not in base or key not in tuned}
    if (gap := why_not(keys, *missing, unasked)) is not None:
        return replace(empty, state=gap.state, detail=gap.reason)
    ids: list[str] = []
    clusters: list[str] = []
    scores: tuple[list[float], list[float]] = ([], [])
    problem = ""
    for task in ability.tasks:
        key = (spec.name, task.spec.name)
        one, two = base[key], tuned[key]
        if [sample.item_id for sample in one] != [sample.item_id for sample in two]:
            raise WorkError(f"base and tuned did not answer the same items of {task.spec.name}")
        problem = problem or _problem(task, one, two)
        one, two = _with_scores(task, one, two)
        ids += [f"{task.spec.name}/{sample.item_id}" for sample in one]
        clusters += [
            sample.cluster if task.spec.cluster else f"{task.spec.name}/{sample.item_id}"
            for sample in one
        ]
        scores[0].extend(sample.score for sample in one)
        scores[1].extend(sample.score for sample in two)
    if problem:
        return replace(empty, state="error", detail=problem)
    return replace(
        empty,
        base=scores[0],
        tuned=scores[1],
        item_ids=ids,
        clusters=clusters if len(set(clusters)) < len(clusters) else None,
    )


def _problem(task: LoadedTask, base: Sequence[Sample], tuned: Sequence[Sample]) -> str:
    """Return why a task that other models score cannot be judged; empty where it can."""
    scorer = task.spec.scorer
    if not is_opinion(scorer):
        return ""
    missing = [
        next(side.detail for side in pair if math.isnan(side.score))
        for pair in zip(base, tuned, strict=True)
        if math.isnan(pair[0].score) or math.isnan(pair[1].score)
    ]
    if len(missing) <= scorer.most_ungraded * len(base):
        return ""
    return (
        f"{len(missing):,} of {len(base):,} items of {task.spec.name} have no score by "
        f"{scorer.kind}, more than {scorer.most_ungraded:.0%} ({missing[0] or 'it was not asked'})"
    )


def _with_scores(
    task: LoadedTask, base: Sequence[Sample], tuned: Sequence[Sample]
) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """Return the pairs of which both have a score, where other models give them."""
    if not is_opinion(task.spec.scorer):
        return base, tuned  # there a missing score is an error of the measurement
    kept = [
        pair
        for pair in zip(base, tuned, strict=True)
        if not (math.isnan(pair[0].score) or math.isnan(pair[1].score))
    ]
    return [pair[0] for pair in kept], [pair[1] for pair in kept]


def chance_of(tasks: Sequence[LoadedTask]) -> float | None:
    """Return the score of guessing; None where there is no such thing."""
    if any(task.spec.unit != "right or wrong" for task in tasks):
        return None
    if any(item.text for task in tasks for item in task.items[:1]):
        return None
    shares = [
        1 / len(item.choices) if item.choices else (task.spec.chance or 0.0)
        for task in tasks
        for item in task.items
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
    corpus = getattr(task.spec.scorer, "corpus", None)
    if corpus is not None:
        outputs = [sample.output for sample in samples]
        notes.append(f"{name}: all answers of {model} together: {corpus(outputs, task.items)}")
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
