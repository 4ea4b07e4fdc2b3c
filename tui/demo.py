"""`temper demo`: real forgetting, and a real cure, on a laptop in minutes.

It types the commands a person would type, in a directory that a person can open afterwards, and
says at the end what they showed.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tui.lanes import Command, Lanes, Outcome
from workspace.context import duration, emit_table, note
from workspace.errors import UsageError, WorkError
from workspace.files import read_json, write_text
from workspace.layout import Workspace

_GENERAL = """\
# Rows of what the base model can do: replayed in training so that it is not forgotten.
name: general

model:
  path: builtin

curate:
  sources:
    - path: raw/general.jsonl
  steps:
    - exact_duplicates: {}
    - decontaminate: {suites: ["builtin:retention", "builtin:triage"]}
  split: {validation: 0, test: 0}
"""

_RECIPE = """\
# Support tickets → triage as JSON: team, priority, product.
name: triage

model:
  path: builtin                   # 10 abilities, none of them JSON

curate:
  sources:                        # alpaca, ShareGPT, messages … in JSONL, CSV and Parquet
    - path: raw/tickets/*
  steps:
    - empty_answers: {}
    - contradictions: {}          # one ticket, two different answers: neither can be trusted
    - exact_duplicates: {}
    - near_duplicates: {threshold: 0.8}
    - decontaminate: {suites: ["builtin:triage", "builtin:retention"]}
  split: {validation: 0.05, test: 0}
  max_quarantine: 5%

train:                            # tempered: a gentle rate, and replay of general rows
  method: sft
  adapter: {kind: full}           # a model this small is quicker to change than to bend
  learning_rate: 2.8e-4
  steps: 220
  batch_size: 32
  tempering:
    replay: {dataset: general, share: 0.6}

evaluate:
  suites: ["builtin:triage", "builtin:retention"]
  sizing: {}                      # 500 items of each; more only for what is undecided
  prompts: {examples: 3}          # is tuning needed? The base with so many solved tickets
"""

_NAIVE = (
    "train.learning_rate=1e-3",
    "train.steps=60",
    "train.tempering.replay=null",
)

_ANY_VERDICT = frozenset({0, 1, 3})


def run_demo(directory: Path) -> None:
    """Run the whole loop in `directory`; started with `--detach`, as a job there.

    Raises:
        UsageError: the directory is not empty.
        WorkError: a step failed, or the loop did not show what it is made to show.
        Stopped: the job was asked to stop, and its steps with it.
    """
    own_job = os.environ.get("TEMPER_JOB_ID")
    if own_job is None:
        write_workspace(directory)
        _run_loop(directory, Lanes(directory))
        return
    from workspace.jobs import run_job

    with run_job(Workspace(directory), "demo", ["temper", "demo", str(directory)]) as job:
        write_workspace(directory, own_job=own_job)
        _run_loop(directory, Lanes(directory, job.check_stop))


def detach_demo(directory: Path) -> None:
    """Start the demo as a job that outlives this terminal.

    Raises:
        UsageError: the directory is not empty.
    """
    from workspace.detaching import run_detached

    check_empty(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = directory.resolve()
    run_detached(
        Workspace(place), "demo", ["demo", str(place)], doing="the demo works", as_json=False
    )


def check_empty(directory: Path, own_job: str = "") -> None:
    """Refuse a directory in which there is anything but the record of this very job.

    Raises:
        UsageError: there is.
    """
    if not directory.exists():
        return
    others = [path for path in directory.iterdir() if not (own_job and path.name == "jobs")]
    jobs = directory / "jobs"
    if own_job and jobs.is_dir():
        others += [path for path in jobs.iterdir() if path.name != own_job]
    if others:
        raise UsageError(
            "this directory is not empty",
            where=str(directory),
            cure="Name another one: temper demo DIR. The demo overwrites nothing.",
        )


def _run_loop(directory: Path, lanes: Lanes) -> None:
    started = time.monotonic()
    note("\n1/4  Curate: raw rows → datasets (some 10 s)\n")
    for outcome in lanes.run(
        [Command("general", ("curate", "general.yaml"))], [Command("tickets", ("curate",))]
    ):
        print(outcome.output)
    note("\n2/4  Is tuning needed? Then train twice: naive, and tempered (some 3 min)\n")
    naive = [part for override in _NAIVE for part in ("--set", override)]
    outcomes = lanes.run(
        [
            Command("prompts", ("eval", "--prompts")),
            Command("naive", ("train", "--name", "naive", *naive)),
            Command("naive", ("eval", "naive", "--gate"), _ANY_VERDICT),
        ],
        [Command("tempered", ("train", "--name", "tempered"))],
    )
    print(outcomes[0].output)
    note("\n3/4  The tempered model against the base, in pairs, before the gate (some 30 s)\n")
    gates = [
        outcomes[2],
        *lanes.run([Command("tempered", ("eval", "tempered", "--gate"), _ANY_VERDICT)]),
    ]
    note("\n4/4  What it showed\n")
    _summarise(directory, gates, time.monotonic() - started)


def write_workspace(directory: Path, own_job: str = "") -> None:
    """Write the recipes and the raw rows.

    Args:
        directory: where; made if needed.
        own_job: the id of the job that writes, whose record may be there already.

    Raises:
        UsageError: the directory is not empty.
    """
    from evalsuite.builtin import write_general, write_raw_tickets

    check_empty(directory, own_job)
    raw = directory / "raw" / "tickets"
    raw.mkdir(mode=0o700, parents=True)
    note(f"The demo's workspace: {directory.resolve()}")
    write_raw_tickets(raw)
    write_general(directory / "raw" / "general.jsonl")
    write_text(directory / "general.yaml", _GENERAL)
    write_text(directory / "temper.yaml", _RECIPE)


def _summarise(directory: Path, gates: list[Outcome], seconds: float) -> None:
    results = {}
    for outcome in gates:
        name = outcome.command.arguments[1]
        results[name] = _results(directory, name)
    naive, tempered = results["naive"], results["tempered"]
    _print_abilities(naive, tempered)
    verdicts = {outcome.command.arguments[1]: outcome.exit_code for outcome in gates}
    words = {0: "passed: it may ship", 1: "refused", 3: "could not be decided"}
    for name, outcome in zip(("naive", "tempered"), gates, strict=True):
        code = verdicts[name]
        note(f"  {name:>9}  {words[code]}  ({outcome.command.typed} → exit code {code})")
    note()
    note("Look at")
    for name in ("naive", "tempered"):
        note(f"  {results[name]['path'] / 'report.html'}")
    dataset = Workspace(directory.resolve()).dataset("triage")
    note(f"  {dataset / 'report.html'}   (what happened to every row)")
    note(f"  cd {directory} && temper   (the app)")
    note(f"\nDone in {duration(seconds)}.")
    if verdicts != {"naive": 1, "tempered": 0}:
        raise WorkError(
            "the demo did not show what it is made to show",
            cause=f"Gates: naive {words[verdicts['naive']]}, tempered "
            f"{words[verdicts['tempered']]}; expected refused and passed.",
            cure="Please report this with the two reports named above.",
        )


def _results(directory: Path, run: str) -> dict[str, Any]:
    """Return the verdict on one run, and where it lies."""
    evals = Workspace(directory.resolve()).evals
    for path in sorted(evals.glob("*/results.json"), reverse=True):
        document = read_json(path, kind="evaluation result")
        for comparison in document["comparisons"]:
            if comparison["tuned"] == run:
                return {"path": path.parent, **comparison["verdict"]}
    raise WorkError("the evaluation left no results", where=run)


def _print_abilities(naive: dict[str, Any], tempered: dict[str, Any]) -> None:
    rows = []
    tuned = {ability["name"]: ability for ability in tempered["abilities"]}
    by_kind = sorted(
        naive["abilities"], key=lambda one: (one["purpose"] != "target", one["held_back"])
    )
    for one in by_kind:  # each report lists them by outcome; here both stand side by side
        two = tuned[one["name"]]
        rows.append(
            [
                one["name"] + (" (never replayed)" if one["held_back"] else ""),
                "gain" if one["purpose"] == "target" else "keep",
                f"{one['base']:.3f}",
                f"{one['tuned']:.3f}",
                one["verdict"],
                f"{two['tuned']:.3f}",
                two["verdict"],
            ]
        )
    emit_table(
        "base, naive and tempered on the same items",
        ["ability", "to", "base", "naive", "", "tempered", ""],
        rows,
        numeric=(2, 3, 5),
    )
