"""The recipes of a workspace, as far as can be said without reading them as recipes.

Only the keys at the left edge are looked at: which sections there are, and the name. What is wrong
in a recipe says `temper check`.
"""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from typing import NamedTuple

from tui.cached import Signature, signature

_KEY = re.compile(r"^([a-z_]+):[ \t]*([^#\n]*)", re.MULTILINE)
_TRAIN = re.compile(r"^train:.*(?:\n(?:[ \t#].*|[ \t]*(?=\n|$)))*", re.MULTILINE)
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_DATASET = re.compile(r"\bdataset:[ \t]*[\"']?([^\s,\"'{}\[\]]+)")
_MOST_BYTES = 256 << 10
_MOST_FILES = 64


class RecipeNote(NamedTuple):
    """One recipe file in the root of a workspace."""

    file: str
    name: str
    sections: frozenset[str]
    trains_on: tuple[str, ...] = ()
    """Datasets that the section `train` names, those of other directories left out."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """What names it in a command; nothing for the default one."""
        return () if self.file == "temper.yaml" else (self.file,)


class Recipes:
    """Finds the recipes again and again, reading only what changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, tuple[Signature, RecipeNote | None]] = {}
        self._notes: tuple[RecipeNote, ...] = ()
        self._listed: Signature = None
        self._files: list[Path] = []
        self.demo_place = "."
        """Where `temper demo` would find nothing in its way: the root itself if that is empty."""

    def get(self) -> tuple[RecipeNote, ...]:
        """Return the recipes, `temper.yaml` first; the same object while nothing changed."""
        self._list()
        known: dict[str, tuple[Signature, RecipeNote | None]] = {}
        for path in self._files:
            seen = signature(str(path))
            before = self._known.get(path.name)
            known[path.name] = (
                before if before is not None and before[0] == seen else (seen, _read(path))
            )
        if known != self._known:
            self._known = known
            notes = [note for _, note in known.values() if note is not None]
            self._notes = tuple(
                sorted(notes, key=lambda one: (one.file != "temper.yaml", one.file))
            )
        return self._notes

    def _list(self) -> None:
        seen = signature(str(self._root))
        if seen is None:
            self._files, self.demo_place = [], "."
        elif seen != self._listed:
            self._files = sorted(self._root.glob("*.yaml"))[:_MOST_FILES]
            self.demo_place = _demo_place(self._root)
        self._listed = seen


def _demo_place(root: Path) -> str:
    try:
        if next(root.iterdir(), None) is None:
            return "."
    except OSError:
        return "."
    names = ("demo" if number == 1 else f"demo-{number}" for number in count(1))
    return next(name for name in names if not (root / name).exists())


def _read(path: Path) -> RecipeNote | None:
    """Return what a file says of itself; None where it is no recipe or cannot be read."""
    try:
        with path.open("rb") as stream:
            text = stream.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    keys = {key: value.strip() for key, value in _KEY.findall(text)}
    name = keys.get("name", "").strip("\"'")
    sections = frozenset(keys) & {"curate", "train", "evaluate", "augment", "stages"}
    if not (name and sections):
        return None
    return RecipeNote(path.name, name, sections, _datasets_in(text))


def _datasets_in(text: str) -> tuple[str, ...]:
    """Return the names of datasets in the section `train`.

    >>> _datasets_in("train:\\n  tempering: {replay: {dataset: old}}  # dataset: no\\ncurate: {}")
    ('old',)
    """
    found = _TRAIN.search(text)
    if found is None:
        return ()
    lines = (_COMMENT.sub("", line) for line in found[0].splitlines())
    names = dict.fromkeys(name for line in lines for name in _DATASET.findall(line))
    return tuple(name for name in names if "/" not in name and name not in ("null", "~"))
