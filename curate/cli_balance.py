"""`temper curate balance`, `select` and `mix`: how much of what, for shell scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from curate.cli_request import Request, on_rows
from workspace.errors import UsageError

Datasets = Annotated[
    list[str],
    typer.Argument(metavar="A B…", help="Datasets by name or directory, or files of rows."),
]
Count = Annotated[
    str, typer.Option(help="tokens: what training learns from; or rows.", metavar="tokens|rows")
]
Model = Annotated[
    str | None,
    typer.Option(help="`builtin` or a directory whose tokenizer counts; else words are counted."),
]
Size = Annotated[
    str, typer.Option(metavar="SIZE", help="down: repeat no row; up: drop none; same; or a number.")
]
Repeats = Annotated[int, typer.Option(help="How often a row may be there, itself included.")]
Keep = Annotated[str, typer.Option(help="Which rows come first: hash, first, longest or quality.")]
Seed = Annotated[int, typer.Option(help="Another seed takes other rows.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to `temper curate`."""
    app.command("balance")(balance)
    app.command("select")(select)
    app.command("mix")(mix)


@on_rows()
def balance(
    request: Request,
    by: Annotated[
        str,
        typer.Option(help="label, topic, source, answer, length, script or a column; a,b: both."),
    ] = "label",
    cap: Annotated[
        str | None, typer.Option(metavar="N", help="At most this many, or this share, of each.")
    ] = None,
    upsample: Annotated[
        str | None, typer.Option(metavar="N|max", help="Repeat rows of groups with fewer.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="A=SHARE,…", help="Shares; *=SHARE for all others.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="Shares as n^(1/T): higher is more alike.")
    ] = None,
    size: Size = "down",
    count: Count = "tokens",
    keep: Keep = "hash",
    max_repeats: Repeats = 4,
    seed: Seed = 0,
    model: Model = None,
) -> None:
    """Give each label, source, length or language its share."""
    step = {
        "by": by,
        "cap": _number(cap),
        "upsample": _number(upsample),
        "target": _pairs(target),
        "temperature": temperature,
        "size": _number(size),
        "count": count,
        "keep": keep,
        "max_repeats": max_repeats,
        "seed": seed,
    }
    request.make(steps=[{"balance": step}], model=model)


@on_rows()
def select(
    request: Request,
    rows: Annotated[str, typer.Option(metavar="N", help="How many: a number, or a share (10%).")],
    method: Annotated[
        str, typer.Option(help="facility_location, k_centre or mmr.")
    ] = "facility_location",
    quality: Annotated[
        str, typer.Option(help="For mmr: quality (name it in --columns) or answer_length.")
    ] = "quality",
    quality_share: Annotated[
        float, typer.Option(help="For mmr: how much quality counts; 1 is the best alone.")
    ] = 0.5,
    text: Annotated[str, typer.Option(help="What is compared: prompt, answer or both.")] = "both",
    vectors: Annotated[
        str, typer.Option(metavar="EMBEDDER", help="lexical, or a folder with an embedder.")
    ] = "lexical",
    seed: Seed = 0,
) -> None:
    """Keep a subset of the rows that represents them all."""
    step = {
        "rows": _number(rows),
        "method": method,
        "quality": quality,
        "quality_share": quality_share,
        "text": text,
        "vectors": vectors,
        "seed": seed,
    }
    request.make(steps=[{"select": step}])


@on_rows(without=("columns", "file_format"), inputs=Datasets)
def mix(
    request: Request,
    weights: Annotated[
        str, typer.Option(metavar="A,B,…", help="A weight for each, in their order: 0.7,0.3.")
    ],
    size: Size = "down",
    count: Count = "tokens",
    keep: Keep = "hash",
    max_repeats: Repeats = 4,
    seed: Seed = 0,
    model: Model = None,
) -> None:
    """Make one dataset of several, by weight; of a dataset the train rows are taken."""
    from curate.one_step import mix_section

    parts = [part.strip() for part in weights.split(",")]
    if len(parts) != len(request.inputs):
        raise UsageError(
            "each dataset needs a weight",
            where="--weights",
            cause=f"There are {len(request.inputs)} datasets and {len(parts)} weights.",
        )
    settings = {"size": _number(size), "count": count, "keep": keep}
    settings |= {"max_repeats": max_repeats, "seed": seed}
    section = mix_section(
        [_rows_of(name) for name in request.inputs], parts, settings, **request.limits
    )
    request.make_of(section, model=model)


def _rows_of(name: str) -> str:
    """Return the file with the train rows of a dataset; a file or glob is itself."""
    from workspace.layout import Workspace

    path = Path(name)
    if path.is_file() or any(letter in name for letter in "*?["):
        return name
    return str(Workspace.find().dataset(name) / "train.parquet")


def _number(value: str | None) -> Any:
    """Return the number that is written, or what is written if it is none."""
    if value is None:
        return None
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _pairs(value: str | None) -> dict[str, str] | None:
    """Return `a=0.5,b=0.5` as a dictionary; a name may hold `=`."""
    if value is None:
        return None
    parts = [part.rpartition("=") for part in value.split(",") if part.strip()]
    return {name.strip(): share.strip() for name, _, share in parts}
