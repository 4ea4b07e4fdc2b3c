"""Rewards, and the proof that they tell right answers from wrong ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from train.proof.rewards import prove_rewards
from train.recipe import TrainSection
from train.rewards import Completion, Plain, RewardPlace, make_rewards
from workspace.errors import LimitExceeded


def section(*rewards: Any, **changes: Any) -> Any:
    method = {"kind": "grpo", "rewards": list(rewards), "max_new_tokens": 16, **changes}
    return TrainSection.model_validate({"method": method}).method


def parts(method: Any, directory: Path = Path()) -> list[Any]:
    """Return the parts of a method's reward."""
    place = RewardPlace(directory, directory)
    return list(make_rewards(method.rewards, method.max_new_tokens, place))


def values(reward: Any, *texts: str, gold: str = "42", tokens: int = 5) -> list[float | None]:
    made = parts(section(reward, "exact"))[0]
    return list(made([Completion(text, tokens, gold, "row") for text in texts]))


@pytest.mark.parametrize(
    ("reward", "right", "wrong"),
    [
        ("exact", "42", "forty-two"),
        ({"scorer": "normalised", "name": "n"}, "  42. ", "43"),
        ({"scorer": "contains", "name": "c"}, "it is 42 indeed", "it is 421"),
        ({"scorer": {"kind": "numeric", "tolerance": 0.1}, "name": "m"}, "about 42.05", "41"),
        ({"scorer": {"kind": "json_schema", "schema": {"type": "integer"}}}, "42", '"42"'),
        ({"kind": "format", "pattern": r"<a>.*</a>"}, "<a>1\n2</a>", "x<a>1</a>"),
    ],
)
def test_a_reward_is_its_scorers_score(reward: Any, right: str, wrong: str) -> None:
    if reward == "exact":
        reward = {"scorer": "exact", "name": "e"}
    assert values(reward, right, wrong) == [1.0, 0.0]


def test_json_gives_credit_for_parts() -> None:
    reward = {"scorer": {"kind": "json", "partial": True}}
    gold = '{"a": 1, "b": 2}'
    assert values(reward, gold, '{"a": 1, "b": 3}', "", gold=gold) == [1.0, 0.5, 0.0]


def test_length_costs_nothing_at_first_and_then_in_a_line() -> None:
    reward = {"kind": "length", "beyond": 6}
    found = [values(reward, "x", tokens=tokens)[0] for tokens in (1, 6, 11, 16)]
    assert found == pytest.approx([0.0, 0.0, -0.5, -1.0])


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"rewards": []}, "at least 1 item"),
        ({"rewards": ["exakt"]}, "exact"),
        ({"rewards": [{"scorer": "exact", "wieght": 2}]}, "wieght"),
        ({"rewards": ["exact", "exact"]}, "exact is given twice"),
        ({"rewards": [{"kind": "format", "pattern": "("}]}, "a regular expression"),
        ({"rewards": [{"kind": "length", "beyond": 4}]}, "a reward beside length"),
        ({"rewards": ["exact", {"kind": "length", "beyond": 99}], "max_new_tokens": 99}, "below"),
        ({"rewards": ["exact"], "example": "yes"}, "{answer}"),
        ({"rewards": ["exact"], "num_generations": 1}, "greater than or equal to 2"),
        ({"rewards": ["exact"], "loss": "gspo"}, "dr_grpo"),
        ({"rewards": ["exact"], "loss": "cispo"}, "epsilon_high of at least 1"),
        ({"rewards": ["exact"], "scale_rewards": "std"}, "batch"),
        ({"rewards": ["exact"], "temperature": 0}, "greater than 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(method: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainSection.model_validate({"method": {"kind": "grpo", **method}})


def test_rloo_has_no_loss_to_choose() -> None:
    with pytest.raises(ValueError, match="loss"):
        TrainSection.model_validate({"method": {"kind": "rloo", "rewards": ["exact"], "loss": "x"}})


def test_a_prompt_is_never_cut() -> None:
    with pytest.raises(ValueError, match="too_long drop or stop"):
        TrainSection.model_validate(
            {"method": {"kind": "grpo", "rewards": ["exact"]}, "too_long": "cut"}
        )


# --- the proof -----------------------------------------------------------------------------------


@pytest.fixture
def rows(bench: Any) -> Any:
    """Rows whose answers are numbers, the plan's own."""

    def make(answers: Sequence[Any]) -> Any:
        bench.dataset(
            "toy",
            [
                {
                    "id": f"row-{number}",
                    "prompt": [{"role": "user", "content": f"number {number}"}],
                    "answer": answer,
                    "meta": {"source": "sums.jsonl", "row": number},
                }
                for number, answer in enumerate(answers)
            ],
        )
        method = {"kind": "grpo", "rewards": ["exact"], "max_new_tokens": 16}
        return bench.prepare({"method": method}).rows

    return make


def proved(rows: Any, *rewards: Any, made: Any = None, **changes: Any) -> Any:
    method = section(*(rewards or ("exact",)), **changes)
    return prove_rewards(
        rows,
        made or parts(method),
        example=method.example,
        max_new_tokens=method.max_new_tokens,
        count_tokens=len,
    )


def test_good_rewards_pass_and_say_what_they_give(rows: Any) -> None:
    proof = proved(
        rows(["1", "22", "333"]),
        {"scorer": "numeric"},
        {"kind": "format", "pattern": r"\d+"},
        {"kind": "length", "beyond": 8, "weight": 0.5},
    )
    proof.enforce()
    assert proof.passed and proof.rows_tried == 3 and proof.longest_answer == 4
    found = {one["name"]: one for one in proof.rewards}
    assert [found["numeric"][key] for key in ("right", "empty", "other_rows")] == [1.0, 0.0, 0.0]
    assert [found["format"][key] for key in ("right", "empty")] == [1.0, 0.0]
    assert [found["length"][key] for key in ("top", "right", "longest")] == [0.0, 0.0, -1.0]


@pytest.mark.parametrize(
    ("answers", "rewards", "problem"),
    [
        (["1", "many"], [{"scorer": "numeric"}], "row-1.* 0 of 1: a gold answer without a num"),
        (["1", "2"], [{"kind": "format", "pattern": ".*"}], "an empty answer as much"),
        (
            ["1", "x"],
            [{"kind": "format", "pattern": r"\d+"}],
            "row-1.*gives the right answer 'x' 0",
        ),
        (
            ["a", "b" * 12],
            ["exact", {"kind": "length", "beyond": 4}],
            "row-1.*length gives the right answer",
        ),
        (["7", "7.0"], [{"scorer": "numeric"}], "1 other rows' answers as much"),
    ],
)
def test_a_reward_that_does_not_tell_right_from_wrong_stops_with_the_row(
    rows: Any, answers: list[str], rewards: list[Any], problem: str
) -> None:
    proof = proved(rows(answers), *rewards)
    with pytest.raises(LimitExceeded, match="the reward proof failed") as caught:
        proof.enforce()
    assert caught.value.exit_code == 6
    import re

    assert re.search(problem, caught.value.cause), caught.value.cause
    assert "sums.jsonl:" in caught.value.cause


class Broken(Plain):
    """A reward with a fault."""

    name, weight, top, compares = "broken", 1.0, 1.0, True

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def refusal(self, gold: str) -> None:
        return None

    def __call__(self, completions: Sequence[Completion]) -> list[float | None]:
        if self.fault == "raises" and any(one.row_id == "row-1" for one in completions):
            raise KeyError("gold")
        if self.fault == "short":
            return [1.0]
        if self.fault == "none":
            return [None for _ in completions]
        return [float(one.text == one.gold) for one in completions]


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (
            "raises",
            r"sums.jsonl:1 \(id row-1\): broken fails on a right answer: KeyError\('gold'\)",
        ),
        ("short", "returns 1 rewards for 3 completions"),
        ("none", "returns None for every right answer"),
    ],
)
def test_a_reward_that_fails_stops_before_the_first_step(
    rows: Any, fault: str, problem: str
) -> None:
    proof = proved(rows(["1", "2", "3"]), made=[Broken(fault)])
    with pytest.raises(LimitExceeded) as caught:
        proof.enforce()
    import re

    assert re.search(problem, caught.value.cause), caught.value.cause


def test_the_example_says_what_a_right_completion_looks_like(rows: Any) -> None:
    form = {"kind": "format", "pattern": r"<think>.*</think>\s*\d+"}
    numbers = rows(["1", "2"])
    assert not proved(numbers, form).passed
    example = "<think>so</think> {answer}"
    assert proved(numbers, form, {"scorer": "numeric"}, example=example).passed
    clash = proved(numbers, form, "exact", example=example)
    assert {fault.reward for fault in clash.faults} == {"exact"}


def test_one_answer_for_all_rows_and_answers_out_of_reach_are_told(rows: Any) -> None:
    same = proved(rows(["no", "no", "no"]))
    assert same.passed and same.same_answer
    assert any("all rows have one answer" in note for note in same.notes())
    long = proved(rows(["a", "b" * 40]))
    assert long.rows_out_of_reach == 1 and long.longest_answer == 41
    assert any("longer than max_new_tokens (up to 41" in note for note in long.notes())


def test_a_function_of_the_users_own_is_a_reward(tmp_path: Path) -> None:
    (tmp_path / "scorers.py").write_text(
        "from evalsuite.scorers import scorer\n"
        "@scorer\n"
        "def ends(output, item):\n"
        "    return item.question == 'How many?' and output.endswith(item.gold)\n"
    )
    reward = {"scorer": {"kind": "python", "file": "scorers.py", "function": "ends"}}
    (made,) = parts(section(reward), tmp_path)
    asked = [Completion(text, 3, "42", "row", "How many?") for text in ("it is 42", "42!")]
    assert list(made(asked)) == [1.0, 0.0]
    turns = [{"role": "user", "content": "How many?"}]
    assert list(made([Completion("42", 3, "42", "row", turns)])) == [1.0]
    assert "scorers.py: ends is your own code" in made.notes()[0]


def test_checks_of_a_row_are_no_answer_and_checks_of_all_leave_the_answer() -> None:
    """A list of checks must not be tried as if it were a right completion."""
    checks = [{"check": "count", "of": "words", "at_most": 3}]
    own, shared = (
        parts(section({"scorer": {"kind": "constraints", **more}, "name": "c"}, "exact"))[0]
        for more in ({}, {"checks": checks})
    )
    assert own.right_answer(json.dumps(checks)) is None
    (language,) = parts(section({"scorer": "language", "name": "l"}))
    assert language.right_answer("de") is None  # a code is no completion in the language
    assert shared.right_answer("42") == "42"
    texts = ["one two three", "one two three four"]
    made = [Completion(text, 5, json.dumps(checks), "row") for text in texts]
    assert list(own(made)) == list(shared(made)) == [1.0, 0.0]
