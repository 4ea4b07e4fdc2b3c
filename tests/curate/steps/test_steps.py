"""Each step on a handful of rows: what goes, why, and what it points at."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.api.frames import prepared
from curate.frame import ROW
from curate.steps.base import Outcome
from curate.steps.configs import StepConfig
from curate.steps.registry import STEPS, make_step, step_class
from workspace.errors import DataError, UsageError


def apply(step: object, pairs: list[tuple[str, str]], system: str = "", **columns: Any) -> Outcome:
    turns = [{"role": "system", "content": system}] if system else []
    rows = [
        [*turns, {"role": "user", "content": ask}, {"role": "assistant", "content": say}]
        for ask, say in pairs
    ]
    context, frame = prepared(pl.DataFrame({"id": _ids(pairs), "messages": rows, **columns}))
    return make_step(StepConfig.model_validate(step)).apply(frame, context)


def _ids(pairs: list[Any]) -> list[str]:
    return [f"r{number}" for number in range(len(pairs))]


def gone(outcome: Outcome) -> list[tuple[int, str, str | None]]:
    kept = outcome.kept.select(ROW).collect()[ROW].to_list()
    assert kept == sorted(kept)
    assert not set(kept) & set(outcome.dropped[ROW].to_list())
    return outcome.dropped.select(ROW, "reason", "duplicate_of").sort(ROW).rows()


def test_exact_duplicates_keep_the_first_and_say_how_equal_they_are() -> None:
    outcome = apply(
        "exact_duplicates",
        [("Hello there", "Hi"), ("Hello there", "Hi"), ("hello, THERE!", "hi."), ("Bye", "Hi")],
    )
    assert gone(outcome) == [
        (1, "exact_duplicate", "r0"),
        (2, "normalised_duplicate", "r0"),
    ]


def test_exact_duplicates_may_be_limited_to_bytes() -> None:
    step = {"exact_duplicates": {"normalised": False}}
    assert gone(apply(step, [("A b", "c"), ("a B", "c")])) == []


def test_rows_of_mathematics_are_not_merged() -> None:
    pairs = [
        ("Is J << a in the limit?", "yes"),
        ("Is J >> a in the limit?", "yes"),
        ("Order of Z_6/<3>", "3"),
        ("Order of Z_4/<2>", "3"),
        ("Compute 3 * 4 + 2 for me, please.", "14"),
        ("Compute 3 * 2 + 4 for me, please.", "14"),
    ]
    assert gone(apply("exact_duplicates", pairs)) == []
    assert gone(apply({"near_duplicates": {"threshold": 0.7}}, pairs)) == []


def test_words_moved_from_prompt_to_answer_make_another_row() -> None:
    assert gone(apply("exact_duplicates", [("one two", "three"), ("one", "two three")])) == []


def test_near_duplicates_keep_the_longer_answer_and_name_it() -> None:
    ask = "Could you please tell me how I can top up my account with a card from abroad"
    short = "Open the app and choose the button with the plus sign on the first screen to begin"
    outcome = apply("near_duplicates", [(ask, short), (ask + " now", short + " at once")])
    assert gone(outcome) == [(0, "near_duplicate", "r1")]
    assert "similarity 0." in outcome.dropped["detail"][0]
    first = {"near_duplicates": {"keep": "first"}}
    assert gone(apply(first, [(ask, short), (ask + " now", short)])) == [
        (1, "near_duplicate", "r0")
    ]


ASK = "Could you please tell me how I can top up my account with a card from abroad"
LONG = "Open the app and choose the button with the plus sign on the first screen to begin"


def test_near_duplicates_of_the_prompt_alone_have_any_answers() -> None:
    pairs = [(ASK, "cards"), (ASK + " now", "top up"), ("Where is my parcel?", "cards"), ("", "a")]
    pairs += [("", "b")]
    assert gone(apply("near_duplicates", pairs)) == []
    outcome = apply({"near_duplicates": {"text": "prompt"}}, pairs)
    assert gone(outcome) == [(0, "near_duplicate", "r1")]
    assert outcome.dropped["detail"][0].startswith("similarity of the prompt 0.")


def test_near_duplicates_of_the_answer_alone_leave_labels() -> None:
    pairs = [("One?", LONG), ("Two, at last?", LONG + " now"), ("Three?", "card"), ("Four", "card")]
    outcome = apply({"near_duplicates": {"text": "answer"}}, pairs)
    assert gone(outcome) == [(0, "near_duplicate", "r1")]


def test_near_duplicates_in_a_field_find_what_comparing_all_finds() -> None:
    """Beyond 256 rows candidates are sought: every one of 300 has its copy among other answers."""
    rng = random.Random(3)
    asks = [" ".join("".join(rng.choices("abcdefgh", k=5)) for _ in range(14)) for _ in range(300)]
    pairs = [(ask, f"first {n}") for n, ask in enumerate(asks)]
    pairs += [(f"{ask} please", f"second {n}") for n, ask in enumerate(asks)]
    outcome = apply({"near_duplicates": {"text": "prompt", "keep": "first"}}, pairs)
    assert [(row, of) for row, _, of in gone(outcome)] == [(300 + n, f"r{n}") for n in range(300)]


def test_the_best_by_quality_stays_then_the_longer_then_the_earlier() -> None:
    pairs = [(ASK, LONG), (ASK + " now", LONG + " at once"), (ASK + " today", LONG)]
    best = {"near_duplicates": {"keep": "quality", "threshold": 0.7}}
    outcome = apply(best, pairs, quality=[0.9, 0.2, None])
    assert gone(outcome) == [(1, "near_duplicate", "r0"), (2, "near_duplicate", "r0")]
    assert {of for _, _, of in gone(apply(best, pairs, quality=[0.5, 0.5, 0.5]))} == {"r1"}
    with pytest.raises(DataError, match="no row has a number in the column 'quality'"):
        apply(best, pairs)


def test_near_duplicates_with_another_label_are_kept() -> None:
    ask = "The parcel that I ordered last week has not arrived at my house"
    assert gone(apply("near_duplicates", [(ask, "shipping"), (ask + " yet", "billing")])) == []


def test_empty_answers_go_wherever_the_empty_turn_is() -> None:
    outcome = apply("empty_answers", [("a", "b"), ("a", ""), ("a", " \n\t")])
    assert gone(outcome) == [(1, "empty_answer", None), (2, "empty_answer", None)]


def test_an_answer_that_nobody_can_see_is_empty() -> None:
    unseen = ["\u200b\u2060", "\u00ad \ufeff", "\u3164", "\x00\x1b"]
    seen = ["0", "\u200b.", "👍🏽", "\ufffc"]
    outcome = apply("empty_answers", [("a", answer) for answer in unseen + seen])
    assert [row for row, _, _ in gone(outcome)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("keep", "rows"),
    [("none", [0, 1, 2]), ("majority", [2]), ("all", [])],
)
def test_contradictions_drop_all_or_the_minority_or_nothing(keep: str, rows: list[int]) -> None:
    pairs = [
        ("Where is it?", "card"),
        ("where is it", "Card"),
        ("Where is it?", "cash"),
        ("x", "y"),
    ]
    outcome = apply({"contradictions": {"keep": keep}}, pairs)
    assert [row for row, _, _ in gone(outcome)] == rows
    assert outcome.notes == ("1 prompt has more than one answer (3 rows).",)


def test_a_tie_has_no_majority() -> None:
    pairs = [("a b", "x"), ("a b", "y")]
    assert len(gone(apply({"contradictions": {"keep": "majority"}}, pairs))) == 2


def test_two_long_answers_do_not_contradict() -> None:
    long = " ".join(["word"] * 50)
    assert (
        gone(apply("contradictions", [("Tell a story", long), ("Tell a story", long + " x")])) == []
    )


def test_another_system_prompt_is_another_prompt() -> None:
    first = [{"role": "system", "content": "Be polite."}]
    turns = [{"role": "user", "content": "a b"}, {"role": "assistant", "content": "x"}]
    other = [{"role": "user", "content": "a b"}, {"role": "assistant", "content": "y"}]
    context, frame = prepared(pl.DataFrame({"messages": [first + turns, other]}))
    step = make_step(StepConfig.model_validate("contradictions"))
    assert step.apply(frame, context).dropped.is_empty()


SUITE = """\
schema_version: 1
name: questions
purpose: target
tasks:
  - name: facts
    ability: facts
    kind: generation
    data: facts.jsonl
    prompt: "{{ question }}"
    gold: "{{ answer }}"
    scorer: {kind: exact}
"""


def write_suite(directory: Path) -> Path:
    directory.mkdir()
    (directory / "questions.yaml").write_text(SUITE)
    item = '{"id": "capital", "question": "What is the capital of France?", "answer": "Paris"}\n'
    (directory / "facts.jsonl").write_text(item)
    return directory / "questions.yaml"


def test_suites_are_found_by_name_and_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_suite(tmp_path / "suites")
    monkeypatch.chdir(tmp_path)
    pairs = [
        ("what is the capital of france", "Paris"),
        ("What is the capital of Spain?", "Madrid"),
    ]
    for name in ("questions", str(path), "suites/questions.yaml"):
        outcome = apply({"decontaminate": {"suites": [name]}}, pairs, system="Answer in a word.")
        assert gone(outcome) == [(0, "leak_exact", None)]
        assert outcome.dropped["detail"][0] == "asks what facts/capital asks"
        assert outcome.notes[0].startswith("1 of 1 evaluation items were in the rows")


def test_files_name_their_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test.csv").write_text("text,category\nWhere is my card?,card\n")
    files = [{"path": "test.csv", "field": "text"}]
    outcome = apply({"decontaminate": {"files": files}}, [("where is my card", "card")])
    assert gone(outcome) == [(0, "leak_exact", None)]
    files = [{"path": "test.csv", "field": "question"}]
    with pytest.raises(DataError, match="item") as caught:
        apply({"decontaminate": {"files": files}}, [("a", "b")])
    assert "text, category" in caught.value.cause


def test_items_that_a_suite_wraps_are_found_in_bare_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tickets = [f"my {thing} is broken again" for thing in ("printer", "phone", "router")]
    (tmp_path / "facts.jsonl").write_text("".join(f'{{"text": "{text}"}}\n' for text in tickets))
    suite = SUITE.replace('"{{ question }}"', '"Which team answers this? {{ text }}"')
    (tmp_path / "suite.yaml").write_text(suite.replace('"{{ answer }}"\n', "IT\n    id: row\n"))
    rows = [*((text, "IT") for text in tickets), ("my tea is cold again", "IT")]
    outcome = apply({"decontaminate": {"suites": ["suite.yaml"]}}, rows)
    assert gone(outcome) == [(place, "leak_exact", None) for place in range(3)]


def test_a_file_of_items_that_is_cut_short_is_told_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lots = "".join(f'{{"text": "question {n}"}}\n' for n in range(5000)).encode()
    (tmp_path / "test.jsonl.gz").write_bytes(gzip.compress(lots)[:-2000])
    files = [{"path": "test.jsonl.gz", "field": "text"}]
    with pytest.raises(DataError, match="cut short") as caught:
        apply({"decontaminate": {"files": files}}, [("a", "b")])
    assert caught.value.where.startswith("test.jsonl.gz:")


def test_items_beyond_the_cap_of_a_bucket_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    same = "please tell me where the nearest office of your company is"
    asked = "".join(f"{same}{'!' * n}\n" for n in range(70))
    (tmp_path / "test.csv").write_text(f"text\n{asked}")
    files = [{"path": "test.csv", "field": "text"}]
    outcome = apply({"decontaminate": {"files": files}}, [(f"{same} now", "b"), ("c", "d")])
    assert outcome.notes[1].startswith("WARNING: 1 texts look like more evaluation items")


def test_nothing_to_decontaminate_against_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="nothing"):
        apply("decontaminate", [("a", "b")])
    with pytest.raises(UsageError, match="no suite"):
        apply({"decontaminate": {"suites": ["missing"]}}, [("a", "b")])


def test_every_step_of_the_recipe_has_a_class_and_a_scope() -> None:
    assert set(STEPS) == set(StepConfig.model_fields)
    for name in STEPS:
        step = step_class(name)
        assert step.name == name
        assert step.scope in ("row", "global")


def test_items_may_be_chats_and_their_last_turn_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ask = "how many bridges does the old town by the river have, and which is the oldest of them"
    system = {"role": "system", "content": "Be brief."}
    items = [
        [system, {"role": "user", "content": ask}, {"role": "assistant", "content": "seven"}],
        [{"from": "human", "value": "name the tallest tower"}, {"from": "gpt", "value": "west"}],
        [{"role": "user", "content": [{"type": "text", "text": "what flows through it"}]}],
    ]
    pl.DataFrame({"chat": items[:1]}).write_parquet(tmp_path / "one.parquet")
    (tmp_path / "more.jsonl").write_text("".join(json.dumps({"chat": c}) + "\n" for c in items[1:]))
    files = [{"path": name, "field": "chat"} for name in ("one.parquet", "more.jsonl")]
    outcome = apply(
        {"decontaminate": {"files": files}},
        [(ask, "x"), ("Name the tallest tower!", "y"), ("what flows through it", "z"), ("b", "c")],
    )
    assert [(row, why) for row, why, _ in gone(outcome)] == [(n, "leak_exact") for n in range(3)]


@pytest.mark.parametrize("wrong", [{"a": 1}, ["text"], [{"role": "user", "content": 7}]])
def test_an_item_that_is_no_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: object
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exam.jsonl").write_text(json.dumps({"q": wrong}))
    with pytest.raises(DataError, match="evaluation item"):
        apply({"decontaminate": {"files": [{"path": "exam.jsonl", "field": "q"}]}}, [("a", "b")])
