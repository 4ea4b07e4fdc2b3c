"""Rejection-sampling fine-tuning: what is drawn, what is kept, and that nothing is drawn twice."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.train.asking import HAS_AN_A, ask
from train.recipe import TrainSection
from train.sampling.drawn import FILE, Drawn, append, read
from train.sampling.keep import keep
from workspace.errors import DataError, LimitExceeded, Stopped

METHOD = {"kind": "rft", "rewards": [HAS_AN_A], "samples": 12, "max_new_tokens": 32, "most_kept": 2}
RFT = {
    "method": METHOD,
    "adapter": {"kind": "full"},
    "batch_size": 4,
    "steps": 3,
    "limits": {"dropped": 1.0},
}


def section(**changes: Any) -> Any:
    """Return the method's settings."""
    return TrainSection.model_validate({"method": {**METHOD, **changes}}).method


@pytest.fixture
def asks(bench: Any) -> Any:
    """The bench with questions whose answers can be verified."""
    bench.dataset("toy", [ask(number) for number in range(12)])
    return bench


def drawn(row: str, sample: int, text: str, reward: float = 1.0, ended: bool = True) -> Drawn:
    """One completion."""
    return Drawn(row, sample, text, len(text), ended, reward, {"format": reward})


def test_what_is_kept_and_lost_adds_up() -> None:
    found = [
        drawn("a", 0, "x"),
        drawn("a", 1, " x "),
        drawn("a", 2, "y"),
        drawn("a", 3, "z"),
        drawn("a", 4, "best", reward=1.5),
        drawn("b", 0, "no", reward=0.0),
        drawn("b", 1, "runs on", ended=False),
        drawn("b", 2, "  "),
    ]
    kept, account = keep(section(), ["a", "b"], found)

    assert [one.text for one in kept] == ["best", "x"]
    assert account.lost == {"wrong": 2, "cut": 1, "duplicate": 1, "beyond_most_kept": 2}
    assert (account.prompts_kept, account.prompts_lost, account.lost_ids) == (1, 1, ["b"])
    assert account.balances() and account.completions == 8
    assert "1 of 2 prompts (50%) are lost" in account.told[1]


def test_half_a_line_is_not_yet_written(tmp_path: Path) -> None:
    path = tmp_path / FILE
    append(path, [drawn("a", 0, "x"), drawn("a", 1, "y")])
    with path.open("ab") as stream:
        stream.write(b'{"row_id": "a", "sam')
    append(path, [drawn("a", 2, "z"), drawn("a", 1, "again")])

    assert [(one.sample, one.text) for one in read(path)] == [(0, "x"), (1, "y"), (2, "z")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samples": 0}, "greater than or equal to 1"),
        ({"rewards": [{"kind": "model", "model": "m"}]}, "a threshold, since model"),
        ({"tresold": 1}, "tresold"),
        ({"num_generations": 4}, "num_generations"),
        ({"example": "x"}, "{answer}"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        section(**changes)


def test_a_dataset_of_another_type_is_refused(bench: Any) -> None:
    bench.dataset("toy", [{"id": "one", "text": "just text"}])
    with pytest.raises(DataError, match="rft"):
        bench.prepare(RFT)


def test_right_completions_are_drawn_kept_and_learnt(asks: Any) -> None:
    run = asks.train(RFT)

    completions = list(read(run / FILE))
    assert len({(one.row_id, one.sample) for one in completions}) == 12 * 12
    ledger = json.loads((run / "ledger.json").read_text())
    account = ledger["sampling"]
    assert account["completions"] == 144 and account["prompts"] == 12
    assert account["completions_kept"] + sum(account["lost"].values()) == 144
    rows = pq.read_table(run / "kept" / "train.parquet").to_pylist()
    assert len(rows) == account["completions_kept"] > 0
    assert all("a" in row["completion"][0]["content"] for row in rows)
    assert all(row["meta"]["parents"][0].startswith("ask-") for row in rows)
    plan = json.loads((run / "plan.json").read_text())
    assert plan["method"]["kind"] == "sft" and plan["sources"][0]["rows"] == len(rows)
    assert (run / "model" / "config.json").is_file()
    assert json.loads((run / "run.json").read_text())["method"] == "rft"
    assert json.loads((run / "proof.json").read_text())["passed"]
    assert json.loads((run / "sampling_proof.json").read_text())["rewards"]["passed"]


def test_nothing_right_stops_with_the_best_that_there_was(asks: Any) -> None:
    never = {"kind": "format", "pattern": "never never.*", "name": "n"}
    method = {**METHOD, "rewards": [never], "samples": 1, "example": "never never{answer}"}
    with pytest.raises(LimitExceeded, match="no completion is right") as stopped:
        asks.train({**RFT, "method": method})

    assert stopped.value.cause.startswith("12 completions of 12 prompts were drawn: 12 wrong")


def _killed_after(asks: Any, kill: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Train in a process of its own that is ended while it draws; return the run."""
    import train.sampling.stage as stage

    child = os.fork()
    if child == 0:
        calls = 0

        def counted(path: Path, found: Any) -> None:
            nonlocal calls
            append(path, found)
            calls += 1
            if calls == 1:
                kill()

        monkeypatch.setattr(stage, "append", counted)
        try:
            asks.train(RFT)
        finally:
            os._exit(3)
    os.waitpid(child, 0)
    (run,) = asks.workspace.runs.iterdir()
    return run


@pytest.mark.slow
def test_a_killed_run_draws_only_what_is_not_written_and_ends_the_same(
    asks: Any, make_bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_bench(tmp_path / "other", asks.model)
    other.dataset("toy", [ask(number) for number in range(12)])
    whole = other.train(RFT)
    run = _killed_after(asks, lambda: os.kill(os.getpid(), signal.SIGKILL), monkeypatch)
    before = (run / FILE).read_bytes()
    assert 0 < before.count(b"\n") < 144

    asks.resume(run)

    assert (run / FILE).read_bytes().startswith(before)
    assert (run / FILE).read_bytes().count(b"\n") == 144
    assert list(read(run / FILE)) == list(read(whole / FILE))
    weights = [one / "model" / "model.safetensors" for one in (run, whole)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.slow
def test_a_stop_between_the_stages_goes_on_with_the_second(
    asks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: Any) -> None:
        raise Stopped(15)

    with monkeypatch.context() as patch:
        patch.setattr("train.run.enter_second_stage", fails)
        with pytest.raises(Stopped):
            asks.train(RFT)
    (run,) = asks.workspace.runs.iterdir()
    assert (run / "kept").is_dir() and not (run / "model").exists()

    asks.resume(run)

    assert (run / "model" / "config.json").is_file()
    record = json.loads((run / "run.json").read_text())
    assert len(record["attempts"]) == 2 and record["dataset"].endswith("kept")
