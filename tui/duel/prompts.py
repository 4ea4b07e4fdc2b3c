"""Prompts for a duel, from a file or a suite. Imports pydantic: call it from a thread."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tui.duel.record import Turns
from workspace.errors import DataError
from workspace.layout import Workspace

_PROMPT_FIELDS = ("prompt", "question", "instruction", "text")


def from_file(path: Path) -> list[Turns]:
    """Read prompts: a line each of a text file; otherwise rows with `messages` or `prompt`.

    Of `messages` a last turn of the assistant is left out: it is what will be answered.

    Raises:
        DataError: no such file, or a row without a prompt.
    """
    from evalsuite.tasks.rows import read_rows

    if path.suffix.lower() in (".txt", ".md", ""):
        if not path.is_file():
            raise DataError("there is no such file", where=str(path))
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        prompts = [_asked(line.strip()) for line in lines if line.strip()]
    else:
        prompts = [_of_row(row.fields, row.where) for row in read_rows(path)]
    if not prompts:
        raise DataError("this file has no prompts", where=str(path))
    return prompts


def _asked(text: str) -> Turns:
    return ({"role": "user", "content": text},)


def _of_row(fields: dict[str, Any], where: str) -> Turns:
    turns = fields.get("messages", fields.get("prompt"))
    if isinstance(turns, list):
        kept = [turn for turn in turns if isinstance(turn, dict)]
        if kept and kept[-1].get("role") == "assistant":
            kept.pop()
        is_good = all(
            isinstance(turn.get("content"), str)
            and turn.get("role") in ("system", "user", "assistant")
            for turn in kept
        )
        if kept and is_good and kept[-1]["role"] == "user":
            return tuple({"role": turn["role"], "content": turn["content"]} for turn in kept)
    for field in _PROMPT_FIELDS:
        if isinstance(fields.get(field), str) and fields[field].strip():
            return _asked(fields[field])
    raise DataError(
        "this row has no prompt",
        where=where,
        cause=f"It has {', '.join(sorted(fields)[:8]) or 'nothing'}.",
        cure=f"Give `messages` that end with a user turn, or one of {', '.join(_PROMPT_FIELDS)}.",
    )


def from_suite(name: str, root: Path, *, seed: int) -> list[Turns]:
    """Return the prompts of a suite's tasks that are written answers, in a seeded order.

    Raises:
        TemperError: there is no such suite, or it cannot be read.
    """
    from evalsuite.tasks.suites import find_suite, load_suite

    suite = load_suite(find_suite(name, Workspace(root)))
    prompts = [
        tuple({"role": turn.role, "content": turn.content} for turn in item.messages)
        for task in suite.tasks
        if task.spec.is_question
        for item in task.items
        if item.messages
    ]
    if not prompts:
        raise DataError("this suite asks nothing that is answered in writing", where=name)
    random.Random(seed).shuffle(prompts)
    return prompts
