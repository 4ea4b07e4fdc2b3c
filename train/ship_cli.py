"""`temper export`, `temper serve` and `temper chat`. Rendering only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from workspace.context import Context, emit_json, note

if TYPE_CHECKING:
    from train.export.run import Exported

Run = Annotated[str, typer.Argument(help="Id, name or path of a run, or `latest`.")]
Base = Annotated[
    str | None, typer.Option(help="Where the base is now, if it has moved: a directory.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.command("export")(export)


def export(
    ctx: typer.Context,
    run: Run,
    out: Annotated[str, typer.Argument(help="A new directory; for the hub owner/name.")],
    to: Annotated[
        Literal["adapter", "merged", "gguf", "ollama", "hub"],
        typer.Option(help="The form: docs/ship.md says what each is for."),
    ],
    override: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Export although the gate did not pass; on the card."),
    ] = None,
    precision: Annotated[
        Literal["bfloat16", "float16", "float32"], typer.Option(help="Of merged weights.")
    ] = "bfloat16",
    llama_cpp: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="A llama.cpp checkout; left out: looked for on PATH."),
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="GGUF type, e.g. q8_0 or Q4_K_M; the gate runs again."),
    ] = None,
    push: Annotated[
        Literal["adapter", "merged"] | None, typer.Option(help="What goes to the hub.")
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Let everybody read it on the hub.")
    ] = False,
    base: Base = None,
    as_json: AsJson = False,
) -> None:
    """Run → what others use, behind the gate and a parity check, with a model card.

    Exit codes: 0 exported, 1 the gate refused this run, 3 it was undecided or never asked, 6 the
    export is not the model that was trained.
    """
    from train.export import Options
    from train.export.run import export_run
    from train.export.shipment import open_shipment
    from train.export.standing import checked_reason
    from workspace.jobs import run_job
    from workspace.layout import Workspace

    context: Context = ctx.obj
    reason = checked_reason(override)
    shipment = open_shipment(run, Workspace.find(), base=base)
    shipment.standing(reason).enforce(shipment.run.name)  # before anything is written
    options = Options(
        out=out,
        precision=precision,
        llama_cpp=llama_cpp,
        quantize=quantize,
        push=push,
        public=public,
        note=note,
    )
    with run_job(shipment.workspace, "export", context.argv) as job:
        done = export_run(
            shipment,
            to,
            options,
            override=reason,
            device=_device,
            check_stop=lambda: job.check_stop(cure="Nothing was left under this name."),
        )
        job.result(Path(done.place))
    _tell(done, to, as_json=as_json)


@contextmanager
def _device() -> Iterator[str]:
    from workspace.gpus import claim

    with claim() as claimed:
        note(f"Working on {claimed.device}: {claimed.reason}.")
        yield claimed.device


def _tell(done: Exported, to: str, *, as_json: bool) -> None:
    parity = done.parity
    if as_json:
        emit_json(
            {
                "to": to,
                "place": done.place,
                "gate": done.standing.status,
                "override": done.standing.override or None,
                "parity": parity.as_dict(),
            }
        )
        return
    print(f"exported  {done.place}")
    print(f"gate      {done.standing.status}{', overridden' if done.standing.override else ''}")
    if parity.artefact and parity.floor:
        print(
            f"parity    {parity.artefact.kl_mean:.2g} nats per token from the run (noise floor "
            f"{parity.floor.kl_mean:.2g}); {parity.texts_differing} of {parity.prompts} greedy "
            "answers have other words"
        )
    else:
        print(f"parity    {parity.status}: {parity.reason or 'token ids and rewards agree'}")
