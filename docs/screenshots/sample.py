"""A workspace to draw: what `temper demo` makes, by the same commands, with shorter runs."""

from __future__ import annotations

from pathlib import Path

from tui.demo import write_workspace as write_demo
from tui.lanes import Command, Lanes

_JUDGED = frozenset({0, 1, 3})
"""Passed, refused or undecided: each is a picture."""


def write_workspace(root: Path) -> None:
    """Curate, train and evaluate in `root`, which is made; minutes on two cores."""
    write_demo(root)
    lanes = Lanes(root)
    lanes.run([Command("general", ("curate", "general.yaml"))], [Command("tickets", ("curate",))])
    lanes.run(
        [_train("naive", rate="1e-3", steps=40, replay="null"), _eval("naive")],
        [_train("tempered", rate="2.8e-4", steps=60), _eval("tempered")],
    )
    lanes.run([_train("probed", steps=20, probe=_PROBE)])


_PROBE = "{suites: [builtin:triage, builtin:retention], every: 5, items: 16}"


def _train(name: str, *, steps: int, rate: str = "2.8e-4", **tempering: str) -> Command:
    values = {"train.steps": steps, "train.learning_rate": rate}
    values |= {f"train.tempering.{key}": value for key, value in tempering.items()}
    changes = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
    return Command(name, ("train", "--name", name, *changes))


def _eval(run: str) -> Command:
    return Command(run, ("eval", run, "--set", "evaluate.items=60"), _JUDGED)
