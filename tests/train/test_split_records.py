"""After memory ran out, a run's files describe the batches that it really had."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.train.memory import refuse, refuse_from_pass
from tests.train.test_out_of_memory import Notes
from train.record import read_record
from workspace.errors import Stopped

PACKED = {
    "packing": "bfd",
    "max_length": 48,
    "batch_size": 12,
    "micro_batch_size": 4,
    "steps": 6,
    "checkpoint_every": 2,
    "tempering": {"replay": {"dataset": "general", "share": 0.25}},
}


def read(run: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / name).read_text())
    return found


def padding_in_batches(run: Path, steps: range = range(1, 7)) -> int:
    """Return the padding of all micro-batches, counted from which row was in which sequence."""
    filled: dict[tuple[int, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for row in pq.read_table(run / "batches.parquet").to_pylist():
        if row["step"] in steps:
            filled[row["step"], row["micro_batch"]][row["sequence"]] += row["tokens"]
    return sum(max(one.values()) * len(one) - sum(one.values()) for one in filled.values())


def is_true(run: Path) -> None:
    """Ledger, environment and plan agree with the batches, and with each other."""
    plan, packing = read(run, "plan.json"), read(run, "ledger.json")["packing"]
    digests = read(run, "env.json")["digests"]
    assert digests["plan"] == plan["digest"]
    assert digests["schedule"] == plan["schedule_digest"]
    assert packing["total"]["padding"] == padding_in_batches(run)
    for name in ("padding", "padding_saved", "tokens", "rows"):
        assert packing["total"][name] == sum(one[name] for one in packing["sources"])
    total = packing["total"]
    assert total["padding_saved"] == total["padding_unpacked"] - total["padding"]


@pytest.fixture
def split(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose steps from the fourth on had two sequences at once in place of four, stopped."""
    planned = bench.prepare(PACKED)
    assert planned.schedule.accumulation > 1
    before = 3 * planned.schedule.accumulation + 1
    refuse(monkeypatch, refuse_from_pass(before + 1, rows=2))
    with pytest.raises(Stopped):
        bench.train(PACKED, reporter=Notes(stop_after=4))
    (run,) = bench.workspace.runs.iterdir()
    return Path(run)


def test_the_ledger_and_digests_follow_the_rows_at_once(bench: Any, split: Path) -> None:
    """The first pass is that of the proof that packed rows do not see each other."""
    (change,) = read_record(split)["micro_batches"]
    assert (change["before"], change["now"]) == (4, 2) and 0 < change["after_step"] < 6
    is_true(split)
    planned = bench.prepare(PACKED).ledger.packing.as_dict()["total"]
    found = read(split, "ledger.json")["packing"]["total"]
    assert found["padding"] < planned["padding"]  # of fewer rows beside each other
    assert found["padding_unpacked"] == planned["padding_unpacked"]
    bench.resume(split)
    is_true(split)


def test_what_a_kill_left_of_the_old_plan_is_written_again(bench: Any, split: Path) -> None:
    wanted = {name: read(split, name) for name in ("plan.json", "ledger.json")}
    shutil.copytree(split, bench.root / "before")
    stale = bench.prepare(PACKED)
    (split / "plan.json").write_text(json.dumps(stale.plan.as_dict()))
    (split / "ledger.json").write_text(json.dumps(stale.ledger.as_dict()))
    bench.resume(split)
    assert {name: read(split, name) for name in wanted} == wanted
    is_true(split)


@pytest.mark.slow
def test_steps_done_again_from_an_older_checkpoint_count_as_they_were_done_last(
    bench: Any, split: Path
) -> None:
    shutil.rmtree(split / "checkpoints")
    before = read(split, "ledger.json")["packing"]["total"]["padding"]
    bench.resume(split)
    is_true(split)
    assert read(split, "ledger.json")["packing"]["total"]["padding"] < before
    with pq.ParquetFile(split / "batches.parquet") as file:
        assert max(file.read()["sequence"].to_pylist()) == 1
