"""Pairs by a reward model, and scorers of generators, placed beside the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curate.synth.generators.configs import GeneratorConfig
from tests.curate.steps.test_score_reward import direct, save_reward_model
from tests.curate.synth.test_generators import SUMS, Served, section, table
from workspace.errors import ModelError, WorkError


def test_a_reward_model_ranks_answers_by_its_logit(
    served: Served, augment: Any, tmp_path: Path
) -> None:
    save_reward_model(tmp_path / "rewarding")
    said = ["a b c", "no", "one two three four", "yes it is"]
    served.script.answer = lambda body: said[body["seed"] % 4]
    reward = {"reward": {"model": "rewarding"}, "samples": 8, "gap": 0.01}
    asks = section(served, generate=[{"preference": reward}], target={"rows": 3})
    result = augment(asks, rows=SUMS)
    rows, made = table(result, "train"), table(result, "made").filter("accepted")
    assert result.type == "preference" and rows.height == 3
    for prompt, chosen, rejected in rows.select("prompt", "chosen", "rejected").rows():
        drawn = {
            said[body["seed"] % 4]
            for body in served.script.requests
            if body["messages"][-1]["content"] == prompt[-1]["content"]
        }
        worth = {
            text: direct(str(tmp_path / "rewarding"), prompt[-1]["content"], text) for text in drawn
        }
        assert chosen[0]["content"] == max(worth, key=worth.__getitem__)
        assert rejected[0]["content"] == min(worth, key=worth.__getitem__)
    assert made["verified"].str.contains(r"^reward of model [0-9a-f]{12}: -?\d").all()
    assert str(tmp_path) not in str(made.to_dicts())
    assert any("reward model rewarding (digest" in note for note in result.notes)


def test_answers_that_a_reward_model_finds_alike_or_too_long_are_no_pair(
    served: Served, augment: Any, tmp_path: Path
) -> None:
    save_reward_model(tmp_path / "rewarding")
    long = "word " * 300  # the model reads 256 tokens
    served.script.answer = lambda body: long if body["seed"] % 2 else "a b c"
    asks = section(
        served,
        generate=[{"preference": {"reward": {"model": "rewarding"}, "samples": 4, "gap": 3.0}}],
        target={"rows": 2},
    )
    with pytest.raises(WorkError, match="no made row was accepted") as caught:
        augment(asks, rows=SUMS)
    assert "no two answers differ by 3" in str(caught.value.cause)


def test_what_is_no_reward_model_is_told_before_anything_is_asked(
    served: Served, augment: Any, tmp_path: Path
) -> None:
    for model in ("builtin", "nowhere"):
        generate = [{"preference": {"reward": {"model": model}}}]
        with pytest.raises(ModelError):
            augment(section(served, generate=generate, target={"rows": 1}), rows=SUMS)
    assert not served.script.requests


def test_a_scorer_of_ones_own_is_found_beside_the_recipe(
    served: Served, augment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "own.py").write_text(
        "from evalsuite.scorers import scorer\n\n"
        "@scorer\ndef short(output, item):\n    return float(len(output) < 5)\n"
    )
    served.script.answer = lambda body: "ab" if body["seed"] % 2 else "long answers"
    own = {"kind": "python", "file": "own.py", "function": "short"}
    generate = [{"rejection": {"scorer": own, "samples": 6}}]
    result = augment(section(served, generate=generate, target={"rows": 2}), rows=SUMS)
    answers = [row[-1]["content"] for row in table(result, "train")["messages"]]
    assert answers == ["ab", "ab"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "one of: scorer, judge, reward"),
        ({"judge": {}, "reward": {"model": "x"}}, "one of: scorer, judge, reward"),
        ({"judge": {}, "gap": 2.0}, "a gap of at most 1"),
    ],
)
def test_a_preference_has_one_measure(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        GeneratorConfig.model_validate({"preference": settings})
