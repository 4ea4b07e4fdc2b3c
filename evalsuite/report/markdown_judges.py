"""The part of `report.md` that says what other models judged."""

from __future__ import annotations

from evalsuite.report.code_span import code
from evalsuite.report.document import Results
from evalsuite.report.judgement_words import judge_sentence, win_sentence


def render_judges(results: Results) -> list[str]:
    """Return the win rates and who judged; nothing where no other model did."""
    if not results.judges:
        return []
    lines = ["### What other models judged", ""]
    lines += [f"- {code(win_sentence(one), 600)}" for one in results.win_rates]
    lines += [f"- {code(judge_sentence(one), 600)}" for one in results.judges]
    return [*lines, ""]
