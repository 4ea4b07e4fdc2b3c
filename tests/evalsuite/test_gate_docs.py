"""The suites, recipes and commands of docs/evaluate-gate.md and evaluate-history.md are good."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.engine.pairing import abilities_of
from evalsuite.recipe import EvalSection
from evalsuite.sizing.plan import schedules
from evalsuite.sizing.section import SizingSection
from evalsuite.tasks import load_suite
from workspace.recipe import load_recipe

DOCS = Path(__file__).parents[2] / "docs"


def shown(page: str, name: str) -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    (found,) = re.findall(rf"^```yaml\n(# {re.escape(name)}\n.*?)^```", text, re.M | re.S)
    return str(found)


def test_the_suite_with_terms_of_its_tasks_is_read(tmp_path: Path) -> None:
    rows = [{"id": f"r{n}", "q": f"q{n}", "a": "a"} for n in range(100)]
    for name in ("sums", "refusals"):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    (tmp_path / "kept.yaml").write_text(shown("evaluate-gate.md", "kept.yaml"))
    suite = load_suite(tmp_path / "kept.yaml")
    terms = {one.name: one.terms for one in abilities_of([suite])}
    assert (terms["sums"].margin, terms["refusals"].margin) == (0.05, 0.01)
    assert schedules([suite], SizingSection(batch=30))["sums"].sizes == (40, 70, 100)


@pytest.mark.parametrize(
    ("page", "name"), [("evaluate-gate.md", "sizing.yaml"), ("evaluate-history.md", "live.yaml")]
)
def test_the_recipes_are_valid(tmp_path: Path, page: str, name: str) -> None:
    from evalsuite.models import ModelSection

    (tmp_path / name).write_text(shown(page, name))
    recipe = load_recipe(tmp_path / name, {"model": ModelSection, "evaluate": EvalSection}, [])
    section = recipe.section("evaluate", EvalSection)
    assert section is not None
    if name == "sizing.yaml":
        assert section.sizing == SizingSection(batch=30)
    else:
        assert section.monitor is not None and section.monitor.budget.requests == 2000


def test_every_command_shown_has_the_options_it_is_shown_with() -> None:
    from typer.main import get_command

    from tui.command_line import app

    group = get_command(app)
    told: Callable[[str], list[str]] = lambda page: [  # noqa: E731
        line
        for block in re.findall(r"^```sh\n(.*?)^```", (DOCS / page).read_text(), re.M | re.S)
        for line in block.splitlines()
    ]
    lines = told("evaluate-gate.md") + told("evaluate-history.md")
    assert len(lines) == 7
    for line in lines:
        _, name, *arguments = shlex.split(line)
        command = group.commands[name]  # type: ignore[attr-defined]
        options = {option for one in command.params for option in one.opts}
        assert {one for one in arguments if one.startswith("--")} <= options, line
