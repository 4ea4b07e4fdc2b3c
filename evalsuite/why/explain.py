"""From verdicts and samples to groups of failures with the training rows nearest to them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from evalsuite.engine.pairing import Samples, ability_names
from evalsuite.engine.questions import Sample
from evalsuite.tasks import LoadedSuite
from evalsuite.verdict import AbilityResult, Verdict
from evalsuite.why.groups import grouped
from evalsuite.why.records import FailureGroup, NearRow
from evalsuite.why.rows import TrainingRows, nearest_rows
from workspace.files import write_json, write_text

_WRONG_BELOW = 0.5
"""An item of a target with a smaller score was answered wrongly."""
_TEXT, _REASON = 240, 160
_SHOWN_ROWS = 3


def failure_groups(
    model: str,
    verdict: Verdict,
    suites: Sequence[LoadedSuite],
    base: Samples,
    tuned: Samples,
    rows: TrainingRows | str,
) -> list[FailureGroup]:
    """Return the failures of every ability that did not pass, in groups.

    A failed item of an ability to keep is one that was lost; of a target, one answered wrongly.

    Args:
        model: the tuned model's name.
        verdict: on it; of an invalid one nothing is said.
        suites: with the items that were asked.
        base: answers of the base.
        tuned: answers of the tuned model.
        rows: what it was trained on, or why that is not known.
    """
    if verdict.status == "invalid":
        return []
    names = ability_names(suites)
    out = []
    for result in verdict.abilities:
        if result.verdict in ("fail", "inconclusive") and result.bounded:
            keys = [key for key, name in names.items() if name == result.name]
            pairs = [
                pair for key in keys if key in tuned
                for pair in zip(base[key], tuned[key], strict=True)
            ]  # fmt: skip
            out += _of_ability(model, result, pairs, rows)
    return out


def _of_ability(
    model: str,
    result: AbilityResult,
    pairs: Sequence[tuple[Sample, Sample]],
    rows: TrainingRows | str,
) -> list[FailureGroup]:
    target = result.purpose == "target"
    failed = [
        place
        for place, (before, after) in enumerate(pairs)
        if (after.score < _WRONG_BELOW if target else after.score < before.score)
    ]
    if not failed:
        return []
    questions = [after.prompt for _, after in pairs]
    near: dict[int, list[tuple[int, float]]] = {}
    if isinstance(rows, TrainingRows):
        found = nearest_rows([questions[place] for place in failed], rows)
        near = dict(zip(failed, found, strict=True))
    return [
        FailureGroup(
            model=model,
            ability=result.name,
            verdict=result.verdict,
            name=group.name,
            items=[f"{pairs[place][1].task}/{pairs[place][1].item_id}" for place in group.places],
            reason=_reason([pairs[place][1] for place in group.places]),
            rows=_nearest([near.get(place, []) for place in group.places], rows),
            sources=_sources([near.get(place, []) for place in group.places], rows),
        )
        for group in grouped(questions, failed)
    ]


def _reason(samples: Sequence[Sample]) -> str:
    said = Counter(sample.detail for sample in samples if sample.detail)
    if not said:
        mean = sum(sample.score for sample in samples) / len(samples)
        return f"mean score {mean:.2f}; the scorer gives no reason"
    reason, count = said.most_common(1)[0]
    return f"{count:,} of {len(samples):,}: {reason[:_REASON]}"


def _nearest(
    near: Sequence[Sequence[tuple[int, float]]], rows: TrainingRows | str
) -> list[NearRow]:
    """Return the rows that are near to most of the group."""
    if isinstance(rows, str):
        return []
    total: dict[int, list[float]] = {}
    for found in near:
        for place, similarity in found:
            total.setdefault(place, []).append(similarity)
    best = sorted(total, key=lambda place: (-sum(total[place]), place))[:_SHOWN_ROWS]
    return [
        NearRow(
            id=rows.ids[place],
            similarity=round(sum(total[place]) / len(total[place]), 3),
            text=rows.texts[place][:_TEXT],
        )
        for place in best
    ]


def _sources(near: Sequence[Sequence[tuple[int, float]]], rows: TrainingRows | str) -> list[str]:
    if isinstance(rows, str):
        return []
    return list(dict.fromkeys(rows.ids[place] for found in near for place, _ in found))


def write_deficits(path: Path, groups: Sequence[FailureGroup]) -> int:
    """Write what failed as `augment.target.deficits` reads it; return how many gaps.

    As many rows as items failed are asked for, to be made from the training rows nearest to them.
    The items themselves are not in the file but for the words that name a group: what is measured
    with must not be trained on. A file ending in .jsonl gets a gap a line, another one document.
    """
    gaps = [
        {
            "name": f"{group.ability}: {group.name}",
            "rows": len(group.items),
            "why": f"{len(group.items):,} items of {group.ability} failed in {group.model}",
            "from": group.sources,
        }
        for group in groups
        if group.verdict == "fail" and group.sources
    ]
    if path.suffix == ".jsonl":
        write_text(path, "".join(json.dumps(gap, ensure_ascii=False) + "\n" for gap in gaps))
    else:
        write_json(path, {"schema_version": 1, "kind": "deficits", "deficits": gaps})
    return len(gaps)
