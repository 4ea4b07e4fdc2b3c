"""Rows to items: templates rendered, golds and choices checked."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from evalsuite.scorers import compares
from evalsuite.tasks.item import Item, Message
from evalsuite.tasks.rows import Row, read_rows
from evalsuite.tasks.schema import Task
from evalsuite.tasks.templates import Template, Unrenderable, as_text
from workspace.errors import DataError
from workspace.text import plain

_ROLES = ("system", "user", "assistant")


def load_items(task: Task, path: Path) -> list[Item]:
    """Read the items of `task` from `path`, in the order of the file.

    Raises:
        DataError: naming file, line and field: an id given twice or missing, a template that
            names what is not there, a gold that is missing, cannot be scored or is not among the
            choices, fewer than two choices, two choices alike, messages that cannot be asked.
    """
    seen: dict[str, str] = {}
    items = []
    maker = ItemMaker(task)
    for row in read_rows(path):
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
        gold = self._checked(answer, row) if answer else self._gold(row, choices)
        return Item(item_id, messages, gold, choices, cluster, where=row.where)

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

    def _gold(self, row: Row, choices: tuple[str, ...]) -> str:
        if "gold" not in self._templates:
            if self.task.prompt is None and self.task.kind == "generation":
                scorer = self.task.scorer
                if scorer is not None and compares(scorer):
                    raise self._bad(
                        "messages", row, "no last assistant turn and no `gold` in the task",
                        "the right answer in one of them",
                    )  # fmt: skip
            return ""
        value = self._value("gold", row)
        missing = isinstance(value, float) and math.isnan(value)
        gold = None if missing else as_text(value)
        if gold is None or gold == "":
            raise self._bad("gold", row, "nothing", "the right answer")
        if choices:
            return self._gold_among(row, value, gold, choices)
        return self._checked(gold, row)

    def _checked(self, gold: str, row: Row) -> str:
        """Return `gold` if the task's scorer can compare with it."""
        refusal = self.task.scorer.refusal(gold) if self.task.scorer else None
        if refusal:
            raise self._bad("gold", row, refusal, "an answer that the scorer can compare with")
        return gold

    def _gold_among(self, row: Row, value: Any, gold: str, choices: tuple[str, ...]) -> str:
        if gold in choices:
            return gold
        is_index = not isinstance(value, bool) and gold.isascii() and gold.isdigit()
        if is_index and int(gold) < len(choices):
            return choices[int(gold)]
        raise self._bad(
            "gold", row, _shown(value),
            f"one of the choices or an index from 0 to {len(choices) - 1}",
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
