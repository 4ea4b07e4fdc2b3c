"""Each group its share: what goes, what is repeated, and that the account adds up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import curate as package
from curate.frame import ROW
from curate.recipe import CurateSection
from curate.steps.balancing.configs import Balance
from curate.steps.balancing.levels import capped, in_whole_rows, raised, shared_out, tempered
from curate.steps.base import Outcome
from workspace.errors import DataError, UsageError

Lines = Callable[..., Path]


def frame_of(sizes: dict[str | None, int], words: int = 3, **columns: Any) -> pl.DataFrame:
    labels = [label for label, count in sizes.items() for _ in range(count)]
    return pl.DataFrame(
        {
            "id": [f"r{number}" for number in range(len(labels))],
            "messages": [
                [
                    {"role": "user", "content": f"question {number}"},
                    {"role": "assistant", "content": " ".join(["word"] * words)},
                ]
                for number in range(len(labels))
            ],
            "user_label": pl.Series(labels, dtype=pl.String),
            **columns,
        }
    )


def sizes_of(outcome: Outcome) -> dict[str | None, int]:
    return dict(Counter(outcome.kept.select("user_label").collect()["user_label"].to_list()))


def check_account(frame: pl.DataFrame, outcome: Outcome) -> None:
    """In + made = kept + dropped, originals in their order, copies at the end with a parent."""
    kept = outcome.kept.select(ROW, "id", "parents").collect()
    assert frame.height + outcome.made.height == kept.height + outcome.dropped.height
    assert kept[ROW].to_list() == sorted(kept[ROW].to_list())
    assert kept["id"].is_unique().all()
    copies = kept.filter(pl.col(ROW) >= frame.height)
    assert copies[ROW].to_list() == outcome.made[ROW].to_list()
    assert copies[ROW].to_list() == list(range(frame.height, frame.height + copies.height))
    there = set(kept["id"])
    assert all(len(parents) == 1 and parents[0] in there for parents in copies["parents"])
    assert not set(outcome.dropped[ROW]) & set(kept[ROW])


def test_a_cap_takes_the_rest_of_each_label_and_says_why() -> None:
    frame = frame_of({"a": 10, "b": 3})
    outcome = package.balance(frame, cap=4, count="rows")
    check_account(frame, outcome)
    assert sizes_of(outcome) == {"a": 4, "b": 3}
    assert set(outcome.dropped["reason"]) == {"over_share"}
    assert outcome.dropped["detail"][0].endswith(" of 10 rows with this row, by hash; 4 wanted")
    assert outcome.notes[0] == "a 10 → 4, b 3 → 3 rows."


def test_words_of_answers_are_counted_where_no_tokenizer_is_known_and_that_is_said() -> None:
    outcome = package.balance(frame_of({"a": 10, "b": 3}), cap=12)
    assert sizes_of(outcome) == {"a": 4, "b": 3}
    assert "words and symbols of the answers were counted" in " ".join(outcome.notes)


def test_trained_tokens_are_counted_by_the_model_s_tokenizer() -> None:
    frame = frame_of({"a": 8, "b": 2}, words=5)
    outcome = package.balance(frame, cap=30, model="builtin")
    after = sizes_of(outcome)
    assert 1 <= after["a"] < 8
    assert "trained tokens" in outcome.notes[0]
    total = int(outcome.notes[0].split(" → ")[1].split(",")[0])
    assert total <= 30
    assert total % after["a"] == 0


def test_every_turn_of_the_assistant_counts() -> None:
    turn = {"role": "assistant", "content": "one two"}
    asked = {"role": "user", "content": "x"}
    frame = pl.DataFrame({"messages": [[asked, turn] * 3, [asked, turn]], "user_label": ["a", "b"]})
    outcome = package.balance(frame, cap=100)
    assert outcome.notes[0] == "a 6 → 6, b 2 → 2 words."


def test_a_cap_may_be_a_share_of_what_is_left() -> None:
    outcome = package.balance(frame_of({"a": 80, "b": 10, "c": 10}), cap="40%", count="rows")
    assert sizes_of(outcome) == {"a": 13, "b": 10, "c": 10}
    with pytest.raises(DataError, match="cannot have these shares") as caught:
        package.balance(frame_of({"a": 80, "b": 10}), cap=0.4, count="rows")
    assert "50.00%" in caught.value.cure


def test_upsampling_repeats_whole_rounds_and_names_the_parents() -> None:
    frame = frame_of({"a": 7, "b": 3})
    outcome = package.balance(frame, upsample="max", count="rows")
    check_account(frame, outcome)
    assert sizes_of(outcome) == {"a": 7, "b": 7}
    kept = outcome.kept.select("id", "parents", "user_label").collect()
    times = Counter(p for parents in kept["parents"].drop_nulls() for p in parents)
    assert sorted(times.values()) == [1, 1, 2]
    assert outcome.made["reason"].unique().to_list() == ["repeated"]
    assert "cannot be in the test split" in outcome.notes[-1]


def test_no_row_is_repeated_more_often_than_allowed_and_the_shortfall_is_told() -> None:
    outcome = package.balance(frame_of({"a": 50, "b": 2}), upsample="max", count="rows")
    assert sizes_of(outcome) == {"a": 50, "b": 8}
    assert any("b 8 of 50" in note and "max_repeats" in note for note in outcome.notes)


def test_a_cap_and_upsampling_meet_in_the_middle() -> None:
    outcome = package.balance(
        frame_of({"a": 50, "b": 2, "c": 10}), cap=12, upsample="max", count="rows", max_repeats=9
    )
    assert sizes_of(outcome) == {"a": 12, "b": 12, "c": 12}


def test_target_shares_are_met_by_the_largest_set_that_repeats_nothing() -> None:
    frame = frame_of({"a": 90, "b": 30, "c": 30})
    outcome = package.balance(frame, target={"a": 0.5, "*": 0.5}, count="rows")
    assert sizes_of(outcome) == {"a": 60, "b": 30, "c": 30}
    up = package.balance(frame, target={"a": 0.5, "*": 0.5}, size="up", count="rows")
    assert sizes_of(up) == {"a": 90, "b": 45, "c": 45}
    check_account(frame, up)
    exactly = package.balance(frame, target={"a": 0.25, "*": "75%"}, size=100, count="rows")
    assert sum(sizes_of(exactly).values()) == 100


def test_target_shares_name_labels_that_are_there_and_all_of_them() -> None:
    frame = frame_of({"a": 9, "b": 3})
    with pytest.raises(DataError, match="no row is of 'x'"):
        package.balance(frame, target={"x": 1.0})
    with pytest.raises(DataError, match="'b' has no share"):
        package.balance(frame, target={"a": 1.0})


def test_a_label_longer_than_reports_show_may_be_named() -> None:
    long = "label " * 30
    outcome = package.balance(frame_of({long: 8, "b": 2}), target={long: 0.5, "b": 0.5})
    assert sizes_of(outcome) == {long: 2, "b": 2}


def test_the_shell_says_what_was_counted(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from curate.cli import app
    from workspace.context import Context

    path = lines([{"prompt": f"q {n}", "completion": "one two", "topic": "t"} for n in range(9)])
    monkeypatch.chdir(tmp_path)
    context = Context(lambda: {"curate": CurateSection}, argv=("temper", "curate"))
    typed = ["balance", path.name, "-o", "out.jsonl", "--cap", "8"]
    said = CliRunner().invoke(app, typed, obj=context).stderr.replace("\n", " ")
    assert "t 18 → 8 words." in said
    assert "No tokenizer is known" in said


def test_temperature_flattens() -> None:
    outcome = package.balance(frame_of({"a": 1600, "b": 100}), temperature=2, count="rows")
    assert sizes_of(outcome) == {"a": 400, "b": 100}
    same = package.balance(frame_of({"a": 60, "b": 20}), temperature=1, count="rows")
    assert sizes_of(same) == {"a": 60, "b": 20}


def test_rows_without_a_label_are_left_and_told() -> None:
    outcome = package.balance(frame_of({"a": 10, None: 5}), cap=2, count="rows")
    assert sizes_of(outcome) == {"a": 2, None: 5}
    assert "5 rows are of no group and were left as they are." in outcome.notes
    with pytest.raises(DataError, match="no row has a value"):
        package.balance(frame_of({None: 5}), cap=2)


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("answer", {"yes": 2, "нет": 1}),
        ("script", {"Cyrillic": 1, "Han": 1, "Latin": 1}),
        ("length", {"0000 to 0015 words": 3}),
        ("document", {"d": 3}),
        ("label, document", {"x / d": 3}),
    ],
)
def test_rows_are_grouped_by_what_they_say_or_by_columns(by: str, groups: dict[str, int]) -> None:
    says = [("Is it so?", "Yes "), ("這是什麼東西", "yes"), ("Это так?", "нет")]
    frame = pl.DataFrame(
        {
            "messages": [
                [{"role": "user", "content": ask}, {"role": "assistant", "content": say}]
                for ask, say in says
            ],
            "document": ["d"] * 3,
            "user_label": ["x"] * 3,
        }
    )
    outcome = package.balance(frame, by, cap=10, count="rows")
    assert outcome.dropped.is_empty()
    told = ", ".join(f"{name} {count} → {count}" for name, count in sorted(groups.items()))
    assert outcome.notes[0] == f"{told} rows."


def test_languages_have_their_shares_and_what_is_short_is_of_none() -> None:
    says = {
        "en": "The parcel that I ordered last week has still not arrived at my house in the city.",
        "de": "Das Paket, das ich letzte Woche bestellt habe, ist noch immer nicht angekommen.",
        "fr": "Le colis que j'ai commandé la semaine dernière n'est toujours pas arrivé chez moi.",
    }
    texts = [f"{says['en']} {n}" for n in range(6)] + [says["de"]] * 2 + [says["fr"], "ok"]
    frame = pl.DataFrame({"text": texts})
    outcome = package.balance(frame, "language", cap=2, count="rows")
    assert outcome.notes[0] == "de 2 → 2, en 6 → 2, fr 1 → 1 rows."
    assert outcome.kept.collect()["text"].to_list()[-4:] == [says["de"]] * 2 + [says["fr"], "ok"]


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="grouped by 'mood'") as caught:
        package.balance(frame_of({"a": 3}), "mood", cap=2)
    assert "user_label" in caught.value.cause


def test_the_hash_keeps_the_same_rows_when_rows_are_added() -> None:
    few = frame_of({"a": 40})
    more = pl.concat([few, frame_of({"a": 60}).tail(20)])
    kept = [set(package.balance(f, cap=15, count="rows").kept.collect()["id"]) for f in (few, more)]
    stayed = kept[0] & kept[1]
    new = {f"r{number}" for number in range(40, 60)}
    assert kept[1] - stayed <= new
    other = package.balance(few, cap=15, count="rows", seed=1).kept.collect()
    assert set(other["id"]) != kept[0]


@pytest.mark.parametrize(("keep", "ids"), [("first", ["r0", "r1"]), ("quality", ["r2", "r3"])])
def test_rows_may_be_kept_in_their_order_or_by_quality(keep: str, ids: list[str]) -> None:
    frame = frame_of({"a": 4}, quality=[0.1, 0.2, 0.9, 0.8])
    outcome = package.balance(frame, cap=2, count="rows", keep=keep)
    assert outcome.kept.collect()["id"].to_list() == ids


def test_the_longest_answers_may_be_kept_and_made_rows_go_first() -> None:
    frame = pl.DataFrame(
        {
            "id": ["short", "long", "made"],
            "messages": [
                [{"role": "user", "content": "x"}, {"role": "assistant", "content": "w " * n}]
                for n in (1, 5, 9)
            ],
            "user_label": ["a"] * 3,
            "parents": [[], [], ["long"]],
        }
    )
    kept = package.balance(frame, cap=2, count="rows", keep="longest").kept.collect()
    assert kept["id"].to_list() == ["short", "long"]


def test_quality_that_is_not_there_says_how_to_name_it() -> None:
    with pytest.raises(DataError, match="'quality'") as caught:
        package.balance(frame_of({"a": 3}), cap=2, keep="quality")
    assert "columns: {quality: score}" in caught.value.cure


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"cap": 3, "temperature": 2},
        {"cap": 0},
        {"cap": 3, "upsample": 5},
        {"target": {"a": 0.5}},
        {"temperature": 0},
        {"cap": 3, "length_bands": [5, 5]},
        {"cap": 3, "count": "words"},
    ],
)
def test_settings_that_contradict_each_other_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Balance.model_validate(wrong)
    with pytest.raises(UsageError):
        package.balance(frame_of({"a": 3}), **wrong)


def test_removing_duplicates_after_balance_is_refused() -> None:
    steps = [{"balance": {"upsample": 5}}, "exact_duplicates"]
    with pytest.raises(ValidationError, match="take away its copies"):
        CurateSection.model_validate({"sources": ["a"], "steps": steps})


amounts = st.lists(st.integers(1, 500), min_size=1, max_size=12).map(
    lambda values: np.array(values, np.float64)
)


@given(amounts, st.floats(0.05, 0.99))
def test_a_shared_cap_is_the_largest_level_that_keeps_the_share(
    sizes: np.ndarray[Any, np.dtype[np.float64]], share: float
) -> None:
    if share * sizes.size < 1:
        with pytest.raises(ValueError, match="not the whole"):
            capped(sizes, share)
        return
    found = capped(sizes, share)
    assert found.max() <= share * found.sum() * (1 + 1e-9)
    if found.max() < sizes.max() - 1e-6:  # a little more of the largest would break the cap
        more = np.minimum(sizes, found.max() * 1.01)
        assert more.max() > share * more.sum() or share * sizes.size < 1 + 1e-6


@given(amounts, st.floats(0.5, 8), st.sampled_from(["down", "same", "up", 77]))
def test_shares_hold_whatever_the_size(
    sizes: np.ndarray[Any, np.dtype[np.float64]], temperature: float, size: Any
) -> None:
    shares = tempered(sizes, temperature)
    wanted = shared_out(sizes, shares, size)
    assert np.allclose(wanted / wanted.sum(), shares)
    assert shares.sum() == pytest.approx(1)
    if size == "down":
        assert (wanted <= sizes * (1 + 1e-9)).all()
    if size == "up":
        assert (wanted >= sizes * (1 - 1e-9)).all()
    whole = in_whole_rows(wanted)
    assert abs(whole.sum() - wanted.sum()) < 1 + 1e-6
    assert (np.abs(whole - wanted) < 1 + 1e-6).all()
    assert (raised(sizes, "max") == sizes.max()).all()


strategies = st.one_of(
    st.fixed_dictionaries({"cap": st.integers(1, 30)}),
    st.fixed_dictionaries({"upsample": st.one_of(st.just("max"), st.integers(1, 40))}),
    st.fixed_dictionaries(
        {"temperature": st.floats(0.5, 5), "size": st.sampled_from(["down", "same", "up", 20])}
    ),
)


@settings(max_examples=40, deadline=None)
@example(  # the temperature leaves half a row to the second label
    [("a", ""), ("a", ""), ("b", "")], {"temperature": 0.5, "size": "down"}, "rows", "hash"
)
@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.none(), st.sampled_from(["a", "b", "\x1b[31mc", "<b>", "[red]d", "\u202ee"])
            ),
            st.text(max_size=12),
        ),
        min_size=1,
        max_size=25,
    ),
    strategies,
    st.sampled_from(["rows", "tokens"]),
    st.sampled_from(["hash", "first", "longest"]),
)
def test_any_rows_balance_with_a_whole_account(
    rows: list[tuple[str | None, str]], strategy: dict[str, Any], count: str, keep: str
) -> None:
    frame = pl.DataFrame(
        {
            "id": [f"r{number}" for number in range(len(rows))],
            "messages": [
                [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}]
                for _, text in rows
            ],
            "user_label": pl.Series([label for label, _ in rows], dtype=pl.String),
        }
    )
    if all(label is None for label, _ in rows):
        return
    outcome = package.balance(frame, count=count, keep=keep, **strategy)
    check_account(frame, outcome)
    assert {label for label, _ in rows} == set(sizes_of(outcome))  # no group is lost
    told = [*outcome.notes, *outcome.dropped["detail"], *outcome.made["detail"]]
    assert not any("\x1b" in text or "\u202e" in text for text in told)
    again = package.balance(frame, count=count, keep=keep, **strategy)
    assert again.kept.collect().equals(outcome.kept.collect())
    if strategy.get("cap") and count == "rows":
        assert max(v for k, v in sizes_of(outcome).items() if k is not None) <= strategy["cap"]


def test_copies_follow_their_parents_into_one_split_and_never_into_test(
    curate: Callable[..., Any], lines: Lines
) -> None:
    words = [f"{a}{b}" for a in "abcdefghij" for b in "klmnopqrst"]
    path = lines(
        [
            {"prompt": " ".join(words[n : n + 4]), "completion": "yes", "category": "rare"}
            if n < 10
            else {"prompt": f"{words[n]} is {words[-n]}?", "completion": "no", "category": "often"}
            for n in range(0, 96, 2)
        ]
    )
    result = curate(
        {
            "sources": [str(path)],
            "steps": [{"balance": {"upsample": "max", "count": "rows", "max_repeats": 3}}],
            "split": {"validation": 0.2, "test": 0.2, "similarity": 0.9},
        }
    )
    assert result.ledger.balance == "48 in + 10 made = 58 kept + 0 dropped"
    split_of = {}
    copies = []
    for split in ("train", "validation", "test"):
        for row in pl.read_parquet(result.path / f"{split}.parquet").iter_rows(named=True):
            split_of[row["id"]] = split
            if row["meta"]["parents"]:
                copies.append((row["meta"]["parents"][0], split))
    assert len(copies) == 10
    assert all(split_of[parent] == split != "test" for parent, split in copies)
    ledger = json.loads((result.path / "ledger.json").read_text())
    step = next(one for one in ledger["steps"] if one["step"] == "balance")
    assert step["made"]["repeated"]["rows"] == 10


def test_the_circuit_breaker_lets_pass_what_the_recipe_asks_for(
    curate: Callable[..., Any], lines: Lines
) -> None:
    path = lines([{"prompt": f"q {n}", "completion": f"a {n}", "topic": "t"} for n in range(200)])
    section = {"sources": [str(path)], "split": {"similarity": 1.0}}
    for step in ({"balance": {"cap": 10, "count": "rows"}}, {"select": {"rows": 10}}):
        result = curate({**section, "steps": [step]})
        assert result.ledger.rows_kept == 10


def test_twice_balanced_rows_have_ids_of_their_own(
    curate: Callable[..., Any], lines: Lines
) -> None:
    path = lines(
        [{"prompt": f"q {n}", "completion": "a", "topic": "x" if n else "y"} for n in range(5)]
    )
    steps = [{"balance": {"upsample": "max", "count": "rows", "max_repeats": 2}}] * 2
    result = curate({"sources": [str(path)], "steps": steps})
    rows = pl.read_parquet(result.path / "train.parquet")
    assert rows["id"].is_unique().all()
    assert result.ledger.rows_made == rows.height - 5
