"""Two runs, datasets and recipes: what differs, with both values."""

from __future__ import annotations

import json

import pytest

from tui.comparing.compare import compare, datasets_of, kind_of, recipes_of
from tui.temper import run_temper
from workspace.errors import TemperError, UsageError

LEFT = "name: one\ntrain:\n  steps: 60\n  learning_rate: 0.001\n  betas: [0.9, 0.99]\n"
RIGHT = "name: one\ntrain:\n  steps: 90\n  learning_rate: 0.001\n  warmup: 0.1\n"


def two_runs(made):
    first = made.run("first", steps=20)
    second = made.run("second", steps=40, day=2, base={"path": "builtin", "digest": "1" * 64})
    (first / "recipe.yaml").write_text(LEFT)
    (second / "recipe.yaml").write_text(RIGHT)
    made.evaluation(first, "fail")
    results = made.evaluation(second, "pass", day=10) / "results.json"
    document = json.loads(results.read_text())
    abilities = document["comparisons"][0]["verdict"]["abilities"]
    abilities[2] |= {"verdict": "pass", "tuned": 0.95}
    results.write_text(json.dumps(document))
    return first, second


def by_key(part):
    return {fact.key: (fact.left, fact.right) for fact in part.differing}


def test_two_runs_differ_in_recipe_result_and_verdict(made):
    two_runs(made)
    found = compare("runs", "first", "second", made.workspace)
    assert found.names == ("first-ab12", "second-ab12")
    result, recipe, data = found.parts
    assert by_key(result)["verdict"] == ("fail", "pass")
    assert by_key(result)["steps"] == ("20", "40")
    assert by_key(recipe) == {
        "train.steps": ("60", "90"),
        "train.betas.0": ("0.9", None),
        "train.betas.1": ("0.99", None),
        "train.warmup": (None, "0.1"),
    }
    assert {fact.key for fact in recipe.equal} == {"name", "train.learning_rate"}
    assert by_key(data) == {"base digest": ("0" * 12, "1" * 12)}
    first = found.abilities[0]
    assert (first.name, first.left.verdict, first.right.verdict) == ("copying", "fail", "pass")
    assert first.change == pytest.approx(0.95 - 0.402)
    assert len(found.curves[0]) == 20 and len(found.curves[1]) == 40


def test_what_is_missing_is_said_and_the_rest_is_compared(made):
    first, second = two_runs(made)
    (first / "recipe.yaml").unlink()
    (second / "run.json").write_text((second / "run.json").read_text().replace('"steps"', '"step'))
    assert kind_of("first", str(second), made.workspace) == "runs"
    found = compare("runs", "first", str(second), made.workspace)
    assert "cannot be read" in found.parts[1].note
    assert found.parts[2].note
    with pytest.raises(UsageError, match="cannot be compared"):
        kind_of("first", "nobody", made.workspace)
    with pytest.raises(TemperError):
        compare("runs", "first", "nobody", made.workspace)


def test_two_recipes_are_compared_as_written(made):
    (made.root / "a.yaml").write_text(LEFT)
    (made.root / "b.yaml").write_text(RIGHT)
    assert recipes_of(made.root) == ["a.yaml", "b.yaml"]
    found = compare(kind_of("a.yaml", "b.yaml", made.workspace), "a.yaml", "b.yaml", made.workspace)
    assert "train.steps" in by_key(found.parts[0])
    (made.root / "b.yaml").write_text("a: [")
    with pytest.raises(TemperError):
        compare("recipes", "a.yaml", "b.yaml", made.workspace)


@pytest.mark.slow
def test_two_datasets_are_compared_row_by_row_and_by_command(made):
    (made.root / "rows.jsonl").write_text(
        "".join(
            json.dumps({"prompt": f"say word{n} please", "completion": f"here is word{n}"}) + "\n"
            for n in range(30)
        )
    )
    for low, name in ((0, "all"), (10, "some")):
        rows = (made.root / "rows.jsonl").read_text().splitlines()[low:]
        (made.root / f"{name}.jsonl").write_text("\n".join(rows) + "\n")
        done = run_temper(
            ["curate", "convert", f"{name}.jsonl", "-o", f"datasets/{name}"], made.root
        )
        assert done.code == 0, done.said
    names = datasets_of(made.root)
    told = run_temper(["compare", "all", "some", "--json"], made.root)
    assert told.code == 0, told.said
    document = json.loads(told.output)
    assert document["kind"] == "datasets" and document["rows_equal"] == 20
    assert [(one["what"], one["rows"]) for one in document["rows"]] == [("went", 10)]
    assert len(names) in (0, 2)
    plain = run_temper(["compare", "all", "some"], made.root)
    assert "went" in plain.output and "20 rows are the same" in plain.said
    assert run_temper(["compare", "all", "rows.jsonl"], made.root).code == 2
