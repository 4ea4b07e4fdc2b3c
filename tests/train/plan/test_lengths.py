"""How long rows are, what of them is lost by source, and what stops a run for it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from train.plan.lengths import LengthCurve
from workspace.errors import LimitExceeded


def curve(lengths: list[int], *, context: int = 4096, reserved: int = 0) -> LengthCurve:
    return LengthCurve(np.sort(np.array(lengths)), [], 1024, reserved, context)


def with_long_rows(bench: Any, count: int, words: int = 200) -> None:
    """Forty chats from two sources; some of the second are too long for the model."""
    rows = bench.chats(40)
    for row in rows[1 : 2 * count : 2]:
        row["messages"][1]["content"] = "card " * words
    bench.dataset("toy", rows)


def test_the_proposed_length_holds_all_but_one_row_in_a_thousand() -> None:
    few = curve([10] * 997 + [50, 60, 3000])
    assert few.proposed.value == 64
    assert few.proposed.reason == "1 of 1,000 rows are longer"
    assert curve([10] * 998 + [3000]).proposed.value == 3000  # of 999 rows none may be longer
    assert curve([10] * 9_990 + [11] * 10).proposed.value == 16
    capped = curve([5000] * 3, context=2048).proposed
    assert (capped.value, capped.reason) == (2048, "the model's context; 3 of 3 rows are longer")
    assert curve([20], reserved=100).proposed.value == 124


def test_the_curve_counts_rows_and_tokens_beyond_each_length() -> None:
    found = curve([10, 10, 10, 14, 40])
    assert found.quantiles["50%"] == 10 and found.quantiles["99.9%"] == 40
    by_length = {one["max_length"]: one for one in found.points}
    assert list(by_length) == [12, 16, 24, 32, 48]
    assert (by_length[12]["rows_longer"], by_length[12]["tokens_beyond"]) == (2, 2 + 28)
    assert by_length[12]["tokens_beyond_share"] == pytest.approx(30 / 84, abs=1e-6)
    assert (by_length[48]["rows_longer"], by_length[48]["tokens_beyond"]) == (0, 0)


def test_dropped_and_cut_rows_count_with_their_whole_length(bench: Any) -> None:
    with_long_rows(bench, 1)
    found = {}
    for what in ("drop", "cut"):
        lengths = bench.prepare({"too_long": what}).ledger.lengths
        found[what] = lengths.as_dict()
        (longest, *others) = lengths.longest
        assert longest["row_id"] == "train-1" and longest["source"] == "train-1.jsonl"
        assert longest["tokens"] > 128 > others[0]["tokens"]
        assert lengths.rows == 40 and lengths.longer(128) == 1
    assert found["drop"] == found["cut"]


def test_the_length_of_a_pair_is_that_of_its_longer_answer(bench: Any) -> None:
    ask = [{"role": "user", "content": "card"}]
    answers = [[{"role": "assistant", "content": "late " * words}] for words in (1, 30)]
    row = {"id": "a", "prompt": ask, "chosen": answers[0], "rejected": answers[1]}
    bench.dataset("toy", [{**row, "meta": {"source": "p.jsonl", "row": 0}}])
    prepared = bench.prepare({"method": "dpo"})
    assert prepared.ledger.lengths.lengths.tolist() == [prepared.rows[0].sequences[1].tokens]


def test_room_for_a_completion_is_part_of_the_proposed_length(bench: Any) -> None:
    row = {"prompt": [{"role": "user", "content": "card"}], "answer": "late"}
    bench.dataset("toy", [{**row, "id": str(n), "meta": {"source": "a", "row": n}} for n in (1, 2)])
    method = {"kind": "grpo", "rewards": ["exact"], "max_new_tokens": 24, "num_generations": 2}
    prepared = bench.prepare({"method": method, "batch_size": 2, "steps": 1})
    longest = int(prepared.rows.tokens.max())
    assert prepared.ledger.lengths.proposed.value == -(-longest // 8) * 8 + 24


def test_the_ledger_document_tells_all_by_source(bench: Any) -> None:
    with_long_rows(bench, 2)
    document = json.loads(json.dumps(bench.prepare({"too_long": "cut"}).ledger.as_dict()))
    sources = {one["source"]: one for one in document["sources"]}
    assert (sources["train-0.jsonl"]["rows_kept"], sources["train-0.jsonl"]["tokens_cut"]) == (
        20,
        0,
    )
    second = sources["train-1.jsonl"]
    assert second["rows_cut"] == 2 and second["tokens_cut"] > 0
    parts = ("tokens_trained", "tokens_masked", "tokens_cut", "tokens_dropped")
    assert second["tokens_in"] == sum(second[name] for name in parts)
    assert [row["row_id"] for row in document["rows"]] == ["train-1", "train-3"]
    assert document["lengths"]["quantiles"]["100%"] > 128
    assert document["lengths"]["proposed_max_length"]["value"] == 128


def test_a_limit_of_its_own_stops_where_one_source_vanishes(bench: Any) -> None:
    rows = bench.chats(60)
    for row in rows[:2]:
        row["meta"]["source"] = "rare.jsonl"
        row["messages"][1]["content"] = "card " * 200
    bench.dataset("toy", rows)
    (warning,) = [one for one in bench.prepare().plan.warnings if "rare" in one]
    assert warning.startswith("train source rare.jsonl: 2 of 2 rows are dropped or cut")
    with pytest.raises(LimitExceeded, match="2 of 2 train rows of one source") as caught:
        bench.prepare({"limits": {"of_source": "50%"}})
    assert caught.value.exit_code == 6 and caught.value.where == "train.limits.of_source"
    assert "rare.jsonl: too_long: 2" in caught.value.cause and "id train-0" in caught.value.cause


def test_a_limit_names_the_sources_and_the_length_to_take(bench: Any) -> None:
    with pytest.raises(LimitExceeded, match="would be dropped") as caught:
        bench.prepare({"max_length": 24})
    assert "train-1.jsonl: " in caught.value.cause and "id train-" in caught.value.cause
    wanted = bench.prepare().ledger.lengths.proposed.value
    assert f"train.max_length to {wanted} (no row is longer)" in caught.value.cure


@pytest.mark.parametrize("lost", [0, 2])
def test_plan_prints_the_ledger_by_source_and_the_lengths(
    bench: Any, capsys: pytest.CaptureFixture[str], lost: int
) -> None:
    from train.ledger_view import print_ledger

    with_long_rows(bench, lost)
    print_ledger(bench.prepare().ledger)
    out = capsys.readouterr().out
    assert "train-0.jsonl" in out and "train-1.jsonl" in out and "proposed: " in out
    assert ("too_long" in out) == bool(lost)
    assert ("train-3" in out) == bool(lost)


@pytest.mark.parametrize("lost", [0, 2])
def test_check_tells_the_tokens_of_each_source_and_the_length_to_take(
    bench: Any, lost: int
) -> None:
    from tui.check_ledger import ledger_findings

    with_long_rows(bench, lost, words=50)
    prepared = bench.prepare({"max_length": 48, "limits": {"dropped": 0.1}})
    found = list(ledger_findings(prepared.ledger))
    assert [one.what for one in found] == ["tokens", "tokens", "lengths"]
    first, second, lengths = found
    account = prepared.ledger.accounts["train", "train-0.jsonl"]
    assert (
        first.level == "ok" and f"20 of 20 rows kept; {account.tokens_in:,} tokens" in first.found
    )
    if not lost:
        assert second.level == lengths.level == "ok" and "would do" in lengths.found
        return
    assert second.level == "warn" and "18 of 20 rows kept, 2 dropped" in second.found
    assert "Rows: train-1 (too_long), train-3 (too_long)" in second.found
    assert lengths.level == "warn"
    assert lengths.cure == "Set train.max_length: 120 (no row is longer)."


def test_check_tells_what_packing_saves(bench: Any) -> None:
    from tui.check_ledger import ledger_findings

    prepared = bench.prepare({"packing": "bfd", "max_length": 64})
    total = prepared.ledger.packing.as_dict()["total"]
    (told,) = [one.found for one in ledger_findings(prepared.ledger) if one.what == "packing"]
    assert f"{total['padding']:,} tokens of padding in place of" in told


def test_the_limits_of_the_plans_page_are_those_of_the_recipe(bench: Any) -> None:
    page = (Path(__file__).parents[3] / "docs" / "plan.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(# limits.yaml\n.*?)```", page, re.DOTALL)
    train = json.loads(json.dumps(YAML().load(example)["train"]))
    with_long_rows(bench, 2)
    assert bench.prepare(train).ledger.total("train").rows_dropped == {"too_long": 2}
    with_long_rows(bench, 3)
    with pytest.raises(LimitExceeded, match="3 of 40 train rows would be dropped"):
        bench.prepare(train)
    train["limits"] |= {"dropped": "100%", "of_source": "10%"}
    with pytest.raises(LimitExceeded, match="3 of 20 train rows of one source"):
        bench.prepare(train)
