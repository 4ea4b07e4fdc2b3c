"""Scores of rows by models: the formulas, the cache, the thresholds."""

from __future__ import annotations

import math
import os
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import curate as package
from curate.frame import ROW
from curate.steps.base import Outcome
from curate.steps.scoring import likelihood, perplexity
from evalsuite.builtin import model_path
from evalsuite.engine.passes import batches
from evalsuite.models import ChatTokenizer, load
from workspace.errors import DataError, ModelError, UsageError, WorkError

PAIRS = [
    ("Upper case: stone", "STONE"),
    ("Add 3 and 4.", "7"),
    ("Reverse the letters of tin.", "nit, that is what comes out of it when it is read backwards"),
    ("Say hello.", "Qzx vbn wlk jjj"),
    ("Sort: c, a, b", "a, b, c"),
]


def chats(pairs: list[tuple[str, str]] = PAIRS) -> pl.DataFrame:
    turns = [
        [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
        for asked, said in pairs
    ]
    return pl.DataFrame({"messages": turns, "id": [f"r{n}" for n in range(len(pairs))]})


def scores_of(outcome: Outcome, name: str) -> list[float | None]:
    return outcome.kept.collect()["scores"].struct.field(name).to_list()


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temper.yaml").write_text("name: scores\n")  # a workspace, so scores are kept
    return tmp_path


@pytest.fixture(scope="module")
def tokenizer() -> ChatTokenizer:
    return ChatTokenizer.from_dir(model_path())


@pytest.fixture(scope="module")
def model() -> Any:
    return load.load_model(model_path())


def surprise(model: Any, ids: list[int], counted: list[int]) -> float:
    """−Σ ln p of the tokens at these places, one row alone, plainly."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0].double()
    logs = torch.log_softmax(logits, dim=-1)
    return -sum(float(logs[place - 1, ids[place]]) for place in counted)


def test_perplexity_and_bits_per_byte_are_those_of_the_trained_tokens(
    model: Any, tokenizer: ChatTokenizer
) -> None:
    outcome = package.score(chats(), "perplexity", model="builtin")
    for (asked, said), value, bits in zip(
        PAIRS,
        scores_of(outcome, "perplexity"),
        scores_of(outcome, "perplexity_bits_per_byte"),
        strict=True,
    ):
        before = tokenizer.encode(f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n")
        answer = tokenizer.encode(f"{said}<|im_end|>")
        places = list(range(len(before), len(before) + len(answer)))
        total = surprise(model, before + answer, places)
        assert value == pytest.approx(math.exp(total / len(answer)), rel=1e-4)
        assert bits == pytest.approx(total / math.log(2) / len(said.encode()), rel=1e-4)


def test_every_assistant_turn_counts_and_no_other_does(
    model: Any, tokenizer: ChatTokenizer
) -> None:
    turns = ["Say a.", "a", "Say b.", "b"]
    roles = ["user", "assistant"] * 2
    row = [{"role": role, "content": said} for role, said in zip(roles, turns, strict=True)]
    outcome = package.score(pl.DataFrame({"messages": [row]}), "perplexity", model="builtin")
    chat = tokenizer.encode_chat(row)
    places = [place for place, yes in enumerate(chat.loss_mask) if yes]
    expected = math.exp(surprise(model, chat.input_ids, places) / len(places))
    assert scores_of(outcome, "perplexity") == [pytest.approx(expected, rel=1e-4)]


def test_ifd_is_the_perplexity_with_the_prompt_divided_by_that_without(
    model: Any, tokenizer: ChatTokenizer
) -> None:
    outcome = package.score(chats(), "ifd", model="builtin")
    opening = tokenizer.encode("<|im_start|>assistant\n")
    found = scores_of(outcome, "ifd")
    for (asked, said), value in zip(PAIRS, found, strict=True):
        before = tokenizer.encode(f"<|im_start|>user\n{asked}<|im_end|>\n") + opening
        answer = tokenizer.encode(f"{said}<|im_end|>")
        sums = [
            surprise(model, start + answer, list(range(len(start), len(start) + len(answer))))
            for start in (before, opening)
        ]
        with_prompt, without = (math.exp(one / len(answer)) for one in sums)
        assert value == pytest.approx(with_prompt / without, rel=1e-3)
    assert found[0] is not None
    assert found[0] < 0.5  # an ability of the model: the prompt says it all


def test_rows_whose_prompt_does_not_help_are_told() -> None:
    outcome = package.score(chats([*PAIRS, ("Add 3 and 4.", "STONE")]), "ifd", model="builtin")
    last = scores_of(outcome, "ifd")[-1]
    assert last is not None
    assert last > 1
    told = [note for note in outcome.notes if "1 or more" in note]
    assert len(told) == 1
    assert "r5" in told[0]
    assert not any(note.startswith("WARNING") for note in outcome.notes)


def test_a_model_that_knows_nothing_of_the_text_is_warned_of() -> None:
    shuffled = [(PAIRS[n][0], PAIRS[(n + 2) % 5][1]) for n in range(5)]
    outcome = package.score(chats(shuffled), "ifd", model="builtin")
    above = sum(value is not None and value >= 1 for value in scores_of(outcome, "ifd"))
    assert above >= 3
    assert any("more than half" in note for note in outcome.notes)


def test_batches_and_order_do_not_change_a_score() -> None:
    together = scores_of(package.score(chats(), "perplexity", model="builtin"), "perplexity")
    for number, pair in enumerate(PAIRS):
        (Path("cache") / "scores").rename(f"gone-{number}")
        alone = scores_of(package.score(chats([pair]), "perplexity", model="builtin"), "perplexity")
        assert alone == [pytest.approx(together[number], rel=1e-4)]


def test_batches_are_longest_first_and_within_the_budget() -> None:
    lengths = [3, 50, 7, 7, 20, 1, 49]
    parts = list(batches(lengths, lambda rows, longest: rows * longest <= 60))
    assert sorted(place for part in parts for place in part) == list(range(7))
    assert parts[0] == [1]
    for part in parts:
        assert len(part) == 1 or len(part) * max(lengths[i] for i in part) <= 60


def test_another_threshold_computes_nothing_and_loads_no_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = package.score(chats(), "perplexity", model="builtin")

    def refuse(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(load, "load_model", refuse)
    with pytest.raises(AssertionError, match="a model was loaded"):
        package.score(chats(), "ifd", model="builtin")
    second = package.score(chats(), "perplexity", model="builtin", max=50)
    bits = package.score(chats(), "perplexity", model="builtin", measure="bits_per_byte", max=3)
    values = dict(zip(first.kept.collect()["id"], scores_of(first, "perplexity"), strict=True))
    kept = second.kept.collect()["id"].to_list()
    assert kept == [name for name, value in values.items() if value is not None and value <= 50]
    assert 0 < len(kept) < len(PAIRS)
    assert ": 0 of " in second.run_notes[0]
    assert 0 < bits.dropped.height < len(PAIRS)
    assert "perplexity_bits_per_byte" in bits.dropped["detail"][0]


def test_changed_rows_alone_are_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    package.score(chats(), "perplexity", model="builtin")
    seen: list[int] = []
    plain = likelihood.surprises

    def counting(engine: Any, passages: Any) -> Any:
        seen.append(len(passages))
        return plain(engine, passages)

    monkeypatch.setattr(likelihood, "surprises", counting)
    changed = chats([*PAIRS[:2], ("Reverse tin.", "nit"), *PAIRS[3:]])
    outcome = package.score(changed, "perplexity", model="builtin")
    assert seen == [1]
    assert ": 1 of " in outcome.run_notes[0]


def test_a_frame_that_was_changed_by_hand_is_not_taken_for_what_it_was() -> None:
    first = package.score(chats(), "perplexity", model="builtin").kept.collect()
    other = chats([("Add 3 and 4.", "8"), *PAIRS[1:]])
    mixed = first.with_columns(other["messages"])  # the old content_hash is still beside it
    again = package.score(mixed, "perplexity", model="builtin")
    assert scores_of(again, "perplexity")[0] != first["scores"].struct.field("perplexity")[0]
    assert ": 1 of " in again.run_notes[0]


def test_what_was_computed_before_a_kill_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = likelihood.surprises

    def killed(engine: Any, passages: Any) -> Any:
        for done, part in enumerate(plain(engine, passages)):
            if done == 2:
                raise KeyboardInterrupt
            yield part

    monkeypatch.setattr(likelihood, "TOKENS", 1)
    monkeypatch.setattr(likelihood, "surprises", killed)
    with pytest.raises(KeyboardInterrupt):
        package.score(chats(), "perplexity", model="builtin")
    monkeypatch.setattr(likelihood, "surprises", plain)
    outcome = package.score(chats(), "perplexity", model="builtin")
    assert ": 3 of " in outcome.run_notes[0]


def test_equal_rows_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    plain = perplexity.PerplexityScorer.measure

    def counting(self: Any, records: Any) -> Any:
        seen.append(len(records))
        return plain(self, records)

    monkeypatch.setattr(perplexity.PerplexityScorer, "measure", counting)
    outcome = package.score(chats([PAIRS[0]] * 30_000), "perplexity", model="builtin")
    values = scores_of(outcome, "perplexity")
    assert seen == [1]
    assert len(values) == 30_000
    assert len(set(values)) == 1


def test_a_row_longer_than_the_model_reads_has_no_score_and_is_told() -> None:
    rows = [*PAIRS, ("Repeat.", "word " * 2_000)]
    outcome = package.score(chats(rows), "perplexity", model="builtin", max=1e9)
    assert scores_of(outcome, "perplexity")[-1] is None
    assert any("1 row has no perplexity" in note and "1,024" in note for note in outcome.notes)
    strict = package.score(chats(rows), "perplexity", model="builtin", without="drop")
    assert strict.dropped["reason"].to_list() == ["no_score"]
    assert "tokens are more than the 1,024" in strict.dropped["detail"][0]


def test_a_share_is_kept_from_the_right_end_with_ties() -> None:
    frame = chats()
    everything = scores_of(package.score(frame, "perplexity", model="builtin"), "perplexity")
    order = np.argsort(np.array(everything, float))
    low = package.score(frame, "perplexity", model="builtin", keep_share="40%")
    assert set(low.kept.collect()["id"]) == {f"r{i}" for i in order[:2]}
    assert low.dropped["reason"].unique().to_list() == ["outside_share"]
    high = package.score(frame, "perplexity", model="builtin", keep_share=0.4, keep="highest")
    assert set(high.kept.collect()["id"]) == {f"r{i}" for i in order[-2:]}
    equal = package.score(chats([PAIRS[1]] * 10), "perplexity", model="builtin", keep_share=0.1)
    assert equal.dropped.is_empty()


def test_details_say_value_against_threshold() -> None:
    outcome = package.score(chats(), "perplexity", model="builtin", min=2, max=500)
    assert outcome.dropped.height
    for row in outcome.dropped.iter_rows(named=True):
        sign, edge = (">", "500") if row["reason"] == "over_score" else ("<", "2")
        assert row["detail"].startswith("perplexity ")
        assert row["detail"].endswith(f" {sign} {edge}")


def test_every_type_of_rows_is_scored_by_what_is_learnt() -> None:
    ask = [[{"role": "user", "content": "Upper case: stone"}]]
    say = [[{"role": "assistant", "content": "STONE"}]]
    other = [[{"role": "assistant", "content": "no idea at all"}]]
    frames = {
        "prompt_completion": pl.DataFrame({"prompt": ask, "completion": say}),
        "preference": pl.DataFrame({"prompt": ask, "chosen": say, "rejected": other}),
        "unpaired": pl.DataFrame({"prompt": ask, "completion": say, "label": [True]}),
        "answer": pl.DataFrame({"prompt": ask, "answer": ["STONE"]}),
        "messages": chats([("Upper case: stone", "STONE")]),
    }
    found = {
        name: scores_of(package.score(frame, "perplexity", model="builtin"), "perplexity")[0]
        for name, frame in frames.items()
    }
    assert len({round(value or 0, 3) for value in found.values()}) == 1, found
    text = pl.DataFrame({"text": ["STONE", ""]})
    plain = package.score(text, "perplexity", model="builtin")
    assert scores_of(plain, "perplexity")[0] is not None
    assert scores_of(plain, "perplexity")[1] is None
    with pytest.raises(DataError, match="no prompt"):
        package.score(text, "ifd", model="builtin")


def test_scores_of_several_steps_stand_side_by_side() -> None:
    first = package.score(chats(), "perplexity", model="builtin")
    both = package.score(first.kept, "ifd", model="builtin", name="difficulty_score")
    assert both.kept.collect()["scores"].struct.fields == [
        "perplexity",
        "perplexity_bits_per_byte",
        "difficulty_score",
    ]


def test_no_rows_and_one_row() -> None:
    assert package.score(chats().head(0), "perplexity", model="builtin").kept.collect().height == 0
    one = package.score(chats().head(1), "ifd", model="builtin", keep_share=0.5)
    assert one.kept.collect().height == 1


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), min_size=1, max_size=8))
def test_any_text_is_scored_or_told(pairs: list[tuple[str, str]]) -> None:
    frame = chats(pairs)
    outcome = package.score(frame, "perplexity", model="builtin", max=1000, keep_share=0.5)
    kept = outcome.kept.collect()
    assert sorted([*kept[ROW], *outcome.dropped[ROW]]) == list(range(len(pairs)))
    assert kept[ROW].is_sorted()
    again = package.score(frame, "perplexity", model="builtin", max=1000, keep_share=0.5)
    assert again.kept.collect().equals(kept)


def test_a_model_must_be_named_and_must_be_one() -> None:
    with pytest.raises(UsageError, match="needs a model"):
        package.score(chats(), "perplexity")
    with pytest.raises(ModelError):
        package.score(chats(), "perplexity", model="./nowhere")
    with pytest.raises(UsageError):
        package.score(chats(), "perplexity", model="builtin", min=3, max=2)
    with pytest.raises(UsageError) as error:
        package.score(chats(), "beauty", model="builtin")
    assert "one of: perplexity, ifd, judge, reward" in error.value.cause
    with pytest.raises(UsageError):
        package.score(chats(), "perplexity", model="builtin", keep="lowest")


def test_a_damaged_cache_names_the_file_and_the_way_out() -> None:
    package.score(chats(), "perplexity", model="builtin")
    (file,) = Path("cache/scores").glob("*.sqlite")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    file.write_bytes(b"this is no database at all, but text that is long enough" * 20)
    with pytest.raises(DataError, match="cannot be used") as error:
        package.score(chats(), "perplexity", model="builtin")
    assert str(file.resolve()) in error.value.where
    file.unlink()
    package.score(chats(), "perplexity", model="builtin")


def test_a_line_of_the_cache_that_cannot_be_right_is_computed_again() -> None:
    before = scores_of(package.score(chats(), "perplexity", model="builtin"), "perplexity")
    (file,) = Path("cache/scores").glob("*.sqlite")
    with sqlite3.connect(file) as database:
        database.execute("UPDATE scores SET found = '[[1.0], null]'")
    database.close()
    after = package.score(chats(), "perplexity", model="builtin")
    assert scores_of(after, "perplexity") == pytest.approx(before, rel=1e-5)
    assert ": 5 of " in after.run_notes[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_told(workspace: Path) -> None:
    (workspace / "cache").mkdir(mode=0o500)
    with pytest.raises(WorkError):
        package.score(chats(), "perplexity", model="builtin")


def without_marks(workspace: Path, *changes: tuple[str, str]) -> Path:
    """Copy the built-in model, with a template that has no generation marks."""
    copy = workspace / "unmarked"
    copy.mkdir()
    for file in model_path().iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    template = copy / "chat_template.jinja"
    text = template.read_text(encoding="utf-8")
    marks = (("{%- generation -%}", ""), ("{%- endgeneration -%}", ""))
    for before, after in (*marks, *changes):
        assert before in text
        text = text.replace(before, after)
    template.write_text(text, encoding="utf-8")
    return copy


def test_a_template_without_marks_scores_the_same_answers(workspace: Path) -> None:
    marked = package.score(chats(), "perplexity", model="builtin")
    outcome = package.score(chats(), "perplexity", model=str(without_marks(workspace)))
    expected = scores_of(marked, "perplexity")
    assert scores_of(outcome, "perplexity") == pytest.approx(expected, rel=1e-4)
    assert not any("does not show" in note for note in outcome.notes)


def test_a_template_that_hides_the_answers_scores_the_last_one_and_says_so(
    workspace: Path,
) -> None:
    copy = without_marks(workspace)
    (copy / "generation_config.json").write_text('{"eos_token_id": 0}')  # no end that it writes
    outcome = package.score(chats(), "perplexity", model=str(copy))
    assert all(score is not None for score in scores_of(outcome, "perplexity"))
    assert any("does not show" in note for note in outcome.notes)
