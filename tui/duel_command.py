"""`temper duel`: blind duels of two models, which are voted on in the app (key 5, then b)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from workspace.context import emit_json, emit_table
from workspace.layout import Workspace
from workspace.options import AsJson

if TYPE_CHECKING:
    from tui.duel.record import Duel

duel = typer.Typer(
    name="duel",
    help="Results of blind duels, which are voted on in the app, and their votes as data.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="Id of a duel, a part of it, or latest.")]


@duel.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the duels of this workspace."""
    from tui.duel.record import list_duels
    from tui.duel.tally import tally

    rows: list[dict[str, Any]] = []
    for found in list_duels(Workspace.find().root):
        counts = tally(found.votes().values())
        rows.append(
            {
                "id": found.id, "models": [*found.models], "prompts": len(found.prompts()),
                "votes": counts.votes, "source": found.source,
            }
        )  # fmt: skip
    if as_json:
        emit_json(rows)
        return
    emit_table(
        "duels",
        ["duel", "models", "prompts", "votes"],
        [[r["id"], " / ".join(r["models"]), str(r["prompts"]), str(r["votes"])] for r in rows],
        numeric=(2, 3),
        whole=(0,),
    )


@duel.command()
def show(name: Name = "latest", as_json: AsJson = False) -> None:
    """Say who was preferred, how often, and how sure that is."""
    from tui.duel.tally import judge, sentences, tally

    found = _find(name)
    judgement = judge(tally(found.votes().values()))
    if as_json:
        emit_json({"id": found.id, "models": [*found.models], **judgement.document()})
        return
    for text, _ in sentences(found.models, judgement):
        print(text)


@duel.command()
def export(
    name: Name,
    form: Annotated[
        Literal["rows", "pairs", "items"],
        typer.Option("--as", help="Training rows, preference pairs, or eval items with a suite."),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="A .jsonl file; rows are put behind its own.")
    ],
) -> None:
    """Write votes as rows that `temper curate` and `temper eval` read."""
    from tui.duel.saving import rows_of_votes, save

    found = _find(name)
    count = save(form, rows_of_votes(form, found.votes().values()), out)
    print(f"{count} written to {out}")


def _find(name: str) -> Duel:
    from tui.duel.record import DIRECTORY, list_duels
    from workspace.errors import UsageError

    root = Workspace.find().root
    duels = list_duels(root)
    found = duels[:1] if name == "latest" else [one for one in duels if name in one.id]
    if len(found) == 1:
        return found[0]
    raise UsageError(
        f"{name!r} names more than one duel" if found else f"there is no duel called {name!r}",
        where=str(root / DIRECTORY),
        cause=f"There are: {', '.join(one.id for one in found or duels) or 'none yet'}.",
        cure="Vote in one: temper, key 5, then b.",
    )
