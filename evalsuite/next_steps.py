"""What to do after a verdict, as sentences with the command that does it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from evalsuite.report.document import ComparisonRecord, Results
from evalsuite.verdict import AbilityResult


@dataclass(frozen=True)
class NextStep:
    """Something to do."""

    why: str
    """One sentence."""
    command: str = ""
    """As it is typed; empty where there is nothing to type."""


def next_steps(results: Results, comparison: ComparisonRecord, run: str) -> list[NextStep]:
    """Return what follows from a verdict, the most useful first.

    Args:
        results: the whole document.
        comparison: the one meant.
        run: how the tuned model is named on the command line.
    """
    verdict, name = comparison.verdict, shlex.quote(run)
    if verdict.status == "invalid":
        why = "Mend what the failed check names, then measure again."
        return [NextStep(why, f"temper eval {name}")]
    steps = [*_of_lost(results, comparison, name), *_of_undecided(verdict.abilities, name)]
    if verdict.status == "pass":
        steps.append(NextStep("It passed: take it out.", f"temper export {name} --to merged"))
    return steps


def _of_lost(results: Results, comparison: ComparisonRecord, run: str) -> list[NextStep]:
    failed = [one for one in comparison.verdict.abilities if one.verdict == "fail"]
    lost = [one.name for one in failed if one.purpose == "retention"]
    steps = []
    if lost:
        names = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
        steps.append(
            NextStep(
                f"Seek a scale between base and tuned that keeps {names}.", f"temper dial {run}"
            )
        )
    advised = {one.advice: one for one in results.triage_of(comparison.key) if one.ability in lost}
    steps += [NextStep(f"{one.ability}: {advice}") for advice, one in list(advised.items())[:3]]
    of_failed = [one for one in results.failures if one.verdict == "fail" and one.sources]
    if any(group.model == comparison.key for group in of_failed):
        steps.append(
            NextStep(
                "Write down what failed, to make training rows like it.",
                f"temper eval {run} --failures gaps.json",
            )
        )
    return steps


def _of_undecided(abilities: tuple[AbilityResult, ...], run: str) -> list[NextStep]:
    open_ones = [one for one in abilities if one.verdict == "inconclusive"]
    unmeasured = [one.name for one in abilities if one.verdict == "not measured"]
    steps = []
    if open_ones:
        needed = max((one.items_needed or 0 for one in open_ones), default=0)
        names = ", ".join(one.name for one in open_ones[:3])
        many = f" (about {needed:,} items would decide)" if needed else ""
        steps.append(
            NextStep(
                f"Ask more of what is undecided: {names}{many}.", f"temper eval {run} --top-up"
            )
        )
    if unmeasured:
        names = ", ".join(unmeasured[:3])
        steps.append(NextStep(f"Mend what kept {names} from being measured; see why beside it."))
    return steps
