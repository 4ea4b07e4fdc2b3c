"""Which items of each ability are asked at which look, fixed before any answer. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from evalsuite.engine.pairing import Ability, abilities_of
from evalsuite.scorers import is_opinion
from evalsuite.sizing.section import SizingSection
from evalsuite.stats.spending import look_levels
from evalsuite.tasks import LoadedSuite, LoadedTask

Place = tuple[str, int]
"""A task's name and the position of one of its items."""
Chosen = Mapping[tuple[str, str], Sequence[int]]
"""(suite, task) → positions of items, ascending."""


@dataclass(frozen=True)
class Schedule:
    """The looks at one ability."""

    suite: str
    places: tuple[Place, ...]
    """All its items, in the order in which they are asked; clusters stay together."""
    sizes: tuple[int, ...]
    """Items seen at each look, ascending; the last is all."""
    levels: tuple[float, ...]
    """Level of each look; together the ability's alpha."""

    def seen(self, look: int) -> tuple[Place, ...]:
        """Return the items seen up to a look, counted from 1."""
        return self.places[: self.sizes[min(look, len(self.sizes)) - 1]]

    def added(self, look: int) -> tuple[Place, ...]:
        """Return the items that a look adds; none after the last."""
        if look > len(self.sizes):
            return ()
        before = self.sizes[look - 2] if look > 1 else 0
        return self.places[before : self.sizes[look - 1]]


def schedules(
    suites: Sequence[LoadedSuite], section: SizingSection, *, whole_targets: bool = False
) -> dict[str, Schedule]:
    """Return the looks at every ability, by its name in results.

    What other models score is asked in full at once, since win rates are of all items, and so are
    benchmarks, which lm_eval asks whole.

    Args:
        suites: with all their items.
        section: how many first, how many more.
        whole_targets: ask targets in full at once, for what else is asked of the same items.
    """
    return {
        ability.name: _schedule(
            ability,
            section,
            at_once=(whole_targets and ability.suite.spec.purpose == "target")
            or any(is_opinion(task.spec.scorer) or task.benchmark for task in ability.tasks),
        )
        for ability in abilities_of(suites)
    }


def narrowed(suites: Sequence[LoadedSuite], chosen: Chosen) -> tuple[LoadedSuite, ...]:
    """Return the suites with these items alone, without tasks and suites that have none left."""
    found = (
        replace(
            suite,
            tasks=tuple(
                only_items(task, chosen[suite.spec.name, task.spec.name])
                for task in suite.tasks
                if chosen.get((suite.spec.name, task.spec.name))
            ),
        )
        for suite in suites
    )
    return tuple(suite for suite in found if suite.tasks)


def positions(places: Sequence[tuple[str, Place]]) -> dict[tuple[str, str], list[int]]:
    """Return (suite, place) pairs as positions by suite and task."""
    out: dict[tuple[str, str], list[int]] = {}
    for suite, (task, position) in places:
        out.setdefault((suite, task), []).append(position)
    return {key: sorted(found) for key, found in out.items()}


def only_items(task: LoadedTask, chosen: Sequence[int]) -> LoadedTask:
    """Return the task with the items at these positions alone."""
    few_shot = None if task.few_shot is None else tuple(task.few_shot[at] for at in chosen)
    return replace(task, items=tuple(task.items[at] for at in chosen), few_shot=few_shot)


def _schedule(ability: Ability, section: SizingSection, *, at_once: bool) -> Schedule:
    groups: dict[tuple[str, ...], list[Place]] = {}
    for task in ability.tasks:
        for position, item in enumerate(task.items):
            own = item.cluster if task.spec.cluster else item.id
            name = "" if task.spec.cluster else task.spec.name  # clusters may span tasks
            groups.setdefault((name, own), []).append((task.spec.name, position))
    order = order_of(groups, section.seed, ability.name)
    places = [place for group in order for place in groups[group]]
    wanted = [len(places)] if at_once else _wanted(len(places), ability.terms.min_items, section)
    sizes = _whole_clusters([len(groups[group]) for group in order], wanted)
    levels = look_levels(ability.terms.alpha, sizes)
    return Schedule(ability.suite.spec.name, tuple(places), tuple(sizes), tuple(levels))


def _wanted(total: int, least: int, section: SizingSection) -> list[int]:
    first = max(section.first or least, least)
    if first >= total:
        return [total]
    batch = section.batch or -(-(total - first) // 2)
    return [*range(first, total, batch), total]


def _whole_clusters(lengths: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Return the sizes wanted, each rounded up to whole clusters."""
    sizes: list[int] = []
    seen = 0
    for length in lengths:
        seen += length
        if seen >= wanted[len(sizes)]:
            sizes.append(seen)
            while len(sizes) < len(wanted) and wanted[len(sizes)] <= seen:
                wanted = [*wanted[: len(sizes)], *wanted[len(sizes) + 1 :]]
            if len(sizes) == len(wanted):
                break
    return sizes


def order_of(groups: Iterable[tuple[str, ...]], seed: int, *within: str) -> list[tuple[str, ...]]:
    """Return groups in the order of the hashes of their names, which no answer decides."""
    return sorted(groups, key=lambda group: _hash(seed, *within, *group))


def _hash(seed: int, *texts: str) -> bytes:
    return blake2b("\0".join((str(seed), *texts)).encode(), digest_size=16).digest()
