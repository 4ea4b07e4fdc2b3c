"""What the command palette offers, and what of it fits the letters typed. No widgets here."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from tui.actions import HELPED, Scope, of_scope
from tui.actions.common import LISTS
from tui.keymap import Keymap
from tui.snapshot import RunRow
from workspace.text import plain

MOST = 50
"""Entries shown at once: nobody reads more, and the rest is found by another letter."""
_MOST_DATASETS = 10_000
_MOST_SCORED = 1000
"""Entries that are held against the letters one by one, which takes long: more letters, fewer."""


class Entry(NamedTuple):
    """One line of the palette."""

    kind: Literal["action", "run", "dataset"]
    value: str
    """The action as Textual calls it, or the id of the run, or the name of the dataset."""
    title: str
    """What is searched; made plain."""
    detail: str = ""
    keys: str = ""


def of_actions(
    scope: Scope, keymap: Keymap, is_enabled: Callable[[str], bool] = lambda call: True
) -> list[Entry]:
    """Return the actions that work on a screen, its own first; keys that move are left out."""
    found = [("screen", one) for one in of_scope(scope) if one in HELPED]
    found += [("app", one) for one in of_scope("app") if one.name != "commands"]
    return [
        Entry("action", f"{owner}.{one.action}", one.title, one.help, keymap.shown(one))
        for owner, one in found
        if one.scopes is not LISTS and is_enabled(f"{owner}.{one.action}")
    ]


def of_runs(rows: Iterable[RunRow]) -> list[Entry]:
    """Return an entry for each run that can be opened."""
    return [
        Entry("run", row.id, f"go to run {plain(row.id, limit=200)}", row.state) for row in rows
    ]


def of_datasets(root: Path) -> list[Entry]:
    """Return an entry for each dataset of the workspace; reads the disk, so not on the screen's
    thread."""
    try:
        with os.scandir(root / "datasets") as found:
            names = [
                one.name
                for one, _ in zip(found, range(_MOST_DATASETS), strict=False)
                if not one.name.startswith(".") and one.is_dir()
            ]
    except OSError:
        return []
    return [
        Entry("dataset", name, f"go to dataset {plain(name, limit=200)}") for name in sorted(names)
    ]


def matching(entries: Sequence[Entry], typed: str) -> list[Entry]:
    """Return the entries that hold the letters typed in their order, the nearest first.

    >>> found = matching([Entry("run", "a", "go to run alpha"), Entry("run", "b", "quit")], "rnal")
    >>> [entry.value for entry in found]
    ['a']
    """
    if not typed.strip():
        return list(entries[:MOST])
    from textual.fuzzy import FuzzySearch

    search = FuzzySearch()
    query = typed.strip()
    scored = []
    for place, entry in enumerate(_holding(entries, query.lower())):
        score = search.match(query, entry.title)[0]
        # What an action does is searched too, but what it is called comes first.
        score = score or search.match(query, entry.detail)[0] / 100
        if score > 0:
            scored.append((-score, place, entry))
    scored.sort(key=lambda one: one[:2])
    return [entry for _, _, entry in scored[:MOST]]


def _holding(entries: Sequence[Entry], query: str) -> list[Entry]:
    """Return the first entries called so, then the first that hold the letters in their order."""
    in_order = re.compile(".*?".join(map(re.escape, query)), re.DOTALL).search
    whole: list[Entry] = []
    scattered: list[Entry] = []
    for entry in entries:
        title = entry.title.lower()
        if query in title:
            whole.append(entry)
        elif in_order(title) or in_order(entry.detail.lower()):
            scattered.append(entry)
    return [*whole, *scattered][:_MOST_SCORED]
