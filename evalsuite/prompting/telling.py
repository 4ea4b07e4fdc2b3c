"""What prompts reach, as tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.report.document import PromptGain, Results
from evalsuite.sentences import change, score
from evalsuite.verdict import AbilityResult
from workspace.context import emit_table


def tell_prompts(results: Results) -> None:
    """Print a table of every way of asking, if any was tried."""
    if not results.prompt_baselines:
        return
    best = {(one.ability, one.name): one for one in results.best_prompts}
    rows = []
    for one in results.prompt_baselines:
        chosen = best.get((one.ability, one.name))
        rows.append(
            [
                one.ability,
                one.name,
                score(one.score),
                f"{score(one.low)} to {score(one.high)}",
                f"{round(one.prompt_tokens or 0.0, 1) * 1000:,.0f}",
                f"best: {score(chosen.score)} on {chosen.n:,} others" if chosen else "",
            ]
        )
    emit_table(
        "the base by prompts alone",
        ["ability", "asked", "score", "95 % interval", "tokens per 1,000 requests", ""],
        rows,
        numeric=(2, 3, 4),
    )


def over_prompt(gains: Sequence[PromptGain], tuned: str, ability: AbilityResult) -> str:
    """Return a cell: the gain over the best prompt, in points with its interval, or why not."""
    found = next((one for one in gains if (one.tuned, one.ability) == (tuned, ability.name)), None)
    if found is None:
        return "not told: see below" if ability.purpose == "target" else "not a target"
    return f"{change(found.difference)} ({change(found.low)} to {change(found.high)})"
