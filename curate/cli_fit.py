"""`temper curate consistency` and `coverage`: is this dataset fit for its task?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli_request import Columns, Force, Format
from workspace.context import Progress, emit_json, emit_table, note
from workspace.errors import UsageError
from workspace.options import AsJson

if TYPE_CHECKING:
    from curate.conventions.looking import Consistent
    from curate.covering.result import Coverage, Region

Data = Annotated[
    str, typer.Argument(metavar="DATA", help="A dataset's name or directory, a file, a glob, or -.")
]
_SHOWN, _REGIONS = 80, 25
_LEVELS = {"departing": "departs", "source": "source", "mixed": "mixed"}


def add_to(app: typer.Typer) -> None:
    """Add the commands to `temper curate`."""
    app.command("coverage")(coverage)
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
    file_format: Format = "auto",
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


def coverage(
    data: Data,
    against: Annotated[
        str,
        typer.Option(metavar="REAL", help="Real inputs: rows with or without answers, or a .txt."),
    ],
    field: Annotated[
        str | None, typer.Option(help="Column of REAL with the input; left out: the usual ones.")
    ] = None,
    vectors: Annotated[
        str, typer.Option(metavar="FOLDER", help="An embedder; lexical compares words alone.")
    ] = "lexical",
    regions: Annotated[
        int | None,
        typer.Option(min=2, max=200, help="How many; left out: by the number of inputs."),
    ] = None,
    sample: Annotated[int, typer.Option(min=20, help="Most real inputs to compare.")] = 5_000,
    seed: Annotated[int, typer.Option(help="Of the sample and the regions.")] = 0,
    deficits: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Gaps for augment.target.deficits.")
    ] = None,
    columns: Columns = "",
    file_format: Format = "auto",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Find what training lacks, against a sample of real inputs; of a dataset, its train rows."""
    from curate.cli import Speaker
    from curate.covering.inputs import read_inputs
    from curate.covering.measure import measure_coverage
    from curate.opening import opened

    _check_free(deficits, force=force)
    with Progress("reading", unit="rows") as progress:
        report = Speaker(progress).reporter()
        inputs = read_inputs(against, field=field, sample=sample, seed=seed)
        with opened(
            data, columns=columns, file_format=file_format, splits=("train",), report=report
        ) as rows:
            found = measure_coverage(
                rows.context, inputs, vectors=vectors, regions=regions, seed=seed
            )
        progress.update(found.training_rows, detail="")
    if as_json:
        emit_json(found.document())
    else:
        _show_coverage(found)
    if deficits is not None:
        written = found.write_deficits(deficits)
        gaps = "gap" if written == 1 else "gaps"
        note(f"{written:,} {gaps} for `augment.target.deficits`: {deficits}")


def _show_coverage(found: Coverage) -> None:
    import numpy as np

    emit_table(
        f"regions of the real inputs, by {found.embedder} vectors",
        [
            "",
            "region",
            "inputs",
            "traffic",
            "training",
            "density (interval)",
            "p",
            "nearest",
            "such as",
        ],
        [_region_cells(region) for region in found.regions[: max(len(found.gaps), _REGIONS)]],
        numeric=(2, 3, 4, 6, 7),
    )
    edges = [
        [
            "unseen" if edge.unseen else "rare",
            edge.name + (f" ({edge.detail})" if edge.detail else ""),
            f"{edge.real:,}",
            f"{edge.training:,}",
            edge.examples[0][:_SHOWN] if edge.examples else "",
        ]
        for edge in found.edges
    ]
    edges += [
        ["unseen", f"language {name}", f"{count:,}", "0", ""]
        for name, count in found.languages.items()
    ]
    if edges:
        heads = ["", "inputs that are or hold", "real", "training", "such as"]
        emit_table("edge cases", heads, edges, numeric=(2, 3))
    if found.words:
        listed = ", ".join(f"{word} {count}" for word, count in found.words[:20])
        note(f"Words that no training prompt has, with the inputs that do: {listed}.")
    if found.template:
        note(f"Left out, since nearly all training prompts have it: {found.template!r}.")
    if found.inputs.unusable:
        note(f"{found.inputs.unusable:,} records of the real inputs have no input.")
    if len(found.inputs.texts) < found.inputs.read:
        note(f"{len(found.inputs.texts):,} of {found.inputs.read:,} real inputs were drawn.")
    near, other = float(np.median(found.nearest)), float(np.median(found.among))
    note(
        f"Similarity of a real input to the nearest training prompt: {near:.2f} (median); to the "
        f"nearest other real input: {other:.2f}."
    )
    note(found.sentence)


def _region_cells(region: Region) -> list[str]:
    balance = region.balance
    high = f"{balance.high:.2f}" if balance.high < 100 else "…"
    ratio = f"{balance.ratio:.2f}" if balance.ratio < 100 else "…"
    return [
        "gap" if region.gap else "",
        region.name,
        f"{region.inputs:,}",
        f"{region.traffic:.1%}",
        f"{region.training_share:.1%}",
        f"{ratio} ({balance.low:.2f} to {high})",
        f"{balance.p:.2g}",
        f"{region.nearest:.2f}",
        region.examples[0][:_SHOWN] if region.examples else "",
    ]


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
