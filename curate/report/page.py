"""Renders the report; everything that came from data is escaped by the template engine."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from curate.report.closest import HEIGHT as PAIRS_HEIGHT
from curate.report.facts import Facts
from curate.report.flow import HEIGHT as REACH_HEIGHT
from curate.report.histogram import HEIGHT as HISTOGRAM_HEIGHT
from evalsuite.report.environment import HOUSE_STYLE, TEMPLATES, report_environment
from workspace.files import write_text

_HERE = Path(__file__).parent
_RECIPE = 100_000
"""Characters of the recipe that are shown; the whole is in `recipe.yaml`."""
_SOURCES = 100
_NOTES = 100
TYPES = {
    "messages": "conversations",
    "prompt_completion": "prompts with completions",
    "preference": "prompts with a chosen and a rejected answer",
    "unpaired_preference": "answers rated good or bad",
    "answer": "prompts with an answer that can be checked",
    "text": "plain texts",
}
_FOR = {"train": "to train on", "validation": "to validate on", "test": "to test on"}


def write_report(path: Path, facts: Facts) -> None:
    """Write `report.html`."""
    write_text(path, render_report(facts))


def render_report(facts: Facts) -> str:
    """Return the page: no script, nothing loaded, and the same for the same rows and recipe."""
    environment = report_environment(_HERE, TEMPLATES)
    style = "\n".join(
        path.read_text(encoding="utf-8") for path in (TEMPLATES / HOUSE_STYLE, _HERE / "report.css")
    )
    ledger = facts.ledger
    return environment.get_template("page.html.jinja").render(
        facts=facts,
        ledger=ledger,
        style=Markup(style),
        kind=TYPES[facts.type],
        purposes=_FOR,
        tokens=tokens_kept(facts),
        totals=[ledger.total(step) for step in ledger.steps],
        sources=ledger.sources[:_SOURCES],
        sources_hidden=max(0, len(ledger.sources) - _SOURCES),
        notes=facts.notes[:_NOTES],
        notes_hidden=max(0, len(facts.notes) - _NOTES),
        recipe=facts.recipe[:_RECIPE],
        recipe_cut=len(facts.recipe) > _RECIPE,
        heights={
            "reach": REACH_HEIGHT, "histogram": HISTOGRAM_HEIGHT, "pairs": PAIRS_HEIGHT
        },
    )  # fmt: skip


def tokens_kept(facts: Facts) -> int | None:
    """Return the tokens of all splits; None where they were not counted."""
    counts = [count.tokens for count in facts.ledger.splits.values()]
    return None if None in counts or not counts else sum(filter(None, counts))
