"""`report.md`: the verdict for a pull-request comment.

Text from models and data appears only inside code spans: there GitHub makes no link, no picture,
no mention and no markup of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evalsuite.report.code_span import code
from evalsuite.report.document import ComparisonRecord, PromptGain, Results
from evalsuite.report.flips import Flip, Flips
from evalsuite.report.markdown_failures import render_failures
from evalsuite.report.markdown_judges import render_judges
from evalsuite.report.markdown_overfitting import render_own_data
from evalsuite.report.markdown_prompts import render_gains, render_prompts
from evalsuite.report.markdown_sequence import render_sequence
from evalsuite.report.markdown_triage import render_triage
from evalsuite.sentences import ability_sentence, change, meaning, score, size
from evalsuite.verdict import AbilityResult

LIMIT = 60_000
"""Characters; GitHub refuses a comment above 65,536."""
MARKS = {
    "pass": "✅ pass",
    "fail": "❌ fail",
    "inconclusive": "❔ undecided",
    "not measured": "➖ not measured",
    "invalid": "⛔ invalid",
}


def render_markdown(results: Results, flips: Mapping[str, Flips], *, examples: int = 5) -> str:
    """Return the comment.

    Args:
        results: the whole document.
        flips: by `key` of the comparison.
        examples: lost items shown per comparison.
    """
    lines = [f"## Evaluation {code(results.heading)}", ""]
    lines += [f"- {code(one.name)} is {code(one.place, 300)}" for one in results.bases()]
    lines += [""]
    for comparison in results.comparisons:
        gains = [one for one in results.prompt_gains if one.tuned == comparison.key]
        lines += _comparison(comparison, flips.get(comparison.key), examples, gains)
        lines += render_triage(results.triage_of(comparison.key))
        lines += render_failures([one for one in results.failures if one.model == comparison.key])
        lines += render_own_data(results.own_data_of(comparison.key))
    lines += render_sequence(results.sequence)
    lines += render_prompts(results)
    lines += render_judges(results)
    failed = [canary for canary in results.canaries if canary.status == "fail"]
    lines += [f"- ⛔ {code(canary.name)}: {code(canary.detail, 200)}" for canary in failed]
    if results.commands:
        lines += ["<details><summary>How to reproduce</summary>", ""]
        lines += [f"- {code(command, 400)}" for command in results.commands]
        lines += ["", "</details>", ""]
    text = "\n".join(lines).rstrip() + "\n"
    if len(text) <= LIMIT:
        return text
    kept = text[:LIMIT].rsplit("\n", 1)[0]
    return f"{kept}\n\n{len(text) - len(kept):,} characters left out; the rest is in report.html.\n"


def _comparison(
    comparison: ComparisonRecord,
    flips: Flips | None,
    examples: int,
    gains: Sequence[PromptGain],
) -> list[str]:
    verdict = comparison.verdict
    lines = [f"### {MARKS[verdict.status]} · {code(comparison.tuned)}", ""]
    if verdict.status == "invalid":
        lines += ["No number may be trusted, because a check of the measurement failed:", ""]
        lines += [
            f"- {code(canary.name)}: {code(canary.detail or 'failed', 300)}"
            for canary in verdict.canaries
            if canary.status == "fail"
        ]
        return [*lines, ""]
    lines += [
        f"| ability | items | {code(comparison.base)} | {code(comparison.tuned)} | change"
        " | 95 % interval | smallest visible | lost / gained | |",
        "|---|--:|--:|--:|--:|:-:|--:|--:|---|",
    ]
    lines += [_row(ability) for ability in verdict.abilities]
    lines += ["", *render_gains(gains)]
    lines += _why(verdict.abilities)
    if flips is not None and flips.lost:
        lines += _examples(_one_each(flips, examples), flips.lost)
    return lines


def _row(a: AbilityResult) -> str:
    b = a.bounded
    purpose = "gain" if a.purpose == "target" else "keep, never replayed" if a.held_back else "keep"
    if a.difference is None:
        return (
            f"| {code(a.name, 60)} ({purpose}) | – | – | – | – | – | – | – | {MARKS[a.verdict]} |"
        )
    cells = (
        f"{code(a.name, 60)} ({purpose})",
        f"{a.n:,}",
        score(a.base, bounded=b),
        score(a.tuned, bounded=b),
        f"**{change(a.difference, bounded=b)}**",
        f"{change(a.low, bounded=b)} … {change(a.high, bounded=b)}",
        size(a.minimum_detectable_effect, bounded=b),
        f"{a.negative_flips:,} / {a.positive_flips:,}",
        MARKS[a.verdict],
    )
    return f"| {' | '.join(cells)} |"


def _why(abilities: Sequence[AbilityResult]) -> list[str]:
    """Say in words what did not pass. Details may quote data, so they go into code spans."""
    lines = []
    for a in abilities:
        if a.verdict == "not measured":
            lines.append(f"- {code(a.name, 60)}: {code(ability_sentence(a), 400)}")
        elif a.verdict != "pass":
            lines.append(f"- {code(a.name, 60)}: {meaning(a)}")
    return [*lines, ""] if lines else []


def _one_each(flips: Flips, most: int) -> list[Flip]:
    """Return lost items, the first of every ability before the second of any."""
    rank: dict[str, int] = {}
    order = []
    for place, flip in enumerate(flip for flip in flips.shown if flip.kind == "lost"):
        rank[flip.ability] = rank.get(flip.ability, 0) + 1
        order.append((rank[flip.ability], place, flip))
    return [flip for _, _, flip in sorted(order, key=lambda entry: entry[:2])[:most]]


def _examples(lost: Sequence[Flip], total: int) -> list[str]:
    rest = total > len(lost)
    lines = [
        f"<details><summary>{len(lost)} of {total:,} lost items</summary>",
        "",
        *(["More are in report.html, all answers in samples.parquet.", ""] if rest else []),
        "| ability | asked | wanted | base | tuned |",
        "|---|---|---|---|---|",
    ]
    for flip in lost:
        texts = (flip.prompt, flip.gold, flip.base_output, flip.tuned_output)
        cells = [code(flip.ability, 60), *(code(text, 160) for text in texts)]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", "</details>", ""]
