"""Where examples come from: the dataset that is named, or that training learns from."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.prompting.asking import prompting_of
from evalsuite.prompting.section import PromptSection
from evalsuite.recipe import EvalSection
from workspace.errors import DataError
from workspace.layout import Workspace
from workspace.recipe import Section, load_recipe


class Train(Section):
    dataset: str | None = None


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("", "mine/0001"),
        ("train: {dataset: other}", "other/0002"),
        ("train: {dataset: gone}", None),
        ("evaluate: {prompts: {dataset: other}}\ntrain: {dataset: mine}", "other/0002"),
    ],
)
def test_the_dataset_is_the_one_named_or_trained_on(
    tmp_path: Path, given: str, found: str | None
) -> None:
    for name, digest in (("mine", "0001"), ("other", "0002")):
        where = tmp_path / "datasets" / name / digest
        where.mkdir(parents=True)
        (where / "ledger.json").write_text("{}")
        (where.parent / "current").symlink_to(digest)
    (tmp_path / "temper.yaml").write_text(f"name: mine\n{given}\n")
    recipe = load_recipe(tmp_path / "temper.yaml", {"train": Train, "evaluate": EvalSection})
    section = (recipe.section("evaluate", EvalSection) or EvalSection()).prompts
    asked = prompting_of(section, recipe, Workspace(tmp_path))
    assert (asked.dataset_name or None) == found
    assert asked.dataset == (tmp_path / "datasets" / found if found else None)
    assert [note for note in asked.notes if "`train: dataset:` names, gone" in note] == list(
        asked.notes
    )
    assert len(asked.notes) == (0 if found else 1)


def test_a_dataset_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no dataset called 'gone'"):
        prompting_of(PromptSection(dataset="gone"), None, Workspace(tmp_path))
    assert prompting_of(PromptSection(), None, Workspace(tmp_path)).dataset is None


def test_a_dataset_not_made_yet_needs_no_word(tmp_path: Path) -> None:
    (tmp_path / "temper.yaml").write_text("name: mine\n")
    recipe = load_recipe(tmp_path / "temper.yaml", {"train": Train, "evaluate": EvalSection})
    asked = prompting_of(PromptSection(), recipe, Workspace(tmp_path))
    assert (asked.dataset, asked.notes) == (None, ())
