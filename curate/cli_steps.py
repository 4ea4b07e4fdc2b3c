"""`temper curate STEP IN… -o OUT`: one step at a time, for shell scripts."""

from __future__ import annotations

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
    text: Annotated[
        str, typer.Option(help="What near-duplicates have in common: whole, prompt or answer.")
    ] = "whole",
    keep: Annotated[
        str, typer.Option(help="Which of two near-duplicates: longest, quality or first.")
    ] = "longest",
) -> None:
    """Drop exact duplicates, then near-duplicates."""
    steps: list[Any] = ["exact_duplicates"]
    near = {"threshold": threshold, "text": text, "keep": keep}
    if threshold != 1:  # beyond 1 is for the step to refuse
        steps.append({"near_duplicates": near})
    request.make(steps=steps, split={"similarity": min(threshold, 0.7)})


@on_rows("circuit_breaker")
def decontaminate(
    request: Request,
    suite: Annotated[
        list[str] | None, typer.Option(help="A suite's name, path or builtin:NAME; repeatable.")
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE:FIELD[,ANSWER]",
            help="Items in a file's field, with the field of their answers; repeatable.",
        ),
    ] = None,
    threshold: Annotated[float, typer.Option(help="Least share or similarity of a leak.")] = 0.8,
    ngram: Annotated[int, typer.Option(help="Words in an n-gram.")] = 8,
) -> None:
    """Drop rows that hold an item of an evaluation."""
    files = [_items_in(one) for one in against or ()]
    step = {"suites": list(suite or ()), "files": files, "threshold": threshold, "ngram": ngram}
    request.make(steps=[{"decontaminate": step}])


def _items_in(against: str) -> dict[str, str | None]:
    """Return the file of items that `FILE:FIELD,ANSWER` means; FIELD is `prompt` if left out."""
    path, _, fields = against.rpartition(":")
    if not path:
        return {"path": fields, "field": "prompt"}
    field, _, answer = fields.partition(",")
    return {"path": path, "field": field, "answer": answer or None}


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
    similarity: Annotated[
        float, typer.Option(help="Rows at least this alike stay on one side.")
    ] = 0.7,
) -> None:
    """Set rows aside in groups: what is alike stays on one side."""
    wanted = {"validation": validation, "test": test, "seed": seed, "stratify": stratify}
    request.make(split={**wanted, "similarity": similarity}, splits=True)


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
    from curate.explaining import find_row
    from curate.published import dataset_here

    story = find_row(dataset_here(dataset)[1], row)
    if as_json:
        emit_json(story)
        return
    emit_table(f"row {row}", ["", ""], [[key, str(value)] for key, value in story.items() if value])


def _pairs(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
