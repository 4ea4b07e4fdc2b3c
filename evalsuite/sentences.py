"""Figures and decisions in plain words, the same in terminal, HTML, Markdown and JUnit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from evalsuite.verdict import AbilityResult, Canary, Status
from evalsuite.way_out import at_ceiling

MINUS = "\u2212"
NARROW_SPACE = "\u202f"


def score(value: float | None, *, bounded: bool = True) -> str:
    """Return a score as per cent, or with three decimals where it has no bounds.

    >>> score(0.9125), score(None), score(1.25, bounded=False)
    ('91.2\\u202f%', '–', '1.250')
    """
    if value is None:
        return "–"
    text = f"{value * 100:.1f}{NARROW_SPACE}%" if bounded else f"{value:.3f}"
    return text.replace("-", MINUS)


def change(value: float | None, *, bounded: bool = True) -> str:
    """Return a difference in points with its sign, without the word.

    >>> change(-0.0321), change(0.0001)
    ('−3.2', '0.0')
    """
    if value is None:
        return "–"
    text = f"{value * 100:+.1f}" if bounded else f"{value:+.3f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", MINUS)


def size(value: float | None, *, bounded: bool = True) -> str:
    """Return a size in points, without sign and without needless decimals.

    >>> size(0.05), size(0.0123)
    ('5', '1.2')
    """
    if value is None:
        return "–"
    text = f"{value * 100:.1f}" if bounded else f"{value:.3f}"
    return text.removesuffix(".0")


def unit(bounded: bool) -> str:
    """Return the word that follows a difference."""
    return " points" if bounded else ""


def ability_sentence(result: AbilityResult) -> str:
    """Say what was found on one ability and what that means."""
    if result.verdict == "not measured":
        why = {
            "not_run": "it did not run",
            "error": "it failed while running",
            "incompatible": "it cannot be run on these two models alike",
            "too_few": "it has no items",
        }.get(result.state, "the measurement is not valid")
        detail = f": {result.detail}" if result.detail else ""
        return f"Not measured, {why}{detail}. It does not count as kept."
    b = result.bounded
    seen = (
        f"{score(result.base, bounded=b)} → {score(result.tuned, bounded=b)} on {result.n:,} items"
        f"{f', look {result.looks}' if result.looks > 1 else ''}"
        f" ({change(result.difference, bounded=b)}{unit(b)}; 95{NARROW_SPACE}% interval"
        f" {change(result.low, bounded=b)} to {change(result.high, bounded=b)})"
    )
    return f"{seen}. {meaning(result)}"


def meaning(result: AbilityResult) -> str:
    """Say what the figures of a measured ability mean, without repeating them."""
    b = result.bounded
    margin = f"{size(result.margin, bounded=b)}{unit(b)}"
    gain = f"{size(result.min_gain, bounded=b)}{unit(b)}"
    smallest = (
        "The smallest change this test would show is"
        f" {size(result.minimum_detectable_effect, bounded=b)}{unit(b)}."
    )
    if result.purpose == "target":
        wanted = f"a gain of more than {gain}" if result.min_gain else "a gain"
        if result.verdict == "pass":
            return f"Gained: {wanted} is shown{_bound(result, 'lower')}."
        if result.verdict == "fail":
            ruled_out = f"Not gained: {wanted} is ruled out{_bound(result, 'upper')}."
            return f"{ruled_out} {smallest}{_ceiling(result)}"
        why = result.detail or f"{wanted} is neither shown nor ruled out"
        return f"Undecided: {why}. {smallest}{_ceiling(result) or _more(result)}"
    if result.verdict == "pass":
        kept = f"Kept: a loss of {margin} or more is ruled out{_bound(result, 'lower')}."
        return f"{kept} {smallest}"
    if result.verdict == "fail":
        if result.upper_bound is not None and result.upper_bound < -result.margin:
            sure = f"a loss of more than {margin}{_bound(result, 'upper')}"
            return f"Lost: even the most favourable reading is {sure}."
        return (
            f"Lost: a loss is certain (Holm-adjusted p {p_value(result.p_holm)}) and its best"
            f" estimate is not below the margin of {margin}."
        )
    if result.detail:
        return f"Undecided: {result.detail}. {smallest}{_more(result)}"
    return (
        f"Undecided: a loss of {margin} is neither shown nor ruled out. {smallest}{_more(result)}"
    )


def _bound(result: AbilityResult, side: Literal["lower", "upper"]) -> str:
    """Return the bound that decided: one-sided, so not an end of the interval shown beside it."""
    lower = side == "lower"
    value = result.lower_bound if lower else result.upper_bound
    level = result.pass_alpha if lower else result.fail_alpha
    if value is None:
        return ""
    sure = f"{100 * (1 - (result.alpha if level is None else level)):.1f}".removesuffix(".0")
    bound = change(value, bounded=result.bounded)
    return f" (one-sided {side} {sure}{NARROW_SPACE}% bound {bound}{unit(result.bounded)})"


def _ceiling(result: AbilityResult) -> str:
    """Say that no gain is possible, where the base leaves no room for the one that counts."""
    if not at_ceiling(result):
        return ""
    return (
        f" The base is at the ceiling already ({score(result.base)}): take this target out, or put"
        " harder items to it."
    )


def _more(result: AbilityResult) -> str:
    if result.items_needed is None:
        return ""
    return f" About {result.items_needed:,} items would decide it."


def p_value(value: float | None) -> str:
    """Return a p-value with two significant figures.

    >>> p_value(0.0427), p_value(0.00001), p_value(1.0)
    ('0.043', '< 0.001', '1.0')
    """
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:#.2g}"


def headline(status: Status, abilities: Sequence[AbilityResult], canaries: Sequence[Canary]) -> str:
    """Say the whole verdict in one sentence."""
    if status == "invalid":
        failed = [canary.name for canary in canaries if canary.status == "fail"]
        return f"Invalid: no number may be trusted, because a check failed: {', '.join(failed)}."
    target = [ability for ability in abilities if ability.purpose == "target"]
    kept = [ability for ability in abilities if ability.purpose == "retention"]
    parts = [part for part in (_target_part(target), _retention_part(kept)) if part]
    if target and not kept:
        parts.append("what was forgotten was not measured")
    word = {"pass": "Passed", "fail": "Failed", "inconclusive": "Undecided"}[status]
    return f"{word}: {'; '.join(parts) if parts else 'nothing was measured'}."


def _target_part(abilities: Sequence[AbilityResult]) -> str:
    said = {"pass": "gained", "fail": "did not gain enough", "inconclusive": "undecided"}
    parts = []
    for ability in abilities:
        word = said.get(ability.verdict, "was not measured")
        if ability.difference is None:
            parts.append(f"{ability.name} {word}")
        else:
            by = f"{change(ability.difference, bounded=ability.bounded)}{unit(ability.bounded)}"
            parts.append(f"{ability.name} {word} ({by})")
    return ", ".join(parts[:3]) + (f" and {len(parts) - 3} more" if len(parts) > 3 else "")


def _retention_part(abilities: Sequence[AbilityResult]) -> str:
    total = len(abilities)
    if not total:
        return ""
    number = {
        verdict: sum(ability.verdict == verdict for ability in abilities)
        for verdict in ("pass", "fail", "inconclusive", "not measured")
    }
    for verdict, word in (("pass", "kept"), ("fail", "lost")):
        if number[verdict] == total:
            whole = "the one ability" if total == 1 else f"all {total} abilities"
            return f"{whole} {word}"
    parts = [
        f"{number[verdict]} {word}"
        for verdict, word in (
            ("fail", "lost"),
            ("inconclusive", "undecided"),
            ("not measured", "not measured"),
            ("pass", "kept"),
        )
        if number[verdict]
    ]
    return f"of {total} abilities {', '.join(parts)}"
