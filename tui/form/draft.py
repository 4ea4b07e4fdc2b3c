"""A recipe's text while it is changed: undo, redo, and saving without losing what others wrote."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path

from workspace.errors import UsageError
from workspace.files import write_text

_MOST_STEPS = 500


class ChangedOnDisk(UsageError):
    """The file is no longer what was read; nothing was written."""

    def __init__(self, path: Path, difference: str) -> None:
        super().__init__(
            "the file on disk has changed since it was read",
            where=str(path),
            cure="Read it again, or save over it.",
        )
        self.difference = difference
        """From what is on disk to what was to be saved, as a unified diff."""


@dataclass
class Draft:
    """The text of one recipe between two savings."""

    path: Path
    saved: str
    """As it was last read or written."""
    text: str = ""
    _past: list[str] = field(default_factory=list)
    _future: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Draft:
        """Read a recipe.

        Raises:
            UsageError: it cannot be read as text.
        """
        text = _on_disk(path)
        if text is None:
            raise UsageError("there is no such file", where=str(path))
        return cls(path, text, text)

    @property
    def is_changed(self) -> bool:
        """Whether there is something to save."""
        return self.text != self.saved

    def change(self, text: str) -> None:
        """Take another text; the one before can be had back."""
        if text == self.text:
            return
        self._past = [*self._past[-_MOST_STEPS:], self.text]
        self._future = []
        self.text = text

    def undo(self) -> bool:
        """Go back to the text before the last change; False if there is none."""
        if not self._past:
            return False
        self._future.append(self.text)
        self.text = self._past.pop()
        return True

    def redo(self) -> bool:
        """Take back the last undo; False if there is none."""
        if not self._future:
            return False
        self._past.append(self.text)
        self.text = self._future.pop()
        return True

    def save(self, *, over: bool = False) -> None:
        """Write the text to the file, by a temporary name and a rename.

        Args:
            over: also where the file is no longer what was read.

        Raises:
            ChangedOnDisk: it is not, and `over` is false.
            WorkError: the system refuses.
        """
        text, found = self.text, _on_disk(self.path)
        if not over and found != self.saved:
            raise ChangedOnDisk(self.path, difference(found or "", text, "disk", "here"))
        # A link stays a link: what it leads to is written.
        write_text(self.path.resolve(), text)
        self.saved = text

    def look(self) -> str | None:
        """Return the text that is on disk now; None where there is none to be read."""
        try:
            return _on_disk(self.path)
        except UsageError:
            return None

    def take(self, text: str) -> None:
        """Go on with a text found on disk; the one here can be had back by undo."""
        self.change(text)
        self.saved = text


def difference(old: str, new: str, old_name: str, new_name: str) -> str:
    """Return a unified diff of two texts."""
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), old_name, new_name, lineterm="", n=1
    )
    return "\n".join(lines)


def _on_disk(path: Path) -> str | None:
    try:
        # Line ends stay as they are: what is not changed is written back byte for byte.
        with path.open(encoding="utf-8", newline="") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise UsageError("this file is not UTF-8", where=str(path), cure="Save it so.") from None
    except OSError as error:
        raise UsageError("this file cannot be read", where=str(path), cause=str(error)) from None
