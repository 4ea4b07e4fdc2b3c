"""`temper curate score`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from curate.cli_request import Request, on_rows


def add_to(app: typer.Typer) -> None:
    """Add the step to `temper curate`."""
    app.command("score")(score)


@on_rows("type", "circuit_breaker")
def score(
    request: Request,
    kind: Annotated[str, typer.Argument(help="perplexity, ifd, judge or reward.")],
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
) -> None:
    """Give every row a number by a model; other thresholds later compute nothing again."""
    from curate.one_step import step_config
    from workspace.overrides import settings as parsed

    given: dict[str, Any] = parsed(settings or ())
    options = {"model": model, "min": least, "max": most, "keep_share": keep_share}
    given |= {name: value for name, value in options.items() if value is not None}
    config = step_config("score", {kind: given})
    request.make(steps=[config.model_dump()])
