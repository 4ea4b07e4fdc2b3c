"""Abilities that were lost, and putting them to models again in other ways. Imports torch late."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from evalsuite.engine.batching import BatchLimits
from evalsuite.engine.pairing import Samples, ability_names, chance_of, pair_abilities
from evalsuite.engine.questions import Asker
from evalsuite.gate import judge
from evalsuite.tasks import LoadedSuite, LoadedTask
from evalsuite.triage.judgement import (
    AS_ASKED,
    kind_of,
    triage_advice,
    triage_sentence,
    way_record,
)
from evalsuite.triage.records import TriageRecord, WayRecord
from evalsuite.triage.section import TriageSection
from evalsuite.triage.ways import CONTAINED, Way, chosen_places, contained, ways_of
from evalsuite.verdict import Canary

if TYPE_CHECKING:
    from evalsuite.engine.cache import AnswerStore
    from evalsuite.engine.forward import Engine
    from evalsuite.engine.run import Pass

Scores = dict[str, list[float]]
"""By way of asking, in the order of its items."""


@dataclass(frozen=True)
class Lost:
    """An ability that one tuned model lost."""

    tuned: str
    ability: str
    tasks: tuple[tuple[LoadedSuite, LoadedTask], ...]


def lost_abilities(
    suites: Sequence[LoadedSuite],
    base: Samples,
    tuned: dict[str, Samples],
    canaries: dict[str, list[Canary]],
) -> list[Lost]:
    """Return what each tuned model was to keep and lost, by the gate's own rule.

    Abilities whose loss is certain (Holm) count too, where the margin still forgives it. Nothing
    is lost in a comparison that a canary voids.

    Args:
        suites: what the base answered.
        base: its samples.
        tuned: samples of each tuned model.
        canaries: all checks of each tuned model's comparison, the base's among them.
    """
    names = ability_names(suites)
    found = []
    for model, samples in tuned.items():
        # a task that this model has no samples of leaves its ability unmeasured, and so not lost
        verdict = judge(pair_abilities(suites, base, samples), canaries[model])
        for one in verdict.abilities if verdict.status != "invalid" else ():
            certain = one.p_holm is not None and one.p_holm < one.alpha
            if one.purpose != "retention" or not (one.verdict == "fail" or certain):
                continue
            tasks = tuple(
                (suite, task)
                for suite in suites
                for task in suite.tasks
                if names[suite.spec.name, task.spec.name] == one.name
                and task.spec.kind != "perplexity"  # there is no other way of reading a text
            )
            if tasks:
                found.append(Lost(model, one.name, tasks))
    return found


@dataclass
class Again:
    """One task of lost abilities, asked again of the base and of every model that lost it."""

    suite: LoadedSuite
    task: LoadedTask
    places: tuple[int, ...]
    ways: tuple[Way, ...]
    passes: tuple[Pass, ...]
    scores: dict[str, Scores] = field(default_factory=dict)
    """By model."""

    def put(
        self,
        engine: Engine,
        model: str,
        store: AnswerStore | None,
        on_batch: Callable[[], None] = lambda: None,
    ) -> None:
        """Ask one model. Raises as `engine.run.ask`."""
        from evalsuite.engine.run import ask

        self.scores[model] = {
            way.name: way.scored(ask(engine, asked, store, lambda count: on_batch()).answers)
            for way, asked in zip(self.ways, self.passes, strict=True)
        }

    def plain(self, model: str, samples: Samples) -> Scores:
        """Return how the answers to the suite score, as they are and read leniently."""
        given = samples[self.suite.spec.name, self.task.spec.name]
        answers = [given[place] for place in self.places]
        found = {AS_ASKED: [one.score for one in answers]}
        if self.task.spec.kind == "generation":
            items = [self.task.items[place] for place in self.places]
            lenient = contained(answers, items, self.task.spec.scorer)
            found |= {CONTAINED: lenient} if lenient else {}
        return found

    def way(self, name: str) -> Way | None:
        """Return a way of asking that takes passes of its own."""
        return next((way for way in self.ways if way.name == name), None)

    def places_of(self, name: str) -> tuple[int, ...]:
        """Return the items that were asked in a way."""
        way = self.way(name)
        return self.places if way is None else way.places

    def as_asked(self, name: str, scores: Scores) -> list[float]:
        """Return the scores as the suite asks, of the items that were asked in a way."""
        known = dict(zip(self.places, scores[AS_ASKED], strict=True))
        return [known[place] for place in self.places_of(name)]

    def chance(self, name: str) -> float:
        """Return what guessing scores in a way."""
        way = self.way(name)
        if way is not None and way.chance is not None:
            return way.chance
        items = tuple(self.task.items[place] for place in self.places_of(name))
        return chance_of((replace(self.task, items=items),)) or 0.0


def ask_again(
    lost: Sequence[Lost], asker: Asker, limits: BatchLimits, section: TriageSection
) -> dict[tuple[str, str], Again]:
    """Make the questions of every task of lost abilities, by suite and task."""
    from evalsuite.engine.run import Pass

    found: dict[tuple[str, str], Again] = {}
    for suite, task in (pair for one in lost for pair in one.tasks):
        key = suite.spec.name, task.spec.name
        if key in found or task.spec.kind == "perplexity":
            continue
        places = chosen_places(task, section.items, section.seed)
        if not places:  # its only item would be the example
            continue
        ways = tuple(ways_of(task, places, asker, section.seed))
        passes = tuple(Pass.plan(way.requests, limits) for way in ways)
        found[key] = Again(suite, task, places, ways, passes)
    return found


def triage_record(
    one: Lost,
    again: dict[tuple[str, str], Again],
    base: tuple[str, Samples],
    tuned: Samples,
) -> TriageRecord:
    """Return what asking again showed of one lost ability."""
    cases = [
        again[suite.spec.name, task.spec.name]
        for suite, task in one.tasks
        if (suite.spec.name, task.spec.name) in again
    ]
    before, after = (
        [case.plain(name, samples) | case.scores.get(name, {}) for case in cases]
        for name, samples in (base, (one.tuned, tuned))
    )
    names = list(dict.fromkeys(name for scores in before for name in scores))
    ways = [_way_record(name, cases, before, after) for name in names]
    kind, best = kind_of(ways)
    return TriageRecord(
        tuned=one.tuned,
        ability=one.ability,
        kind=kind,
        sentence=triage_sentence(one.ability, kind, best, ways),
        advice=triage_advice(kind, best),
        ways=ways,
    )


def _way_record(
    name: str, cases: Sequence[Again], before: Sequence[Scores], after: Sequence[Scores]
) -> WayRecord:
    """Return how one way fared over all tasks, beside the suite's own way on the same items."""
    having = [
        (case, one, two) for case, one, two in zip(cases, before, after, strict=True) if name in one
    ]
    chances = [case.chance(name) for case, _, _ in having for _ in case.places_of(name)]
    guessed = [case.chance(AS_ASKED) for case, _, _ in having for _ in case.places_of(name)]
    return way_record(
        name,
        [score for _, one, _ in having for score in one[name]],
        [score for _, _, two in having for score in two[name]],
        chance=math.fsum(chances) / len(chances),
        asked=way_record(
            AS_ASKED,
            [score for case, one, _ in having for score in case.as_asked(name, one)],
            [score for case, _, two in having for score in case.as_asked(name, two)],
            chance=math.fsum(guessed) / len(guessed),
        ),
        of=sum(len(case.places) for case in cases),
    )
