"""Personal data hidden in what a curation does not keep, and in the examples that it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curate.steps.configs import StepConfig
from curate.steps.quality.configs import Redact
from curate.steps.quality.personal import MIGHT_HOLD
from curate.steps.quality.placeholders import Masker
from curate.steps.quality.presidio import Recogniser, recogniser
from curate.steps.quality.spans import Named
from workspace.errors import TemperError

_KEPT = frozenset({"id", "step", "reason", "duplicate_of", "source"})
_MARKS = frozenset({"role", "type", "id", "tool_call_id", "tools", "user_label", "group"})
"""Columns and fields that are not language."""
_QUOTING = ("read", "normalise")
"""Steps whose details quote a row, such as a role that nobody knows."""
Visit = Callable[[str, bool], str]
"""Takes a text, and whether it is language."""


@dataclass(frozen=True)
class Masks:
    """What the `redact` steps of a recipe want nowhere."""

    kinds: tuple[str, ...] = ()
    """For the validated patterns."""
    recognisers: tuple[Recogniser, ...] = ()

    def text(self, text: str) -> str:
        """Return one text by itself with placeholders."""
        masker = Masker(self.kinds, self._named([text]))
        masker.reserve(text)
        return masker.mask(text)

    def notes(self, notes: Iterable[str]) -> tuple[str, ...]:
        """Return what steps say: they name labels, topics and words of rows."""
        return tuple(self.text(note) for note in notes)

    def mark(self, text: str) -> str:
        """Return a label or a key with placeholders: it may be anything, but is not language."""
        return Masker(self.kinds).mask_mark(text)

    def names(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Return how often each key of raw rows occurs: a key may be anybody's address."""
        out: Counter[str] = Counter()
        for name, count in counts.items():
            out[self.mark(name)] += count
        return dict(sorted(out.items()))

    @contextmanager
    def in_errors(self) -> Iterator[None]:
        """Hide in an error that is raised inside what it may name, such as a label."""
        try:
            yield
        except TemperError as error:
            for part in ("title", "cause", "cure"):
                setattr(error, part, self.text(getattr(error, part)))
            raise

    def rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return rows with placeholders, whatever columns they have."""
        columns = [name for name in frame.columns if name not in _KEPT and _has_text(frame[name])]
        if not (self.kinds or self.recognisers) or not columns or frame.is_empty():
            return frame
        numbered = frame.with_row_index("\x00n")
        some = numbered if self.recognisers else numbered.filter(_might_hold(frame, columns))
        values = [
            new for part in some.iter_slices(_AT_ONCE) for new in self._masked_rows(part, columns)
        ]
        if not values:
            return frame
        schema = {name: frame.schema[name] for name in columns}
        new = pl.DataFrame(values, schema=schema).with_columns(some["\x00n"])
        return numbered.update(new, on="\x00n", how="left").drop("\x00n")

    def _masked_rows(self, rows: pl.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
        texts: list[str] = []

        def gather(text: str, language: bool) -> str:
            if language:
                texts.append(text)
            return text

        held = list(rows.iter_rows(named=True))
        if self.recognisers:
            for row in held:
                _visit(row, columns, gather)
        named = self._named(texts)
        return [_masked(row, columns, Masker(self.kinds, named)) for row in held]

    def _named(self, texts: Iterable[str]) -> dict[str, list[Named]]:
        wanted = list(texts)
        out: dict[str, list[Named]] = {}
        for one in self.recognisers:
            for text, found in one.read(wanted).items():
                out.setdefault(text, []).extend(found)
        return out


_AT_ONCE = 500


def masks_of(steps: Iterable[StepConfig], base_dir: Path) -> Masks:
    """Return what the steps of a recipe want hidden.

    Raises:
        UsageError: a recogniser that they name cannot be used.
    """
    steps = list(steps)
    wanted = [step.settings for step in steps if isinstance(step.settings, Redact)]
    asked = dict.fromkeys(one.presidio for one in wanted if one.presidio is not None)
    return Masks(patterns_of(steps).kinds, tuple(recogniser(one, base_dir) for one in asked))


def patterns_of(steps: Iterable[StepConfig]) -> Masks:
    """Return what they want hidden by patterns alone, which need no model."""
    wanted = [step.settings for step in steps if isinstance(step.settings, Redact)]
    return Masks(tuple(dict.fromkeys(kind for one in wanted for kind in one.kinds)))


def _masked(row: dict[str, Any], columns: Sequence[str], masker: Masker) -> dict[str, Any]:
    _visit(row, columns, lambda text, _: masker.reserve(text))
    return _visit(
        row,
        columns,
        lambda text, language: masker.mask(text) if language else masker.mask_mark(text),
    )


def _visit(row: dict[str, Any], columns: Sequence[str], visit: Visit) -> dict[str, Any]:
    quoting = row.get("step") in _QUOTING
    return {
        name: _walk(row[name], visit, quoting if name == "detail" else name not in _MARKS)
        for name in columns
    }


def _walk(value: Any, visit: Visit, language: bool) -> Any:
    if isinstance(value, str):
        return visit(value, language)
    if isinstance(value, list):
        return [_walk(item, visit, language) for item in value]
    if isinstance(value, dict):
        function = "arguments" in value
        return {
            key: _walk(
                item, visit, language and key not in _MARKS and not (function and key == "name")
            )
            for key, item in value.items()
        }
    return value


def _has_text(column: pl.Series) -> bool:
    kind = column.dtype
    return kind == pl.String or (isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct))


def _might_hold(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Expr:
    texts = [_flat(name, frame.schema[name]) for name in columns]
    return pl.concat_str(texts, separator="\n").str.contains(MIGHT_HOLD)


def _flat(name: str, kind: pl.DataType) -> pl.Expr:
    text = pl.col(name)
    if kind != pl.String:
        text = text.list.eval(pl.element().struct.json_encode()).list.join("\n")
    return text.fill_null("")
