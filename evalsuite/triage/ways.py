"""Other ways to ask the items of a task. Pure but for the tokenizer; no torch."""

from __future__ import annotations

import difflib
import hashlib
import heapq
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from evalsuite.engine.questions import Asker, Sample
from evalsuite.engine.requests import Answer, GenerateRequest, Generation, Request
from evalsuite.scorers import ContainsScorer, Opinion, TaskScorer, answer_of, compares
from evalsuite.tasks import Item, LoadedTask
from evalsuite.tasks.fewshot import Examples, with_answer

AS_ASKED = "as asked"
CONTAINED = "right answer among other words"
ONE_EXAMPLE = "one example"
BEGUN = "answer begun"
CHOICE = "choice"
CHOICES = 4
"""Answers to choose from: the right one and those of other items."""
ALIKE, LOOKED_AT, LONGEST = 64, 200, 200
"""Other answers that are compared with a right one, the characters of each that are looked at, and
the words beyond which no choice is made of one."""


@dataclass(frozen=True)
class Way:
    """One way of asking some items."""

    name: str
    places: tuple[int, ...]
    """Which items of the task."""
    requests: tuple[Request, ...]
    """One for each of them."""
    scored: Callable[[Sequence[Answer]], list[float]]
    chance: float | None = None
    """Score of guessing, where it is not the suite's."""


def chosen_places(task: LoadedTask, count: int, seed: int) -> tuple[int, ...]:
    """Return the places of the items that are asked again, ascending; one at least is left free to
    be an example.
    """
    order = sorted(
        range(len(task.items)),
        key=lambda place: hashlib.sha256(f"{seed}/{task.items[place].id}".encode()).digest(),
    )
    return tuple(sorted(order[: min(count, len(order) - 1)]))


def ways_of(task: LoadedTask, places: Sequence[int], asker: Asker, seed: int) -> list[Way]:
    """Return the ways in which a task can be asked again: none for perplexity."""
    if task.spec.kind == "perplexity":
        return []
    found = [_one_example(task, places, asker, seed)]
    if task.spec.kind == "generation" and task.spec.scorer and compares(task.spec.scorer):
        found += [_begun(task, places, asker), _choice(task, places, asker, seed)]
    return [one for one in found if one is not None and one.places]


def contained(
    samples: Sequence[Sample], items: Sequence[Item], scorer: TaskScorer | None
) -> list[float] | None:
    """Score answers that were given by whether the right one stands in them as whole words.

    None where an item has no right answer to look for.
    """
    solved = [one for item in items if (one := with_answer(item, scorer)) is not None]
    if len(solved) < len(items):
        return None
    return [
        ContainsScorer().score(sample.output, item).value
        for sample, item in zip(samples, solved, strict=True)
    ]


def _one_example(task: LoadedTask, places: Sequence[int], asker: Asker, seed: int) -> Way | None:
    """Put a solved item of the same task, which is not asked itself, before each question."""
    asked = set(places)
    others = [item for place, item in enumerate(task.items) if place not in asked]
    free = [one for item in others if (one := with_answer(item, task.spec.scorer)) is not None]
    if not free:
        return None
    examples = Examples((random.Random(seed).choice(free),), 0)
    items = [examples.before(task.items[place]) for place in places]
    return _way(ONE_EXAMPLE, task, places, items, asker)


def _choice(task: LoadedTask, places: Sequence[int], asker: Asker, seed: int) -> Way | None:
    """Let the likelihood choose between the right answer and such as are nearly it."""
    answers = [with_answer(item, task.spec.scorer) for item in task.items]
    solved = {
        place: item
        for place, item in enumerate(answers)
        if item is not None and len(item.gold.split()) <= LONGEST
    }
    golds = sorted({item.gold for item in solved.values()})
    if len(golds) < CHOICES:
        return None
    spec = task.spec.model_copy(update={"kind": "choice", "scorer": None, "metric": "acc"})
    rng = random.Random(seed)
    asked = [place for place in places if place in solved]
    items = [
        replace(solved[at], choices=(solved[at].gold, *nearly(solved[at].gold, golds, rng)))
        for at in asked
    ]
    way = _way(CHOICE, replace(task, spec=spec), asked, items, asker)
    return replace(way, chance=1 / CHOICES)


def nearly(gold: str, golds: Sequence[str], rng: random.Random) -> list[str]:
    """Return wrong answers that are as hard to tell from the right one as can be had.

    Its own words in other orders, then those answers of `ALIKE` other items that are most like it:
    what merely has words of the question in it would be told from others without the ability.
    """
    words = gold.split()
    orders = {" ".join(rng.sample(words, len(words))) for _ in range(4 * CHOICES)} - {gold}
    if len(orders) >= CHOICES - 1:
        return sorted(orders)[: CHOICES - 1]
    others = [one for one in golds if one != gold and one not in orders]
    if len(others) > ALIKE:  # each comparison takes the product of both lengths
        others = rng.sample(others, ALIKE)
    matcher = difflib.SequenceMatcher(b=gold[:LOOKED_AT])

    def likeness(one: str) -> tuple[float, str]:
        matcher.set_seq1(one[:LOOKED_AT])
        return matcher.ratio(), one

    alike = heapq.nlargest(CHOICES - 1, others, key=likeness)
    return [*sorted(orders), *alike][: CHOICES - 1]


def _way(
    name: str, task: LoadedTask, places: Sequence[int], items: Sequence[Item], asker: Asker
) -> Way:
    fitting = [
        (place, item)
        for place, item in zip(places, items, strict=True)
        if asker.fits(task.spec, item)
    ]
    asked = replace(task, items=tuple(item for _, item in fitting))
    requests = asker.requests(asked)

    def scored(answers: Sequence[Answer]) -> list[float]:
        return [
            asker.sample(task.spec, item, "", request, answer).score
            for item, request, answer in zip(asked.items, requests, answers, strict=True)
        ]

    return Way(name, tuple(place for place, _ in fitting), tuple(requests), scored)


def _begun(task: LoadedTask, places: Sequence[int], asker: Asker) -> Way:
    """Give the first half of the right answer, and let the model end it."""
    asked = []
    for place in places:
        item = task.items[place]
        gold = asker.tokenizer.encode(answer_of(task.spec.scorer, item.gold) or "")
        if len(gold) > 1 and asker.fits(task.spec, item):
            asked.append((place, item, gold[: math.ceil(len(gold) / 2)]))
    plain = asker.requests(replace(task, items=tuple(item for _, item, _ in asked)))
    requests = [
        replace(request, prompt=(*request.prompt, *begun))
        for request, (_, _, begun) in zip(plain, asked, strict=True)
        if isinstance(request, GenerateRequest)
    ]
    scorer = task.spec.scorer
    assert scorer is not None and not isinstance(scorer, Opinion)  # what others score is not lost

    def scored(answers: Sequence[Answer]) -> list[float]:
        return [
            scorer.score(asker.tokenizer.decode([*begun, *answer.output]), item).value
            for answer, (_, item, begun) in zip(answers, asked, strict=True)
            if isinstance(answer, Generation)
        ]

    return Way(BEGUN, tuple(place for place, _, _ in asked), tuple(requests), scored)
