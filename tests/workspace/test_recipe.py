"""Recipes: every problem at once, each with its place, and every value with its origin."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from workspace.errors import RecipeError, UsageError
from workspace.recipe import Recipe, Section, load_recipe


class Lora(Section):
    kind: Literal["lora"] = "lora"
    rank: int = Field(16, ge=1)


class Full(Section):
    kind: Literal["full"]


class Train(Section):
    dataset: str
    learning_rate: float = 1e-4
    adapter: Lora | Full = Field(default_factory=Lora, discriminator="kind")
    sources: tuple[Lora, ...] = ()


SECTIONS = {"train": Train}


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "temper.yaml"
    path.write_text(text)
    return path


def problems(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, SECTIONS, overrides)
    return [str(problem).replace(str(path), "FILE") for problem in caught.value.problems]


def train(recipe: Recipe) -> Train:
    return recipe.required("train", Train, command="temper train")


def test_all_problems_are_told_at_once_with_place_found_and_expected(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "name: triage\ntrain:\n  datset: tickets\n  learning_rate: fast\n"
        "  adapter:\n    kind: lora\n    rnk: 8\nevaluat: {}\n",
    )
    found = problems(path)
    assert found == [
        "FILE:2:1: train.dataset: found nothing; expected a value for dataset.",
        "FILE:3:3: train.datset: found an unknown key; expected one of adapter, dataset, "
        "learning_rate, sources. Did you mean `dataset`?",
        "FILE:4:3: train.learning_rate: found 'fast'; expected a valid number, unable to parse "
        "string as a number.",
        "FILE:7:5: train.adapter.rnk: found an unknown key; expected one of kind, rank. "
        "Did you mean `rank`?",
        "FILE:8:1: evaluat: found an unknown section; expected one of name, train.",
    ]


def test_a_wrong_word_in_a_closed_set_gets_a_did_you_mean(tmp_path: Path) -> None:
    path = write(tmp_path, "train:\n  dataset: a\n  adapter: {kind: lorra}\n")
    (problem,) = problems(path)
    assert (
        problem.startswith("FILE:3:13: train.adapter.kind: ") and "Did you mean `lora`?" in problem
    )


def test_a_key_given_twice_is_refused_where_it_stands_again(tmp_path: Path) -> None:
    path = write(tmp_path, "train:\n  dataset: a\n  dataset: b\n")
    assert problems(path) == ["FILE:3:3: dataset: found this key twice; expected it once."]


def test_broken_yaml_names_line_and_column(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, "train: [1, 2\nname: x\n"))
    assert problem.startswith("FILE:2:")


def test_a_problem_inside_a_list_names_the_item(tmp_path: Path) -> None:
    path = write(tmp_path, "train:\n  dataset: a\n  sources:\n    - rank: 1\n    - rank: 0\n")
    (problem,) = problems(path)
    assert problem.startswith("FILE:5:7: train.sources.1.rank: found 0; expected greater than")


def test_what_is_wrong_inside_is_not_told_again_of_the_outside(tmp_path: Path) -> None:
    from curate.recipe import CurateSection

    path = tmp_path / "x.yaml"
    path.write_text("curate:\n  sources:\n    - {path: a, columns: {answer: b}}\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, {"curate": CurateSection})
    (problem,) = caught.value.problems
    assert problem.key == "curate.sources.0.columns.answer"


def test_overrides_win_and_their_mistakes_are_told_as_theirs(tmp_path: Path) -> None:
    path = write(tmp_path, "train:\n  dataset: a\n  sources: [{rank: 2}]\n")
    recipe = load_recipe(path, SECTIONS, ["train.learning_rate=3e-4", "train.sources.0.rank=9"])
    assert train(recipe).learning_rate == 3e-4
    assert train(recipe).sources[0].rank == 9
    assert recipe.origins["train.learning_rate"] == "command line"
    (problem,) = problems(path, "train.lerning_rate=1")
    assert problem.startswith("--set train.lerning_rate: ") and "`learning_rate`" in problem
    with pytest.raises(UsageError, match="not key=value"):
        load_recipe(path, SECTIONS, ["train.learning_rate"])
    with pytest.raises(UsageError, match="is not a mapping"):
        load_recipe(path, SECTIONS, ["train.dataset.x=1"])


def test_each_value_knows_where_it_came_from(tmp_path: Path) -> None:
    path = write(tmp_path, "name: triage\ntrain:\n  dataset: a\n")
    recipe = load_recipe(path, SECTIONS)
    assert recipe.origins["train.dataset"] == f"{path}:3:3"
    assert recipe.origins["train.adapter.rank"] == "default"
    assert "dataset: a # temper.yaml:3:3" in " ".join(recipe.to_yaml().split())
    assert recipe.resolved()["train"]["adapter"] == {"kind": "lora", "rank": 16}


def test_the_saved_recipe_reads_back_to_the_same_values(tmp_path: Path) -> None:
    path = write(tmp_path, "train:\n  dataset: a\n  sources: [{rank: 2}]\n")
    recipe = load_recipe(path, SECTIONS)
    again = tmp_path / "again.yaml"
    again.write_text(recipe.to_yaml())
    assert load_recipe(again, SECTIONS).resolved() == recipe.resolved()


def test_a_secret_written_in_a_recipe_is_refused_and_not_repeated(tmp_path: Path) -> None:
    key = "hf_" + "a1B2" * 9
    path = write(tmp_path, f"train:\n  dataset: {key}\n")
    (problem,) = problems(path)
    assert (
        key not in problem and "environment variable" in problem and problem.startswith("FILE:2:3")
    )


def test_the_recipe_is_found_in_a_directory_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "train: {dataset: a}\n")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert load_recipe(None, SECTIONS).path == path.resolve()


def test_a_missing_section_is_told_by_the_command_that_needs_it(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, "name: a\n"), SECTIONS)
    with pytest.raises(UsageError, match="no `train` section"):
        train(recipe)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", None), (b"- 1\n", "not a mapping"), (b"\xff\xfe", "not UTF-8")],
)
def test_odd_files_are_answered_in_words(tmp_path: Path, data: bytes, message: str | None) -> None:
    path = tmp_path / "temper.yaml"
    path.write_bytes(data)
    if message is None:
        assert load_recipe(path, SECTIONS).sections == {}
    else:
        with pytest.raises(UsageError, match=message):
            load_recipe(path, SECTIONS)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_recipe(tmp_path / "nowhere.yaml", SECTIONS)


def test_a_recipe_that_is_nearly_named_is_suggested(tmp_path: Path) -> None:
    write(tmp_path, "name: a\n")
    with pytest.raises(UsageError) as caught:
        load_recipe(tmp_path / "tempr.yaml", SECTIONS)
    assert "Did you mean `temper.yaml`?" in caught.value.cure


def test_what_only_an_override_says_is_told_as_its_fault(tmp_path: Path) -> None:
    path = write(tmp_path, "train: {dataset: a}\n")
    (problem,) = problems(path, "trian.rank=1")
    assert problem.startswith("--set trian.rank: ") and "Did you mean `train`?" in problem
    (problem,) = problems(path, "name=../x")
    assert problem.startswith("--set name: ")
    (problem,) = problems(path, "train.dataset=hf_" + "a1B2" * 9)
    assert problem.startswith("--set train.dataset: ") and "a1B2" not in problem


def test_a_section_that_is_no_mapping_is_told_in_words(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, "train: 7\n"))
    assert "found 7; expected a mapping of keys" in problem
    (problem,) = problems(write(tmp_path, "train: {dataset: a, sources: [null]}\n"))
    assert "found null; expected a mapping of keys (`{}` gives none of them)" in problem
