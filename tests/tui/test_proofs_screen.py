"""What can be proved before step 1: the list of checks, the mask of a row, the rehearsal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.tui.keys import until
from tests.tui.pictures import check_pictures
from train.rehearsal.record import Measured, Rehearsal
from tui.app import TemperApp
from tui.form.desk import Desk, _recipe_reader
from tui.form.proofs import inside
from tui.screens import proofs
from tui.screens.dialog import Notice
from tui.screens.proofs import ProofsScreen
from tui.screens.train import TrainScreen
from tui.temper import Outcome

RECIPE = """\
name: mine
model: {path: builtin}
train:
  method: sft
  adapter: {kind: full}
  learning_rate: 2e-4
  epochs: 8
"""


def check_of(root: Path) -> list[dict[str, str]]:
    """Return what `temper check --json` prints of a recipe whose test rows are not made yet."""
    rows = [
        ("ok", "recipe", "temper.yaml: model, curate, train, evaluate", ""),
        ("ok", "model", "builtin, digest 75992be0aa05", ""),
        (
            "fail",
            "source",
            f"{root}/raw/tickets.jsonl: 1 file, 0.4 MB; 12 of the first 200 rows cannot be used",
            f"Mend them in {root}/raw, or name the columns beside the source's path.",
        ),
        (
            "warn",
            "suite",
            f"target: {root}/suites/../datasets/mine/current/test.parquet: there is no such data "
            "file.",
            "It is made by `temper curate`.",
        ),
        ("ok", "memory", "full training needs about 1.2 GiB with 32 rows of 128 tokens", ""),
    ]
    return [dict(zip(("level", "what", "found", "cure"), row, strict=True)) for row in rows]


MASK = {
    "proof": {
        "passed": True,
        "turns": 960,
        "rows_decoded": 960,
        "turns_ending": 960,
        "end_token": "<|end|>",
        "pad_token": "<|pad|>",
        "faults": [],
    },
    "rows": [
        {
            "place": "train row 17",
            "role": "random",
            "tokens": 31,
            "trained": 4,
            "segments": [
                {"text": "<|user|>\nMy parcel never came [red]x[/red]\n", "trained": False},
                {"text": "<|assistant|>\n", "trained": False},
                {"text": "shipping<|end|>", "trained": True},
            ],
        }
    ],
}  # fmt: skip


REHEARSED = Rehearsal(
    state="done",
    reason="",
    device="cuda",
    micro_batch_size=16,
    measured=Measured(
        rows=32,
        longest=980,
        step_seconds=0.31,
        mean_step_seconds=0.12,
        peak_bytes=3 * 2**30,
        reserved_bytes=4 * 2**30,
        evaluation_bytes=2**30,
        checkpoint_bytes=500 * 2**20,
        checkpoint_seconds=0.5,
        reload_seconds=0.7,
        loss=2.25,
        repeated_loss=2.25,
    ),
    run_seconds=310.0,
    disk_needed_bytes=2 * 2**30,
    disk_free_bytes=400 * 2**30,
)


@pytest.fixture
def recipe(made, monkeypatch):
    """Return a recipe whose checks say the same on every machine."""
    answers: dict[str, Any] = {"check": check_of(made.root), "preview": MASK}

    def answer(arguments: Sequence[str], directory: Path, **_: object) -> Outcome:
        assert directory == made.root
        return Outcome(tuple(arguments), 1, json.dumps(answers[arguments[0]]), "")

    monkeypatch.setattr(proofs, "run_temper", answer)
    monkeypatch.setattr(Desk, "estimate", lambda *_: ((), "not asked"))
    _recipe_reader()
    path = made.root / "temper.yaml"
    path.write_text(RECIPE)
    run = made.run("mine", steps=200)
    REHEARSED.write(run)
    return path


async def test_paths_are_told_from_the_workspace_and_what_is_wrong_comes_first(
    made, recipe, settled, text_of
):
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen) and app.screen.state.reading)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ProofsScreen))
        await until(pilot, lambda: app.screen._proofs.checks and app.screen._proofs.mask)
        shown = text_of(app)
        assert str(made.root) not in shown
        assert shown.index("raw/tickets.jsonl") < shown.index("target: datasets/mine/current")
        assert shown.index("target: datasets") < shown.index("builtin, digest")
        await check_pictures(pilot, "proofs")
        await pilot.press("space")
        await pilot.pause()
        assert isinstance(app.screen, Notice)
        assert "Mend them in raw, or name" in text_of(app) and str(made.root) not in text_of(app)


def test_only_paths_below_the_workspace_are_shortened():
    root = Path("/desk/of [mine]")
    told = f"{root}/a/../b.txt, {root}: and {root}s/c, /desk/d"
    assert inside(root, told) == f"b.txt, .: and {root}s/c, /desk/d"
    assert inside(Path("/"), "/etc/x a") == "/etc/x a"
