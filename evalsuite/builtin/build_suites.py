"""Writes the shipped suites: always the same bytes.

    python -m evalsuite.builtin.build_suites [DIR]

Margins and item counts stand here, so they were fixed before any model was trained.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random

from evalsuite.builtin.abilities import ABILITIES, Ability, Split, draw_distinct
from evalsuite.builtin.tickets import TicketSplit, draw_tickets, triage_prompt

SUITES = Path(__file__).with_name("suites")
ITEMS = 500
"""Fewest items that an ability is judged by, and where self-sizing begins."""
KEPT_ITEMS = 1_000
"""Items of each ability to keep: so many that of eight abilities which did not change all pass with
probability 0.9 also where one item in ten flips, in clusters, over three looks (bench/stats.py)."""
EXAMPLES = 24
MARGIN = 0.05
MAX_NEW_TOKENS = {"triage": 40, "copying": 24, "reversing": 24, "uppercase": 24, "dates": 14}
"""Roomy for every right answer; 8 for the abilities not named."""

HEAD = """\
schema_version: 1
name: {name}
purpose: {purpose}
margin: {margin}            # a score may fall by less than this (non-inferiority)
alpha: 0.05
min_items: {items}
"""
TRIAGE = """\
min_gain: 0.05          # smallest gain that counts
tasks:
  - name: triage
    ability: triage
    kind: generation
    data: triage.jsonl
    prompt: {prompt}
    gold: "{{{{ answer }}}}"
    scorer: {{kind: json, keys: [team, priority, product]}}
    max_new_tokens: 40
    few_shot: {{data: triage_examples.jsonl, count: 3, seed: 1234}}
"""
TASK = """\
  - name: {name}
    ability: {name}
    kind: generation
    data: {name}.jsonl
    prompt: "{{{{ prompt }}}}"
    gold: "{{{{ answer }}}}"
    scorer: {{kind: exact}}
    max_new_tokens: {max_new_tokens}
"""


def suite_files() -> dict[str, str]:
    """File name → text of every shipped suite file."""
    tasks = map(_task, ABILITIES)
    files = {
        "triage.yaml": _head("triage", "target") + _triage(),
        "triage.jsonl": _tickets(TicketSplit.SUITE, ITEMS, "triage"),
        "triage_examples.jsonl": _tickets(TicketSplit.EXAMPLES, EXAMPLES, "example"),
        "retention.yaml": "".join([_head("retention", "retention"), "tasks:\n", *tasks]),
    }
    files |= {f"{ability.name}.jsonl": _items(ability) for ability in ABILITIES}
    return files


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in suite_files().items():
        (directory / name).write_text(text, encoding="utf-8")


def _head(name: str, purpose: str) -> str:
    return HEAD.format(name=name, purpose=purpose, margin=MARGIN, items=ITEMS)


def _triage() -> str:
    return TRIAGE.format(prompt=json.dumps(triage_prompt("{{ ticket }}")))


def _task(ability: Ability) -> str:
    text = TASK.format(name=ability.name, max_new_tokens=MAX_NEW_TOKENS.get(ability.name, 8))
    if not ability.disjoint_operands:
        text += "    cluster: topic          # equal operands in other words: not independent\n"
    if ability.held_back:
        text += "    held_back: true         # never in replay rows\n"
    return text


def _items(ability: Ability) -> str:
    rng = Random(f"suite {ability.name}")
    rows = []
    for number, item in enumerate(draw_distinct(ability, rng, Split.RETENTION, KEPT_ITEMS), 1):
        row = {"id": f"{ability.name}-{number:04}", "prompt": item.prompt, "answer": item.answer}
        rows.append(row | ({"topic": item.cluster} if item.cluster else {}))
    return _lines(rows)


def _tickets(split: TicketSplit, count: int, prefix: str) -> str:
    tickets = draw_tickets(Random(f"suite {prefix}"), split, count)
    return _lines(
        {"id": f"{prefix}-{number:04}", "ticket": ticket.text, "answer": ticket.answer}
        for number, ticket in enumerate(tickets, 1)
    )


def _lines(rows: Iterable[Mapping[str, str]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SUITES)
