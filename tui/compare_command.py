"""`temper compare A B`: two runs, datasets or recipes, differences first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workspace.context import emit_json, emit_table, note
from workspace.layout import Workspace
from workspace.options import AsJson

if TYPE_CHECKING:
    from tui.comparing.comparison import Comparison

_WHAT = "A run, a dataset (name or name/digest) or a recipe's .yaml."


def compare(
    left: Annotated[str, typer.Argument(metavar="A", help=_WHAT)],
    right: Annotated[str, typer.Argument(metavar="B", help="Another of the same kind.")],
    as_json: AsJson = False,
) -> None:
    """Compare two runs, datasets or recipes: what differs, with both values; equal is counted."""
    from tui.comparing.compare import compare as compare_two
    from tui.comparing.compare import kind_of

    workspace = Workspace.find()
    found = compare_two(kind_of(left, right, workspace), left, right, workspace)
    if as_json:
        emit_json(found.document())
    else:
        _print(found)


def _print(found: Comparison) -> None:
    titles = [*found.names]
    for part in found.parts:
        rows = [[fact.key, _shown(fact.left), _shown(fact.right)] for fact in part.differing]
        if rows:
            emit_table(part.title, ["", *titles], rows)
        note(part.note or f"{part.title}: {len(part.equal)} equal")
    if found.abilities:
        table = [
            [one.name, *(side.verdict if side else "–" for side in (one.left, one.right)),
             "" if one.change is None else f"{one.change:+.3f}"]
            for one in found.abilities
        ]  # fmt: skip
        emit_table("abilities", ["", *titles, "change"], table, numeric=(3,))
    if found.rows:
        emit_table(
            "rows", ["", "why", "rows"],
            [[what, why, f"{rows:,}"] for what, why, rows in found.rows], numeric=(2,),
        )  # fmt: skip
    if found.rows_equal is not None:
        note(f"{found.rows_equal:,} rows are the same.")
    for said in found.notes:
        note(said)


def _shown(value: str | None) -> str:
    return "–" if value is None else value
