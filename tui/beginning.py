"""The first recipe, by keys: which rows, what their answers are, which model."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tui.next_steps import Step
from tui.screens.dialog import Ask, Choose

if TYPE_CHECKING:
    from tui.app import TemperApp

_TASKS = (
    ("chat", "short free answers"),
    ("classify", "one label as the whole answer"),
    ("json", "JSON objects, compared key by key"),
    ("maths", "worked solutions whose last number counts"),
)
_ENDINGS = (".jsonl", ".jsonl.gz", ".csv", ".tsv", ".parquet", ".arrow", ".json")
"""Of files that are likely to be rows, the likeliest first; `temper curate` reads more."""
_MOST_FILES = 1000
_BUILTIN = "builtin"


def ask_for_rows(app: TemperApp, step: Step, then: Callable[[Step], object]) -> None:
    """Ask for what a recipe is made of; call `then` with the step that makes it.

    Args:
        app: where it is asked, in whose workspace the rows are looked for.
        step: `temper init`, without what is asked for.
        then: what runs it.
    """
    root = app.snapshot.root

    def with_file(file: str | None) -> None:
        if file is None:
            return
        given = ("--data", file.strip()) if file.strip() else ()
        shown = [f"{name:<9} {about}" for name, about in _TASKS]
        app.push_screen(
            Choose("What are the answers in these rows?", shown),
            lambda place: _ask_for_model(app, step, then, (*_task(place), *given), place),
        )

    question = "Which file has your rows? JSONL, CSV, Parquet; empty: those in raw/."
    app.push_screen(
        Ask(question, likely_rows(root), "raw/*.jsonl", lambda given: _rows_trouble(root, given)),
        with_file,
    )


def ask_for_file(app: TemperApp) -> None:
    """Ask for a file of rows, and open it on the data screen."""
    root = app.snapshot.root

    async def opened(file: str | None) -> None:
        if file and file.strip():
            await app.open_dataset(root / Path(file.strip()).expanduser())

    question = "Which file or directory of rows? JSONL, CSV, Parquet, Arrow."
    app.push_screen(
        Ask(question, likely_rows(root), "rows.jsonl", lambda given: _file_trouble(root, given)),
        opened,
    )


def _task(place: int | None) -> tuple[str, ...]:
    return ("--task", _TASKS[place][0]) if place is not None else ()


def _ask_for_model(
    app: TemperApp,
    step: Step,
    then: Callable[[Step], object],
    options: tuple[str, ...],
    place: int | None,
) -> None:
    if place is None:
        return

    def with_model(model: str | None) -> None:
        if model is not None:
            given = () if model.strip() in ("", _BUILTIN) else ("--model", model.strip())
            then(step._replace(arguments=(*step.arguments, *options, *given)))

    question = "Which model is to learn them? A directory, a hub name, or builtin: a small one."
    app.push_screen(Ask(question, _BUILTIN, _BUILTIN), with_model)


def likely_rows(root: Path) -> str:
    """Return the file of a directory that is most likely its rows; empty where none is.

    Where `raw/` has files it is empty too: those are taken without being named.
    """
    try:
        if any((root / "raw").glob("*.jsonl")):
            return ""
        names = sorted(path.name for path in islice(root.iterdir(), _MOST_FILES))
    except OSError:
        return ""
    ranked = [
        (rank, name)
        for name in names
        for rank, ending in enumerate(_ENDINGS)
        if name.lower().endswith(ending) and not name.startswith(".")
    ]
    return min(ranked)[1] if ranked else ""


def _rows_trouble(root: Path, given: str) -> str:
    """Return what is wrong with the name of a file of rows."""
    if not given.strip():
        is_there = any((root / "raw").glob("*.jsonl"))
        return "" if is_there else "There is no raw/ with *.jsonl files here: name a file."
    if (root / Path(given.strip()).expanduser()).is_dir():
        return f"{given.strip()} is a directory: name a file in it."
    return _file_trouble(root, given)


def _file_trouble(root: Path, given: str) -> str:
    """Return that there is no such file or directory, if that is so."""
    is_there = (root / Path(given.strip()).expanduser()).exists()
    return "" if is_there else f"There is no file {given.strip()} in {root}."
