"""Asking in looks: a part of the items, then more of them for what is undecided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.engine.pairing import Samples, pair_abilities
from evalsuite.engine.questions import Sample
from evalsuite.engine.request import BASE, EvalRequest, Watch
from evalsuite.engine.unmeasured import Key, Unmeasured, cannot_be_asked, said
from evalsuite.gate import conclude, decide
from evalsuite.overfitting.section import OverfittingSection
from evalsuite.sizing.plan import Place, narrowed, positions, schedules
from evalsuite.sizing.section import SizingSection
from evalsuite.tasks import Item, LoadedSuite
from evalsuite.triage.section import TriageSection
from evalsuite.verdict import AbilityResult, PairedAbility, Verdict
from workspace.errors import ModelError

if TYPE_CHECKING:
    from evalsuite.engine.measured import Measured

_NOT_AGAIN = (
    "lost abilities were not asked again in other ways: items were asked in looks "
    "(`evaluate.sizing`)"
)
Measure = Callable[[EvalRequest, Path, Watch], "Measured"]


@dataclass
class _Standing:
    """What is known of one tuned model."""

    results: dict[str, AbilityResult] = field(default_factory=dict)
    """By ability, as of the look that decided it or the latest."""
    open: set[str] = field(default_factory=set)
    """Abilities that more items may still decide."""


def measure_in_looks(
    request: EvalRequest, evals: Path, watch: Watch, measure: Measure, section: SizingSection
) -> tuple[Measured, dict[str, Verdict]]:
    """Measure until every ability is decided or its items are used up.

    What was decided at one look is not judged again: with the levels of `Schedule` this keeps the
    probability of a wrong verdict per ability at alpha.

    Args:
        request: with all items of its suites.
        evals: as for `measure`.
        watch: as for `measure`.
        measure: asks all items of a request.
        section: how many items first, and how many more.

    Returns:
        Everything that was answered, and the verdict on each tuned model.
    """
    return _Looks(request, section).run(evals, watch, measure)


@dataclass
class _AllLooks:
    """Counts the answers of one look after those of the looks before."""

    watch: Watch
    before: int = 0
    latest: int = 0

    def doing(self, what: str) -> None:
        self.watch.doing(what)

    def answered(self, model: str, task: str, done: int, total: int) -> None:
        self.latest = self.before + done
        self.watch.answered(model, task, self.latest, self.before + total)

    def next_look(self) -> None:
        self.before = self.latest


class _Looks:
    def __init__(self, request: EvalRequest, section: SizingSection) -> None:
        # A look's own items at full alpha would call lost what the verdict does not.
        first = request.settings.model_copy(update={"triage": TriageSection(items=0)})
        self.request = replace(request, settings=first)
        self.not_again = request.settings.triage.items > 0
        self.schedules = schedules(request.suites, section, whole_targets=request.prompts)
        names = request.model_names()
        self.standing = {name: _Standing(open=set(self.schedules)) for name in names}
        self.reached = dict.fromkeys(self.schedules, 0)
        """The latest look at each ability."""

    def run(
        self, evals: Path, watch: Watch, measure: Measure
    ) -> tuple[Measured, dict[str, Verdict]]:
        look, out, counting = 1, None, _AllLooks(watch)
        while new := self._added(look):
            asked = narrowed(self.request.suites, positions(new))
            if out is None:
                out = measure(replace(self.request, suites=asked), evals, counting)
            else:
                watch.doing(f"asking {len(new):,} more items of what is undecided")
                again = self.request.settings.model_copy(
                    update={"noise_items": 0, "overfitting": OverfittingSection(rows=0)}
                )
                request = replace(self.request, suites=asked, settings=again, prompts=False)
                try:
                    _merge(out, measure(request, evals, counting))
                except ModelError as error:  # none of what this look adds can be asked
                    _merge(out, _unaskable(request, error))
            self._judge(look, out)
            out.notes.append(self._said(look, len(new)))
            counting.next_look()
            look += 1
        assert out is not None  # a suite has at least one item
        self._in_order(out)
        verdicts = {name: self._verdict(name, out) for name in self.standing}
        lost = [
            one
            for verdict in verdicts.values()
            for one in verdict.abilities
            if one.purpose == "retention" and one.verdict == "fail"
        ]
        if lost and self.not_again:
            out.notes.append(_NOT_AGAIN)
        return out, verdicts

    def _added(self, look: int) -> list[tuple[str, Place]]:
        """Return the items to ask at a look: of what is open for some model."""
        wanted = {name for standing in self.standing.values() for name in standing.open}
        if look == 1:
            wanted = set(self.schedules)
        found = []
        for name, schedule in self.schedules.items():
            added = schedule.added(look) if name in wanted else ()
            found += [(schedule.suite, place) for place in added]
            self.reached[name] = look if added else self.reached[name]
        return found

    def _judge(self, look: int, measured: Measured) -> None:
        for model, standing in self.standing.items():
            if not standing.open:
                continue
            failed = any(one.status == "fail" for one in measured.checks(model))
            for result in decide(self._pairs(model, measured)):
                if result.name not in standing.open or self.reached[result.name] < look:
                    continue
                standing.results[result.name] = result
                last = look >= len(self.schedules[result.name].sizes)
                if failed or last or result.verdict != "inconclusive":
                    standing.open.discard(result.name)

    def _pairs(self, model: str, measured: Measured) -> list[PairedAbility]:
        """Pair all abilities, each on the items of the look that it is at."""
        out = []
        for name, schedule in self.schedules.items():
            known = self.standing[model].results.get(name)
            closed = known is not None and name not in self.standing[model].open
            look = known.looks if known is not None and closed else self.reached[name]
            seen = positions([(schedule.suite, place) for place in schedule.seen(look)])
            suites = narrowed(self.request.suites, seen)
            base, tuned = (_only(suites, measured.samples[which]) for which in (BASE, model))
            missing = (measured.missing.get(which, {}) for which in (BASE, model))
            (pair,) = pair_abilities(suites, base, tuned, *missing)
            level = schedule.levels[look - 1]
            out.append(replace(pair, name=name, look=look, pass_alpha=level, fail_alpha=level))
        return out

    def _verdict(self, model: str, measured: Measured) -> Verdict:
        results = self.standing[model].results
        ordered = [results[name] for name in self.schedules]
        return conclude(ordered, measured.checks(model))

    def _said(self, look: int, items: int) -> str:
        left = sum(len(standing.open) for standing in self.standing.values())
        return (
            f"look {look}: {items:,} items of {self._named(look)} asked; "
            f"{left or 'none'} undecided that more items may decide"
        )

    def _named(self, look: int) -> str:
        asked = [name for name, reached in self.reached.items() if reached == look]
        return f"{len(asked)} abilities" if len(asked) > 3 else ", ".join(asked)

    def _in_order(self, measured: Measured) -> None:
        """Put the samples of all looks into the order of the suites' items."""
        for model, found in measured.samples.items():
            measured.samples[model] = {
                (suite.spec.name, task.spec.name): _by_id(
                    found[suite.spec.name, task.spec.name], task.items
                )
                for suite in self.request.suites
                for task in suite.tasks
                if (suite.spec.name, task.spec.name) in found
            }


def _by_id(samples: Sequence[Sample], items: Sequence[Item]) -> list[Sample]:
    known = {sample.item_id: sample for sample in samples}
    return [known[item.id] for item in items if item.id in known]


def _only(suites: tuple[LoadedSuite, ...], samples: Samples) -> Samples:
    """Return the samples of the items of these suites, in their order; none of a missing task."""
    return {
        (suite.spec.name, task.spec.name): _by_id(
            samples[suite.spec.name, task.spec.name], task.items
        )
        for suite in suites
        for task in suite.tasks
        if (suite.spec.name, task.spec.name) in samples
    }


def _unaskable(request: EvalRequest, error: ModelError) -> Measured:
    from evalsuite.engine.measured import Measured

    missing = {
        (suite.spec.name, task.spec.name): cannot_be_asked(error)
        for suite in request.suites
        for task in suite.tasks
    }
    names = [BASE, *request.model_names()]
    notes = [f"nothing that a look adds can be asked: {said(error)}"]
    return Measured(missing={name: dict(missing) for name in names}, notes=notes)


def _merge(into: Measured, more: Measured) -> None:
    for model, found in more.samples.items():
        merged = {key: list(samples) for key, samples in into.samples[model].items()}
        for key, samples in found.items():
            merged.setdefault(key, []).extend(samples)
        into.samples[model] = merged
    for model, canaries in more.canaries.items():
        failed = [one for one in canaries if one.status == "fail"]
        into.canaries.setdefault(model, []).extend(failed)
    for model, missing in more.missing.items():
        _merge_missing(into, model, missing, more.samples.get(BASE, {}))
    into.judges += more.judges
    into.win_rates += more.win_rates
    into.notes += [note for note in more.notes if note not in into.notes]


def _merge_missing(
    into: Measured, model: str, missing: Mapping[Key, Unmeasured], of_base: Samples
) -> None:
    """Record what a later look could not measure of a model.

    Items that do not fit the model are left out, as they are where all are asked at once: what was
    answered before stands. After an error it does not, since the base has answered more items.
    """
    known, samples = into.missing.setdefault(model, {}), dict(into.samples.get(model, {}))
    for key, why in missing.items():
        if key in samples and why.state == "incompatible":
            continue
        known[key] = why
        if key in of_base:
            samples.pop(key, None)
    into.samples[model] = samples
