"""`train.from`: a run that goes on from an earlier one's result."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from train.data import read_dataset
from train.record import read_record
from train.reporter import Silent
from workspace.errors import DataError, ModelError, RecipeError, TemperError, UsageError

SHORT = {"steps": 2, "adapter": {"kind": "lora", "r": 4}, "max_length": 64}


def replaying(share: float, **more: Any) -> dict[str, Any]:
    """The part of a recipe that says how much is replayed."""
    return {"tempering": {"replay": {"share": share, **more}}}


@pytest.fixture(scope="module")
def chain(tiny_model: Path, make_bench: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Three runs, each from the one before; read only."""
    bench = make_bench(tmp_path_factory.mktemp("chain"), tiny_model)
    bench.dataset("second", bench.chats(30, kind="second"))
    first = bench.train(SHORT, name="first")
    second = bench.train(
        {
            **SHORT,
            "dataset": "second",
            "from": first.name,
            "tempering": {"replay": {"share": 0.25}},
        },
        name="second",
    )
    third = bench.train(
        {
            **SHORT,
            "from": "second",
            "adapter": {"kind": "full"},
            "tempering": {"replay": {"share": 0}},
        },
        name="third",
    )
    return bench, first, second, third


def test_it_begins_with_the_merged_result(chain: Any) -> None:
    import torch

    from evalsuite.models.load import load_adapter, load_model

    bench, first, second, _ = chain
    ids = torch.arange(3, 40)[None]
    with torch.no_grad():
        tuned = load_adapter(load_model(bench.model), first / "model")(ids).logits
        start = load_model(second / "start")(ids).logits
        untouched = load_model(bench.model)(ids).logits
    assert float((tuned - start).abs().max()) < 1e-5 < float((untouched - start).abs().max())


def test_the_merged_weights_are_in_the_precision_of_the_base(
    tiny_model: Path, tmp_path: Path
) -> None:
    import torch

    from evalsuite.models.load import load_model
    from train.adapters.merging import stored_precision

    load_model(tiny_model).to(torch.bfloat16).save_pretrained(tmp_path)  # type: ignore[call-overload]
    assert (stored_precision(tiny_model), stored_precision(tmp_path)) == ("float32", "bfloat16")


def test_its_record_names_the_whole_chain_and_the_one_base(chain: Any) -> None:
    bench, first, second, third = chain
    records = [read_record(run) for run in (first, second, third)]
    assert "begins" not in records[0]
    assert records[1]["base"]["path"] == str(second / "start")
    begins = records[2]["begins"]
    assert [link["run"] for link in begins["chain"]] == [first.name, second.name]
    assert begins["root"] == records[0]["base"] and begins["root"]["path"] == str(bench.model)
    for link, run in zip(begins["chain"], (first, second), strict=True):
        rows = Path(link["dataset"])
        digest = read_dataset(rows, "train", accepts=["messages"], method="sft").digest
        assert link["dataset_digest"] == digest
        assert json.loads((run / "plan.json").read_text())["sources"][0]["digest"] == digest
    assert records[1]["begins"]["how"] == "merged" and begins["replayed"] is None


def test_the_rows_of_the_run_before_are_replayed_as_much_as_asked(chain: Any) -> None:
    _, first, second, _ = chain
    record = read_record(second)
    assert record["begins"]["replayed"] == {
        "run": first.name,
        "dataset": read_record(first)["dataset"],
        "digest": record["begins"]["chain"][0]["dataset_digest"],
        "share": 0.25,
    }
    rows = [row["row_id"] for row in pq.read_table(second / "batches.parquet").to_pylist()]
    assert len(rows) == 16 and sum(name.startswith("train-") for name in rows) == 4


def test_half_of_every_batch_is_replayed_if_nothing_is_said(chain: Any) -> None:
    bench, first, _, third = chain
    plan = bench.prepare({**SHORT, "dataset": "second", "from": first.name}).plan
    assert [(one.role, one.rows_seen) for one in plan.sources] == [("train", 8), ("replay", 8)]
    kept = {"dataset": "second", "from": first.name, "tempering": {"layer_rates": {"decay": 0.9}}}
    assert len(bench.prepare({**SHORT, **kept}).plan.sources) == 2
    named = {**SHORT, "dataset": "second", "from": first.name, **replaying(0.5, dataset="general")}
    assert bench.prepare(named).plan.sources[1].path == str(bench.workspace.dataset("general"))
    assert read_record(third)["replay"] is None
    assert [one["role"] for one in json.loads((third / "plan.json").read_text())["sources"]] == [
        "train"
    ]


def test_a_whole_model_is_gone_on_from_without_a_second_copy(chain: Any) -> None:
    bench, _, _, third = chain
    fourth = bench.train({**SHORT, "from": third.name, **replaying(0)}, name="fourth")
    weights = [run / part for run, part in ((third, "model"), (fourth, "start"))]
    one, other = (path / "model.safetensors" for path in weights)
    assert one.samefile(other) and read_record(fourth)["begins"]["how"] == "whole"
    assert len(read_record(fourth)["begins"]["chain"]) == 3


class Killer(Silent):
    """A reporter that ends its process at a step without a word."""

    def step(self, report: Any) -> None:
        if report.step == 3:
            os.kill(os.getpid(), signal.SIGKILL)


def test_killed_it_goes_on_bit_for_bit_though_the_run_before_is_gone(
    chain: Any, make_bench: Any, tmp_path: Path, losses: Callable[[Path], list[float]]
) -> None:
    bench = copied(chain, make_bench, tmp_path)
    recipe = {**SHORT, "steps": 4, "checkpoint_every": 2, "dataset": "second", "from": "first"}
    whole = bench.train(recipe, name="whole")
    child = os.fork()
    if child == 0:
        try:
            bench.train(recipe, name="killed", reporter=Killer())
        finally:
            os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    run = bench.workspace.run("killed")
    shutil.rmtree(bench.workspace.run("first"))

    bench.resume(run)

    assert losses(run) == losses(whole) and len(losses(run)) == 4
    assert (run / "model/adapter_model.safetensors").read_bytes() == (
        whole / "model/adapter_model.safetensors"
    ).read_bytes()


def copied(chain: Any, make_bench: Any, root: Path) -> Any:
    """A workspace of its own with the first run, to be spoilt."""
    made, first, *_ = chain
    bench = make_bench(root, made.model)
    bench.dataset("second", bench.chats(30, kind="second"))
    shutil.copytree(first, root / "runs" / first.name)
    return bench


def spoil(run: Path, **fields: Any) -> None:
    """Change a run's record."""
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, **fields}))


FROM = {**SHORT, "dataset": "second", "from": "first"}


@pytest.fixture
def first(chain: Any, make_bench: Any, tmp_path: Path) -> tuple[Any, Path]:
    """A workspace with one finished run."""
    bench = copied(chain, make_bench, tmp_path)
    return bench, bench.workspace.run("first")


def refused(bench: Any, train: dict[str, Any]) -> TemperError:
    """What planning says."""
    with pytest.raises(TemperError) as caught:
        bench.prepare(train)
    return caught.value


def test_a_run_that_is_not_finished_or_damaged_is_refused(first: tuple[Any, Path]) -> None:
    bench, run = first
    weights = run / "model/adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert "is damaged" in refused(bench, FROM).title
    shutil.rmtree(run / "model")
    error = refused(bench, FROM)
    assert isinstance(error, ModelError) and error.title == "the run to begin with is not finished"
    assert error.cure.startswith(f"Finish it with `temper resume {run.name}`")


def test_a_run_that_is_not_there_is_refused_with_the_nearest_name(first: tuple[Any, Path]) -> None:
    bench, run = first
    error = refused(bench, {**FROM, "from": "frist"})
    assert isinstance(error, UsageError) and "no run 'frist' to begin with" in error.title
    assert "Did you mean `first`?" in error.cure and error.where == "train.from"
    shutil.rmtree(run)
    assert "There is none yet" not in refused(bench, FROM).title


def test_a_run_of_another_base_is_refused(first: tuple[Any, Path], tmp_path: Path) -> None:
    bench, _ = first
    other = tmp_path / "other"
    shutil.copytree(bench.model, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 1e-5}))
    bench.model = other
    error = refused(bench, FROM)
    assert isinstance(error, ModelError) and "has another base" in error.title
    assert f"temper rebase {bench.workspace.run('first').name} --base {other}" in error.cure


def test_runs_that_begin_with_each_other_are_refused(first: tuple[Any, Path]) -> None:
    bench, run = first
    twin = run.with_name("20200101-000000-twin-0000")
    shutil.copytree(run, twin)
    spoil(run, begins={"run": twin.name, "path": str(twin), "chain": []})
    spoil(twin, begins={"run": run.name, "path": str(run), "chain": []})
    error = refused(bench, FROM)
    assert isinstance(error, DataError) and "begin with each other" in error.title
    assert f"{run.name} → {twin.name} → {run.name}" in error.cause


def test_a_reward_model_and_rows_that_cannot_be_replayed_are_refused(
    first: tuple[Any, Path],
) -> None:
    bench, run = first
    pair = {
        "id": "p",
        "prompt": [{"role": "user", "content": "card"}],
        "chosen": [{"role": "assistant", "content": "late"}],
        "rejected": [{"role": "assistant", "content": "plan"}],
    }
    bench.dataset("pairs", [pair] * 8)
    error = refused(bench, {**FROM, "dataset": "pairs", "method": "dpo"})
    assert "`method: dpo` cannot replay" in error.title and "`share: 0`" in error.cure
    assert bench.prepare({**FROM, "dataset": "pairs", "method": "dpo", **replaying(0)})
    spoil(run, dataset=str(bench.workspace.dataset("general")))
    assert "not those that it learnt from" in refused(bench, FROM).title
    spoil(run, dataset=str(bench.root / "gone"))
    assert "are gone" in refused(bench, FROM).title
    assert bench.prepare({**FROM, **replaying(0)})
    spoil(run, method="reward")
    assert "begin with a reward model" in refused(bench, FROM).title


def test_a_run_cannot_change_what_it_began_with(chain: Any, make_bench: Any) -> None:
    from train.inputs import find_inputs

    bench, first, second, _ = chain
    for now in ({"from": "third"}, {}):
        recipe = bench.recipe({**SHORT, "dataset": "second", **now})
        with pytest.raises(UsageError, match="cannot change what it began with") as caught:
            find_inputs(recipe, bench.workspace, begun=second)
        assert first.name in caught.value.cause


def test_replay_that_is_raised_from_nothing_is_of_the_run_before(chain: Any) -> None:
    from train.inputs import find_inputs

    bench, _, second, third = chain
    recipe = bench.recipe({**SHORT, "from": "second", "adapter": {"kind": "full"}})
    assert read_record(third)["replay"] is None
    found = find_inputs(recipe, bench.workspace, begun=third)
    assert str(found.replay) == read_record(second)["dataset"]


def test_replay_of_nothing_in_particular_needs_a_run_to_begin_with(bench: Any) -> None:
    with pytest.raises(RecipeError) as caught:
        bench.recipe({**replaying(0.5)})
    (problem,) = caught.value.problems
    assert problem.expected.startswith("a dataset in tempering.replay")
