"""`temper curate STEP IN… -o OUT`: one step at a time, for shell scripts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workspace.context import Progress, emit_json, emit_table, note
from workspace.text import plain

if TYPE_CHECKING:
    from curate.recipe import CurateSection

_WIDE, _SHOWN = 200, 60
"""Characters of a line, and of a cell."""
Inputs = Annotated[
    list[str], typer.Argument(metavar="IN…", help="Files or globs; - is standard input.")
]
Out = Annotated[
    str,
    typer.Option(
        "-o", metavar="OUT", help="A directory, a .jsonl, .parquet or .csv file, or - (data only)."
    ),
]
Columns = Annotated[
    str, typer.Option(metavar="A=B,…", help="Your column names, e.g. prompt=text,completion=label.")
]
Format = Annotated[
    str,
    typer.Option(
        "--format", help="jsonl, json, csv, tsv, parquet or arrow; auto tells it from the name."
    ),
]
Header = Annotated[
    str,
    typer.Option(metavar="A,B,…", help="Columns of a table whose first line is a row already."),
]
Quotes = Annotated[
    bool, typer.Option("--quotes/--no-quotes", help="Whether fields of a table may be quoted.")
]
Encoding = Annotated[str, typer.Option(help="Of a table, e.g. cp1252.")]
Quarantine = Annotated[
    str, typer.Option(metavar="SHARE", help="Stop if more of the rows than this cannot be used.")
]
Breaker = Annotated[
    str, typer.Option(metavar="SHARE", help="Stop if a step would drop more of a source.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing; show the ledger.")]
AsJson = Annotated[bool, typer.Option("--json", help="The ledger as JSON on stdout.")]


def add_to(app: typer.Typer) -> None:
    """Add the steps to `temper curate`."""
    app.command("convert")(convert)
    app.command("stats")(stats)
    app.command("dedupe")(dedupe)
    app.command("decontaminate")(decontaminate)
    app.command("split")(split)
    app.command("step")(step)
    app.command("explain")(explain)


def convert(
    inputs: Inputs,
    out: Out,
    to: Annotated[
        str, typer.Option("--type", help="messages, prompt_completion, preference, text …")
    ] = "auto",
    columns: Columns = "",
    file_format: Format = "auto",
    header: Header = "",
    quotes: Quotes = True,
    encoding: Encoding = "utf-8",
    max_quarantine: Quarantine = "1%",
    force: Force = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Rows of any known format to one type."""
    section = _section(
        inputs,
        columns,
        file_format,
        table=_table(header, quotes, encoding),
        type=to,
        max_quarantine=max_quarantine,
    )
    _run(section, out, force=force, dry_run=dry_run, as_json=as_json)


def dedupe(
    inputs: Inputs,
    out: Out,
    threshold: Annotated[
        float, typer.Option(help="Least similarity of near-duplicates; 1 keeps them all.")
    ] = 0.8,
    columns: Columns = "",
    file_format: Format = "auto",
    max_quarantine: Quarantine = "1%",
    circuit_breaker: Breaker = "50%",
    force: Force = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Drop exact duplicates, then near-duplicates."""
    steps: list[Any] = ["exact_duplicates"]
    if threshold != 1:  # beyond 1 is for the step to refuse
        steps.append({"near_duplicates": {"threshold": threshold}})
    section = _section(
        inputs,
        columns,
        file_format,
        steps=steps,
        split={"similarity": min(threshold, 0.7)},
        max_quarantine=max_quarantine,
        circuit_breaker=circuit_breaker,
    )
    _run(section, out, force=force, dry_run=dry_run, as_json=as_json)


def decontaminate(
    inputs: Inputs,
    out: Out,
    suite: Annotated[
        list[str] | None, typer.Option(help="A suite's name, path or builtin:NAME; repeatable.")
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE:FIELD", help="Items in a file's field; repeatable."),
    ] = None,
    threshold: Annotated[float, typer.Option(help="Least share or similarity of a leak.")] = 0.8,
    columns: Columns = "",
    file_format: Format = "auto",
    max_quarantine: Quarantine = "1%",
    circuit_breaker: Breaker = "50%",
    force: Force = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Drop rows that hold an item of an evaluation."""
    files = []
    for pair in against or ():
        path, _, field = pair.rpartition(":")
        files.append({"path": path or field, "field": field if path else "prompt"})
    step = {"suites": list(suite or ()), "files": files, "threshold": threshold}
    section = _section(
        inputs,
        columns,
        file_format,
        steps=[{"decontaminate": step}],
        max_quarantine=max_quarantine,
        circuit_breaker=circuit_breaker,
    )
    _run(section, out, force=force, dry_run=dry_run, as_json=as_json)


def split(
    inputs: Inputs,
    out: Out,
    validation: Annotated[str, typer.Option(help="Share, or number of rows.")] = "5%",
    test: Annotated[str, typer.Option(help="Share, or number of rows.")] = "5%",
    seed: Annotated[int, typer.Option(help="Another seed sets other groups aside.")] = 0,
    stratify: Annotated[
        str | None,
        typer.Option(metavar="BY", help="Same shares of each label (or source, length …)."),
    ] = None,
    columns: Columns = "",
    file_format: Format = "auto",
    max_quarantine: Quarantine = "1%",
    force: Force = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Set rows aside in groups: what is alike stays on one side."""
    section = _section(
        inputs,
        columns,
        file_format,
        split={"validation": validation, "test": test, "seed": seed, "stratify": stratify},
        max_quarantine=max_quarantine,
    )
    _run(section, out, force=force, dry_run=dry_run, as_json=as_json, splits=True)


def step(
    name: Annotated[str, typer.Argument(help="A step of the recipe, e.g. contradictions.")],
    inputs: Inputs,
    out: Out,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the step; repeatable."),
    ] = None,
    columns: Columns = "",
    file_format: Format = "auto",
    to: Annotated[str, typer.Option("--type", help="The dataset type; auto: what most are.")] = (
        "auto"
    ),
    max_quarantine: Quarantine = "1%",
    circuit_breaker: Breaker = "50%",
    force: Force = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Any step of a recipe by its name; `temper schema` lists them with their settings."""
    from curate.one_step import step_config
    from workspace.overrides import settings as parsed

    config = step_config(name, parsed(settings or ()))
    section = _section(
        inputs,
        columns,
        file_format,
        type=to,
        steps=[config.model_dump()],
        max_quarantine=max_quarantine,
        circuit_breaker=circuit_breaker,
    )
    _run(section, out, force=force, dry_run=dry_run, as_json=as_json)


def stats(
    inputs: Inputs,
    columns: Columns = "",
    file_format: Format = "auto",
    header: Header = "",
    quotes: Quotes = True,
    encoding: Encoding = "utf-8",
    as_json: AsJson = False,
) -> None:
    """Say what is in files: formats, lengths, rows that cannot be used and why."""
    from curate.one_step import curated_rows
    from curate.statistics import describe

    table = _table(header, quotes, encoding)
    section = _section(inputs, columns, file_format, table=table, max_quarantine=1.0)
    with curated_rows(section) as curated:
        found = describe(curated)
    if as_json:
        emit_json(found)
        return
    rows = [
        [source["name"], f"{source['rows']:,}", _pairs(source["formats"])]
        for source in found["sources"]
    ]
    emit_table("sources", ["file", "rows", "formats"], rows, numeric=(1,))
    kinds = [
        [source["name"], *_kind_of_row(one)]
        for source in found["sources"]
        for one in source["detected"]
    ]
    emit_table(
        "how rows were recognised",
        ["file", "rows", "format", "by the columns", "also fits", "for example"],
        kinds,
        numeric=(1,),
    )
    if any(one["also"] for source in found["sources"] for one in source["detected"]):
        note("Rows that fit another format too are read as said; `columns:` decides otherwise.")
    lengths = [
        [name, *(f"{value:,}" for value in row.values())]
        for name, row in found["characters"].items()
    ]
    emit_table("characters", ["", "least", "median", "95 %", "most"], lengths, numeric=(1, 2, 3, 4))
    note(f"Cannot be used: {_pairs(found['unusable']) or 'none'}.")
    for detail in found["unusable_examples"].values():
        note(f"  {plain(detail, _WIDE)}")


def _kind_of_row(one: dict[str, Any]) -> list[str]:
    """Return the cells of one kind of row."""
    example = f"{one['first_row']}: {one['example'] or 'of another type'}"
    names = ", ".join(one["columns"])
    return [
        f"{one['rows']:,}",
        one["format"],
        names,
        ", ".join(one["also"]),
        plain(example, _SHOWN),
    ]


def explain(
    row: Annotated[str, typer.Argument(metavar="ID", help="Id of a row, or FILE:ROW.")],
    dataset: Annotated[
        str | None, typer.Option(help="Name or path; left out: the recipe's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what became of one row, and why."""
    from curate.explain import find_row
    from workspace.layout import RECIPE, Workspace

    workspace = Workspace.find()
    name = dataset or recipe_name(workspace.root / RECIPE)
    story = find_row(workspace.dataset(name), row)
    if as_json:
        emit_json(story)
        return
    emit_table(f"row {row}", ["", ""], [[key, str(value)] for key, value in story.items() if value])


def recipe_name(path: Path) -> str:
    """Return the name that a recipe gives its dataset."""
    from workspace.yaml import load_yaml

    return str(load_yaml(path).data.get("name", path.stem))


def _pairs(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _section(inputs: list[str], columns: str, file_format: str, **settings: Any) -> CurateSection:
    from curate.one_step import section_for

    return section_for(inputs, columns, file_format, **settings)


def _table(header: str, quotes: bool, encoding: str) -> dict[str, Any]:
    return {
        "header": tuple(filter(None, header.split(","))),
        "quotes": quotes,
        "encoding": encoding,
    }


def _run(
    section: CurateSection,
    out: str,
    *,
    force: bool,
    dry_run: bool,
    as_json: bool,
    splits: bool = False,
    model: str | None = None,
) -> None:
    from curate.cli import Speaker, show_ledger
    from curate.files_out import STREAM, check_out, write_out
    from curate.one_step import curated_rows
    from curate.private import write_private

    if not dry_run:
        check_out(out, force=force, splits=splits)
    with Progress("curating", rates=True) as progress:
        speaker = Speaker(progress)
        with curated_rows(section, speaker.reporter(), model=model) as curated:
            if not dry_run:
                settings = section.model_dump(mode="json")
                write_private(curated.private)
                write_out(curated, out, settings, _as_yaml(settings))
        speaker.finish(curated.ledger.rows_read)
    if as_json and out != STREAM:
        emit_json(curated.ledger.document())
    elif out == STREAM and not dry_run:
        note(curated.ledger.balance)
    else:
        show_ledger(f"{out}: what became of every row", curated.ledger)
        said = [text for time in curated.ledger.times for text in time.notes]
        for text in (*said, *curated.ledger.split_notes, *curated.notes):
            note(f"· {text}")


def _as_yaml(settings: dict[str, Any]) -> str:
    from io import StringIO

    from ruamel.yaml import YAML

    stream = StringIO()
    YAML().dump({"curate": settings}, stream)
    return stream.getvalue()
