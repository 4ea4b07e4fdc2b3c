"""Writes the suites in plain English: always the same bytes.

    python -m evalsuite.english.build [DIR]

Margins and item counts stand here, so they were fixed before any model was measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from evalsuite.english import (
    SUITES,
    arithmetic,
    conversations,
    copying,
    formats,
    instructions,
    knowledge,
    reasoning,
    safety,
)
from evalsuite.english.making import MadeTask, lines

ITEMS = 650
"""Of an ability: with no true change and one answer in ten changing sides, an ability of so many
independent items passes a margin of 5 points 99.1 times in 100; simulated with the clusters there
are, all nine pass together 89 times in 100, and 99 times where one answer in twenty changes."""
MIN_ITEMS = 500
MARGIN = 0.05

ABOUT = {
    "instructions": "instructions whose keeping a program checks: counts, texts, case, JSON",
    "arithmetic": "expressions, and word problems of several steps",
    "formats": "JSON, CSV, lists and exact templates of given records",
    "conversations": "facts told and changed over several turns, counts, rules, a role",
    "copying": "odd strings copied, lists reversed and sorted",
    "knowledge": "facts that are sure, each as a choice and in writing",
    "reasoning": "orders, families, sets, dates and programs to trace",
    "safety": "what should be refused, and harmless look-alikes that should be answered",
}
"""Suite → what it asks, in a line."""
_HEAD = """\
# In plain English for any chat model: {about}.
schema_version: 1
name: {name}
purpose: retention
margin: {margin}            # a score may fall by less than this (non-inferiority)
alpha: 0.05
min_items: {least}
tasks:
"""


def made_tasks() -> dict[str, list[MadeTask]]:
    """Return the tasks of every suite."""
    return {
        "instructions": instructions.tasks(ITEMS),
        "arithmetic": arithmetic.tasks(ITEMS),
        "formats": formats.tasks(ITEMS),
        "conversations": conversations.tasks(ITEMS),
        "copying": copying.tasks(ITEMS),
        "knowledge": knowledge.tasks(ITEMS),
        "reasoning": reasoning.tasks(ITEMS),
        "safety": safety.tasks(ITEMS),
    }


def suite_files() -> dict[str, str]:
    """Return file name → text of every shipped file."""
    suites = made_tasks()
    files = {f"{name}.yaml": _suite(name, ABOUT[name], tasks) for name, tasks in suites.items()}
    every = [task for tasks in suites.values() for task in tasks]
    files["general.yaml"] = _suite("general", "all abilities of the suites beside it", every)
    files |= {f"{task.name}.jsonl": "".join(lines(task.items, task.name)) for task in every}
    return files


def main(directory: Path) -> None:
    """Write every file."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in suite_files().items():
        (directory / name).write_text(text, encoding="utf-8", newline="\n")


def _suite(name: str, about: str, tasks: Sequence[MadeTask]) -> str:
    head = _HEAD.format(about=about, name=name, margin=MARGIN, least=MIN_ITEMS)
    return head + "".join(map(_task, tasks))


def _task(task: MadeTask) -> str:
    """Return a task as YAML; values are JSON, which YAML reads."""
    first = task.items[0]
    fields: dict[str, object] = {
        "name": task.name,
        "ability": task.ability,
        "kind": "choice" if task.scorer is None else "generation",
        "data": f"{task.name}.jsonl",
    }
    if not first.turns:
        fields["prompt"] = "{{ prompt }}" + task.suffix
    if first.answer != "":
        fields["gold"] = "{{ answer }}"
    if task.scorer is None:
        fields["choices"] = "{{ choices }}"
    else:
        fields |= _generation(task.scorer, task)
    fields["cluster"] = "topic"
    written = [f"    {key}: {_value(value)}\n" for key, value in fields.items()]
    return "".join(written).replace("    ", "  - ", 1)


def _generation(scorer: Mapping[str, object], task: MadeTask) -> dict[str, object]:
    chance = {} if task.chance is None else {"chance": task.chance}
    return {"scorer": dict(scorer), "max_new_tokens": task.max_new_tokens, **chance}


def _value(value: object) -> str:
    plain = isinstance(value, str) and value.replace("-", "").replace(".", "").isalnum()
    return str(value) if plain else json.dumps(value)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SUITES)
