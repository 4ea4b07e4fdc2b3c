"""Rows that an evaluation will ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl

from curate.formats.files import find_files, open_bytes, telling_damage
from curate.formats.read import records
from curate.reasons import Reason
from curate.steps.base import (
    Depends,
    Outcome,
    StepContext,
    dropped_rows,
    positions,
    settings_of,
    split_off,
)
from curate.steps.configs import Decontaminate, DecontaminateFile
from curate.texts import prompt_text
from evalsuite.similarity.leaks import Leaks, Tier, find_leaks
from evalsuite.similarity.tokens import joined
from workspace.errors import DataError

_ANSWERS = ("assistant", "gpt", "model")
_REASONS = {
    Tier.EXACT: Reason.LEAK_EXACT,
    Tier.NGRAM: Reason.LEAK_NGRAM,
    Tier.NEAR: Reason.LEAK_NEAR,
}


@dataclass(frozen=True)
class EvalItem:
    """A question that training data must not hold."""

    name: str
    """`task/id`, or `file:line`."""
    question: str
    answer: str
    task: str
    """The task or file: its questions share a template."""


class DecontaminateStep:
    """Compares each row with the items of suites and files; drops what holds one."""

    name: ClassVar[str] = "decontaminate"
    scope: ClassVar[Literal["row", "global"]] = "global"

    def __init__(self, config: Decontaminate) -> None:
        self.config = config
        self._known: list[EvalItem] | None = None

    def depends_on(self, context: StepContext) -> Depends:
        """Return what the outcome depends on beside the rows: the items themselves.

        Raises:
            DataError: an item cannot be used.
        """
        items = [
            (item.name, item.question, item.answer, item.task) for item in self._all_items(context)
        ]
        return {**settings_of(self.config), "items": items}

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Drop rows that hold an item."""
        items = self._all_items(context)
        if not items:
            raise DataError(
                "there is nothing to decontaminate against",
                cause="The step names neither suites nor files, or they have no items.",
                cure="Give `suites:` or `files:` to the step, or take it out.",
            )
        context.tell(f"looking for {len(items):,} evaluation items")
        rows = positions(frame)
        question = prompt_text(context.type, system=False).alias("text")
        source = "source" if "source" in frame.collect_schema() else pl.lit("").alias("source")
        asked = frame.sort("_row").select(question, source).collect()
        leaks = find_leaks(
            asked["text"],
            joined(context.prompts.take(rows), context.answers.take(rows)),
            pl.Series([item.question for item in items]),
            pl.Series([item.answer for item in items]),
            tasks=pl.Series([item.task for item in items]),
            sources=asked["source"],
            threshold=self.config.threshold,
            ngram=self.config.ngram,
            tick=context.advance,
        )
        one = leaks.surest()
        dropped = dropped_rows(
            self.name,
            rows[one.row],
            [_REASONS[Tier(tier)].value for tier in one.tier.tolist()],
            _details(one, items),
        )
        return split_off(frame, dropped, _statement(leaks, len(items)))

    def _all_items(self, context: StepContext) -> list[EvalItem]:
        """Read the items once: what was hashed is what is looked for."""
        if self._known is None:
            self._known = list(self._items(context))
        return self._known

    def _items(self, context: StepContext) -> Iterator[EvalItem]:
        from evalsuite.tasks import find_suite, load_suite

        for name in self.config.suites:
            path = find_suite(_beside(name, context.base_dir), context.workspace)
            for task in load_suite(path).tasks:
                for item in task.items:
                    yield EvalItem(
                        f"{task.spec.name}/{item.id}",
                        item.question,
                        item.gold,
                        f"{name}/{task.spec.name}",
                    )
        for source in self.config.files:
            yield from _file_items(source, context.base_dir)


def _beside(name: str, base: Path) -> str:
    """A suite may be named by a path relative to the recipe."""
    path = base / name
    return str(path) if path.is_file() else name


def _file_items(source: DecontaminateFile, base: Path) -> Iterator[EvalItem]:
    for file in find_files(source.path, base, "auto"):
        place = [0]
        with open_bytes(file) as stream, telling_damage(file, place):
            for record in records(stream, file):
                place[0] = record.shown
                if record.misfit is not None:
                    raise _unusable(f"{file.name}:{record.shown}", record.misfit.detail)
                row = record.value
                if not isinstance(row, dict) or source.field not in row:
                    keys = ", ".join(map(str, row)) if isinstance(row, dict) else "no fields"
                    raise _unusable(
                        f"{file.name}:{record.shown}", f"no field `{source.field}`; it has {keys}"
                    )
                name = f"{file.name}:{record.shown}"
                question, said = _asked(row[source.field], f"{name}, `{source.field}`")
                answer = row.get(source.answer) if source.answer else None
                if answer is not None:
                    said = " ".join(_asked(answer, f"{name}, `{source.answer}`")).strip()
                yield EvalItem(name, question, said, file.name)


def _asked(value: Any, where: str) -> tuple[str, str]:
    """Return what a field asks, and what it answers if it is a chat that ends with an answer.

    Raises:
        DataError: it is neither text nor turns.
    """
    if value is None or isinstance(value, str | int | float):
        return "" if value is None else str(value), ""
    if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value):
        raise _unusable(where, f"it is a {type(value).__name__}, not a text or a list of turns")
    turns = [(_role(turn), _content(turn, where)) for turn in value]
    answer = turns.pop()[1] if turns and turns[-1][0] in _ANSWERS else ""
    return "\n\n".join(text for role, text in turns if role != "system"), answer


def _role(turn: dict[str, Any]) -> str:
    return str(turn.get("role") or turn.get("from"))


def _content(turn: dict[str, Any], where: str) -> str:
    said = turn.get("content", turn.get("value"))
    if isinstance(said, list):
        return "\n".join(str(part.get("text") or "") for part in said if isinstance(part, dict))
    if said is not None and not isinstance(said, str):
        raise _unusable(where, f"a turn says a {type(said).__name__}, not a text")
    return said or ""


def _unusable(where: str, cause: str) -> DataError:
    return DataError(
        "an evaluation item cannot be used",
        where=where,
        cause=f"{cause}.",
        cure="Every item must be readable, or leaks of it would be missed.",
    )


def _details(leaks: Leaks, items: list[EvalItem]) -> list[str]:
    out = []
    for item, tier, score, run in zip(
        leaks.item.tolist(), leaks.tier.tolist(), leaks.score.tolist(), leaks.run.tolist(),
        strict=True,
    ):  # fmt: skip
        name = items[item].name
        if tier == Tier.EXACT:
            out.append(f"asks what {name} asks")
        elif tier == Tier.NGRAM:
            out.append(f"holds {score:.0%} of {name}, {run} words in a row")
        else:
            out.append(f"similarity {score:.3f} to {name}")
    return out


def _statement(leaks: Leaks, items: int) -> tuple[str, ...]:
    """Say how many items were found, for the dataset card."""
    surest: dict[int, int] = {}
    for item, found_by in zip(leaks.item.tolist(), leaks.tier.tolist(), strict=True):
        surest[item] = min(found_by, surest.get(item, found_by))
    found = len(surest)
    counts = ", ".join(
        f"{sum(one == tier for one in surest.values()):,} {how}"
        for tier, how in (
            (Tier.EXACT, "word for word"),
            (Tier.NGRAM, "contained"),
            (Tier.NEAR, "nearly"),
        )
    )
    said = [f"{found:,} of {items:,} evaluation items were in the rows: {counts}."]
    if leaks.capped:
        said.append(
            f"WARNING: {leaks.capped:,} texts look like more evaluation items than were compared "
            "with each; a leak that is nearly, but not word for word, another item may be missed."
        )
    return tuple(said)
