"""What makes two evaluations of one suite incomparable, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evalsuite.engine.questions import Sample, shown_prompt
from evalsuite.report.document import Results, SuiteRecord
from evalsuite.tasks import LoadedSuite, LoadedTask
from workspace.text import plain

_TERMS = ("purpose", "margin", "alpha", "min_items", "min_gain")


def differing_items(
    then: Results,
    suites: Sequence[LoadedSuite],
    stored: Mapping[tuple[str, str], Sequence[Sample]],
) -> list[str]:
    """Return a sentence for each difference between what was asked then and what would be now.

    Equal digests of a suite mean equal items, scorers and terms. Where they differ, the stored
    questions and answers say in what.

    Args:
        then: the stored evaluation.
        suites: as they are now.
        stored: what the model answered, by suite and task.
    """
    records = {one.name: one for one in then.suites}
    out: list[str] = []
    for suite in suites:
        record = records.get(suite.spec.name)
        if record is None:
            out.append(f"Suite {suite.spec.name} was not put.")
        elif record.digest != suite.digest:
            out += _suite(record, suite, stored)
    return out


def _suite(
    then: SuiteRecord,
    suite: LoadedSuite,
    stored: Mapping[tuple[str, str], Sequence[Sample]],
) -> list[str]:
    out = [
        f"Suite {suite.spec.name} had {term} {getattr(then, term)}, "
        f"now {getattr(suite.spec, term)}."
        for term in _TERMS
        if getattr(then, term) != getattr(suite.spec, term)
    ]
    for task in suite.tasks:
        out += _task(task, stored.get((suite.spec.name, task.spec.name), ()))
    return out or [
        f"Suite {suite.spec.name} has another digest: a scorer, a limit or another field changed."
    ]


def _task(task: LoadedTask, stored: Sequence[Sample]) -> list[str]:
    name = task.spec.name
    now = {item.id: item for item in task.items}
    if not stored:
        return [f"Task {name} was not put, or none of its {len(now):,} items is the same."]
    changed = [
        sample.item_id
        for sample in stored
        if task.spec.kind != "perplexity"
        and (
            sample.prompt != shown_prompt(now[sample.item_id])
            or sample.gold != now[sample.item_id].gold
        )
    ]
    if not changed:
        return []
    items = "item" if len(changed) == 1 else "items"
    return [f"Task {name}: {len(changed):,} {items} changed, the first is {plain(changed[0], 60)}."]
