"""From a step back to its rows: they are the very tokens that the model was trained on."""

import json
import shutil
import subprocess
import sys
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from train.batch_rows import _recorded, read_batch
from workspace.errors import DataError, UsageError


@pytest.fixture
def fed(monkeypatch):
    """Return what the trainer was fed: step → its sequences, as token ids and their mask."""
    from train.trl_bridge.planned import Planned

    seen = {}
    original = Planned.training_step

    def spy(self, model, inputs, *rest, **options):
        found = seen.setdefault(int(self.state.global_step) + 1, [])
        if "attention_mask" in inputs:
            for one in self.seen(inputs):
                ids, mask = one.input_ids[: one.attended], one.loss_mask[: one.attended]
                found.append((tuple(ids.tolist()), tuple(mask.tolist())))
        else:
            found.extend(packed(inputs))
        return original(self, model, inputs, *rest, **options)

    monkeypatch.setattr(Planned, "training_step", spy)
    return seen


def packed(inputs):
    """Return the rows of a packed micro-batch: positions begin anew with each."""
    for ids, labels, places in zip(
        inputs["input_ids"].tolist(), inputs["labels"].tolist(), inputs["position_ids"].tolist(),
        strict=True,
    ):  # fmt: skip
        starts = [at for at, place in enumerate(places) if place == 0]
        for start, end in zip(starts, [*starts[1:], len(ids)], strict=True):
            # The first token of a row is never predicted, so that its label says nothing.
            mask = tuple(label != -100 for label in labels[start:end])
            yield tuple(ids[start:end]), mask


@pytest.mark.parametrize(
    "train",
    [
        {"micro_batch_size": 2, "tempering": {"replay": {"dataset": "general", "share": 0.25}}},
        {"micro_batch_size": 1, "packing": "bfd"},
    ],
    ids=["accumulated with replay", "packed"],
)
def test_the_rows_of_a_step_are_the_tokens_that_were_trained_on(bench, fed, train):
    run = bench.train({**train, "steps": 3})
    assert sorted(fed) == [1, 2, 3]
    for step, sequences in fed.items():
        batch = read_batch(run, step)
        assert not any(one.problem for one in batch.rows)
        rows = [
            (tuple(one.row.input_ids.tolist()), tuple(one.row.loss_mask.tolist()))
            for one in batch.rows
        ]
        assert Counter(rows) == Counter(sequences)
        assert len(rows) == 8
        for one in batch.rows:
            wrote = one.row.row.record["messages"][-1]["content"]
            told = bench_text(batch.tokenizer, one.row)
            assert wrote in told
    if "tempering" in train:
        assert Counter(one.role for one in batch.rows) == {"train": 6, "replay": 2}
        assert {one.micro_batch for one in batch.rows} == {0, 1, 2, 3}


def bench_text(tokenizer, row):
    """Return the text that carried loss."""
    return tokenizer.decode(row.input_ids[np.array(row.loss_mask)].tolist(), special=True)


def test_what_has_changed_since_is_told(bench):
    run = bench.train({"steps": 2})
    with pytest.raises(UsageError, match="no step 3"):
        read_batch(run, 3)
    first = read_batch(run, 1).rows
    record = json.loads((run / "run.json").read_text())
    dataset = bench.root / "datasets/toy"
    changed = bench.chats(37)
    gone, longer = first[0].row_id, first[1].row_id
    changed = [row for row in changed if row["id"] != gone]
    for row in changed:
        if row["id"] == longer:
            row["messages"][-1]["content"] += " and more of it"
    made = bench.dataset("toy", changed)
    shutil.rmtree(record["dataset"])
    shutil.move(made, record["dataset"])
    problems = {one.row_id: one.problem for one in read_batch(run, 1).rows}
    assert "no such row" in problems[gone]
    assert "has changed" in problems[longer]
    assert sum(bool(problem) for problem in problems.values()) == 2
    shutil.rmtree(dataset)
    lost = read_batch(run, 1).rows
    assert all("cannot be read" in one.problem and one.row is None for one in lost)
    (run / "batches.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read"):
        read_batch(run, 1)
    (run / "batches.parquet").unlink()
    with pytest.raises(DataError, match="no record of its batches"):
        read_batch(run, 1)


def test_a_record_of_an_earlier_version_is_told(tmp_path):
    row = {"step": 1, "role": "train", "row_id": "a", "micro_batch": 0, "position": 0}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "batches.parquet")
    with pytest.raises(DataError, match="packed together"):
        _recorded(tmp_path, 1, 1)


@pytest.mark.slow
def test_the_command_prints_the_rows_and_loads_no_torch(bench):
    run = bench.train({"steps": 2})
    code = (
        "import sys; from tui.cli import main; sys.argv = ['temper', 'batch', 'latest', '2', *A]; "
        "code = main(); print('torch' in sys.modules, file=sys.stderr); sys.exit(code)"
    )
    outputs = []
    for arguments in ("[]", "['--json']"):
        done = subprocess.run(
            [sys.executable, "-P", "-c", code.replace("*A", f"*{arguments}")],
            cwd=bench.root, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stderr.strip().endswith("False")
        outputs.append(done.stdout)
    document = json.loads(outputs[1])
    assert (document["run"], document["step"], document["steps"]) == (run.name, 2, 2)
    for row in document["rows"]:
        assert row["row_id"] in outputs[0]
        trained = "".join(one["text"] for one in row["segments"] if one["trained"])
        assert f"⟦{trained}⟧" in outputs[0]
