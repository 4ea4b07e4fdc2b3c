"""`temper export`, `temper serve` and `temper chat`. Rendering only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from workspace.context import Context, emit_json, note
from workspace.options import AsJson, RunName

if TYPE_CHECKING:
    from train.chat.requests import Requests
    from train.export.run import Exported
    from train.export.shipment import Shipment
    from train.serve.run import Serving
    from train.serve.vllm import VllmCommand
    from workspace.jobs import Job

Base = Annotated[
    str | None, typer.Option(help="Where the base is now, if it has moved: a directory.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.command("export")(export)
    app.command("serve")(serve)
    app.command("chat")(chat)


def export(
    ctx: typer.Context,
    run: RunName,
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
            device=lambda: _device(job),
            check_stop=lambda: job.check_stop(cure="Nothing was left under this name."),
        )
        job.result(Path(done.place))
    _tell(done, to, as_json=as_json)


@contextmanager
def _device(job: Job) -> Iterator[str]:
    from workspace.claims import claim
    from workspace.waiting import JobWaiter

    with claim(waiter=JobWaiter(job, note)) as claimed:
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


Dtype = Annotated[
    Literal["auto", "float32", "bfloat16"], typer.Option(help="Precision of the weights.")
]


def serve(
    ctx: typer.Context,
    run: RunName,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8000,
    key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Environment variable with the key; left out: made."),
    ] = None,
    engine: Annotated[
        Literal["auto", "transformers", "vllm"],
        typer.Option(help="auto: transformers. vLLM answers where it is asked for."),
    ] = "auto",
    show_command: Annotated[
        bool, typer.Option("--print", help="Print vLLM's command instead of running it.")
    ] = False,
    dtype: Dtype = "auto",
    base: Base = None,
) -> None:
    """Answer as OpenAI's API does, on this machine alone: the run and its base as two models."""
    from train.serve.key import given_key, made_key, show_key
    from train.serve.run import run_vllm, serve_run
    from workspace.claims import claim
    from workspace.jobs import run_job
    from workspace.waiting import JobWaiter

    context: Context = ctx.obj
    shipment, *others = _served(run, base)
    command = _vllm(shipment, engine, port, dtype, wanted=show_command, others=others)
    if show_command:
        import shlex

        assert command is not None
        print(shlex.join(command.argv))
        return
    key = given_key(key_env) if key_env else made_key()
    if not key_env:
        show_key(key)
    workspace = shipment.workspace
    with (
        run_job(workspace, "serve", context.argv) as job,
        claim(waiter=JobWaiter(job, note)) as device,
    ):
        note(f"Working on {device.device}: {device.reason}.")
        if command is not None:
            run_vllm(command, key, job)
        else:
            serve_run(
                shipment, port=port, key=key, dtype=dtype, job=job, ready=_ready, others=others
            )


def _vllm(
    shipment: Shipment,
    engine: str,
    port: int,
    dtype: str,
    *,
    wanted: bool,
    others: Sequence[Shipment] = (),
) -> VllmCommand | None:
    from train.serve.run import tuned_name
    from train.serve.vllm import find_vllm, refusal, vllm_command
    from workspace.errors import WorkError

    if engine != "vllm" and not wanted:
        return None
    found = find_vllm()
    why = next((told for one in (shipment, *others) if (told := refusal(one))), "")
    if found is None and not wanted:
        why = "vLLM is not installed"
    if why:
        raise WorkError(
            "vLLM cannot serve this run",
            cause=f"{why}.",
            cure="--engine transformers, or temper export --to merged and serve that.",
        )
    more = [(tuned_name(one), one) for one in others]
    name = tuned_name(shipment)
    command = vllm_command(found or "vllm", shipment, name, port, dtype=dtype, others=more)
    for said in command.notes:
        note(f"! {said}")
    return command


def _ready(serving: Serving) -> None:
    for said in serving.notes:
        note(f"! {said}")
    print(f"serving {serving.address}\nmodels  {', '.join(serving.models)}", flush=True)
    note("Ctrl-C finishes the answer being written and stops.")


def chat(
    run: RunName,
    against: Annotated[
        str,
        typer.Argument(help="Beside it: base, or any of what RUN may be."),
    ] = "base",
    system: Annotated[str, typer.Option(help="A system turn before every conversation.")] = "",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of an answer.")] = 512,
    temperature: Annotated[
        float, typer.Option(min=0.0, max=2.0, help="0: as evaluated, the likeliest tokens.")
    ] = 0.0,
    seed: Annotated[int | None, typer.Option(help="Of the draws, with a temperature.")] = None,
    dtype: Dtype = "auto",
    base: Base = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="For programs: requests and answers as JSON lines."),
    ] = False,
    idle: Annotated[
        float | None,
        typer.Option(min=1.0, metavar="SECONDS", help="With --json: end when nobody asks."),
    ] = None,
) -> None:
    """Talk to two models side by side. In a pipe, each line is a question.

    RUN and what is beside it are each a run, RUN@step-400 (a checkpoint), RUN@0.5 (half of what
    was learnt, as the dial sets it), a model's directory, or base.
    """
    from workspace.claims import claim

    requests, out = _pipes() if as_json else (None, None)
    from train.chat.named import find_named
    from workspace.layout import Workspace

    named = find_named((against, run), Workspace.find(), base=base)
    with claim() as device:
        note(f"Working on {device.device}: {device.reason}.")
        from evalsuite.engine.stream import Sampling
        from evalsuite.models.load import choose_placement
        from train.chat.lines import serve_lines
        from train.chat.session import Session
        from train.chat.speakers import open_speakers
        from train.chat.terminal import HELP, converse

        with open_speakers(named, choose_placement(dtype)) as speakers:
            if requests is not None and out is not None:
                serve_lines(speakers, requests, out, idle_seconds=idle)
                return
            for said in dict.fromkeys(told for one in speakers for told in one.voices.notes):
                note(f"! {said}")
            note(HELP)
            sampling = Sampling(temperature, 1.0, seed)
            converse(
                Session(speakers, system=system, max_new_tokens=max_new_tokens, sampling=sampling)
            )


def _pipes() -> tuple[Requests, TextIO]:
    """Begin to read requests, and keep standard output for answers alone."""
    import os
    import sys

    from train.chat.requests import Requests

    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    requests = Requests(sys.stdin)
    requests.start()
    return requests, out


def _served(run: str, base: str | None) -> list[Shipment]:
    """Return what is served under a name: a run, or all that it consists of."""
    from evalsuite.engine.groups import members
    from workspace.layout import Workspace

    return [_writer(one, base, "be served") for one in members(run, Workspace.find())]


def _writer(run: str, base: str | None, what: str) -> Shipment:
    from train.export.shipment import open_shipment, refuse_reward
    from workspace.layout import Workspace

    shipment = open_shipment(run, Workspace.find(), base=base)
    refuse_reward(shipment, what=what)
    return shipment
