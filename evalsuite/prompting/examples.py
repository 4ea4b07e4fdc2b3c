"""Training rows as solved examples: never an item of the test, nor nearly one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.parquet_rows import rows_at
from evalsuite.tasks import LoadedSuite
from evalsuite.tasks.fewshot import with_answer
from evalsuite.tasks.item import Item, Message
from evalsuite.tasks.items import load_items
from evalsuite.tasks.schema import Task
from workspace.errors import DataError

if TYPE_CHECKING:  # polars only where examples are shown
    from evalsuite.similarity.leaks import Leaks

MOST = 20_000
"""Rows that are read at most, by a seeded draw: their vectors take 4 KB each."""
_ROLES = ("user", "assistant")
_COLUMNS = ("messages", "prompt", "completion", "chosen", "answer", "label")


@dataclass(frozen=True)
class Example:
    """A solved question: turns up to and with the answer, without a system turn."""

    turns: tuple[Message, ...]
    source: str = ""
    """The file it was read from, as the dataset tells it: rows of one share a template."""

    @property
    def question(self) -> str:
        """The last user turn."""
        return [turn.content for turn in self.turns if turn.role == "user"][-1]


@dataclass(frozen=True)
class Pool:
    """What examples are taken from."""

    source: str
    """Where they come from, in words."""
    examples: tuple[Example, ...] = ()
    notes: tuple[str, ...] = field(default=())
    """What was passed over, counted."""


def dataset_pool(directory: Path, name: str, *, seed: int) -> Pool:
    """Read the training rows of a dataset directory.

    A row is an example if it ends in an answer as text after a question of the user's: `messages`,
    `prompt` + `completion` (of good ones, where rows are labelled), `prompt` + `chosen`, or
    `prompt` + `answer`.

    Raises:
        DataError: it has no readable `train.parquet`.
    """
    import pyarrow

    file = directory / "train.parquet"
    try:
        count, places = _drawn(file, seed)
        found = [_example(row) for row in _records(file, places)]
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            "the training rows cannot be read",
            where=str(file),
            cause=f"{str(error).rstrip('.')}.",
            cure="Make the dataset with `temper curate`, or name another under "
            "`evaluate: prompts: dataset:`.",
        ) from None
    notes = []
    if count > len(places):
        notes.append(f"examples: {MOST:,} of {count:,} training rows of {name}, by a seeded draw")
    unusable = found.count(None)
    if unusable:
        notes.append(
            f"examples: {unusable:,} training rows of {name} passed over: they do not end in an "
            "answer as text to a question"
        )
    return Pool(f"the training rows of {name}", tuple(filter(None, found)), tuple(notes))


def suite_pool(task: Task, directory: Path) -> Pool:
    """Read the rows of a task's own `few_shot` that have an answer.

    Raises:
        DataError: a row that cannot be used.
    """
    assert task.few_shot is not None
    # The id needs to be unique only among themselves: many example files have none.
    place = task.few_shot.place(directory)
    items = load_items(task.model_copy(update={"cluster": None}), place)
    solved = [one for item in items if (one := with_answer(item, task.scorer)) is not None]
    source, unsolved = f"the examples of task {task.name}", len(items) - len(solved)
    note = (
        f"examples: {unsolved:,} of {len(items):,} from {source} passed over: they have no answer"
    )
    return Pool(source, tuple(map(_solved, solved)), (note,) if unsolved else ())


@dataclass(frozen=True)
class HeldOut:
    """What no example may hold: the items of every task of every suite that is asked."""

    items: tuple[Item, ...]
    tasks: tuple[str, ...]
    """The task of each: its questions share a template that training rows need not have."""

    @classmethod
    def of(cls, suites: Sequence[LoadedSuite]) -> HeldOut:
        """Return the items of suites."""
        both = [
            (item, f"{suite.path}/{task.spec.name}")
            for suite in suites
            for task in suite.tasks
            for item in task.items
        ]
        return cls(tuple(item for item, _ in both), tuple(task for _, task in both))


def without_leaks(pool: Pool, tested: HeldOut) -> Pool:
    """Leave out examples that hold an item of the test, or nearly one; they are counted."""
    if not pool.examples:
        return pool
    import polars as pl

    from evalsuite.similarity.leaks import find_leaks
    from evalsuite.similarity.tokens import tokenise

    prompts = pl.Series([one.question for one in pool.examples], dtype=pl.String)
    whole = pl.Series(
        ["\n".join(turn.content for turn in one.turns) for one in pool.examples], dtype=pl.String
    )
    leaks = find_leaks(
        prompts,
        tokenise(whole),
        pl.Series([item.question for item in tested.items], dtype=pl.String),
        pl.Series([item.gold for item in tested.items], dtype=pl.String),
        tasks=pl.Series(tested.tasks, dtype=pl.String),
        sources=pl.Series([one.source for one in pool.examples], dtype=pl.String),
    )
    leaking = set(leaks.row.tolist())
    notes = list(_told(leaks, len(leaking), pool))
    if not notes:
        return pool
    kept = tuple(one for place, one in enumerate(pool.examples) if place not in leaking)
    return Pool(pool.source, kept, (*pool.notes, *notes))


def _told(leaks: Leaks, leaking: int, pool: Pool) -> Iterator[str]:
    if leaking:
        yield (
            f"examples: {leaking:,} of {len(pool.examples):,} from {pool.source} passed over: "
            "they hold items of the test, or nearly"
        )
    if leaks.capped:
        yield (
            f"WARNING: examples: {leaks.capped:,} texts from {pool.source} look like more items of "
            "the test than were compared with each; one that is nearly, but not word for word, "
            "another item may be shown"
        )


def _drawn(file: Path, seed: int) -> tuple[int, list[int]]:
    """Return how many rows there are, and which are read."""
    import pyarrow.parquet

    count = int(pyarrow.parquet.read_metadata(file).num_rows)
    if count <= MOST:
        return count, list(range(count))
    return count, sorted(random.Random(seed).sample(range(count), MOST))


def _records(file: Path, places: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield rows with the columns that an example is made of: never their images."""
    import pyarrow.parquet

    there = pyarrow.parquet.read_schema(file)
    columns = [name for name in _COLUMNS if name in there.names]
    if "meta" in there.names and there.field("meta").type.get_field_index("source") >= 0:
        columns.append("meta.source")
    if not columns:
        yield from ({} for _ in places)
        return
    for batch in rows_at(file, places, columns):
        yield from batch.to_pylist()


def _example(row: dict[str, Any]) -> Example | None:
    turns = _turns(row)
    if turns is None:
        return None
    told = [turn for turn in turns if turn.get("role") != "system"]
    ends = [place for place, turn in enumerate(told) if turn.get("role") == "assistant"]
    told = told[: ends[-1] + 1] if ends else []
    if len(told) < 2 or told[-2].get("role") != "user":
        return None
    if any(turn.get("role") not in _ROLES or not _is_text(turn.get("content")) for turn in told):
        return None
    return Example(
        tuple(Message(turn["role"], turn["content"]) for turn in told),
        str((row.get("meta") or {}).get("source") or ""),
    )


def _turns(row: dict[str, Any]) -> list[dict[str, Any]] | None:
    if row.get("messages"):
        return list(row["messages"])
    if row.get("label") is False:
        return None
    answer = next((row[key] for key in ("completion", "chosen", "answer") if row.get(key)), None)
    if not row.get("prompt") or answer is None:
        return None
    return [*_side(row["prompt"], "user"), *_side(answer, "assistant")]


def _side(value: Any, role: str) -> list[dict[str, Any]]:
    return value if isinstance(value, list) else [{"role": role, "content": value}]


def _is_text(content: Any) -> bool:
    return isinstance(content, str) and bool(content.strip())


def _solved(item: Item) -> Example:
    turns = tuple(message for message in item.messages if message.role != "system")
    return Example((*turns, Message("assistant", item.gold)))
