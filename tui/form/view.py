"""Which lines of a form are on the screen: what is unfolded, the cursor, what is sought."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tui.form.fields import Field, walk
from workspace.yaml import Key


@dataclass(frozen=True)
class Row:
    """One line of the form."""

    field: Field
    depth: int
    is_open: bool


class FormView:
    """The unfolded lines of a form, and a cursor that stays on its field when the form changes."""

    def __init__(self, unfolded: Sequence[Key] = (("train",),)) -> None:
        self.fields: tuple[Field, ...] = ()
        self.rows: tuple[Row, ...] = ()
        self.cursor = 0
        self._unfolded = set(unfolded)
        self._is_first = True

    @property
    def selected(self) -> Field | None:
        """The field under the cursor."""
        return self.rows[self.cursor].field if self.rows else None

    def show(self, fields: Sequence[Field]) -> None:
        """Show another form; the cursor stays where it was as far as that is still there."""
        key = self.selected.key if self.selected is not None else None
        self.fields = tuple(fields)
        if self._is_first and self.fields:
            self._is_first = False
            key = next(iter(self._unfolded), None)
            self._unfold_what_is_given()
        self._lay_out(key)

    def move(self, by: int) -> None:
        """Move the cursor, at most to an end."""
        self.cursor = min(max(0, self.cursor + by), max(0, len(self.rows) - 1))

    def unfold(self) -> bool:
        """Unfold the selected block; False where there is nothing to unfold."""
        field = self.selected
        if field is None or not field.children or field.key in self._unfolded:
            return False
        self._unfolded.add(field.key)
        self._lay_out(field.key)
        return True

    def fold(self) -> bool:
        """Fold the selected block, or go to the one around; False at the top."""
        field = self.selected
        if field is None:
            return False
        if field.children and field.key in self._unfolded:
            self._unfolded.discard(field.key)
            self._lay_out(field.key)
            return True
        return len(field.key) > 1 and self.go_to(field.key[:-1])

    def go_to(self, key: Key) -> bool:
        """Unfold what is around a key and put the cursor on it; False if there is no such field."""
        known = {field.key for field in walk(self.fields)}
        if key not in known:
            return False
        self._unfolded |= {key[:length] for length in range(1, len(key))}
        self._lay_out(key)
        return True

    def search(self, words: str, by: int = 1) -> bool:
        """Go to the next field whose key or help has these words, round the end."""
        everything = [field for field in walk(self.fields)]
        if not words or not everything:
            return False
        keys = [field.key for field in everything]
        here = keys.index(self.selected.key) if self.selected is not None else 0
        order = [(here + by * step) % len(keys) for step in range(1, len(keys) + 1)]
        sought = words.lower()
        # Keys before help: who types `rate` means learning_rate.
        for text_of in (_key_text, _help_text):
            for place in order:
                if sought in text_of(everything[place]):
                    return self.go_to(keys[place])
        return False

    def go_to_nearest(self, dotted: str) -> bool:
        """Go to the field of a dotted key, or to the nearest one around it."""
        parts = dotted.split(".")
        by_name = {".".join(map(str, field.key)): field.key for field in walk(self.fields)}
        for length in range(len(parts), 0, -1):
            key = by_name.get(".".join(parts[:length]))
            if key is not None:
                return self.go_to(key)
        return False

    def _unfold_what_is_given(self) -> None:
        for field in walk(self.fields):
            inside = field.key[:1] in self._unfolded
            if inside and field.children and field.is_given and field.key[:1] != field.key:
                self._unfolded.add(field.key)

    def _lay_out(self, key: Key | None) -> None:
        self.rows = tuple(self._rows(self.fields, 0))
        places = {row.field.key: place for place, row in enumerate(self.rows)}
        while key and key not in places:
            key = key[:-1]
        self.cursor = places.get(key or (), min(self.cursor, max(0, len(self.rows) - 1)))

    def _rows(self, fields: Sequence[Field], depth: int) -> Iterator[Row]:
        for field in fields:
            is_open = field.key in self._unfolded and bool(field.children)
            yield Row(field, depth, is_open)
            if is_open:
                yield from self._rows(field.children, depth + 1)


def _key_text(field: Field) -> str:
    return ".".join(map(str, field.key)).lower()


def _help_text(field: Field) -> str:
    return field.help.lower()
