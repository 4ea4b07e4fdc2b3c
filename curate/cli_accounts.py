"""`temper curate restore`, `drop`, `edit`, `undecide`, `diff`: to disagree, to compare datasets."""

from __future__ import annotations

from typing import Annotated

import typer

from curate.published import dataset_here
from workspace.context import emit_json, emit_table, note
from workspace.options import AsJson

_WIDE = 200
Rows = Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Ids, or FILE:ROW.")]
Dataset = Annotated[str | None, typer.Option(help="Name or path; left out: the recipe's.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to `temper curate`."""
    app.command("restore")(restore)
    app.command("drop")(drop)
    app.command("edit")(edit)
    app.command("undecide")(undecide)
    app.command("diff")(diff)
    app.command("dropped")(dropped)
    app.command("cache")(cache)


def restore(
    rows: Rows = None,
    dataset: Dataset = None,
    reason: Annotated[
        str | None, typer.Option(help="All rows dropped for this reason, e.g. near_duplicate.")
    ] = None,
    why: Annotated[str, typer.Option(help="Your reason, kept with the decision.")] = "",
) -> None:
    """Keep rows that a step dropped: written down, and applied by the next `temper curate`."""
    from curate.restoring import decide_to_keep

    workspace, path = dataset_here(dataset)
    told = decide_to_keep(workspace, path, rows or [], reason, why)
    note(f"{told.new:,} of {told.rows:,} decisions are new, in {told.file}.")
    note(f"Apply them: {told.command}")


def drop(
    rows: Rows = None,
    dataset: Dataset = None,
    why: Annotated[str, typer.Option(help="Your reason, shown as the drop's.")] = "",
) -> None:
    """Drop rows that all steps kept: written down, and applied by the next `temper curate`."""
    from curate.restoring import decide_to_drop

    workspace, path = dataset_here(dataset)
    told = decide_to_drop(workspace, path, rows or [], why)
    note(f"{told.new:,} of {told.rows:,} decisions are new, in {told.file}.")
    note(f"Apply them: {told.command}")


def edit(
    row: Annotated[str, typer.Argument(metavar="ID", help="The row's id, or FILE:ROW.")],
    place: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="Which text: messages.1, chosen.0, text.")
    ] = None,
    text: Annotated[
        str | None, typer.Argument(metavar="[NEW]", help="What it is from now on.")
    ] = None,
    dataset: Dataset = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take all edits of the row back.")] = False,
    why: Annotated[str, typer.Option(help="Your reason, kept with the decision.")] = "",
) -> None:
    """Write a text of a row anew: written down, and applied by the next `temper curate`."""
    from curate.restoring import decide_to_edit, take_back_edits
    from workspace.errors import UsageError

    workspace, path = dataset_here(dataset)
    if undo:
        told = take_back_edits(workspace, path, [row])
    elif place is None or text is None:
        raise UsageError(
            "no new text is given", where=row, cure="temper curate edit ID messages.1 'NEW TEXT'"
        )
    else:
        told = decide_to_edit(workspace, path, row, place, text, why)
    note(f"{told.new:,} of {told.rows:,} decisions are new, in {told.file}.")
    note(f"Apply them: {told.command}")


def undecide(rows: Rows = None, dataset: Dataset = None) -> None:
    """Take decisions back: the steps alone say again what becomes of these rows."""
    from curate.restoring import take_back

    workspace, path = dataset_here(dataset)
    told = take_back(workspace, path, rows or [])
    note(f"{told.new:,} decisions taken back, in {told.file}.")
    note(f"Apply it: {told.command}")


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A dataset: name, or path.")],
    after: Annotated[str, typer.Argument(metavar="B", help="Another, or a later one.")],
    as_json: AsJson = False,
) -> None:
    """Compare two datasets: rows that came, went, changed or moved, and why."""
    from curate.comparing import compare
    from workspace.layout import Workspace

    workspace = Workspace.find()
    found = compare(workspace.dataset(before), workspace.dataset(after))
    if as_json:
        emit_json(found.document())
        return
    rows = [[one.what, one.why, f"{one.rows:,}", ", ".join(one.examples)] for one in found.groups]
    if rows:
        emit_table("rows", ["", "why", "rows", "for example"], rows, numeric=(2,))
    settings = [[one.key, one.before or "–", one.after or "–"] for one in found.settings]
    if settings:
        emit_table("settings", ["key", "A", "B"], settings)
    note(f"A {found.rows_before:,} rows, B {found.rows_after:,}; {found.same:,} are the same.")


def dropped(
    dataset: Dataset = None,
    reason: Annotated[str | None, typer.Option(help="Only this reason.")] = None,
    rows: Annotated[int, typer.Option(min=1, help="How many to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show rows that were dropped, each with its reason and the row it repeats."""
    from curate.explaining import dropped_stories
    from workspace.text import plain

    _, path = dataset_here(dataset)
    total, stories = dropped_stories(path, reason, rows)
    if as_json:
        emit_json({"rows": total, "shown": [vars(story) for story in stories]})
        return
    for story in stories:
        print(plain(f"{story.place} · {story.step}: {story.reason} · {story.detail}"))
        print(f"  {plain(story.text, _WIDE)}")
        if story.partner_place:
            print(plain(f"  like {story.partner_place}, which is {story.partner_state}:"))
            print(f"  {plain(story.partner_text, _WIDE)}")
    note(f"{len(stories):,} of {total:,} rows; all of them with --rows {total}")


def cache(
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove all of it; what is needed is computed again.")
    ] = False,
    limit: Annotated[
        float | None,
        typer.Option(min=0, help="The most it may take, in GB; kept for this workspace."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what earlier curations left to be used again, and how much room it takes."""
    from curate.caching.store import Store
    from curate.curating import steps_cache
    from workspace.layout import Workspace

    store = Store(steps_cache(Workspace.find()))
    if limit is not None:
        store.set_limit(round(limit * 1e9))
    held = store.clear() if clear else store.held()
    if as_json:
        emit_json({"schema_version": 1, "cleared": clear, **vars(held)})
        return
    size = f"{held.entries:,} entries, {held.size_bytes / 1e9:.2f} GB"
    most = f"{held.limit_bytes / 1e9:.1f} GB"
    note(f"Removed: {size}." if clear else f"{size} of at most {most}, in {store.root}")
