"""Duels on disk: votes that survive, counts and intervals, and rows that are read again."""

from __future__ import annotations

import json

import pytest

from tui.chat.talk import Settings
from tui.duel.prompts import from_file, from_suite
from tui.duel.record import Vote, list_duels, make_duel, read_duel
from tui.duel.saving import FORMS, row_of, rows_of_votes, save
from tui.duel.tally import judge, sentences, tally
from tui.records import UnreadableRecord
from tui.temper import run_temper
from workspace.errors import DataError, TemperError, UsageError

ASKED = ({"role": "user", "content": "Hi \ud83d?"},)


def vote(item, choice, *, first_is_left=True, answers=("first", "second")):
    return Vote(item, choice, first_is_left, ASKED, answers)


@pytest.fixture
def duel(tmp_path):
    prompts = [({"role": "user", "content": f"prompt {n}"},) for n in range(200)]
    return make_duel(
        tmp_path, ("base", "mine"), Settings(seed=3), prompts, source="a list", order_seed=5
    )


def test_votes_are_read_back_and_a_torn_line_costs_nothing_but_itself(duel, tmp_path):
    assert list_duels(tmp_path) == [duel]
    duel.vote(vote(0, "left"))
    duel.vote(vote(1, "right", first_is_left=False))
    path = duel.directory / "votes.jsonl"
    path.write_bytes(path.read_bytes() + b'{"item": 2, "choice": "le')
    duel.vote(vote(3, "both good"))
    duel.vote(vote(0, "both bad"))
    again = read_duel(duel.directory)
    assert again == duel
    assert {item: one.choice for item, one in again.votes().items()} == {
        0: "both bad", 1: "right", 3: "both good",
    }  # fmt: skip
    again.take_back(1)
    assert sorted(again.votes()) == [0, 3]
    assert again.votes()[0].messages[0]["content"] == "Hi ??"
    (duel.directory / "prompts.jsonl").write_text('{"messages": 3}\n[]\n')
    assert again.prompts() == []


@pytest.mark.parametrize(
    "change", [{"schema_version": 9}, {"models": ["one"]}, {"settings": {"colour": 1}}]
)
def test_a_strange_record_is_no_duel(duel, tmp_path, change):
    path = duel.directory / "duel.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UnreadableRecord):
        read_duel(duel.directory)
    assert list_duels(tmp_path) == []


def test_sides_are_drawn_for_each_prompt_and_never_change(duel):
    sides = [duel.first_is_left(item) for item in range(200)]
    assert 70 < sum(sides) < 130
    assert sides == [read_duel(duel.directory).first_is_left(item) for item in range(200)]


def test_the_winner_is_who_stood_there():
    assert vote(0, "left").winner == 0
    assert vote(0, "left", first_is_left=False).winner == 1
    assert vote(0, "right", first_is_left=False).winner == 0
    assert vote(0, "both good").winner is None


def test_rates_and_intervals_are_those_of_the_statistics():
    votes = [vote(n, "right") for n in range(14)] + [vote(n, "left") for n in range(6)]
    votes += [vote(n, "both good") for n in range(4)] + [vote(n, "both bad") for n in range(3)]
    counts = tally([*votes, vote(9, "skip")])
    assert (counts.wins, counts.votes, counts.skipped) == ((6, 14), 27, 1)
    found = judge(counts)
    # R: prop.test(14, 20, correct = FALSE)$conf.int; binom.test(14, 20)$p.value
    assert found.rate == pytest.approx(0.7)
    assert (found.low, found.high) == pytest.approx((0.481027, 0.854516), abs=1e-5)
    assert found.sign_p == pytest.approx(0.1153183, abs=1e-6)
    assert found.with_ties == pytest.approx(17.5 / 27)
    told = [text for text, _ in sentences(("base", "mine"), found)]
    assert told[0].startswith("Undecided")
    assert "14 of 20 decided votes: 70%, 48% to 85% (95 % Wilson score interval)." in told[1]
    sure = judge(tally([vote(n, "left") for n in range(9)]))
    assert sentences(("base", "mine"), sure)[0] == ("base is preferred.", "good")
    nothing = judge(tally([vote(0, "both bad")]))
    assert sentences(("a", "b"), nothing)[0][1] == "warn"


@pytest.mark.slow
def test_prompts_come_from_texts_rows_and_suites(tmp_path):
    text = tmp_path / "questions.txt"
    text.write_text("one\n\n two \n")
    assert [turns[0]["content"] for turns in from_file(text)] == ["one", "two"]
    rows = tmp_path / "rows.jsonl"
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    rows.write_text(json.dumps({"messages": turns}) + "\n" + json.dumps({"prompt": "c"}) + "\n")
    assert from_file(rows) == [
        ({"role": "user", "content": "a"},),
        ({"role": "user", "content": "c"},),
    ]
    rows.write_text('{"answer": "b"}\n')
    with pytest.raises(DataError, match="no prompt"):
        from_file(rows)
    with pytest.raises(TemperError, match="no such"):
        from_file(tmp_path / "gone.txt")
    asked = from_suite("builtin:retention", tmp_path, seed=1)
    assert len(asked) > 100 and asked[0][-1]["role"] == "user"
    assert asked == from_suite("builtin:retention", tmp_path, seed=1)


VOTES = [
    vote(0, "left", answers=("good one", "bad one")),
    vote(1, "left", first_is_left=False, answers=("worse", "better")),
    vote(2, "both good", answers=("fine", "fine too")),
    vote(3, "both bad"),
    vote(4, "left", answers=("same", "same")),
    vote(5, "right", answers=("full", " ")),
]


def test_votes_become_rows_that_curate_reads(tmp_path):
    from curate.formats.conversation import conversation
    from curate.formats.preference import preference

    pairs = tmp_path / "pairs.jsonl"
    assert save("pairs", rows_of_votes("pairs", VOTES), pairs) == 2
    found = [preference(json.loads(line)) for line in pairs.read_text().splitlines()]
    assert [row.chosen[0]["content"] for row in found] == ["good one", "better"]
    assert [row.rejected[0]["content"] for row in found] == ["bad one", "worse"]
    rows = tmp_path / "rows.jsonl"
    assert save("rows", rows_of_votes("rows", VOTES), rows) == 5
    read = [conversation(json.loads(line)) for line in rows.read_text().splitlines()]
    assert [row.messages[-1]["content"] for row in read] == [
        "good one", "better", "fine", "fine too", "same",
    ]  # fmt: skip


def test_votes_become_items_that_eval_reads(tmp_path):
    from evalsuite.tasks.suites import load_suite

    path = tmp_path / "suites" / "asked.jsonl"
    save("items", rows_of_votes("items", VOTES[:2]), path)
    save("items", [row_of("items", ASKED, "third", "")], path)
    (task,) = load_suite(path.with_suffix(".yaml")).tasks
    assert [item.gold for item in task.items] == ["good one", "better", "third"]
    assert [item.id for item in task.items] == ["item-1", "item-2", "item-3"]


def test_what_cannot_be_saved_is_refused(tmp_path):
    with pytest.raises(UsageError, match="JSON lines"):
        save("rows", [{}], tmp_path / "rows.csv")
    with pytest.raises(DataError, match="nothing to save"):
        save("rows", [], tmp_path / "rows.jsonl")
    with pytest.raises(DataError, match="empty"):
        row_of("rows", ASKED, " ", "")
    with pytest.raises(DataError, match="same"):
        row_of("pairs", ASKED, "a", "a")
    assert set(FORMS) == {"rows", "pairs", "items"}


@pytest.mark.slow
def test_the_command_tells_and_exports(duel, tmp_path):
    for one in VOTES:
        duel.vote(one)
    shown = run_temper(["duel", "show", "--json"], tmp_path)
    told = json.loads(shown.output)
    assert told["models"] == ["base", "mine"] and told["tally"]["wins"] == [2, 2]
    done = run_temper(["duel", "export", duel.id, "--as", "pairs", "-o", "p.jsonl"], tmp_path)
    assert (done.code, done.output) == (0, "2 written to p.jsonl\n")
    assert len((tmp_path / "p.jsonl").read_text().splitlines()) == 2
    assert run_temper(["duel", "show", "none-such"], tmp_path).code == 2
