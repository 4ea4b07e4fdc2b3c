"""May this model ship? Paired scores in, a verdict with its evidence out. Pure.

The rule, per ability, on the difference d = tuned − base, with one-sided bounds at level alpha:

    retention   threshold = −margin      pass  lower bound > threshold: such a loss is ruled out
    target      threshold = +min_gain          (or: such a gain is shown)
                                         fail  upper bound < threshold
    retention also fails when a loss is certain (Holm-adjusted one-sided p < alpha) and its best
    estimate reaches the margin: it is then named as lost although the margin lies in the interval.
    Everything else is inconclusive, with the number of items that would decide it.

Where more items are asked for undecided abilities, each look has a level of its own, and together
they are at most alpha (`stats/spending.py`); what was decided at one look stays so.

The claim "all were kept" is an intersection of tests: each at level alpha gives at most alpha for
a model that lost the margin anywhere, so passing needs no correction. Naming *which* ones were
lost does; Holm's correction runs over all retention abilities.

What cannot pass, whatever its figures:
    fewer than `min_items` items (a proven loss still fails);
    an ability whose base is within the margin of chance: losing it whole would go unseen;
    whatever did not run, failed or is incompatible.
Nor does a model pass whose abilities to keep were not measured at all: with targets alone the
verdict is inconclusive at best, because what was forgotten is not known.
A failed canary makes the verdict invalid and withdraws every number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from evalsuite.paired_input import checked, without_nan
from evalsuite.sentences import ability_sentence, headline
from evalsuite.stats.comparison import Comparison, compare
from evalsuite.stats.forgetting import retention
from evalsuite.stats.multiplicity import holm
from evalsuite.stats.power import required_items
from evalsuite.verdict import (
    EXIT_CODES,
    AbilityResult,
    AbilityVerdict,
    Canary,
    PairedAbility,
    Status,
    Verdict,
)
from evalsuite.way_out import way_out
from workspace.errors import EvaluationInvalid, GateFailed, GateInconclusive, TemperError

MOST_ITEMS = 1_000_000
"""Beyond this, "more items" is no advice."""


def judge(abilities: Sequence[PairedAbility], canaries: Sequence[Canary] = ()) -> Verdict:
    """Decide over all abilities of one pair of models.

    Args:
        abilities: targets and retention together, names unique.
        canaries: checks of the measurement itself.

    Raises:
        ValueError: a name or an item id occurs twice, lengths differ, or a term is out of range:
            the caller paired the scores wrongly.
    """
    if any(canary.status == "fail" for canary in canaries):
        return conclude([_withdrawn(ability) for ability in checked(abilities)], canaries)
    return conclude(decide(abilities), canaries)


def decide(abilities: Sequence[PairedAbility]) -> list[AbilityResult]:
    """Decide on each ability, those to keep as one family. Raises as `judge`."""
    return _decide([without_nan(ability) for ability in checked(abilities)])


def conclude(results: Sequence[AbilityResult], canaries: Sequence[Canary] = ()) -> Verdict:
    """Put the results of abilities together; those under a failed canary are withdrawn."""
    if any(canary.status == "fail" for canary in canaries):
        results = [_withdrawn(result) for result in results]
    status = overall(results, canaries)
    return Verdict(
        status=status,
        exit_code=EXIT_CODES[status],
        headline=headline(status, results, canaries),
        reasons=tuple(_reasons(results, canaries)),
        abilities=tuple(results),
        canaries=tuple(canaries),
    )


def overall(results: Sequence[AbilityResult], canaries: Sequence[Canary] = ()) -> Status:
    """Return the weightiest: invalid, fail, inconclusive, pass.

    Nothing measured never passes, and neither do targets alone: forgetting was not measured.
    """
    verdicts = {result.verdict for result in results}
    if any(canary.status == "fail" for canary in canaries):
        return "invalid"
    if "fail" in verdicts:
        return "fail"
    return "pass" if verdicts == {"pass"} and _keeps(results) else "inconclusive"


def _keeps(results: Sequence[AbilityResult]) -> bool:
    return any(result.purpose == "retention" for result in results)


def enforce(
    verdict: Verdict, *, inconclusive: Literal["pass", "fail", "inconclusive"] = "inconclusive"
) -> None:
    """Raise what the verdict deserves; return when the model may pass.

    Args:
        verdict: of one comparison.
        inconclusive: what an undecided verdict counts as.

    Raises:
        GateFailed, GateInconclusive, EvaluationInvalid: the headline as cause.
    """
    kinds: dict[Status, tuple[type[TemperError], str]] = {
        "fail": (GateFailed, "the gate refused this model"),
        "inconclusive": (GateInconclusive, "the gate could not decide"),
        "invalid": (EvaluationInvalid, "this evaluation is not valid"),
    }
    status = verdict.status
    if status == "inconclusive" and inconclusive != "inconclusive":
        status = inconclusive
    if status == "pass":
        return
    kind, title = kinds[status]
    raise kind(title, cause=verdict.headline, cure=way_out(verdict))


def _decide(abilities: Sequence[PairedAbility]) -> list[AbilityResult]:
    compared = [
        compare(
            ability.base,
            ability.tuned,
            ability.clusters,
            alpha=_level(ability.pass_alpha, ability),
            upper_alpha=_level(ability.fail_alpha, ability),
            bounded=ability.bounded,
        )
        if ability.state in ("measured", "too_few") and np.size(ability.base)
        else None
        for ability in abilities
    ]
    family = [
        found.p_loss
        for ability, found in zip(abilities, compared, strict=True)
        if found is not None and ability.purpose == "retention"
    ]
    adjusted = iter(holm(family).tolist())
    results = []
    for ability, found in zip(abilities, compared, strict=True):
        if found is None:
            results.append(_not_measured(ability))
        else:
            p_holm = next(adjusted) if ability.purpose == "retention" else None
            results.append(_result(ability, found, p_holm))
    return results


def _result(ability: PairedAbility, found: Comparison, p_holm: float | None) -> AbilityResult:
    verdict, detail = _rule(ability, found, p_holm)
    target = ability.purpose == "target"
    chance, kept = ability.chance, None
    if chance is not None and not target:
        kept = retention(
            found.base, found.tuned, chance, base_standard_error=found.base_standard_error
        )
    result = replace(
        _blank(ability),
        verdict=verdict,
        state="measured" if found.n >= ability.min_items else "too_few",
        detail=detail,
        n=found.n,
        clusters=found.clusters,
        base=found.base,
        tuned=found.tuned,
        difference=found.difference,
        low=_finite(found.interval.low),
        high=_finite(found.interval.high),
        lower_bound=_finite(found.lower_bound),
        upper_bound=_finite(found.upper_bound),
        p=found.p_gain if target else found.p_loss,
        p_holm=p_holm,
        minimum_detectable_effect=_finite(found.minimum_detectable_effect),
        negative_flips=found.negative_flips,
        positive_flips=found.positive_flips,
        retention=kept,
        items_needed=_items_needed(ability, found) if verdict == "inconclusive" else None,
        bounded=found.bounded,
        method=found.method,
        looks=ability.look,
        pass_alpha=ability.pass_alpha,
        fail_alpha=ability.fail_alpha,
    )
    return replace(result, sentence=ability_sentence(result))


def _rule(
    ability: PairedAbility, found: Comparison, p_holm: float | None
) -> tuple[AbilityVerdict, str]:
    """Return the verdict and, where figures alone do not explain it, why."""
    threshold = _threshold(ability)
    if found.upper_bound < threshold:
        return "fail", ""
    certain = p_holm is not None and p_holm < _level(ability.fail_alpha, ability)
    if certain and found.difference <= threshold:
        return "fail", ""
    if found.clusters == 1:
        return "inconclusive", "all items share one cluster, which bounds nothing"
    if found.n < ability.min_items:
        return "inconclusive", f"{found.n:,} items are fewer than the {ability.min_items:,} agreed"
    if found.lower_bound <= threshold:
        return "inconclusive", ""
    blind = ability.chance is not None and found.base - ability.chance <= ability.margin
    if ability.purpose == "retention" and blind:
        return "inconclusive", "the base is at chance itself, so that losing it would go unseen"
    return "pass", ""


def _level(level: float | None, ability: PairedAbility) -> float:
    return ability.alpha if level is None else level


def _threshold(ability: PairedAbility) -> float:
    return ability.min_gain if ability.purpose == "target" else -ability.margin


def _items_needed(ability: PairedAbility, found: Comparison) -> int | None:
    """Return items for power 0.8 at the difference seen, or None where more would not help."""
    distance = found.difference - _threshold(ability)
    if found.n >= ability.min_items and found.lower_bound > _threshold(ability):
        return None  # held back by the base being at chance
    variance = found.standard_error**2 * found.n
    needed = required_items(variance, distance, alpha=ability.alpha, two_sided=False)
    if not needed < MOST_ITEMS:
        return None
    return max(ability.min_items, math.ceil(needed))


def _blank(ability: PairedAbility | AbilityResult) -> AbilityResult:
    return AbilityResult(
        name=ability.name,
        purpose=ability.purpose,
        verdict="not measured",
        sentence="",
        state=ability.state,
        detail=ability.detail,
        held_back=ability.held_back,
        margin=ability.margin,
        min_gain=ability.min_gain,
        alpha=ability.alpha,
        min_items=ability.min_items,
        chance=ability.chance,
    )


def _not_measured(ability: PairedAbility) -> AbilityResult:
    state = "too_few" if ability.state == "measured" else ability.state
    result = replace(_blank(ability), state=state)
    return replace(result, sentence=ability_sentence(result))


def _withdrawn(ability: PairedAbility | AbilityResult) -> AbilityResult:
    return replace(_blank(ability), sentence="Withdrawn: a check of the measurement failed.")


def _reasons(results: Sequence[AbilityResult], canaries: Sequence[Canary]) -> list[str]:
    failed = [canary for canary in canaries if canary.status == "fail"]
    if failed:
        return [f"{canary.name}: {canary.detail or 'failed'}" for canary in failed]
    reasons = _told(results, ("fail", "inconclusive", "not measured"))
    if not _keeps(results):
        reasons.append("No ability to keep was given: what was forgotten is not known.")
    return [*reasons, *_told(results, ("pass",))]


def _told(results: Sequence[AbilityResult], verdicts: Sequence[AbilityVerdict]) -> list[str]:
    return [
        f"{result.name}: {result.sentence}"
        for verdict in verdicts
        for result in results
        if result.verdict == verdict
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
