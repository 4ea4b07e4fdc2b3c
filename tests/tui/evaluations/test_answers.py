"""Stored answers in pairs, read from real files."""

import math

import pyarrow.parquet as pq
import pytest

from evalsuite.engine.questions import Sample
from evalsuite.engine.samples import write_samples
from tui.evaluations.answers import MOST_CHARACTERS, Answers, UnreadableAnswers, Wanted

ABILITIES = ("capitals", "addition", "triage")


@pytest.fixture
def answers(evaluation):
    return Answers(evaluation / "samples.parquet", "base", "naive", ABILITIES)


def test_items_are_paired_and_told_by_direction(answers, drawn):
    lost = sum(int((drawn[name]["naive"] < drawn[name]["base"]).sum()) for name in ABILITIES)
    gained = sum(int((drawn[name]["naive"] > drawn[name]["base"]).sum()) for name in ABILITIES)
    assert answers.counts() == (lost, gained)
    assert len(answers.find(Wanted(kind="lost"))) == lost
    assert len(answers.find(Wanted(kind="gained"))) == gained
    assert len(answers.find(Wanted())) == lost + gained
    assert len(answers.find(Wanted(kind="all"))) == 120 * 10
    wrong = answers.find(Wanted(kind="wrong", ability="triage"))
    assert {answers.label(place)[2:] for place in wrong} <= {(0.0, 0.0)}


def test_an_answer_has_all_texts_of_both_models(answers):
    place = answers.find(Wanted(kind="lost", ability="capitals"))[0]
    found = answers.answer(place)
    assert (found.ability, found.kind, found.gold) == ("capitals", "lost", "Lima")
    assert found.base_output == "Lima"
    assert found.tuned_output == '{"team":"access","priority":"low"}'
    assert found.tuned_detail == "differs from the gold answer"
    assert answers.prompts([place])[place] == found.prompt
    assert answers.keys_of([place]) == [found.key] == [f"capitals/{found.item_id}"]


def test_filters_narrow_by_ability_cluster_group_and_text(answers):
    lost = answers.find(Wanted(kind="lost", ability="capitals"))
    group = frozenset(answers.keys_of(lost[:3]))
    assert len(answers.find(Wanted(ability="capitals", group="a", items=group))) == 3
    cluster = answers.cluster_of(lost[0])
    of_cluster = answers.find(Wanted(kind="all", cluster=cluster))
    assert cluster and {answers.answer(p).cluster for p in of_cluster} == {cluster}
    item = answers.answer(lost[0])
    number = item.prompt.rpartition(" ")[2]
    found = answers.find(Wanted(kind="lost", ability="capitals", text=number.upper()))
    assert list(found) == [lost[0]]
    assert not len(answers.find(Wanted(text="no item has this")))


def test_the_greatest_losses_come_first(evaluation):
    answers = Answers(evaluation / "samples.parquet", "base", "naive", ABILITIES)
    changes = [
        after - before for _, _, before, after in map(answers.label, answers.find(Wanted(order=1)))
    ]
    assert changes == sorted(changes)
    first = answers.label(answers.find(Wanted(order=0))[0])
    assert first[0] == "capitals"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "cannot be read"),
        (
            lambda path: pq.write_table(pq.read_table(path).drop_columns(["gold"]), path),
            "no column gold",
        ),
    ],
)
def test_answers_that_cannot_be_read_are_told(evaluation, spoil, told):
    path = evaluation / "samples.parquet"
    spoil(path)
    with pytest.raises(UnreadableAnswers, match=told):
        Answers(path, "base", "naive", ABILITIES)


def test_a_model_without_answers_is_told(evaluation):
    with pytest.raises(UnreadableAnswers, match="gone has no answers"):
        Answers(evaluation / "samples.parquet", "base", "gone", ABILITIES)


def test_scores_that_are_no_number_change_nothing_and_long_texts_are_cut(tmp_path):
    path = tmp_path / "samples.parquet"
    long = "x" * (MOST_CHARACTERS + 5)
    write_samples(
        path,
        [
            Sample("t", "a", "1", "1", model, long, "", "", score, "", 0.0, 1, 1, 0.0, False)
            for model, score in (("base", math.nan), ("tuned", 1.0))
        ],
    )
    answers = Answers(path, "base", "tuned", ("a",))
    assert answers.counts() == (0, 0)
    assert not len(answers.find(Wanted()))
    place = answers.find(Wanted(kind="all"))[0]
    assert answers.answer(place).prompt.endswith("(5 more characters)")


def test_many_samples_are_read_a_row_group_at_a_time(tmp_path):
    path = tmp_path / "samples.parquet"
    many = 9_000
    write_samples(
        path,
        [
            Sample("t", "a", str(n), str(n), model, f"question {n}", "yes", f"{model} {n}",
                   float(n % 3 == 0) if model == "base" else 0.0, "", 0.0, 1, 1, 0.0, False)
            for model in ("base", "tuned")
            for n in range(many)
        ],
    )  # fmt: skip
    assert pq.ParquetFile(path).num_row_groups > 3
    answers = Answers(path, "base", "tuned", ("a",))
    lost = answers.find(Wanted(kind="lost", order=2))
    assert len(lost) == many // 3
    assert answers.answer(lost[-1]).tuned_output == f"tuned {many - 3}"
    assert answers.prompts(lost[[0, -1]]) == {
        int(lost[0]): "question 0", int(lost[-1]): f"question {many - 3}",
    }  # fmt: skip
