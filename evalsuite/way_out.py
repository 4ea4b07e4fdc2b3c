"""What to do next when a gate refuses: said of what fell, of what had no room, of what was lost."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.verdict import AbilityResult, Verdict


def way_out(verdict: Verdict) -> str:
    """Return advice on everything that stands against a model, the weightiest first."""
    if verdict.status == "invalid":
        return "The canaries above say which check of the measurement failed."
    stopped = [one for one in verdict.abilities if one.verdict == "fail"]
    targets = [one for one in stopped if one.purpose == "target"]
    fell = [one for one in targets if _fell(one)]
    full = [one for one in targets if at_ceiling(one)]
    parts = []
    if fell:
        parts.append(
            f"{_names(fell)} fell although it was to be gained: compare the answers in report.html "
            "with the training rows. They may teach another form, or wrong answers; or the "
            "learning rate is too high."
        )
    if full:
        parts.append(
            f"The base is at the ceiling of {_names(full)} already: take that target out, or put "
            "harder items to it."
        )
    if len(fell) + len(full) < len(targets):
        parts.append("To learn more: more rows or epochs, or a higher train.learning_rate.")
    if len(targets) < len(stopped):
        parts.append(
            "Against forgetting: replay more general rows (train.tempering.replay), or train more "
            "gently (train.learning_rate, fewer steps)."
        )
    return " ".join(parts) or "More items per ability decide more; the lines above say how many."


def at_ceiling(result: AbilityResult) -> bool:
    """Return whether the base leaves no room for the gain that counts; what fell has room now."""
    if not result.bounded or result.base is None or _fell(result):
        return False
    return result.base + result.min_gain >= 1


def _fell(result: AbilityResult) -> bool:
    return result.upper_bound is not None and result.upper_bound < 0


def _names(abilities: Sequence[AbilityResult]) -> str:
    names = [one.name for one in abilities]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
