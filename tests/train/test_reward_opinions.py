"""Judges and reward models as rewards: what they give, cost, refuse, and how they are proved."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.curate.synth.conftest import Served
from tests.curate.synth.conftest import served as served  # a fixture
from tests.train.asking import GRPO, ask
from tests.train.preferences import pair
from train.proof.rewards import prove_rewards
from train.recipe import TrainSection
from train.reward_opinions import demand_rewards
from train.rewards import Completion, RewardPlace, make_rewards
from train.trl_bridge.reinforcement import filled
from workspace.errors import LimitExceeded, ModelError, TemperError, UsageError


def judgement(body: Any) -> str:
    """Like the right answer best; say nonsense of what is strange."""
    text = body["messages"][0]["content"]
    if "cannot be used" in body["messages"][-1]["content"]:
        return "still nonsense"
    right, said = (
        re.search(rf"==== {name} ====\n(.*?)\n?====", text, re.DOTALL)
        for name in ("A RIGHT ANSWER, WHICH THE MODEL HAS NOT SEEN", "ANSWER")
    )
    assert right and said
    if said[1] == "strange":
        return "I cannot say."
    return json.dumps({"score": 5 if said[1] == right[1] else 2, "reason": "so"})


def judge(served: Served, **changes: Any) -> dict[str, Any]:
    """Return a judge as a reward."""
    served.script.answer = judgement
    return {
        "kind": "judge",
        "backend": served.backend(price={"input": 1.0, "output": 2.0}),
        "rubric": "Is it right?",
        "budget": {"requests": 500},
        "repairs": 1,
        **changes,
    }


def section(*rewards: Any) -> Any:
    """Return a method that is rewarded so."""
    method = {"kind": "grpo", "rewards": list(rewards), "max_new_tokens": 16}
    return TrainSection.model_validate({"method": method}).method


def made(directory: Path, *rewards: Any) -> list[Any]:
    """Return rewards whose logs are in a directory."""
    return list(make_rewards(section(*rewards).rewards, 16, RewardPlace(directory, directory)))


def said(*texts: str) -> list[Completion]:
    """Return completions of one row."""
    return [Completion(text, 3, "42", "row", "How many?") for text in texts]


def test_a_judge_s_grade_is_a_share_of_its_scale_and_asked_for_once(
    served: Served, tmp_path: Path
) -> None:
    (reward,) = made(tmp_path, judge(served))
    assert reward(said("42", "7", "42")) == [1.0, 0.25, 1.0]
    assert len(served.script.requests) == 2  # the same answer was not asked for twice
    assert "2 grades asked for" in reward.notes()[1] and "30 tokens" in reward.notes()[1]
    reward.close()

    (again,) = made(tmp_path, judge(served))
    assert again(said("7", "42")) == [0.25, 1.0]
    assert len(served.script.requests) == 2 and "2 known from the log" in again.notes()[1]
    again.close()


def test_a_reply_that_is_no_grade_is_a_gap_that_counts_as_its_group(
    served: Served, tmp_path: Path
) -> None:
    (reward,) = made(tmp_path, judge(served))
    found = reward(said("42", "strange"))
    assert found == [1.0, None] and "1 completions got no grade" in reward.notes()[-1]
    assert filled(found, [5, 5]) == [1.0, 1.0]
    assert filled([None, None], [5, 5]) == [None, None]
    reward.close()


def test_a_judge_s_budget_ends_the_run_with_the_way_on(served: Served, tmp_path: Path) -> None:
    (reward,) = made(tmp_path, judge(served, budget={"requests": 2}))
    with pytest.raises(LimitExceeded, match="budget is gone: requests") as gone:
        reward(said("1", "2", "3", "4"))
    assert "temper resume" in gone.value.cure and len(served.script.requests) == 2
    reward.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": {}}, "every completion is judged"),
        ({"budget": {"money": 1}, "backend": {"base_url": "http://x", "model": "m"}}, "a `price`"),
        ({"scale": [5, 1]}, "a lower and a higher"),
        ({"rubric": ""}, "at least 1 character"),
        ({"rubrik": "x"}, "rubrik"),
    ],
)
def test_a_judge_that_cannot_work_is_refused(changes: dict[str, Any], message: str) -> None:
    reward = {
        "kind": "judge",
        "backend": {"base_url": "http://127.0.0.1:9", "model": "m"},
        "rubric": "r",
        "budget": {"requests": 1},
    }
    with pytest.raises(ValueError, match=message):
        section({**reward, **changes})


def test_a_missing_key_is_told_before_a_row_is_read(tmp_path: Path) -> None:
    backend = {"base_url": "http://127.0.0.1:9", "model": "m", "api_key": "env:NO_SUCH_API_KEY"}
    reward = {"kind": "judge", "backend": backend, "rubric": "r", "budget": {"requests": 1}}
    with pytest.raises(UsageError, match="NO_SUCH_API_KEY"):
        demand_rewards(section(reward).rewards, tmp_path)


def proof_of(bench: Any, directory: Path, *rewards: Any) -> Any:
    """Prove rewards on rows of the bench."""
    rows = bench.prepare(GRPO).rows
    opened = made(directory, *rewards)
    try:
        return prove_rewards(rows, opened, example="{answer}", max_new_tokens=16, count_tokens=len)
    finally:
        for reward in opened:
            reward.close()


@pytest.fixture
def asks(bench: Any) -> Any:
    """The bench with questions whose answers can be verified."""
    bench.dataset("toy", [ask(number) for number in range(12)])
    return bench


def test_a_judge_is_proved_on_a_few_rows(asks: Any, served: Served, tmp_path: Path) -> None:
    proof = proof_of(asks, tmp_path / "a", judge(served))
    proof.enforce()
    (found,) = proof.rewards
    assert (found["right"], found["empty"], found["top"]) == (1.0, 0.25, None)
    assert len(served.script.requests) <= 3 * 8

    reward = judge(served)
    served.script.answer = lambda body: '{"score": 3}'
    unmoved = proof_of(asks, tmp_path / "b", reward)
    with pytest.raises(LimitExceeded, match=r"gives empty answers 0\.5 in the mean and right ones"):
        unmoved.enforce()


def test_rows_with_tests_are_proved_by_their_solutions(bench: Any) -> None:
    code = {"scorer": {"kind": "code", "isolation": "limits"}}

    def rows(solution: str | None) -> None:
        gold = {"tests": ["assert add(1, 2) == 3"], "solution": solution}
        bench.dataset("toy", [ask(number, answer=json.dumps(gold)) for number in range(2)])

    rows("def add(a, b): return a + b")
    proof = proof_of(bench, Path(), code)
    assert proof.passed and proof.rewards[0]["right"] == 1 and proof.rewards[0]["empty"] == 0
    rows("def add(a, b): return a - b")
    assert "gives the right answer" in proof_of(bench, Path(), code).faults[0].problem
    rows(None)
    proof = proof_of(bench, Path(), code)
    assert proof.passed and proof.rows_without_solution == 2
    assert any("is not proved for them" in text for text in proof.notes())


@pytest.mark.slow
def test_a_run_of_method_reward_rewards_and_what_is_none_is_refused(
    bench: Any, tmp_path: Path
) -> None:
    bench.dataset("toy", [pair(number) for number in range(24)])
    run = bench.train({"method": "reward", "adapter": {"kind": "full"}, "steps": 2})
    reward = {"kind": "model", "model": str(run.relative_to(bench.root)), "dtype": "float32"}
    (model,) = made(bench.root, reward)
    chat = [{"role": "user", "content": "card late"}]

    together = model([Completion(one, 2, "", "row", chat) for one in ("card", "late happy")])
    alone = [model([Completion(one, 2, "", "row", chat)])[0] for one in ("card", "late happy")]

    assert together == pytest.approx(alone, abs=1e-5) and together[0] != together[1]
    assert model([Completion("card " * 500, 2, "", "row", chat)]) == [None]
    assert str(run.name) in demand_rewards(section(reward).rewards, bench.root)[0]
    for path in (str(bench.model), str(tmp_path / "nowhere")):
        with pytest.raises((ModelError, TemperError)):
            demand_rewards(section({**reward, "model": path}).rewards, bench.root)


@pytest.mark.slow
def test_a_run_learns_from_a_judge_and_asks_nothing_twice_when_it_goes_on(
    asks: Any, served: Served
) -> None:
    method = {**GRPO["method"], "rewards": [judge(served)]}
    run = asks.train({**GRPO, "method": method, "steps": 2})

    asked = len(served.script.requests)
    log = (run / "judge-judge" / "requests.jsonl").read_text()
    assert log.count('{"kind": "done"') == asked > 0
    assert max(served.script.paid.values()) == 1
    assert json.loads((run / "proof.json").read_text())["rewards"]["rewards"][0]["right"] == 1.0
