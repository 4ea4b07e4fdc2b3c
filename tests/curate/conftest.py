"""A workspace, and rows to put into it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from curate.curating import CurateResult, run_curate
from curate.recipe import CurateSection
from evalsuite.models import ModelSection
from workspace.layout import Workspace
from workspace.recipe import load_recipe

Curate = Callable[..., CurateResult]


@pytest.fixture
def lines(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as JSON Lines; a row that is text already is written as it is."""

    def write(rows: Sequence[Any], name: str = "rows.jsonl") -> Path:
        text = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def curate(tmp_path: Path) -> Curate:
    """Run a recipe whose `curate` section is given as a dictionary."""

    def run(section: dict[str, Any], **options: Any) -> CurateResult:
        recipe = tmp_path / "temper.yaml"
        recipe.write_text(json.dumps({"name": "made", "curate": section}), encoding="utf-8")
        loaded = load_recipe(recipe, {"curate": CurateSection, "model": ModelSection})
        return run_curate(loaded, Workspace(tmp_path), **options)

    return run
