"""`temper curate score`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from curate.cli_steps import (
    AsJson,
    Breaker,
    Columns,
    DryRun,
    Force,
    Format,
    Inputs,
    Out,
    Quarantine,
    _run,
    _section,
)


def add_to(app: typer.Typer) -> None:
    """Add the step to `temper curate`."""
    app.command("score")(score)


def score(
    kind: Annotated[str, typer.Argument(help="perplexity, ifd, judge or reward.")],
    inputs: Inputs,
    out: Out,
    model: Annotated[
        str | None,
        typer.Option(help="builtin, a model directory or a hub name; for all but judge."),
    ] = None,
    least: Annotated[
        float | None, typer.Option("--min", help="Drop rows with a lower score.")
    ] = None,
    most: Annotated[
        float | None, typer.Option("--max", help="Drop rows with a higher score.")
    ] = None,
    keep_share: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="Keep this share: the best by this score."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Another setting, e.g. keep=lowest or backend.base_url=…; repeatable.",
        ),
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
    """Give every row a number by a model; other thresholds later compute nothing again."""
    from curate.one_step import step_config
    from workspace.overrides import settings as parsed

    given: dict[str, Any] = parsed(settings or ())
    options = {"model": model, "min": least, "max": most, "keep_share": keep_share}
    given |= {name: value for name, value in options.items() if value is not None}
    config = step_config("score", {kind: given})
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
