"""Rows to items: templates rendered, golds and choices checked."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from evalsuite.scorers import compares
from evalsuite.tasks.hub_rows import DatasetPlace, read_dataset
from evalsuite.tasks.human import FIELD, HumanLabel, read_labels
from evalsuite.tasks.item import Item, Message
from evalsuite.tasks.rows import Row, read_rows
from evalsuite.tasks.schema import Task
from evalsuite.tasks.templates import Template, Unrenderable, as_text
from workspace.errors import DataError
from workspace.text import plain

_ROLES = ("system", "user", "assistant")


def load_items(task: Task, place: Path | DatasetPlace) -> list[Item]:
    """Read the items of `task` from a file or a dataset's split, in its order.

    Raises:
        DataError: naming file, line and field: an id given twice or missing, a template that
            names what is not there, a gold that is missing, cannot be scored or is not among the
            choices, fewer than two choices, two choices alike, messages that cannot be asked.
    """
    seen: dict[str, str] = {}
    items = []
    maker = ItemMaker(task)
    for row in read_dataset(place) if isinstance(place, DatasetPlace) else read_rows(place):
        item = maker.item(row)
        if item.id in seen:
            raise DataError(
                f"the id {item.id!r} is given twice",
                where=row.where,
                cause=f"It was given first at {seen[item.id]}.",
                cure=f"Give every item an id of its own, or say `id: row` in task {task.name}.",
            )
        seen[item.id] = row.where
        items.append(item)
    return items


class ItemMaker:
    """Makes items of one task from rows."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._templates = {
            field: Template(source)
            for field in ("prompt", "system", "gold", "choices", "text")
            if (source := getattr(task, field)) is not None
        }

    def item(self, row: Row) -> Item:
        """Make the item of `row`. Raises as `load_items`."""
        item_id = self._id(row)
        cluster = self._cluster(row) or item_id
        if self.task.kind == "perplexity":
            text = self._text("text", row)
            if not text:
                raise self._bad("text", row, "an empty text", "a text to measure")
            return Item(item_id, text=text, cluster=cluster, where=row.where)
        choices = self._choices(row)
        messages, answer = self._messages(row)
        golds = (self._checked(answer, row),) if answer else self._golds(row, choices)
        several = golds if len(golds) > 1 else ()
        human = self._human(row)
        return Item(
            item_id, messages, golds[0], choices, cluster,
            where=row.where, golds=several, human=human,
        )  # fmt: skip

    def _human(self, row: Row) -> tuple[HumanLabel, ...]:
        try:
            return read_labels(row.fields.get(FIELD), self.task.scorer)
        except ValueError as error:
            found, _, expected = str(error).rpartition("; ")
            raise self._bad(FIELD, row, found, expected) from None

    def _id(self, row: Row) -> str:
        if self.task.id == "row":
            return str(row.number)
        value = row.fields.get(self.task.id)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise self._bad(
                "id", row, _shown(value), f"text or a whole number in field `{self.task.id}`",
                "Name another field with `id:`, or `id: row` for the number of the row.",
            )  # fmt: skip
        return str(value)

    def _cluster(self, row: Row) -> str:
        if self.task.cluster is None:
            return ""
        value = as_text(row.fields.get(self.task.cluster))
        if not value:
            raise self._bad("cluster", row, "nothing", f"a value in field `{self.task.cluster}`")
        return value

    def _messages(self, row: Row) -> tuple[tuple[Message, ...], str]:
        """Return the conversation to answer, and the answer where the row carries it."""
        answer = ""
        if self.task.prompt is None:
            messages = self._given_messages(row)
            if messages[-1].role == "assistant" and self.task.gold is None:
                answer = messages[-1].content
                messages = messages[:-1]
            if not messages or messages[-1].role != "user":
                last = messages[-1].role if messages else "assistant"
                raise self._bad(
                    "messages", row, f"a last turn of the {last}", "a user turn to answer"
                )
        else:
            prompt = self._text("prompt", row)
            if not prompt.strip():
                raise self._bad("prompt", row, "an empty prompt", "a question")
            messages = (Message("user", prompt),)
        if "system" in self._templates:
            messages = (Message("system", self._text("system", row)), *messages)
        return messages, answer

    def _given_messages(self, row: Row) -> tuple[Message, ...]:
        turns = row.fields.get("messages")
        if not isinstance(turns, list) or not turns:
            raise self._bad(
                "prompt", row, "neither `prompt` in the task nor `messages` in the row",
                "one of them",
            )  # fmt: skip
        messages = []
        for turn in turns:
            role = turn.get("role") if isinstance(turn, dict) else None
            content = turn.get("content") if isinstance(turn, dict) else None
            if role not in _ROLES or not isinstance(content, str):
                raise self._bad(
                    "messages", row, _shown(turn), "a role (system, user, assistant) and content"
                )
            messages.append(Message(role, content))
        return tuple(messages)

    def _choices(self, row: Row) -> tuple[str, ...]:
        if "choices" not in self._templates:
            return ()
        values = self._value("choices", row)
        if not isinstance(values, list | tuple):
            raise self._bad("choices", row, _shown(values), "a list of answers")
        choices = tuple(as_text(value) or "" for value in values)
        if len(choices) < 2:
            raise self._bad("choices", row, f"{len(choices)} of them", "at least two choices")
        if not all(choices):
            raise self._bad("choices", row, "an empty choice", "a text for each choice")
        if len(set(choices)) < len(choices):
            raise self._bad("choices", row, "two choices alike", "every choice once")
        return choices

    def _golds(self, row: Row, choices: tuple[str, ...]) -> tuple[str, ...]:
        """Return the right answers: one, or several where the scorer compares with any of them."""
        if "gold" not in self._templates:
            self._check_needs_no_gold(row)
            return ("",)
        value = self._value("gold", row)
        if isinstance(value, list | tuple) and getattr(self.task.scorer, "several", False):
            if not value:
                raise self._bad("gold", row, "an empty list", "at least one right answer")
            return tuple(dict.fromkeys(self._one_gold(one, row) for one in value))
        if choices:
            return (self._gold_among(row, value, self._gold_text(value, row), choices),)
        return (self._checked(self._gold_text(value, row), row),)

    def _check_needs_no_gold(self, row: Row) -> None:
        scorer = self.task.scorer
        own_messages = self.task.prompt is None and self.task.kind == "generation"
        if own_messages and scorer is not None and compares(scorer):
            raise self._bad(
                "messages", row, "no last assistant turn and no `gold` in the task",
                "the right answer in one of them",
            )  # fmt: skip

    def _one_gold(self, value: Any, row: Row) -> str:
        if isinstance(value, dict | list | tuple):
            raise self._bad("gold", row, f"{_shown(value)} in the list", "texts or numbers in it")
        return self._checked(self._gold_text(value, row), row)

    def _gold_text(self, value: Any, row: Row) -> str:
        missing = isinstance(value, float) and math.isnan(value)
        gold = None if missing else as_text(value)
        if gold is None or gold == "":
            raise self._bad("gold", row, "nothing", "the right answer")
        return gold

    def _checked(self, gold: str, row: Row) -> str:
        """Return `gold` if the task's scorer can compare with it."""
        refusal = self.task.scorer.refusal(gold) if self.task.scorer else None
        if refusal:
            raise self._bad("gold", row, refusal, "an answer that the scorer can compare with")
        return gold

    def _gold_among(self, row: Row, value: Any, gold: str, choices: tuple[str, ...]) -> str:
        is_index = not isinstance(value, bool) and gold.isascii() and gold.isdigit()
        meant = choices[int(gold)] if is_index and int(gold) < len(choices) else None
        if gold in choices:
            if isinstance(value, int) and meant not in (None, gold):
                raise self._two_ways(row, gold, str(meant))
            return gold
        if meant is not None:
            return meant
        raise self._bad(
            "gold", row, _shown(value),
            f"one of the choices or an index from 0 to {len(choices) - 1}",
        )  # fmt: skip

    def _two_ways(self, row: Row, gold: str, meant: str) -> DataError:
        return self._bad(
            "gold", row, f"the number {gold}, which is a choice's text and the index of "
            f"{plain(meant, 40)!r}", "a gold that can be read in one way",
            "Give the right choice's text as text (in quotes in JSON), or take it from the list "
            "in the suite: `gold: \"{{ choices[answer] }}\"` with the names of your fields.",
        )  # fmt: skip

    def _text(self, field: str, row: Row) -> str:
        try:
            return self._templates[field].text(row.fields)
        except Unrenderable as error:
            raise self._bad(field, row, str(error), "a template that fits every row") from None

    def _value(self, field: str, row: Row) -> Any:
        try:
            return self._templates[field].value(row.fields)
        except Unrenderable as error:
            raise self._bad(field, row, str(error), "a template that fits every row") from None

    def _bad(self, field: str, row: Row, found: str, expected: str, cure: str = "") -> DataError:
        return DataError(
            f"task {self.task.name}: this item cannot be used",
            where=f"{row.where}: {field}",
            cause=f"Found {plain(found, 200)}; expected {expected}.",
            cure=cure or "Mend the row, or the template in the suite.",
        )


def _shown(value: Any) -> str:
    return "nothing" if value is None else plain(repr(value), 60)
