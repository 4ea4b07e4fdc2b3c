"""The part of `report.md` that says what prompts alone reach."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.report.code_span import code
from evalsuite.report.document import PromptGain, Results
from evalsuite.sentences import change, score


def render_gains(gains: Sequence[PromptGain]) -> list[str]:
    """Return what a tuned model adds to the best prompt, a table of targets; nothing without."""
    if not gains:
        return []
    lines = [
        "| over the best prompt | prompt | items | base so asked | tuned | gain | 95 % interval |",
        "|---|---|--:|--:|--:|--:|:-:|",
    ]
    lines += [
        f"| {code(one.ability, 60)} | {code(one.prompt, 60)} | {one.n:,} | {score(one.score)} | "
        f"{score(one.tuned_score)} | **{change(one.difference)}** | "
        f"{change(one.low)} … {change(one.high)} |"
        for one in gains
    ]
    return [*lines, ""]


def render_prompts(results: Results) -> list[str]:
    """Return the ways of asking that were tried, and whether to tune; nothing without."""
    lines: list[str] = []
    if results.prompt_baselines or results.recommendations:
        lines += ["### Is tuning needed?", ""]
        lines += [f"- {code(one.sentence, 600)}" for one in results.recommendations]
        lines += [""] if results.recommendations else []
    if not results.prompt_baselines:
        return lines
    best = {(one.ability, one.name) for one in results.best_prompts}
    lines += [
        "| asked | model | score | items | tokens per 1,000 requests |",
        "|---|---|--:|--:|--:|",
    ]
    lines += [
        f"| {code(one.name, 60)}{' (best)' if (one.ability, one.name) in best else ''} | "
        f"{code(one.model, 60)} | {score(one.score)} | {one.n:,} | {_thousand(one.prompt_tokens)} |"
        for one in results.prompt_baselines
    ]
    return [*lines, ""]


def _thousand(tokens: float | None) -> str:
    return "–" if tokens is None else f"{round(tokens, 1) * 1000:,.0f}"
