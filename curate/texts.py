"""What a row asks and what it answers, as polars expressions for each dataset type."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from curate.phrases import phrase

IMAGE_EDGE = "\ufffc"
"""Unicode's own placeholder for an object in text: on both sides of an image's digest."""
IMAGE_MARK = rf"{IMAGE_EDGE}([0-9a-f]{{24}}){IMAGE_EDGE}"
"""Where an image stands in the text of a turn, as a regular expression with its digest."""
_TURN, _PART = "\x1e", "\x1f"


@dataclass(frozen=True)
class TypeColumns:
    """The columns of a dataset type."""

    turns: tuple[str, ...] = ()
    """Columns that are lists of turns."""
    plain: tuple[str, ...] = ()
    """Other columns."""
    answers: tuple[str, ...] = ()
    """Columns with the answer; for `messages` the last turn."""

    @property
    def all(self) -> tuple[str, ...]:
        """Every column, in the order in which it is written."""
        return self.turns + self.plain


TYPES: dict[str, TypeColumns] = {
    "messages": TypeColumns(("messages",), (), ("messages",)),
    "prompt_completion": TypeColumns(("prompt", "completion"), (), ("completion",)),
    "preference": TypeColumns(("prompt", "chosen", "rejected"), (), ("chosen", "rejected")),
    "unpaired_preference": TypeColumns(("prompt", "completion"), ("label",), ("completion",)),
    "answer": TypeColumns(("prompt",), ("answer",), ("answer",)),
    "text": TypeColumns((), ("text",), ()),
}


def _contents(turns: pl.Expr) -> pl.Expr:
    """Return what is said in a list of turns."""
    return turns.list.eval(_said().str.strip_chars_end("\n")).list.join("\n\n")


def _said() -> pl.Expr:
    """Return what an element of a list of turns says, a tool call by its function and arguments."""
    turn = pl.element().struct
    calls = turn.field("tool_calls").list.eval(
        pl.concat_str(
            pl.element().struct.field("function").struct.field("name"),
            pl.element().struct.field("function").struct.field("arguments"),
            separator=" ",
        )
    )
    return pl.concat_str(
        turn.field("content"), calls.list.join("\n"), separator="\n", ignore_nulls=True
    )


def _without_system(turns: pl.Expr) -> pl.Expr:
    return turns.list.filter(pl.element().struct.field("role") != "system")


def _before_answer(kind: str) -> pl.Expr:
    """Return the turns that come before the answer."""
    turns = pl.col("messages")
    if kind != "messages":
        return pl.col("prompt")
    ends = turns.list.last().struct.field("role") == "assistant"
    return pl.when(ends).then(turns.list.head(turns.list.len() - 1)).otherwise(turns)


def prompt_text(kind: str, *, system: bool = True) -> pl.Expr:
    """Return everything before the answer as text.

    Args:
        kind: the dataset type.
        system: with the system prompt; leaks and topics are looked for without it.
    """
    if kind == "text":
        return pl.col("text").fill_null("")
    turns = _before_answer(kind)
    return _contents(turns if system else _without_system(turns)).fill_null("")


def answer_text(kind: str) -> pl.Expr:
    """Return the answer as text; empty for plain text."""
    if kind == "text":
        return pl.col("text").str.head(0).fill_null("")  # a literal would be one row, not all
    if kind == "answer":
        return pl.col("answer").fill_null("")
    if kind == "messages":
        turns = pl.col("messages")
        ends = turns.list.last().struct.field("role") == "assistant"
        last = pl.when(ends).then(turns.list.tail(1)).otherwise(turns.list.head(0))
        return _contents(last).fill_null("")
    parts = [_contents(pl.col(column)) for column in TYPES[kind].answers]
    return pl.concat_str(parts, separator="\n\n").fill_null("")


def shown_prompt(kind: str) -> pl.Expr:
    """Return everything before the answer as a person reads it: who speaks, if several turns do."""
    if kind == "text":
        return prompt_text(kind)
    turns = _before_answer(kind)
    speaker = pl.element().struct.field("role")
    told = pl.concat_str(speaker, pl.lit(": "), _said())
    several = turns.list.eval(told).list.join("\n\n")
    return pl.when(turns.list.len() > 1).then(several).otherwise(_contents(turns)).fill_null("")


def shown_answer(kind: str) -> pl.Expr:
    """Return the answer as a person reads it: which is chosen, which rejected, which good."""
    if kind == "preference":
        both = [turns_text("chosen"), turns_text("rejected")]
        return phrase("chosen: {}\n\nrejected: {}", *both)
    if kind == "unpaired_preference":
        good = pl.when("label").then(pl.lit("good: ")).otherwise(pl.lit("bad: "))
        return pl.concat_str(good, answer_text(kind))
    return answer_text(kind)


def with_images_told(text: pl.Expr, told: str = "[image] ") -> pl.Expr:
    """Return a text with a word where an image stands, instead of the image's digest."""
    return text.str.replace_all(IMAGE_MARK, told)


def turns_text(column: str) -> pl.Expr:
    """Return what is said in a column of turns, such as `chosen`, as text."""
    return _contents(pl.col(column)).fill_null("")


def turn_lines(column: str) -> pl.Expr:
    """Return a list with one text for each turn of a column: equal for equal turns only."""
    return pl.col(column).list.eval(_turn_line())


def canonical(kind: str) -> pl.Expr:
    """Return the whole row as one text in which different rows differ: what is hashed."""
    columns = TYPES[kind]
    parts = [_canonical_turns(column) for column in columns.turns]
    parts += [pl.col(column).cast(pl.String).fill_null("\x00") for column in columns.plain]
    return pl.concat_str([*parts, pl.col("tools").fill_null("")], separator="\x1d")


def _canonical_turns(column: str) -> pl.Expr:
    return turn_lines(column).list.join(_TURN).fill_null("\x00")


def _turn_line() -> pl.Expr:
    turn = pl.element().struct
    fields = [
        turn.field("role"),
        turn.field("content"),
        turn.field("tool_calls").list.eval(pl.element().struct.json_encode()).list.join(_PART),
        turn.field("name"),
        turn.field("tool_call_id"),
    ]
    return pl.concat_str([field.fill_null("") for field in fields], separator=_PART)
