"""Stopped, killed, changed, damaged: what `temper resume` does."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from train.record import read_record
from workspace.errors import DiskFullError, Stopped, UsageError
from workspace.events import read_events
from workspace.jobs import read_job

Losses = Callable[[Path], list[float]]
LORA = {"adapter": {"kind": "lora", "r": 4, "dropout": 0.1, "trainable_tokens": ["<|im_end|>"]}}
FULL = {"adapter": {"kind": "full"}, "micro_batch_size": 4}
LONG = {
    "steps": 12,
    "checkpoint_every": 2,
    "tempering": {"replay": {"dataset": "general", "share": 0.3}},
}


class StopAt:
    """Asks the job to stop after a step, as a signal would."""

    def __init__(self, step: int, number: int = signal.SIGTERM) -> None:
        self.at, self.number, self.notes = step, number, []  # type: ignore[var-annotated]

    def note(self, text: str) -> None:
        self.notes.append(text)

    def working(self, what: str, done: int, total: int) -> None: ...

    def planned(self, prepared: Any) -> None: ...

    def step(self, report: Any) -> None:
        if report.step == self.at:
            signal.raise_signal(self.number)


def stopped_run(bench: Any, train: dict[str, Any], *, after: int = 5) -> Path:
    """Train until a SIGTERM arrives after `after` steps; return the run."""
    with pytest.raises(Stopped) as caught:
        bench.train(train, reporter=StopAt(after))
    assert caught.value.exit_code == 143
    (run,) = bench.workspace.runs.iterdir()
    return Path(run)


def same_weights(one: Path, other: Path) -> bool:
    names = [path.name for path in (one / "model").glob("*.safetensors")]
    return bool(names) and all(
        (one / "model" / name).read_bytes() == (other / "model" / name).read_bytes()
        for name in names
    )


@pytest.mark.parametrize("train", [LORA, FULL], ids=["lora", "full"])
def test_a_stopped_run_continues_bit_for_bit(
    bench: Any, losses: Losses, train: dict[str, Any]
) -> None:
    straight = bench.train({**LONG, **train})
    wanted = losses(straight)
    shutil.move(straight, bench.root / "straight")
    run = stopped_run(bench, {**LONG, **train})
    assert len(losses(run)) == 6  # the step in which it stopped is finished and saved
    assert bench.resume(run) == run
    assert losses(run) == wanted
    assert same_weights(run, bench.root / "straight")
    record = read_record(run)
    assert [one["from_step"] for one in record["attempts"]] == [0, 6]
    assert [one["attempt"] for one in record["attempts"]] == [1, 2]
    job = read_job(bench.workspace.jobs / record["job"])
    assert job.state == "finished" and job.attempt == 2


def test_a_run_without_a_checkpoint_begins_again(bench: Any, losses: Losses) -> None:
    run = stopped_run(bench, LONG, after=1)
    shutil.rmtree(run / "checkpoints")
    told = StopAt(99)
    bench.resume(run, reporter=told)
    assert any("beginning at step 0" in note for note in told.notes)
    assert len(losses(run)) == 12


@pytest.mark.slow
def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_says_so(
    bench: Any, losses: Losses
) -> None:
    wanted = losses(bench.train(LONG))
    shutil.rmtree(bench.workspace.runs)
    run = stopped_run(bench, LONG)
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["step-4", "step-6"]
    optimizer = run / "checkpoints/step-6/optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:-100])
    told = StopAt(99)
    bench.resume(run, reporter=told)
    assert "checkpoint step-6 is not used: optimizer.pt is damaged" in told.notes
    assert any("continuing at step 4 of 12" in note for note in told.notes)
    assert losses(run) == wanted


def test_checkpoints_hold_no_pickled_arguments_and_no_history(bench: Any) -> None:
    run = stopped_run(bench, LONG)
    checkpoint = run / "checkpoints/step-6"
    assert not (checkpoint / "training_args.bin").exists()
    assert not (checkpoint / "README.md").exists()
    assert json.loads((checkpoint / "trainer_state.json").read_text())["log_history"] == []


def changed(bench: Any, run: Path, **options: Any) -> UsageError:
    with pytest.raises(UsageError, match="not as when this run") as caught:
        bench.resume(run, **options)
    assert caught.value.exit_code == 2
    return caught.value


def test_a_changed_recipe_stops_with_the_difference_until_accepted(
    bench: Any, losses: Losses
) -> None:
    run = stopped_run(bench, LONG)
    before = losses(run)
    bench.recipe({**LONG, "learning_rate": 0.002, "weight_decay": 0.1})
    error = changed(bench, run, accept=["train.weight_decay"])
    assert error.cause == "train.learning_rate: was 0.01, is 0.002"
    assert "--accept train.learning_rate" in error.cure
    bench.resume(run, accept=["train.learning_rate", "train.weight_decay"])
    record = read_record(run)
    assert [one["name"] for one in record["attempts"][-1]["accepted"]] == [
        "train.learning_rate",
        "train.weight_decay",
    ]
    events, _ = read_events(bench.workspace.jobs / record["job"] / "events.jsonl")
    rates = {event["step"]: event["learning_rate"] for event in events if "learning_rate" in event}
    assert rates[6] > 0.004 and rates[7] < 0.002  # the new rate is used, not the checkpoint's
    assert losses(run)[:6] == before
    assert (
        json.loads((run / "plan.json").read_text())["settings"]["learning_rate"]["value"] == 0.002
    )


def test_harmless_changes_pass_and_are_said(bench: Any, losses: Losses) -> None:
    wanted = losses(bench.train(LONG))
    shutil.rmtree(bench.workspace.runs)
    run = stopped_run(bench, LONG)
    bench.recipe({**LONG, "checkpoint_every": 3, "keep_checkpoints": 1})
    told = StopAt(99)
    bench.resume(run, reporter=told)
    assert any("train.checkpoint_every: was 2, is 3" in note for note in told.notes)
    assert losses(run) == wanted


def test_changed_data_stops_until_accepted_and_done_steps_keep_their_rows(bench: Any) -> None:
    import pyarrow.parquet as pq

    run = stopped_run(bench, LONG)
    before = pq.read_table(run / "batches.parquet").to_pylist()
    bench.dataset("toy", bench.chats(37, start=100))
    error = changed(bench, run)
    assert error.cause.startswith("data: was ") and "37 rows" in error.cause
    bench.resume(run, accept=["data"])
    after = pq.read_table(run / "batches.parquet").to_pylist()
    done = [row for row in before if row["step"] <= 6]
    assert [row for row in after if row["step"] <= 6] == done
    assert all(
        int(row["row_id"].split("-")[1]) >= 100
        for row in after
        if row["step"] > 6 and row["role"] == "train"
    )


def test_a_changed_version_stops_with_both_versions(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stopped_run(bench, LONG)
    env = json.loads((run / "env.json").read_text())
    env["versions"]["trl"] = "1.15.0"
    (run / "env.json").write_text(json.dumps(env))
    error = changed(bench, run)
    assert error.cause.startswith("versions.trl: was 1.15.0, is ")
    bench.resume(run, accept=["versions"])


@pytest.mark.parametrize(
    ("name", "before", "now"),
    [("device", "cuda", "cpu"), ("precision", "bfloat16", "float32"), ("threads", 7, 1)],
)
def test_another_device_precision_or_number_of_threads_stops_until_accepted(
    bench: Any, name: str, before: object, now: object
) -> None:
    run = stopped_run(bench, LONG)
    env = json.loads((run / "env.json").read_text())
    (run / "env.json").write_text(json.dumps({**env, name: before}))
    error = changed(bench, run)
    assert error.cause == f"{name}: was {before}, is {now}"
    assert f"--accept {name}" in error.cure
    from train.resume import open_run

    opened = open_run(run, bench.workspace, bench.load, accept=[name])
    assert [one["name"] for one in opened.accepted] == [name]


def test_threads_asked_for_that_are_those_in_effect_are_no_difference(bench: Any) -> None:
    from train.resume import open_run

    run = stopped_run(bench, LONG)
    bench.recipe({**LONG, "threads": 1})
    assert open_run(run, bench.workspace, bench.load).accepted == []


def test_rows_that_are_tokenised_otherwise_stop_even_if_a_version_is_accepted(bench: Any) -> None:
    run = stopped_run(bench, LONG)
    for name, change in (("env.json", "versions"), ("plan.json", "schedule_digest")):
        document = json.loads((run / name).read_text())
        if change == "versions":
            document["versions"]["tokenizers"] = "0.1"
        else:
            document[change] = "0" * 64
        (run / name).write_text(json.dumps(document))
    assert changed(bench, run, accept=["versions"]).cause.startswith("rows: was order and tokens")


def test_a_changed_model_stops(bench: Any, tmp_path: Path) -> None:
    bench.model = shutil.copytree(bench.model, tmp_path / "copy")
    run = stopped_run(bench, LONG)
    config = bench.model / "generation_config.json"
    config.write_text(config.read_text().replace("}", ' ,"top_k": 5}'))
    assert changed(bench, run).cause.startswith("model: was ")


def test_a_recipe_that_is_gone_is_replaced_by_the_runs_copy(bench: Any, losses: Losses) -> None:
    run = stopped_run(bench, LONG)
    (bench.root / "temper.yaml").unlink()
    told = StopAt(99)
    bench.resume(run, reporter=told)
    assert any("own copy" in note for note in told.notes)
    assert len(losses(run)) == 12


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let the system refuse larger files, as a full disk refuses more data."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_disk_that_is_full_at_a_checkpoint_leaves_the_one_before(
    bench: Any, losses: Losses
) -> None:
    wanted = losses(bench.train({**LONG, **FULL}))
    shutil.rmtree(bench.workspace.runs)
    run = stopped_run(bench, {**LONG, **FULL})
    size = (run / "checkpoints/step-6/optimizer.pt").stat().st_size
    with pytest.raises(DiskFullError) as caught, files_up_to(size // 2):
        bench.resume(run)
    assert caught.value.exit_code == 4
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["step-4", "step-6"]
    bench.resume(run)
    assert losses(run) == wanted


def wait_for_step(run_root: Path, step: int, *, timeout_seconds: float = 60.0) -> None:
    """Return when the newest attempt has written the metrics of `step`."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        for path in run_root.glob("jobs/*/events.jsonl"):
            events, _ = read_events(path)
            if any(event.get("step", 0) >= step for event in events):
                return
        time.sleep(0.002)
    raise AssertionError(f"step {step} was not reached")


MANY = {"steps": 60, "checkpoint_every": 5, "micro_batch_size": 4}


def kill_and_resume(bench: Any, zygote: Any, losses: Losses, kills: int, seed: int) -> int:
    """Kill -9 a run `kills` times at random moments; return how many of them hit it running."""
    wanted = losses(bench.train(MANY))
    shutil.rmtree(bench.workspace.runs)
    shutil.rmtree(bench.workspace.jobs)
    random = Random(seed)
    pid, hit, run = zygote.train(bench.root), 0, None
    for number in range(kills):
        wait_for_step(bench.root, 1 + number * 50 // kills)
        time.sleep(random.uniform(0.0, 0.08))
        import os

        os.kill(pid, signal.SIGKILL)
        hit += zygote.wait(pid) == -signal.SIGKILL
        (run,) = bench.workspace.runs.iterdir()
        if number == 0 and hit:
            assert read_job(bench.workspace.jobs / read_record(run)["job"]).state == "lost"
        pid = zygote.resume(run)
    assert zygote.wait(pid) == 0
    assert run is not None and losses(run) == wanted
    return hit


@pytest.mark.slow
def test_a_killed_run_is_lost_and_resumes_to_the_same_losses(
    bench: Any, zygote: Any, losses: Losses
) -> None:
    assert kill_and_resume(bench, zygote, losses, kills=1, seed=0) == 1


@pytest.mark.slow
def test_ten_kills_at_random_moments_change_nothing(
    bench: Any, zygote: Any, losses: Losses
) -> None:
    assert kill_and_resume(bench, zygote, losses, kills=10, seed=1) == 10


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
)
def test_a_signal_saves_and_stops_with_its_exit_code(
    bench: Any, zygote: Any, losses: Losses, number: int, code: int
) -> None:
    import os

    bench.recipe(MANY)
    pid = zygote.train(bench.root)
    wait_for_step(bench.root, 3)
    os.kill(pid, number)
    assert zygote.wait(pid) == code
    (run,) = bench.workspace.runs.iterdir()
    job = read_job(bench.workspace.jobs / read_record(run)["job"])
    assert job.state == "stopped" and job.exit_code == code
    assert f"temper resume {run.name}" in (job.error or "")
    assert zygote.wait(zygote.resume(run)) == 0
    assert len(losses(run)) == 60


def test_the_runs_own_job_is_tried_again_and_a_refusal_leaves_its_state(bench: Any) -> None:
    run = stopped_run(bench, LONG)
    identity = read_record(run)["job"]
    bench.recipe({**LONG, "seed": 5})
    assert "train.seed: was 0, is 5" in changed(bench, run).cause
    job = read_job(bench.workspace.jobs / identity)
    assert job.state == "stopped" and job.attempt == 1
    bench.recipe(LONG)
    bench.resume(run)
    assert [path.name for path in bench.workspace.jobs.iterdir()] == [identity]
    with pytest.raises(UsageError, match="finished"):
        bench.resume(run)
    assert read_job(bench.workspace.jobs / identity).state == "finished"
