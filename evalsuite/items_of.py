"""Items of an evaluation, taken out of its stored answers and kept in a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workspace.errors import DataError, UsageError
from workspace.files import telling_disk_errors

Form = Literal["item", "row"]
_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class StoredItem:
    """One item as it was asked."""

    task: str
    item_id: str
    ability: str
    prompt: str
    """As a person reads it: the question, or every turn with its role."""
    gold: str

    @property
    def key(self) -> str:
        """`task/id`."""
        return f"{self.task}/{self.item_id}"


@dataclass(frozen=True)
class Kept:
    """What was written, and what was there already."""

    written: int
    known: int


def stored_items(evaluation: Path, keys: Sequence[str]) -> list[StoredItem]:
    """Return items in the order of `keys`.

    Args:
        evaluation: its directory.
        keys: items as `task/id`.

    Raises:
        UsageError: an item is not among the stored answers.
        DataError: the stored answers are missing or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = evaluation / "samples.parquet"
    columns = ["task", "item_id", "ability", "prompt", "gold"]
    wanted, found = set(keys), dict[str, StoredItem]()
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(4_096, columns=columns):
                named = zip(*(batch[one].to_pylist() for one in columns[:2]), strict=True)
                for place, (task, item) in enumerate(named):
                    key = f"{task}/{item}"
                    if key in wanted and key not in found:
                        rest = (batch[one][place].as_py() or "" for one in columns[2:])
                        found[key] = StoredItem(task, item, *rest)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DataError(
            "the stored answers of this evaluation cannot be read",
            where=str(path),
            cause=f"{str(error).splitlines()[0] if str(error) else error!r}.",
            cure="Evaluate again: answers that are kept are not asked for again.",
        ) from error
    missing = [key for key in keys if key not in found]
    if missing:
        raise UsageError(
            f"this evaluation has no item {missing[0]!r}",
            where=str(path),
            cause=f"{len(missing):,} of {len(keys):,} are not among its answers.",
            cure="An item is named as TASK/ID.",
        )
    return [found[key] for key in keys]


def keep_items(items: Sequence[StoredItem], form: Form, path: Path) -> Kept:
    """Append items to a file of JSON lines; one that is there already is not written again.

    Args:
        items: what to keep.
        form: `item` for a suite (`id`, `prompt`, `gold`), `row` for training (`messages`, with
            the gold as the answer).
        path: the file; made if it is missing.

    Raises:
        UsageError: an item cannot be a training row, for it has no right answer.
        DataError: the file is not JSON lines, or cannot be written.
    """
    lines = [json.dumps(_written(one, form), ensure_ascii=False) for one in items]
    known = _known(path)
    new = [line for line in dict.fromkeys(lines) if line not in known]
    if new:
        with telling_disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as stream:
                stream.write("".join(f"{line}\n" for line in new))
    return Kept(len(new), len(lines) - len(new))


def _known(path: Path) -> set[str]:
    """Return the lines that a file has, each as it would be written here."""
    if not path.is_file():
        return set()
    with telling_disk_errors(path):
        content = path.read_bytes()
    try:
        text = content.decode("utf-8")
        known = {
            json.dumps(json.loads(line), ensure_ascii=False)
            for line in text.split("\n")
            if line.strip()
        }
    except ValueError as error:
        raise DataError(
            "this file is not JSON lines",
            where=str(path),
            cause=f"{error}.",
            cure="Name another file: nothing was written.",
        ) from None
    if text and not text.endswith("\n"):
        raise DataError(
            "the last line of this file has no end",
            where=str(path),
            cause="Another program may be writing it.",
            cure="Add a newline, or name another file: nothing was written.",
        )
    return known


def _written(item: StoredItem, form: Form) -> dict[str, Any]:
    if form == "item":
        return {"id": item.key, "prompt": item.prompt, "gold": item.gold, "ability": item.ability}
    if not item.gold:
        raise UsageError(
            f"{item.key} has no right answer to learn",
            cause="A training row needs one, and this item is scored otherwise.",
            cure="Keep it as an eval item.",
        )
    return {"messages": [*turns(item.prompt), {"role": "assistant", "content": item.gold}]}


def turns(prompt: str) -> list[dict[str, str]]:
    """Return the turns of a prompt as it is stored: one of the user, or each with its role.

    >>> turns("user: a\\nassistant: b\\nuser: c")[1]
    {'role': 'assistant', 'content': 'b'}
    """
    found: list[dict[str, str]] = []
    for line in prompt.split("\n"):
        role, mark, rest = line.partition(": ")
        if mark and role in _ROLES:
            found.append({"role": role, "content": rest})
        elif found:
            found[-1]["content"] += f"\n{line}"
        else:
            break
    is_chat = len(found) > 1 and found[-1]["role"] == "user"
    return found if is_chat else [{"role": "user", "content": prompt}]
