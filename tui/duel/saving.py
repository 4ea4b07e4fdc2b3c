"""Turns and votes as files that `temper curate` and `temper eval` read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from tui.duel.record import Turns, Vote, append
from workspace.errors import DataError, UsageError
from workspace.files import write_text
from workspace.layout import checked_name

Form = Literal["rows", "pairs", "items"]
FORMS: dict[Form, str] = {
    "rows": "training rows: messages with the preferred answer",
    "pairs": "preference pairs: prompt, chosen, rejected",
    "items": "eval items: the preferred answer is the right one, with a suite beside them",
}
_PLACES: dict[Form, str] = {
    "rows": "rows/chosen.jsonl",
    "pairs": "rows/pairs.jsonl",
    "items": "suites/asked.jsonl",
}
_SUITE = """\
# Answers are compared by their longest common sequence of words with the preferred one.
# With a judge at hand, `kind: pairwise` compares better: see docs/scorers.md.
schema_version: 1
name: {name}
purpose: target
min_items: 2
tasks:
  - name: {name}
    kind: generation
    data: {data}
    scorer: rouge_l
    max_new_tokens: 512
"""


def row_of(form: Form, turns: Sequence[dict[str, str]], good: str, bad: str) -> dict[str, Any]:
    """Return one row.

    Args:
        form: what it is for.
        turns: what was asked, the last one the user's.
        good: the preferred answer.
        bad: the other one; only pairs hold it.

    Raises:
        DataError: the preferred answer is empty, or a pair has two equal ones.
    """
    if not good.strip():
        raise DataError("an empty answer is no example", cause="The preferred answer is empty.")
    asked, answered = [dict(turn) for turn in turns], {"role": "assistant", "content": good}
    if form != "pairs":
        return {"messages": [*asked, answered]}
    if good == bad:
        raise DataError("both answers are the same", cause="A pair needs a better and a worse one.")
    rejected = {"role": "assistant", "content": bad}
    return {"prompt": asked, "chosen": [answered], "rejected": [rejected]}


def rows_of_votes(form: Form, votes: Iterable[Vote]) -> Iterator[dict[str, Any]]:
    """Yield a row for each vote that says enough.

    Of votes for one answer, that one is preferred; where both were good, both are training rows.
    Empty and equal answers are passed over.
    """
    for vote in votes:
        for good, bad in _preferred(form, vote):
            try:
                yield row_of(form, vote.messages, good, bad)
            except DataError:
                continue


def _preferred(form: Form, vote: Vote) -> list[tuple[str, str]]:
    first, second = vote.answers
    if vote.winner is not None:
        return [(first, second) if vote.winner == 0 else (second, first)]
    is_row = form == "rows" and vote.choice == "both good"
    return [(answer, "") for answer in dict.fromkeys(vote.answers)] if is_row else []


def save(form: Form, rows: Iterable[dict[str, Any]], path: Path) -> int:
    """Put rows behind those of a JSON lines file, made where it is not there; return how many.

    Items get the next free ids, and a suite of the file's name beside them.

    Raises:
        UsageError: the name does not end in `.jsonl`, or cannot be a suite's.
        DataError: there are no rows.
        TemperError: the disk is full, or may not be written.
    """
    found = [*rows]
    if path.suffix != ".jsonl":
        raise UsageError(
            "rows are saved as JSON lines", where=str(path), cure="End the name with .jsonl."
        )
    if not found:
        raise DataError(
            "there is nothing to save",
            cause="No vote prefers an answer that is not empty.",
        )
    if form == "items":
        checked_name(path.stem, what="suite")
        known = path.read_bytes().count(b"\n") if path.is_file() else 0
        found = [{"id": f"item-{known + n}", **row} for n, row in enumerate(found, 1)]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    append(path, found)
    suite = path.with_suffix(".yaml")
    if form == "items" and not suite.exists():
        write_text(suite, _SUITE.format(name=path.stem, data=path.name))
    return len(found)


def default_path(form: Form, root: Path) -> Path:
    """Return where rows go if nothing else is said."""
    names = {
        "rows": "rows/chosen.jsonl",
        "pairs": "rows/pairs.jsonl",
        "items": "suites/asked.jsonl",
    }
    return root / names[form]


__all__ = ["FORMS", "Form", "Turns", "default_path", "row_of", "rows_of_votes", "save"]
