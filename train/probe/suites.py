"""The suites of a probe, found and checked before a weight is loaded. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from evalsuite.benchmarks.names import refuse_benchmarks
from evalsuite.tasks import LoadedSuite, LoadedTask, content_digest, find_suite, load_suite
from evalsuite.tasks.terms import terms_of
from train.probe.rule import Ability
from train.tempering_sections import Probe
from workspace.errors import UsageError

if TYPE_CHECKING:
    from evalsuite.engine.questions import Asker
    from evalsuite.models import ChatTokenizer
    from train.plan.facts import ModelFacts
    from workspace.layout import Workspace

Value = TypeVar("Value")
_WHERE = "train.tempering.probe.suites"


@dataclass(frozen=True)
class ProbeSuites:
    """What is asked at each probe."""

    section: Probe
    suites: tuple[LoadedSuite, ...]
    """With the probe's items only."""
    sources: dict[str, str]
    """Suite → SHA-256 of the whole of it."""
    asker: Asker

    @property
    def abilities(self) -> list[Ability]:
        """Every ability once, in the order of the suites."""
        found = {}
        for suite in self.suites:
            for task in suite.tasks:
                own = terms_of(suite.spec, task.spec).margin
                margin = own if self.section.margin is None else self.section.margin
                name = ability_name(suite, task)
                found[name] = Ability(name, suite.spec.purpose, margin)
        return list(found.values())

    @property
    def items(self) -> int:
        """How many are asked at each probe."""
        return sum(len(task.items) for suite in self.suites for task in suite.tasks)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides scores and margins."""
        margins = [[one.name, one.purpose, one.margin] for one in self.abilities]
        return content_digest([[suite.digest for suite in self.suites], margins])


def ability_name(suite: LoadedSuite, task: LoadedTask) -> str:
    """Return the name of what a task measures, unique over all suites."""
    return f"{suite.spec.name}/{task.spec.measures}"


def find_probe(
    section: Probe | None, workspace: Workspace, tokenizer: ChatTokenizer, facts: ModelFacts
) -> ProbeSuites | None:
    """Load what a probe asks, or return None where there is none.

    Raises:
        UsageError: there is no such suite, or two have one name.
        RecipeError, DataError: a suite or an item of it cannot be used, or an item is longer than
            the model reads.
        ModelError: the model has no chat template or end token.
    """
    if section is None:
        return None
    from evalsuite.engine.questions import Asker  # with scipy: late
    from evalsuite.opinions.checks import refuse_opinions

    whole = [load_suite(find_suite(name, workspace)) for name in section.suites]
    refuse_opinions(whole, "the probe")
    refuse_benchmarks(whole, "train.probe")
    names = [suite.spec.name for suite in whole]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"two suites are called {twice[0]!r}", where=_WHERE, cure="Rename one of them."
        )
    suites = tuple(_few(suite, section.items) for suite in whole)
    asker = Asker(tokenizer, facts.context, facts.vocabulary)
    for suite in suites:
        for task in suite.tasks:
            asker.requests(task)  # what cannot be asked is told now
    sources = {suite.spec.name: suite.digest for suite in whole}
    return ProbeSuites(section, suites, sources, asker)


def _few(suite: LoadedSuite, items: int) -> LoadedSuite:
    tasks = tuple(replace(task, items=tuple(spread(task.items, items))) for task in suite.tasks)
    return replace(suite, tasks=tasks)


def spread(values: Sequence[Value], count: int) -> list[Value]:
    """Return `count` values spread evenly, or all where there are fewer.

    >>> spread([0, 1, 2, 3, 4, 5], 3), spread([0, 1], 3)
    ([0, 2, 4], [0, 1])
    """
    count = min(count, len(values))
    return [values[place * len(values) // count] for place in range(count)]
