"""`temper curate consistency` and `coverage`: is this dataset fit for its task?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli_steps import Columns, Force
from workspace.context import Progress, emit_json, emit_table, note
from workspace.errors import UsageError

if TYPE_CHECKING:
    from curate.conventions.looking import Consistent

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Data = Annotated[
    str, typer.Argument(metavar="DATA", help="A dataset's name or directory, a file, a glob, or -.")
]
_LEVELS = {"departing": "departs", "source": "source", "mixed": "mixed"}


def add_to(app: typer.Typer) -> None:
    """Add the commands to `temper curate`."""
    app.command("consistency")(consistency)


def consistency(
    data: Data,
    share: Annotated[
        float, typer.Option(help="Least share of the rows that makes a convention.")
    ] = 0.95,
    form: Annotated[
        bool, typer.Option("--form", help="Tell only what a parser or exact scorer trips over.")
    ] = False,
    language: Annotated[
        bool, typer.Option(help="Tell the language of long answers; takes most of the time.")
    ] = True,
    out: Annotated[
        Path | None, typer.Option("-o", metavar="OUT.jsonl", help="The rows that depart, and why.")
    ] = None,
    columns: Columns = "",
    file_format: Annotated[str, typer.Option("--format")] = "auto",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Find answers that depart from what nearly all others do: format, keys, labels, style."""
    from dataclasses import replace

    from curate.cli import Speaker
    from curate.conventions.configs import Consistency
    from curate.conventions.looking import look
    from curate.opening import opened

    check_share(share)
    _check_free(out, force=force)
    with Progress("reading", unit="rows") as progress:
        report = Speaker(progress).reporter()
        with opened(data, columns=columns, file_format=file_format, report=report) as rows:
            found = look(rows.frame, rows.context, Consistency(share=share, language=language))
            if form:
                kept = tuple(one for one in found.findings if one.form)
                found = replace(found, findings=kept)
            progress.update(found.rows, detail="")
            written = found.write_departing(out) if out is not None else 0
    if as_json:
        emit_json(found.document())
    else:
        _show_consistency(found, share)
    if rows.unusable:
        note(f"{rows.unusable:,} rows could not be used: `temper curate stats {data}`.")
    if out is not None:
        note(f"{written:,} rows that depart: {out}")


def check_share(share: float) -> None:
    """Refuse what is no share of a majority."""
    if not 0.5 <= share < 1:
        raise UsageError(
            "a convention is kept by at least half of the rows, and by fewer than all",
            where=f"--share {share:g}",
            cure="Give a number from 0.5 to below 1.",
        )


def _check_free(out: Path | None, *, force: bool) -> None:
    if out is not None and out.exists() and not force:
        raise UsageError(
            "this exists already", where=str(out), cure="Give another name, or --force."
        )


def _show_consistency(found: Consistent, share: float) -> None:
    rows = [
        ["form" if one.form else "style", _LEVELS[one.level], one.aspect, one.sentence]
        for one in found.findings
    ]
    if rows:
        emit_table("conventions", ["", "", "of", "found"], rows, whole=(0, 1))
    shown = [
        [one.aspect, example.id[:12], example.place, example.what, example.excerpt]
        for one in found.findings
        for example in one.examples
    ]
    if shown:
        emit_table("rows that depart", ["of", "id", "row", "does", "answer"], shown, whole=(1,))
    departing = found.departing
    form = departing.filter(departing["form"])["_row"].n_unique()
    note(
        f"{departing['_row'].n_unique():,} of {found.rows:,} rows depart from a convention of "
        f"{share:.0%} of the rows, {form:,} of them in form."
    )
