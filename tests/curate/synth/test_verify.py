"""Checks on made rows: answers found again, judges in both orders, judges that talk nonsense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.explaining import find_row
from workspace.errors import DataError, UsageError, WorkError

Served = Any
Body = dict[str, Any]
SUMS = [
    {"prompt": f"What is {10 + number} plus {3 * number}?", "completion": f"{10 + 4 * number}"}
    for number in range(12)
]


def asked(body: Body) -> str:
    return str(body["messages"][-1]["content"])


def table(result: Any, name: str) -> pl.DataFrame:
    return pl.read_parquet(result.path / f"{name}.parquet")


def section(served: Served, verify: dict[str, Any], **changes: Any) -> dict[str, Any]:
    generate = [{"self_instruct": {"examples": 2}}]
    common = {"backend": served.backend(), "generate": generate, "target": {"rows": 6}}
    return {**common, "verify": verify, **changes}


def made_sum(body: Body) -> str:
    """A new sum; every third has a wrong answer."""
    first, second = body["seed"] % 9973, body["seed"] % 787
    total = first + second + (body["seed"] % 3 == 0)
    word = ["apples", "pears", "plums", "figs", "dates", "limes"][body["seed"] % 6]
    question = f"Add {first} {word} to {second}, how many?"
    return json.dumps({"question": question, "answer": str(total)})


def solved(body: Body) -> str:
    words = asked(body).replace(",", "").split()
    return f"That makes {int(words[1]) + int(words[4])}"


def making(body: Body) -> bool:
    return "examples of what a language model is taught" in asked(body)


def test_made_answers_are_found_again(served: Served, augment: Any) -> None:
    served.script.answer = lambda body: made_sum(body) if making(body) else solved(body)
    checks = {"answers": {"scorer": "numeric", "samples": 3, "temperature": 0.7}}
    result = augment(section(served, checks), rows=SUMS)
    for row in table(result, "train")["messages"]:
        words = row[0]["content"].replace(",", "").split()
        assert int(row[1]["content"]) == int(words[1]) + int(words[4])
    made = table(result, "made")
    assert set(made.filter("accepted")["verified"]) == {"numeric: 1.00 in 3 fresh answers"}
    wrong = made.filter(pl.col("reason") == "wrong_answer")
    assert wrong.height > 0 and set(wrong["requests"].list.len()) == {4}
    assert made["input_tokens"].sum() == 10 * len(served.script.requests)
    fresh = [body for body in served.script.requests if not making(body)]
    assert len({body["seed"] for body in fresh}) == len(fresh)  # samples that can differ


def test_an_answer_schema_needs_no_model(served: Served, augment: Any) -> None:
    def answer(body: Body) -> str:
        shape = {"sum": 3} if body["seed"] % 2 else {"total": 3}
        question = f"Count kx{body['seed']} and vq{body['seed'] % 7} again"
        return json.dumps({"question": question, "answer": json.dumps(shape)})

    served.script.answer = answer
    schema = {"type": "object", "required": ["sum"]}
    checks = {"answers": {"scorer": {"kind": "json_schema", "schema": schema}}}
    result = augment(section(served, checks), rows=SUMS)
    assert result.accepted == {"all": 6}
    assert all(row[1]["content"] == '{"sum": 3}' for row in table(result, "train")["messages"])
    assert "wrong_answer" in table(result, "dropped")["reason"].to_list()
    assert all(making(body) for body in served.script.requests)


def test_questions_on_a_document_are_answered_with_its_text(served: Served, augment: Any) -> None:
    pairs = [
        {"question": "When was the mill of Orr built?", "answer": "In 1802.",
         "quote": "The mill of Orr was built in 1802"},
        {"question": "Who owns the mill of Orr?", "answer": "In 1950.",
         "quote": "It burnt down in 1950 and"},
    ]  # fmt: skip

    def answer(body: Body) -> str:
        text = asked(body)
        if text.startswith("Below") and "Write 3 questions" in text:
            return json.dumps({"pairs": pairs})
        assert "It burnt down in 1950" in text
        return "In 1802."

    served.script.answer = answer
    rows = [{"text": "The mill of Orr was built in 1802. It burnt down in 1950 and is gone."}]
    checks = {"answers": {"scorer": "exact"}}
    result = augment(section(served, checks, generate=["documents"], target={"rows": 1}), rows=rows)
    assert result.accepted == {"all": 1}
    assert table(result, "dropped")["reason"].to_list() == ["wrong_answer"]


def graded(body: Body) -> tuple[str, str]:
    first = asked(body).split("==== ENTRY 1 ====")[1].split("==== ENTRY 2 ====")[0]
    second = asked(body).split("==== ENTRY 2 ====")[1].split("==== END ====")[0]
    return first, second


@pytest.mark.parametrize(
    "judge, reason, kept",
    [
        (lambda made_first: (5, 5), None, 6),
        (lambda made_first: (3, 5) if made_first else (5, 3), "judged_low", 0),
        (lambda made_first: (5, 1), "judge_unsure", 0),
    ],
)
def test_a_judge_grades_each_row_in_both_orders(
    served: Served, augment: Any, judge: Any, reason: str | None, kept: int
) -> None:
    sources = {row["prompt"] for row in SUMS}

    def answer(body: Body) -> str:
        if making(body):
            return made_sum(body)
        first, second = graded(body)
        made_first = not any(question in first for question in sources)
        assert made_first != (not any(question in second for question in sources))
        grades = judge(made_first)
        return json.dumps({"first": grades[0], "second": grades[1], "reason": "so it seems"})

    served.script.answer = answer
    asks = section(served, {"judge": {"rubric": "Sums must be short."}}, give_up=0.5)
    if kept:
        result = augment(asks, rows=SUMS)
        assert result.accepted == {"all": kept}
        assert set(table(result, "made").filter("accepted")["verified"]) == {
            "judge: 5 when first, 5 when second"
        }
        assert any("Sums must be short." in asked(body) for body in served.script.requests)
        assert {body["temperature"] for body in served.script.requests if not making(body)} == {0}
    else:
        with pytest.raises(WorkError, match="no made row was accepted") as caught:
            augment(asks, rows=SUMS)
        assert str(reason) in caught.value.cause


def test_a_judge_that_talks_nonsense_accepts_nothing_and_is_paid_for(
    served: Served, augment: Any
) -> None:
    nonsense = ["Banana!", '{"first": 9, "second": 5}', '{"first": "good", "second": 4}', "[]", "{"]

    def answer(body: Body) -> str:
        if making(body):
            return made_sum(body)
        messages = body["messages"]
        spoilt = len(messages[0]["content"]) % 2
        if spoilt:
            return nonsense[len(served.script.requests) % len(nonsense)]
        return '{"first": 4, "second": 5}'

    served.script.answer = answer
    result = augment(section(served, {"judge": {}}, repairs=1), rows=SUMS)
    made = table(result, "made")
    refused = made.filter(pl.col("reason") == "not_checked")
    assert result.accepted == {"all": 6}
    assert refused.height > 0 and set(refused["requests"].list.len()) == {3}
    details = table(result, "dropped").filter(pl.col("reason") == "not_checked")["detail"]
    assert details.str.starts_with("the judge's reply:").all()
    assert made["input_tokens"].sum() == 10 * len(served.script.requests)


def test_a_judge_of_its_own_is_asked_at_its_price(served: Served, augment: Any) -> None:
    def answer(body: Body) -> str:
        assert making(body) == (body["model"] == "scripted")
        return made_sum(body) if making(body) else '{"first": 4, "second": 5}'

    served.script.answer = answer
    free = served.backend(price={"input": 0, "output": 0})
    judge = {**served.backend(price={"input": 100.0, "output": 0}), "model": "another"}
    budget = {"money": 1.0}
    asks = section(served, {"judge": {"backend": judge}}, backend=free, budget=budget)
    result = augment(asks, rows=SUMS)
    verdicts = sum(not making(body) for body in served.script.requests)
    assert result.spent.money == pytest.approx(verdicts * 10 * 100 / 1e6)
    assert any("another at" in text for text in result.notes)


@pytest.mark.parametrize("bias", ["right", "first", "none"])
def test_pairs_must_win_in_both_orders(served: Served, augment: Any, bias: str) -> None:
    def answer(body: Body) -> str:
        text = asked(body)
        if "ANSWER 1" not in text:
            first, second = (int(word.strip("?")) for word in text.split()[2::2])
            return f"It is {first + second if body['seed'] % 2 else 999}"
        place = text.split("==== ANSWER 1 ====")[1].split("====")[0]
        better = {"right": 2 if "999" in place else 1, "first": 1, "none": 0}[bias]
        return json.dumps({"better": better, "reason": "clear"})

    served.script.answer = answer
    generate = [{"preference": {"scorer": "numeric"}}]
    asks = section(served, {"judge": {}}, generate=generate)
    if bias == "right":
        result = augment(asks, rows=SUMS)
        assert result.accepted == {"all": 6}
        told = table(result, "made").filter("accepted")["verified"]
        assert told.str.contains("wins in both orders").all()
        return
    with pytest.raises(WorkError) as caught:
        augment(asks, rows=SUMS)
    assert {"first": "judge_unsure", "none": "judged_low"}[bias] in caught.value.cause


def test_a_check_that_fails_costs_only_its_row(served: Served, augment: Any) -> None:
    served.script.answer = lambda body: made_sum(body) if making(body) else solved(body)
    served.script.trouble = lambda nth, tries, body: (
        "400" if not making(body) and "apples" in asked(body) else ""
    )
    result = augment(section(served, {"answers": {"scorer": "numeric"}}), rows=SUMS)
    lost = table(result, "made").filter(pl.col("reason") == "not_checked")
    assert result.accepted == {"all": 6}
    assert lost.height > 0 and lost["input_tokens"].to_list() == [10] * lost.height


def test_prompts_of_the_users_own_take_the_place_of_ours(
    served: Served, augment: Any, tmp_path: Path
) -> None:
    mine = tmp_path / "words"
    mine.mkdir()
    (mine / "paraphrase.jinja").write_text("SAY ANEW [{{ question }}] as JSON", encoding="utf-8")
    served.script.answer = lambda body: json.dumps({"question": f"Anew kx{body['seed']} vq"})
    asks = section(served, {}, generate=["paraphrase"], prompts="words")
    augment(asks, rows=SUMS)
    assert asked(served.script.requests[0]).startswith("SAY ANEW [What is")


@pytest.mark.parametrize(
    "name, text, error, told",
    [
        ("paraphrase", "{{ answer }}", DataError, "names 'answer'"),
        ("paraphrase", "{{ question", DataError, "not valid"),
        ("paraphrases", "{{ question }}", UsageError, "replaces no prompt"),
    ],
)
def test_a_prompt_that_cannot_work_is_told_before_anything_is_sent(
    served: Served, augment: Any, tmp_path: Path, name: str, text: str, error: Any, told: str
) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / f"{name}.jinja").write_text(text, encoding="utf-8")
    with pytest.raises(error, match=told):
        augment(section(served, {}, prompts="words"), rows=SUMS)
    assert not served.script.requests


def test_explain_shows_who_made_a_row_from_what_and_at_what_cost(
    served: Served, augment: Any
) -> None:
    served.script.answer = lambda body: made_sum(body) if making(body) else solved(body)
    price = {"input": 100.0, "output": 200.0}
    checks = {"answers": {"scorer": "numeric"}}
    result = augment(section(served, checks, backend=served.backend(price=price)), rows=SUMS)
    row = table(result, "train").row(0, named=True)
    story = find_row(result.path, row["id"])
    assert story["made from"] == row["meta"]["parents"] and len(story["made from"]) == 2
    assert story["model"] == "scripted" and story["generator"] == "self_instruct"
    assert story["seed"] in {body["seed"] for body in served.script.requests}
    assert len(story["prompt hash"]) == 16 and len(story["requests"]) == 2
    assert story["cost"] == pytest.approx(2 * (10 * 100 + 5 * 200) / 1e6)
    assert story["verified"] == "numeric: 1.00 in 1 fresh answers"
    lost = table(result, "dropped").row(0, named=True)
    story = find_row(result.path, lost["id"])
    assert story["model"] == "scripted" and story["cost"] > 0 and story["made from"]


def test_explain_knows_a_row_that_is_too_near_to_its_source(served: Served, augment: Any) -> None:
    def answer(body: Body) -> str:
        question = asked(body).split("----")[1].strip().upper()
        if body["seed"] % 2:
            question = f"Kx{body['seed']} anew, vq{body['seed'] % 7}?"
        return json.dumps({"question": question})

    served.script.answer = answer
    result = augment(section(served, {}, generate=["paraphrase"]), rows=SUMS)
    copies = table(result, "dropped").filter(pl.col("reason") == "normalised_duplicate")
    story = find_row(result.path, copies["id"][0])
    assert story["duplicate of"] == story["made from"][0]
