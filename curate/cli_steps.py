"""`temper curate STEP IN… -o OUT`: one step at a time, for shell scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from curate.cli_request import TABLE, Request, on_rows
from workspace.context import emit_json, emit_table, note
from workspace.options import AsJson
from workspace.text import plain

_WIDE, _SHOWN = 200, 60
"""Characters of a line, and of a cell."""


def add_to(app: typer.Typer) -> None:
    """Add the steps to `temper curate`."""
    app.command("convert")(convert)
    app.command("stats")(stats)
    app.command("dedupe")(dedupe)
    app.command("decontaminate")(decontaminate)
    app.command("split")(split)
    app.command("step")(step)
    app.command("explain")(explain)


@on_rows(*TABLE)
def convert(
    request: Request,
    to: Annotated[
        str, typer.Option("--type", help="messages, prompt_completion, preference, text …")
    ] = "auto",
) -> None:
    """Rows of any known format to one type."""
    request.make(type=to)


@on_rows("circuit_breaker")
def dedupe(
    request: Request,
    threshold: Annotated[
        float, typer.Option(help="Least similarity of near-duplicates; 1 keeps them all.")
    ] = 0.8,
) -> None:
    """Drop exact duplicates, then near-duplicates."""
    steps: list[Any] = ["exact_duplicates"]
    if threshold != 1:  # beyond 1 is for the step to refuse
        steps.append({"near_duplicates": {"threshold": threshold}})
    request.make(steps=steps, split={"similarity": min(threshold, 0.7)})


@on_rows("circuit_breaker")
def decontaminate(
    request: Request,
    suite: Annotated[
        list[str] | None, typer.Option(help="A suite's name, path or builtin:NAME; repeatable.")
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE:FIELD", help="Items in a file's field; repeatable."),
    ] = None,
    threshold: Annotated[float, typer.Option(help="Least share or similarity of a leak.")] = 0.8,
) -> None:
    """Drop rows that hold an item of an evaluation."""
    files = []
    for pair in against or ():
        path, _, field = pair.rpartition(":")
        files.append({"path": path or field, "field": field if path else "prompt"})
    step = {"suites": list(suite or ()), "files": files, "threshold": threshold}
    request.make(steps=[{"decontaminate": step}])


@on_rows()
def split(
    request: Request,
    validation: Annotated[str, typer.Option(help="Share, or number of rows.")] = "5%",
    test: Annotated[str, typer.Option(help="Share, or number of rows.")] = "5%",
    seed: Annotated[int, typer.Option(help="Another seed sets other groups aside.")] = 0,
    stratify: Annotated[
        str | None,
        typer.Option(metavar="BY", help="Same shares of each label (or source, length …)."),
    ] = None,
) -> None:
    """Set rows aside in groups: what is alike stays on one side."""
    request.make(
        split={"validation": validation, "test": test, "seed": seed, "stratify": stratify},
        splits=True,
    )


@on_rows("type", "circuit_breaker")
def step(
    request: Request,
    name: Annotated[str, typer.Argument(help="A step of the recipe, e.g. contradictions.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the step; repeatable."),
    ] = None,
) -> None:
    """Any step of a recipe by its name; `temper schema` lists them with their settings."""
    from curate.one_step import step_config
    from workspace.overrides import settings as parsed

    config = step_config(name, parsed(settings or ()))
    request.make(steps=[config.model_dump()])


@on_rows(*TABLE, "as_json", writes=False)
def stats(request: Request) -> None:
    """Say what is in files: formats, lengths, rows that cannot be used and why."""
    from curate.one_step import curated_rows
    from curate.statistics import describe

    with curated_rows(request.section(max_quarantine=1.0)) as curated:
        found = describe(curated)
    if request.as_json:
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
