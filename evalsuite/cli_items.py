"""`temper neighbours` and `temper keep`: single items of an evaluation. Rendering only."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from workspace.context import emit_json, emit_table, note
from workspace.layout import Workspace
from workspace.text import plain

Evaluation = Annotated[str, typer.Argument(help="Id, name or path of an evaluation, or `latest`.")]


def neighbours(
    evaluation: Evaluation,
    item: Annotated[str, typer.Argument(metavar="TASK/ID", help="An item of it.")],
    model: Annotated[
        str | None, typer.Option(help="Which of its models; left out: its only tuned one.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="Rows to show.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="The rows as JSON.")] = False,
) -> None:
    """The training rows most like an item of an evaluation: what it may have been lost to."""
    from evalsuite.why.neighbours import neighbours as find_neighbours

    workspace = Workspace.find()
    found = find_neighbours(
        workspace, workspace.evaluation(evaluation), item, model=model, count=count
    )
    if as_json:
        emit_json(asdict(found))
        return
    rows = [[f"{one.similarity:.2f}", one.id[:12], one.text] for one in found.rows]
    emit_table(
        f"rows of {found.model} nearest to {found.item.key}", ["cosine", "row", "text"], rows,
        numeric=(0,),
    )  # fmt: skip
    if found.note:
        note(found.note)


def keep(
    evaluation: Evaluation,
    items: Annotated[list[str], typer.Argument(metavar="TASK/ID...", help="Items of it.")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="JSON lines, appended to.")],
    form: Annotated[
        Literal["item", "row"],
        typer.Option("--as", help="item: for a suite. row: to train on, with its right answer."),
    ] = "item",
) -> None:
    """Keep items of an evaluation in a file: as items of another suite, or as training rows.

    What is trained on can no longer be measured with: take it out of the suite.
    """
    from evalsuite.items_of import keep_items, stored_items

    stored = stored_items(Workspace.find().evaluation(evaluation), items)
    kept = keep_items(stored, form, to)
    what = {"item": "eval item", "row": "training row"}[form]
    known = f"; {kept.known:,} were there already" if kept.known else ""
    print(plain(f"{kept.written:,} {what}{'s' * (kept.written != 1)} added to {to}{known}"))
    if form == "row" and kept.written:
        note("Take these items out of the suite: what is trained on cannot be measured with.")


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command("neighbours")(neighbours)
    app.command("keep")(keep)
