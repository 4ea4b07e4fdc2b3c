"""Every method with every adapter runs as examples/README.md says, and learns what it says."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from curate.recipe import CurateSection
from evalsuite.builtin import model_path
from evalsuite.models import ModelSection
from evalsuite.recipe import EvalSection
from train.methods import METHODS
from train.recipe import TrainSection
from train.record import read_record
from workspace.recipe import load_recipe

from .held_out import MEASURES

ROOT = Path(__file__).parents[2] / "examples"
SECTIONS = {
    "model": ModelSection,
    "train": TrainSection,
    "curate": CurateSection,
    "evaluate": EvalSection,
}
_LINE = re.compile(
    r"^\| `temper train (?P<arguments>[^`]+)` \| (?P<before>[\d.]+) \| (?P<after>[\d.]+) \| "
    r"(?P<least>-?[\d.]+) \|$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Line:
    """A line of the table in examples/README.md."""

    arguments: tuple[str, ...]
    before: float
    after: float
    least: float
    """By how much it has to move; below zero where less is better."""

    @property
    def recipe(self) -> str:
        return self.arguments[0].removesuffix(".yaml")

    @property
    def overrides(self) -> list[str]:
        return [one for one in self.arguments[1:] if one != "--set"]

    def section(self) -> TrainSection:
        path = ROOT / "methods" / f"{self.recipe}.yaml"
        section = load_recipe(path, SECTIONS, self.overrides).section("train", TrainSection)
        assert section is not None
        return section


def lines() -> list[Line]:
    """Return the table."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("−", "-")
    return [
        Line(
            tuple(shlex.split(one["arguments"])),
            *(float(one[name]) for name in ("before", "after", "least")),
        )
        for one in _LINE.finditer(text)
    ]


def temper(*arguments: str) -> str:
    """Run a command in this process; return what it prints."""
    from tui.command_line import app

    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, (done.output[-3000:], done.exception)
    return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a workspace of a recipe, with its data; it is made once."""
    made: dict[str, Path] = {}

    def make(recipe: str) -> Path:
        if recipe not in made:
            root = made[recipe] = tmp_path_factory.mktemp("examples") / recipe
            shutil.copytree(ROOT / "methods", root)
            head = (root / f"{recipe}.yaml").read_text(encoding="utf-8")
            for command in preparing(head):
                subprocess.run(command, cwd=root, check=True, shell=True, capture_output=True)
        return made[recipe]

    return make


def preparing(recipe: str) -> list[str]:
    """Return the commands that a recipe's first lines give, before it is trained itself."""
    (name,) = re.findall(r"^name: (\w+)$", recipe, re.MULTILINE)
    said = re.findall(r"^# +((?:mkdir|python|temper) .*)$", recipe, re.MULTILINE)
    commands = [command.strip() for line in said for command in line.split("&&")]
    python, temper = shlex.quote(sys.executable), f"{shlex.quote(sys.executable)} -P -m tui"
    return [
        command.replace("python ", f"{python} ", 1).replace("temper ", f"{temper} ", 1)
        for command in commands
        if command != f"temper train {name}.yaml" and "temper eval" not in command
    ]


def measured(line: Line, run: Path) -> tuple[float, float]:
    """Return what the base and the run come to on rows that are held out."""
    from evalsuite.models import load

    measure = MEASURES[line.recipe]
    dataset = run.parent.parent / "datasets" / line.recipe / "current"
    if METHODS[line.section().method.kind].makes == "reward":
        base = load.load_with_reward_head(model_path(), seed=0)
        return measure(base, dataset), measure(load.load_reward_model(run / "model"), dataset)
    adapter = line.section().adapter
    base = load.load_model(model_path(), quantization=adapter.quantization)
    before = measure(base, dataset)
    if adapter.kind == "full":
        return before, measure(load.load_model(run / "model"), dataset)
    return before, measure(load.load_adapter(base, run / "model"), dataset)


@pytest.mark.slow
@pytest.mark.parametrize("line", lines(), ids=lambda line: " ".join(line.arguments))
def test_it_learns_what_it_is_to_learn(
    place: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, line: Line
) -> None:
    root = place(line.recipe)
    monkeypatch.chdir(root)
    run = Path(json.loads(temper("train", *line.arguments, "--json"))["path"])
    record = read_record(run)
    assert record["method"] == line.section().method.kind
    assert record["adapter"] == line.section().adapter.kind
    before, after = measured(line, run)
    print(f"{' '.join(line.arguments)}: {before:.3f} -> {after:.3f}")
    assert (after - before) / line.least >= 1, (before, after)
    assert before == pytest.approx(line.before, abs=0.1)


@pytest.mark.slow
def test_no_row_shows_what_the_teacher_does(place: Callable[[str], Path]) -> None:
    """Its answers end in a full stop, of which the rows have none."""
    root = place("distill")
    rows = pq.read_table(root / "datasets/distill/current/train.parquet").to_pylist()
    assert rows and not any(row["messages"][-1]["content"].endswith(".") for row in rows)


STAGED = {"rlhf", "rlhf-choices"}
"""Several methods in one job, which `test_rlhf_gain.py` measures."""


def test_every_recipe_has_a_measure_and_no_line_of_the_table_is_there_twice() -> None:
    recipes = {path.stem for path in (ROOT / "methods").glob("*.yaml")} - STAGED
    assert recipes == set(MEASURES)
    found = [(one.recipe, one.section().adapter.kind) for one in lines()]
    assert len(found) == len(set(found)) >= 12
    tested = {one.recipe for one in lines()}
    assert tested == recipes


@pytest.mark.parametrize("kind", ["full", "lora", "qlora"])
@pytest.mark.parametrize("recipe", sorted(MEASURES))
def test_every_recipe_is_valid_with_every_adapter(recipe: str, kind: str) -> None:
    given = [f"train.adapter.kind={kind}"]
    section = load_recipe(ROOT / "methods" / f"{recipe}.yaml", SECTIONS, given).section(
        "train", TrainSection
    )
    assert section is not None and section.adapter.kind == kind
    if (recipe, kind) != ("reward", "qlora"):
        METHODS[section.method.kind].demand(section)


def test_the_figures_of_the_table_are_beyond_what_is_asked_for() -> None:
    assert all((one.after - one.before) / one.least >= 1 for one in lines())


def test_a_reward_model_on_four_bits_is_refused_before_anything_is_loaded(bench: Any) -> None:
    from workspace.errors import UsageError

    with pytest.raises(UsageError, match="cannot be trained with `kind: qlora`"):
        bench.prepare({"method": "reward", "adapter": {"kind": "qlora"}})
