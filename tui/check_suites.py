"""What `temper check` foresees of suites: what they can show, and which items are not asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from evalsuite.tasks.item import Item, named_items
from tui.findings import Finding
from workspace.errors import TemperError
from workspace.text import plain

if TYPE_CHECKING:
    from evalsuite.engine.pairing import Ability
    from evalsuite.engine.questions import Asker
    from evalsuite.recipe import EvalSection
    from evalsuite.tasks import LoadedSuite, LoadedTask
    from workspace.recipe import Recipe

_UNMEASURED_IN_POINTS = ("perplexity", "rewards without bounds")
_SHOWN = 3
"""Golds of one question that are named."""
_GRADED = frozenset(
    {"f1", "rouge_l", "chrf", "bleu", "similarity", "json_fields", "constraints", "python"}
    | {"judge"}
)
"""Scorers whose answers may be partly right."""


def foreseen(suite: LoadedSuite, section: EvalSection, asker: Asker | None) -> Iterator[Finding]:
    """Yield what is known of a suite before anything is asked.

    Args:
        suite: with the items that will be asked.
        section: of the recipe.
        asker: of its model, if that is known.
    """
    yield from _sizes(suite, section)
    yield from _repetitions(suite)
    if asker is not None:
        yield from _all_too_long(suite, asker, few_shot=section.few_shot)


def _sizes(suite: LoadedSuite, section: EvalSection) -> Iterator[Finding]:
    """Yield what the numbers of items and clusters of a suite cannot show."""
    from evalsuite.engine.pairing import abilities_of

    for ability in abilities_of([suite]):
        yield from _too_few_to_see(ability)
        yield from _too_few_to_choose(ability, section)


def _clusters(ability: Ability) -> list[str]:
    """Return the cluster of each item; an item alone in one counts as independent."""
    return [item.cluster for task in ability.tasks for item in task.items]


def _too_few_to_see(ability: Ability) -> Iterator[Finding]:
    """Warn where an ability cannot show a difference as small as the one that decides."""
    from curate.enough import smallest_difference

    if ability.tasks[0].spec.unit in _UNMEASURED_IN_POINTS:
        return
    labels = _clusters(ability)
    independent = len(set(labels))
    is_target = ability.suite.spec.purpose == "target"
    wanted = ability.terms.min_gain if is_target else ability.terms.margin
    least = smallest_difference(independent) if labels else 1.0
    if least <= wanted:
        return
    clustered = independent < len(labels)
    inside = f" in {independent:,} clusters" if clustered else ""
    yield Finding(
        "warn",
        "suite",
        f"{ability.suite.spec.name}: {ability.name} with {len(labels):,} items{inside} shows "
        f"differences of {least * 100:.1f} points or more ({_assumed(ability, clustered)}), not "
        f"the {'min_gain' if is_target else 'margin'} of {wanted * 100:g}",
        f"Add {'clusters' if clustered else 'items'}: four times as many see half the difference.",
    )


def _assumed(ability: Ability, clustered: bool) -> str:
    from curate.enough import FLIP_RATE

    if any(task.spec.scorer and task.spec.scorer.kind in _GRADED for task in ability.tasks):
        return (
            f"by the rule for right or wrong answers of which {FLIP_RATE:.0%} change; graded "
            "scores that change by less show less"
        )
    together = ", those of a cluster together" if clustered else ""
    return f"if {FLIP_RATE:.0%} of the answers change sides{together}"


def _too_few_to_choose(ability: Ability, section: EvalSection) -> Iterator[Finding]:
    """Say where `--prompts` could not choose a prompt: half of the items choose, half report."""
    from evalsuite.prompting.choice import LEAST

    asked = [task for task in ability.tasks if task.spec.is_question]
    independent = len(set(_clusters(ability)))
    if ability.suite.spec.purpose != "target" or not asked or independent >= 2 * LEAST:
        return
    is_asked = "prompts" in section.model_fields_set
    what = "clusters" if independent < len(_clusters(ability)) else "items"
    yield Finding(
        "warn" if is_asked else "ok",
        "suite",
        f"{ability.suite.spec.name}: {ability.name} has {independent:,} {what}: `temper eval "
        f"--prompts` can choose no prompt on it, for which each half needs {LEAST}",
        f"Add {what} if prompts are to be compared." if is_asked else "",
    )


def asker_of(recipe: Recipe) -> Asker | None:
    """Return what makes requests for the recipe's model; None where none is known or usable.

    What is wrong with the model is a finding of its own.
    """
    from evalsuite.engine.questions import Asker
    from evalsuite.models import ChatTokenizer, ModelSection, resolve_model
    from evalsuite.models.context import context_length, vocabulary_size
    from evalsuite.models.source import check_model_directory

    section = recipe.section("model", ModelSection)
    if section is None:
        return None
    try:
        path = resolve_model(section, recipe.base_dir).path
        config = check_model_directory(path)
        tokenizer = ChatTokenizer.from_dir(path)
    except TemperError:
        return None
    return Asker(tokenizer, context_length(config), vocabulary_size(config))


def _all_too_long(suite: LoadedSuite, asker: Asker, *, few_shot: bool) -> Iterator[Finding]:
    """Yield the items that the model does not read whole, and what it cannot be asked at all."""
    for task in suite.tasks:
        if task.benchmark is not None:
            continue
        try:
            yield from _too_long(suite, task.with_few_shot() if few_shot else task, asker)
        except TemperError as error:
            told = f"{suite.spec.name}: {task.spec.name}: {error}"
            yield Finding("fail", "suite", told, error.cure)


def _too_long(suite: LoadedSuite, task: LoadedTask, asker: Asker) -> Iterator[Finding]:
    left = [item for item in task.items if not asker.fits(task.spec, item)]
    if left:
        yield Finding(
            "fail" if len(left) == len(task.items) else "warn",
            "suite",
            f"{suite.spec.name}: {task.spec.name}: {len(left):,} of {len(task.items):,} items are "
            f"longer than the model reads ({asker.context:,} tokens with the answer): "
            f"{named_items(left)}",
            "Shorten them or `max_new_tokens`: `temper eval` leaves them out.",
        )


def _repetitions(suite: LoadedSuite) -> Iterator[Finding]:
    """Yield questions that several items of a task ask, and those with other right answers."""
    for task in suite.tasks:
        if task.benchmark is None and task.spec.is_question:
            yield from _repeated(f"{suite.spec.name}: {task.spec.name}", task.items)


def _repeated(what: str, items: Sequence[Item]) -> Iterator[Finding]:
    asked: dict[object, list[Item]] = {}
    for item in items:
        asked.setdefault((item.messages, tuple(sorted(item.choices))), []).append(item)
    alike = [group for group in asked.values() if len(group) > 1]
    for group in (group for group in alike if len(_golds(group)) > 1):
        yield Finding(
            "warn",
            "suite",
            f"{what}: one question has {len(_golds(group))} different golds: {_with_golds(group)}",
            "No answer is right for all of them: mend the rows, or list every right answer in each "
            "(`gold` as a list).",
        )
    same = [group for group in alike if len({item.cluster for item in group}) > 1]
    same = [group for group in same if len(_golds(group)) == 1]
    if same:
        yield Finding(
            "warn",
            "suite",
            f"{what}: {f'{len(same):,} questions are' if len(same) > 1 else '1 question is'} asked "
            f"more than once, with one gold: "
            f"{named_items(same[0])}",
            "They count as independent items: leave the copies out, or give them one `cluster`.",
        )


def _golds(items: Sequence[Item]) -> dict[frozenset[str], Item]:
    """Return each gold with the first item that has it."""
    found: dict[frozenset[str], Item] = {}
    for item in items:
        found.setdefault(frozenset(item.right_answers), item)
    return found


def _with_golds(items: Sequence[Item]) -> str:
    first = list(_golds(items).values())[:_SHOWN]
    return ", ".join(f"{plain(item.shown_gold, 40)!r} in {named_items([item])}" for item in first)
