"""Options and arguments that commands of several packages take, in the same words everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipePath = Annotated[
    Path | None, typer.Argument(help="Recipe file; left out: temper.yaml here or above.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a value, e.g. train.learning_rate=1e-4; null unsets one; repeatable.",
    ),
]
RunName = Annotated[str, typer.Argument(help="Id, name or path of a run, or `latest`.")]
Detach = Annotated[bool, typer.Option("--detach", help="Run on after this terminal is gone.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
