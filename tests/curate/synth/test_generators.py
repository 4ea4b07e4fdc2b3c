"""Every generator that asks a model, against the scripted server: what it asks, what it makes."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

Served = Any
Body = dict[str, Any]
SUMS = [
    {"prompt": f"What is {10 + number} plus {3 * number}?", "completion": f"{10 + 4 * number}"}
    for number in range(12)
]
"""Rows with answers that a scorer can compare."""


def section(served: Served, **changes: Any) -> dict[str, Any]:
    return {"backend": served.backend(), "target": {"rows": 6}, **changes}


def table(result: Any, name: str) -> pl.DataFrame:
    return pl.read_parquet(result.path / f"{name}.parquet")


def turns(result: Any, name: str = "train") -> list[list[str]]:
    return [[turn["content"] for turn in row] for row in table(result, name)["messages"]]


def asked(body: Body) -> str:
    return str(body["messages"][-1]["content"])


def fresh(body: Body, subject: str) -> str:
    """A question unlike every other."""
    code = body["seed"]
    return f"{subject} kx{code % 997} vq{code % 883} about zt{code % 787} or mj{code % 1009}?"


def in_dashes(body: Body) -> str:
    return asked(body).split("----")[1].strip()


def test_a_paraphrase_keeps_answer_label_and_system_turn(served: Served, augment: Any) -> None:
    rows = [
        {
            "messages": [
                {"role": "system", "content": "You are the house robot."},
                {"role": "user", "content": f"Where does the lamp of room {number} stand?"},
                {"role": "assistant", "content": f"By window {number}."},
            ],
            "label": "rooms",
        }
        for number in range(6)
    ]
    served.script.answer = lambda body: json.dumps({"question": fresh(body, "Which place")})
    result = augment(section(served, generate=["paraphrase"], target={"rows": 4}), rows=rows)
    for system, question, answer in turns(result):
        assert system == "You are the house robot."
        assert question.startswith("Which place") and answer.startswith("By window")
    assert 'category "rooms"' in asked(served.script.requests[0])
    assert not any("By window" in asked(body) for body in served.script.requests)


def test_each_row_meets_each_persona_once(served: Served, augment: Any) -> None:
    personas = ["a pilot", "a farmer", "a judge"]
    served.script.answer = lambda body: json.dumps({"question": fresh(body, "Say")})
    generate = [{"persona": {"personas": personas, "per_row": 3}}]
    result = augment(section(served, generate=generate, target={"rows": 36}), rows=SUMS)
    made = table(result, "made").explode("parents")
    met = made.group_by("parents").agg(pl.col("note").sort())
    assert met.height == 12 and all(notes == sorted(personas) for notes in met["note"].to_list())
    for body in served.script.requests:
        assert sum(f"as this person would: {one}." in asked(body) for one in personas) == 1


def test_self_instruct_shows_examples_of_the_missing_label(served: Served, augment: Any) -> None:
    pair = {"answer": "In drawer 77."}
    served.script.answer = lambda body: json.dumps({"question": fresh(body, "Where"), **pair})
    generate = [{"self_instruct": {"examples": 3}}]
    target = {"labels": {"least": 7}}
    result = augment(section(served, generate=generate, target=target))
    assert result.accepted == {"rare": 3}
    rows, made = table(result, "train"), table(result, "made")
    assert [meta["label"] for meta in rows["meta"]] == ["rare"] * 3
    assert all(answer == "In drawer 77." for _, answer in turns(result))
    assert made["parents"].list.len().to_list() == [3] * 3
    for body in served.script.requests:
        text = asked(body)
        shown = [int(part.split("?")[0]) for part in text.split("near item ")[1:]]
        assert len(shown) == 3 and all(number % 10 == 0 for number in shown)
        assert 'the category "rare"' in text


def test_the_same_examples_drawn_twice_are_another_request(served: Served, augment: Any) -> None:
    pair = {"answer": "nothing"}
    served.script.answer = lambda body: json.dumps({"question": fresh(body, "Where"), **pair})
    generate = [{"self_instruct": {"examples": 1}}]
    result = augment(section(served, generate=generate, target={"rows": 20}), rows=SUMS[:2])
    assert result.accepted == {"all": 20}
    assert len({body["seed"] for body in served.script.requests}) == len(served.script.requests)


@pytest.mark.parametrize("way, words", [("deeper", "harder version"), ("wider", "same field")])
def test_a_question_is_evolved_and_then_answered(
    served: Served, augment: Any, way: str, words: str
) -> None:
    def answer(body: Body) -> str:
        if words in asked(body):
            return json.dumps({"question": fresh(body, f"{way} than {in_dashes(body)[:40]}")})
        return f"  Answered: {asked(body)}\n"

    served.script.answer = answer
    generate = [{"evolve": {"directions": [way], "rounds": 2}}]
    result = augment(section(served, generate=generate, target={"rows": 4}), rows=SUMS)
    made = table(result, "made")
    for question, answer_made in turns(result):
        assert question.startswith(f"{way} than {way} than")  # two rounds, one on the other
        assert answer_made == f"Answered: {question}"
    assert set(made["note"]) == {f"{way}, {way}"}
    assert set(made["requests"].list.len()) == {3}


def test_a_cut_answer_to_an_evolved_question_is_dropped_at_its_cost(
    served: Served, augment: Any
) -> None:
    def answer(body: Body) -> Any:
        if "harder version" in asked(body):
            return json.dumps({"question": fresh(body, "Deeper")})
        return ("It begins so", "length") if body["seed"] % 2 else ("All of it.", "stop")

    served.script.answer = answer
    generate = [{"evolve": {"directions": ["deeper"]}}]
    result = augment(section(served, generate=generate), rows=SUMS)
    made = table(result, "made")
    cut = made.filter(pl.col("reason") == "cut_output")
    assert cut.height > 0 and set(cut["requests"].list.len()) == {2}
    assert result.spent.input_tokens == made["input_tokens"].sum()


def test_what_failed_half_way_is_still_accounted_for(served: Served, augment: Any) -> None:
    served.script.trouble = lambda nth, tries, body: (
        "400" if "harder" not in asked(body) and body["seed"] % 2 else ""
    )
    served.script.answer = lambda body: (
        json.dumps({"question": fresh(body, "Deeper")}) if "harder" in asked(body) else "Yes."
    )
    generate = [{"evolve": {"directions": ["deeper"]}}]
    result = augment(section(served, generate=generate), rows=SUMS)
    failed = table(result, "made").filter(pl.col("reason") == "request_failed")
    assert failed.height > 0 and failed["input_tokens"].to_list() == [10] * failed.height


def test_a_budget_that_ends_half_way_through_a_row_is_accounted_for(
    served: Served, augment: Any
) -> None:
    def answer(body: Body) -> str:
        if "harder" not in asked(body):
            return "Yes."
        return json.dumps({"question": fresh(body, f"Than {in_dashes(body)[:30]} deeper")})

    served.script.answer = answer
    generate = [{"evolve": {"directions": ["deeper"], "rounds": 3}}]
    asks = section(served, generate=generate, budget={"requests": 23}, target={"rows": 12})
    asks["backend"]["concurrency"] = 3
    made = table(augment(asks, rows=SUMS), "made")
    assert made["input_tokens"].sum() == 10 * len(served.script.requests) == 230
    assert made.filter("accepted").height >= 4  # rows that were begun are finished first
    assert "request_failed" in made["reason"].to_list()


def test_backtranslation_keeps_the_text_as_the_answer(served: Served, augment: Any) -> None:
    served.script.answer = lambda body: json.dumps({"question": fresh(body, "Who asks for")})
    texts = [f"Lantern number {number} is lit at dusk by the keeper." for number in range(5)]
    rows = [{"text": text} for text in [*texts, "x" * 200]]
    generate = [{"backtranslate": {"most_characters": 100}}]
    result = augment(section(served, generate=generate, target={"rows": 10}), rows=rows)
    assert result.type == "messages"
    assert sorted(answer for _, answer in turns(result)) == texts
    assert len(served.script.requests) == 5  # what is too long is not shown
    assert {in_dashes(body) for body in served.script.requests} == set(texts)


def test_documents_give_pairs_with_the_passage_that_proves_them(
    served: Served, augment: Any
) -> None:
    paragraphs = [f"Ship {number} sailed from harbour {number * 7} in May." for number in range(12)]
    rows = [{"text": "\n\n".join(paragraphs)}]

    def answer(body: Body) -> str:
        pairs = []
        for line in in_dashes(body).splitlines():
            if line:
                ship = line.split()[1]
                quote = line.upper() if int(ship) % 3 else f"{line} It sank."
                ask = f"From which harbour did ship {ship} sail?"
                pairs.append({"question": ask, "answer": f"Harbour {ship}", "quote": quote})
        return json.dumps({"pairs": pairs})

    served.script.answer = answer
    generate = [{"documents": {"pairs": 5, "characters": 220}}]
    result = augment(section(served, generate=generate, target={"rows": 8}), rows=rows)
    made = table(result, "made")
    accepted = made.filter("accepted")
    assert accepted.height == 8
    assert accepted["note"].str.contains("proof: SHIP").all()
    refused = table(result, "dropped").filter(pl.col("reason") == "not_proven")
    assert refused.height > 0 and refused["detail"].str.contains("It sank").all()
    shown = [in_dashes(body) for body in served.script.requests]
    assert all(len(text) <= 220 for text in shown) and len(set(shown)) == len(shown)
    assert made["input_tokens"].sum() == 10 * len(shown)  # a request's cost stands once
    documents = {meta["group"] for meta in table(result, "train")["meta"]}
    assert len(documents) == 1  # of one document, so on one side of a split


def test_rejection_sampling_keeps_right_answers_and_no_two_alike(
    served: Served, augment: Any
) -> None:
    def answer(body: Body) -> str:
        first, second = (int(word.strip("?")) for word in asked(body).split()[2::2])
        wrong = first % 3 == 0 or body["seed"] % 3 == 0
        total = 0 if wrong else first + second
        return f"Way {body['seed'] % 2}: {first} and {second} are {total}"

    served.script.answer = answer
    generate = [{"rejection": {"scorer": "numeric", "samples": 8, "keep": 2}}]
    result = augment(section(served, generate=generate, target={"rows": 16}), rows=SUMS)
    rows, made = table(result, "train"), table(result, "made")
    assert result.type == "messages" and rows.height > 8
    for question, text in turns(result):
        first, second = (int(word.strip("?")) for word in question.split()[2::2])
        assert text.endswith(f"are {first + second}")
    assert len({tuple(row) for row in turns(result)}) == rows.height
    assert made.filter("accepted")["verified"].str.contains(r"numeric: \d of 8 right").all()
    lost = table(result, "dropped").filter(pl.col("reason") == "wrong_answer")
    assert lost.height > 0 and lost["detail"].str.starts_with("none of 8 answers").all()
    assert lost["raw"].str.contains("are 0").all()
    assert made["output_tokens"].sum() == 5 * len(served.script.requests)


def test_drawn_answers_are_compared_with_the_other_answers_to_their_question(
    served: Served, augment: Any
) -> None:
    """A long question must not make every right answer to it look like the one there is."""
    story = "A carter loads barrels at the quay while the tide is out and the bell rings. " * 5
    ways = [
        "Two and two more make 4",  # as in the source
        "TWO and two MORE make 4.",
        "Counting on my fingers from the first pair upward I reach 4",
        "Counting on my fingers from the first pair upward we reach 4",
        "Half of eight barrels: 4",
    ]
    drawn: list[int] = []

    def answer(body: Body) -> str:
        drawn.append(body["seed"])
        return ways[len(drawn) % len(ways)]

    served.script.answer = answer
    row = {"prompt": f"{story}He had 2 and got 2. How many?", "completion": ways[0]}
    generate = [{"rejection": {"scorer": "numeric", "samples": 10, "keep": 10}}]
    result = augment(section(served, generate=generate, target={"rows": 5}), rows=[row])
    kept = [text for _, text in turns(result)]
    assert len(kept) == 2 and ways[4] in kept
    assert sum(text.startswith("Counting") for text in kept) == 1
    reasons = table(result, "dropped")["reason"].to_list()
    assert sorted(reasons) == ["near_duplicate", "normalised_duplicate", "normalised_duplicate"]


@pytest.mark.parametrize("name", ["rejection", "preference"])
def test_samples_of_one_question_are_sent_with_seeds_of_their_own(
    served: Served, augment: Any, name: str
) -> None:
    """A server that keeps to seeds would give one answer n times."""
    served.script.answer = lambda body: f"{body['seed']} makes {4 * (body['seed'] % 2)}"
    row = {"prompt": "What is 2 plus 2?", "completion": "4"}
    generate = [{name: {"scorer": "numeric", "samples": 12}}]
    augment(section(served, generate=generate, target={"rows": 1}), rows=[row])
    assert len({body["seed"] for body in served.script.requests}) == 12


def test_preference_pairs_are_the_best_and_the_worst(served: Served, augment: Any) -> None:
    def answer(body: Body) -> Any:
        first, second = (int(word.strip("?")) for word in asked(body).split()[2::2])
        if body["seed"] % 4 == 0:
            return f"I think that it is {first + second}", "length"
        right = first % 2 or body["seed"] % 2
        return f"It is {first + second if right else 999}"

    served.script.answer = answer
    generate = [{"preference": {"scorer": "numeric", "samples": 6}}]
    result = augment(section(served, generate=generate, target={"rows": 12}), rows=SUMS)
    rows = table(result, "train")
    assert result.type == "preference" and rows.height > 2
    for prompt, chosen, rejected in rows.select("prompt", "chosen", "rejected").rows():
        first, second = (int(word.strip("?")) for word in prompt[-1]["content"].split()[2::2])
        assert chosen[0]["content"] == f"It is {first + second}"  # never a cut one
        assert rejected[0]["content"] == "It is 999"
    lost = table(result, "dropped").filter(pl.col("reason") == "no_contrast")
    assert lost.height > 0 and lost["detail"].str.contains("differ by 0.5").all()


@pytest.mark.parametrize("bias", ["longer", "first"])
def test_a_judge_ranks_answers_in_both_orders(served: Served, augment: Any, bias: str) -> None:
    def answer(body: Body) -> str:
        text = asked(body)
        if "==== ANSWER 1" not in text:
            return "because " * (body["seed"] % 5 + 1)
        assert "Be warm." in text and body["temperature"] == 0
        first, second = (part.split("====")[1] for part in text.split("==== ANSWER ")[1:])
        better = 1 if bias == "first" or len(first) > len(second) else 2
        return json.dumps({"better": better})

    served.script.answer = answer
    judge = {"rubric": "Be warm."}
    generate = [{"preference": {"judge": judge, "samples": 4, "temperature": 0.9}}]
    asks = section(served, generate=generate, target={"rows": 4})
    if bias == "first":
        with pytest.raises(Exception, match="no made row was accepted"):
            augment(asks, rows=SUMS)
        return
    result = augment(asks, rows=SUMS)
    made = table(result, "made")
    for chosen, rejected in table(result, "train").select("chosen", "rejected").rows():
        assert len(chosen[0]["content"]) > len(rejected[0]["content"])
    told = made.filter("accepted")["verified"]
    assert told.str.contains("share of comparisons won: 1 against 0").all()
    assert made["input_tokens"].sum() == 10 * len(served.script.requests)


def test_the_source_may_be_the_better_answer(served: Served, augment: Any) -> None:
    served.script.answer = lambda body: f"{body['seed']}, so it is 999"
    for name, found in (("no", 0), ("yes", 3)):
        generate = [{"preference": {"scorer": "numeric", "source_is_best": name == "yes"}}]
        asks = section(served, generate=generate, target={"rows": 3}, name=name)
        if not found:
            with pytest.raises(Exception, match="no made row was accepted"):
                augment(asks, rows=SUMS)
            continue
        rows = table(augment(asks, rows=SUMS), "train")
        assert rows.height == 3
        for prompt, chosen in rows.select("prompt", "chosen").rows():
            first, second = (int(word.strip("?")) for word in prompt[-1]["content"].split()[2::2])
            assert chosen[0]["content"] == str(first + second)


def test_generators_take_turns(served: Served, augment: Any) -> None:
    served.script.answer = lambda body: json.dumps({"question": fresh(body, "Say")})
    generate = ["noise", "paraphrase", {"persona": {"personas": ["a pilot"]}}]
    result = augment(section(served, generate=generate, target={"rows": 12}))
    counts = table(result, "made").filter("accepted")["generator"].value_counts()
    assert dict(counts.iter_rows()) == {"noise": 4, "paraphrase": 4, "persona": 4}


def test_half_a_surrogate_pair_in_a_reply_is_sent_back(served: Served, augment: Any) -> None:
    def answer(body: Body) -> str:
        if len(body["messages"]) == 1:
            return '{"question": "broken \\ud83d face"}'
        return json.dumps({"question": fresh(body, "Whole")})

    served.script.answer = answer
    result = augment(section(served, generate=["paraphrase"]))
    assert result.accepted == {"all": 6}
    assert "unicode" in asked(served.script.requests[-1])


def test_hostile_replies_stay_text(served: Served, augment: Any) -> None:
    hostile = "{{ 7 * 7 }} {% for x in y %} \x1b[31m \u202e </script> [red] \x00 \U0001f600"

    def answer(body: Body) -> str:
        if "harder" in asked(body):
            return json.dumps({"question": f"{hostile} {fresh(body, 'Why')}"})
        return hostile

    served.script.answer = answer
    generate = [{"evolve": {"directions": ["deeper"], "rounds": 2}}]
    result = augment(section(served, generate=generate))
    rows = turns(result)
    assert all(question.startswith(hostile) for question, _ in rows)
    assert all(answer == hostile for _, answer in rows)
    for name in ("README.md", "report.html"):
        page = (result.path / name).read_text(encoding="utf-8")
        assert "\x1b" not in page and "</script> [red]" not in page


def test_an_answer_that_is_not_the_missing_one_is_no_help(served: Served, augment: Any) -> None:
    served.script.answer = lambda body: json.dumps(
        {"question": fresh(body, "Is it"), "answer": "no" if body["seed"] % 2 else "yes"}
    )
    rows = [
        {"prompt": f"Is number {number} kept in room {number * 3}?", "completion": said}
        for number, said in enumerate(["yes"] * 8 + ["no"] * 2)
    ]
    target = {"labels": {"least": 6, "by": "answer"}}
    result = augment(section(served, generate=["self_instruct"], target=target), rows=rows)
    assert result.accepted == {"no": 4}
    assert [answer for _, answer in turns(result)] == ["no"] * 4
    lost = table(result, "dropped")
    assert "the answer is 'yes', and 'no' is missing" in lost["detail"].to_list()
