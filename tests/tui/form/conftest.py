"""Recipes as forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.form.reading import RecipeReader

RECIPE = """\
name: mine
model: {path: builtin}
train:
  method: sft                  # the loss is on the answers
  adapter: {kind: full}
  learning_rate: 2e-4
  epochs: 8
"""


@pytest.fixture(scope="session")
def reader() -> RecipeReader:
    """Return a reader; making one takes seconds."""
    return RecipeReader()


@pytest.fixture
def read(reader, tmp_path):
    """Return a function that reads a text against the saved one."""

    def reading(text: str, saved: str | None = RECIPE):
        return reader.read(text, tmp_path / "temper.yaml", saved)

    return reading


@pytest.fixture
def recipe_text() -> str:
    """Return a small recipe."""
    return RECIPE


@pytest.fixture
def file(tmp_path) -> Path:
    """Return the recipe as a file."""
    path = tmp_path / "temper.yaml"
    path.write_text(RECIPE)
    return path
