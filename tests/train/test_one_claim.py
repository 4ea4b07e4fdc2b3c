"""Whatever a job does one after the other, it does on one GPU: torch keeps to its first."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from train import run as runs
from train.curve.curve import CurveMaker, Part
from train.rebase.rebase import Rebasing
from train.reporter import Silent
from train.stages import run as stages
from train.stages.account import Account, Entry
from train.start import Place
from workspace.claims import claim
from workspace.gpu_locks import holder
from workspace.gpus import Gpu
from workspace.jobs import Job, run_job
from workspace.layout import Workspace
from workspace.waiting import JobWaiter

A = Gpu(0, "GPU-a", "Test", 80 * 2**30, 79 * 2**30, 0)
B = Gpu(1, "GPU-b", "Test", 80 * 2**30, 78 * 2**30, 0)


class Driver:
    """Two GPUs; torch's context stays on the one that was worked on, under a number that is not
    ours, as the driver tells it to a container.
    """

    def __init__(self) -> None:
        self.worked: list[str] = []

    def list_gpus(self) -> list[Gpu]:
        return [self._seen(gpu) for gpu in (A, B)]

    def _seen(self, gpu: Gpu) -> Gpu:
        if gpu.uuid in self.worked:
            return replace(gpu, processes=1, free_bytes=gpu.free_bytes - 20 * 2**30)
        return gpu

    def work(self) -> None:
        """Work on the GPU that is told, which must be locked by this process."""
        uuid = os.environ["CUDA_VISIBLE_DEVICES"]
        held = holder(uuid)
        assert held is not None and held.owner.pid == os.getpid()
        self.worked.append(uuid)


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    found = Driver()
    monkeypatch.setattr("workspace.gpu_locks.LOCKS", tmp_path / "locks")
    monkeypatch.setattr("workspace.gpus.list_gpus", found.list_gpus)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return found


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path / "home")
    found.make(found.runs)
    return found


def trains(driver: Driver) -> Callable[..., Path]:
    """Return a training that claims for itself, as each does."""

    def train(recipe: Any, workspace: Workspace, job: Job, *rest: Any, **options: Any) -> Path:
        name = options["place"].run if "place" in options else options["name"]
        with claim(waiter=JobWaiter(job, lambda text: None)):
            driver.work()
        (workspace.runs / name / "model").mkdir(parents=True)
        return workspace.runs / name

    return train


def test_stages_claim_once(
    driver: Driver, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "run_train", trains(driver))
    monkeypatch.setattr(stages, "stage_recipe", lambda *_: None)
    monkeypatch.setattr(stages, "stages_of", lambda _: [None, None])
    monkeypatch.setattr(stages, "foresee", lambda *_: None)
    monkeypatch.setattr(stages, "_free", lambda: None)
    entries = (Entry("one", "sft"), Entry("two", "sft"))
    with run_job(workspace, "train", ["temper", "train"]) as job:
        account = Account(job.dir, workspace.root, (), "toy", entries).written()
        recipe: Any = None
        opened = stages.StagesResumption(account, recipe, None)
        stages.resume_stages(opened, workspace, job, ["temper", "train"])
    assert driver.worked == [A.uuid, A.uuid]


def test_a_curve_claims_once_for_its_parts_and_their_evaluation(
    driver: Driver, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(*_: Any) -> Any:
        driver.work()
        raise InterruptedError("as far as this goes")

    monkeypatch.setattr("train.run.run_train", trains(driver))
    monkeypatch.setattr("evalsuite.run.run_evaluation", evaluate)
    maker = CurveMaker.__new__(CurveMaker)
    maker.recipe = maker.inputs = SimpleNamespace(path=None, prepare=lambda _: None)  # type: ignore[assignment]
    maker.workspace, maker.load, maker.directory = workspace, lambda *_: None, workspace.root / "c"  # type: ignore[assignment,return-value]
    monkeypatch.setattr(
        maker, "parts", lambda: [Part(share, 9, f"{share}", ()) for share in (1, 2)]
    )
    monkeypatch.setattr(maker, "_request", lambda _: None)
    watch: Any = None
    with (
        pytest.raises(InterruptedError),
        run_job(workspace, "curve", ["temper", "curve"]) as job,
    ):
        maker.make(job, Silent(), watch, ["temper", "curve"])
    assert driver.worked == [A.uuid] * 3


def test_a_new_base_claims_once_for_training_and_evaluation(
    driver: Driver, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(*_: Any) -> Any:
        driver.work()
        raise InterruptedError("as far as this goes")

    monkeypatch.setattr("train.rebase.rebase.run_train", trains(driver))
    monkeypatch.setattr("evalsuite.run.run_evaluation", evaluate)
    monkeypatch.setattr("train.rebase.rebase.new_name", lambda *_: "toy")
    work = Rebasing.__new__(Rebasing)
    work.workspace, work.overrides = workspace, ()
    known: Any = SimpleNamespace(
        directory=Path("old"), record={"base": {"digest": ""}}, digest="", name="new",
        prepare=lambda _: None,
    )  # fmt: skip
    work.old = work.recipe = work.source = work.inputs = known
    monkeypatch.setattr(work, "_request", lambda *_: None)
    watch: Any = None

    with (
        pytest.raises(InterruptedError),
        run_job(workspace, "rebase", ["temper", "rebase"]) as job,
    ):

        def device() -> Any:
            return claim(waiter=JobWaiter(job, lambda text: None))

        work.make(job, Silent(), watch, ["temper", "rebase"], device)
    assert driver.worked == [A.uuid, A.uuid]


def test_completions_are_drawn_and_learnt_on_one_gpu(
    driver: Driver, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def quiet() -> Any:
        yield

    def attempt(run: Path, inputs: Any, planned: Any, job: Job, *rest: Any) -> Path:
        with claim(waiter=JobWaiter(job, lambda text: None)):
            driver.work()
        return run

    inputs: Any = SimpleNamespace(prepare=lambda _: None)
    monkeypatch.setattr(runs, "sample", lambda *_: driver.work())
    monkeypatch.setattr(runs, "kept_inputs", lambda *_: inputs)
    monkeypatch.setattr(runs, "enter_second_stage", lambda *_: None)
    monkeypatch.setattr(runs, "attempt_run", attempt)
    monkeypatch.setattr(runs, "_quiet_libraries", quiet)
    (tmp_path / "proof.json").write_text('{"schema_version": 1}')
    with run_job(workspace, "train", ["temper", "train"]) as job:
        runs._sample_then_fit(tmp_path, inputs, inputs, job, Silent())
    assert driver.worked == [A.uuid, A.uuid]


def test_the_gpu_is_chosen_before_a_run_is_merged(
    driver: Driver, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To merge an adapter looks at the GPUs, and torch keeps to those that it saw."""

    def settle(*_: Any) -> Any:
        driver.work()
        raise InterruptedError("as far as this goes")

    monkeypatch.setattr(runs, "settle", settle)
    inputs: Any = SimpleNamespace(prepare=lambda _: None, beginning=object())
    with (
        pytest.raises(InterruptedError),
        run_job(workspace, "train", ["temper", "train"]) as job,
    ):
        runs.begin_run(inputs, workspace, job, Silent(), Place("toy"))
    assert driver.worked == [A.uuid]
    assert list(workspace.runs.iterdir()) == []
