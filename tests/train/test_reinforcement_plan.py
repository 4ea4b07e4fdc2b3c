"""Learning by reward, before anything is loaded: prompts, answers, batches."""

from __future__ import annotations

from typing import Any

import pytest

from workspace.errors import DataError, LimitExceeded

from .asking import GRPO, ask, method


@pytest.fixture
def asks(bench: Any) -> Any:
    """The bench with questions whose answers can be verified."""
    bench.dataset("toy", [ask(number) for number in range(24)])
    return bench


def test_a_row_is_its_prompt_up_to_where_the_assistant_writes(asks: Any) -> None:
    from evalsuite.models import ChatTokenizer

    prepared = asks.prepare(GRPO)
    tokenizer = ChatTokenizer.from_dir(asks.model)
    row = prepared.rows[0]
    head = "<|im_start|>user\ncard late<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(row.input_ids.tolist(), special=True) == head
    assert row.trained == 0
    account = prepared.ledger.total("train")
    assert account.balances() and account.rows_kept == 24 and account.tokens_trained == 0


@pytest.mark.parametrize("kind", ["messages", "prompt_completion", "plain"])
def test_a_final_assistant_turn_is_the_answer(bench: Any, kind: str) -> None:
    from train.methods.reinforcement import question

    chat = [{"role": "user", "content": "card late"}, {"role": "assistant", "content": "card"}]
    row: dict[str, Any] = {
        "messages": {"messages": chat},
        "prompt_completion": {"prompt": chat[:1], "completion": chat[1:]},
        "plain": {"prompt": "card late", "completion": "card"},
    }[kind]
    bench.dataset("toy", [{"id": "one", **row, "meta": {"source": "x.jsonl", "row": 0}}])
    prepared = bench.prepare(GRPO)
    asked = question(prepared.rows[0].row)
    assert asked.answer == "card"  # type: ignore[union-attr]
    assert asked.prompt == ("card late" if kind == "plain" else chat[:1])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (
            [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b"},
                {"role": "user", "content": "c"},
            ],
            "last_turn_is_no_answer",
        ),
        ([{"role": "assistant", "content": "b"}], "no_prompt"),
        (
            [{"role": "user", "content": "a"}, {"role": "assistant", "content": " "}],
            "empty_answer",
        ),
    ],
)
def test_a_row_without_question_and_answer_is_dropped_with_its_reason(
    bench: Any, messages: list[dict[str, str]], reason: str
) -> None:
    odd = {"id": "odd", "messages": messages, "meta": {"source": "x", "row": 1}}
    bench.dataset("toy", [*bench.chats(30), odd])
    ledger = bench.prepare(GRPO).ledger
    assert dict(ledger.total("train").rows_dropped) == {reason: 1}
    assert [row["row_id"] for row in ledger.losses] == ["odd"]


def test_preferences_and_null_answers_are_refused(bench: Any) -> None:
    bench.dataset("toy", [ask(1), ask(2, answer=None)])
    with pytest.raises(DataError, match="1 of 2 rows are without content") as caught:
        bench.prepare(GRPO)
    assert "asks.jsonl:2" in caught.value.cause
    both = {name: [{"role": "assistant", "content": name}] for name in ("chosen", "rejected")}
    bench.dataset("toy", [{"id": "p", "prompt": ask(1)["prompt"], **both}])
    with pytest.raises(DataError, match="`method: grpo` cannot learn from preference rows"):
        bench.prepare(GRPO)


# --- the plan -------------------------------------------------------------------------------------


def test_the_plan_states_prompts_times_generations(asks: Any) -> None:
    from train.terminal import arithmetic

    prepared = asks.prepare({**GRPO, "micro_batch_size": 2})
    plan = prepared.plan
    assert plan["completions"] == 16
    assert plan.settings["completions"].reason == (
        "a step: 4 prompts × 4 generations of at most 8 tokens"
    )
    lines = "\n".join(arithmetic(prepared))
    assert "4 steps × 4 prompts (2 at once × 2) = 16 prompts" in lines
    assert "4 prompts × 4 generations = 16 completions a step" in lines


def test_epochs_come_to_whole_batches(asks: Any) -> None:
    prepared = asks.prepare({**GRPO, "steps": None, "epochs": 1.1, "batch_size": 5})
    assert prepared.plan.steps == 5 and len(prepared.schedule.order) == 25


def test_iterations_repeat_each_batch_and_checkpoints_lie_between_them(asks: Any) -> None:
    prepared = asks.prepare({**method(iterations=3), "steps": 7, "checkpoint_every": 4})
    batches = [prepared.schedule.batch(step).tolist() for step in range(7)]
    assert batches[0] == batches[1] == batches[2] != batches[3] == batches[5] != batches[6]
    assert prepared.plan["checkpoint_every"] == 6


def test_a_completion_must_leave_room_for_the_prompt(asks: Any) -> None:
    with pytest.raises(LimitExceeded, match="no room for a prompt") as caught:
        asks.prepare(method(max_new_tokens=125))
    assert "128 tokens together" in caught.value.cause
    prepared = asks.prepare({**method(max_new_tokens=116), "limits": {"dropped": 1.0}})
    assert max(row.tokens for row in prepared.rows) <= 12


def test_no_pull_to_the_base_is_warned_of(asks: Any) -> None:
    assert not any("beta" in text for text in asks.prepare(GRPO).plan.warnings)
    assert any("beta is 0" in text for text in asks.prepare(method(beta=0)).plan.warnings)
