"""A checkpoint of a run is a tuned model by the name RUN@step-N."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.engine.request import EvalRequest
from evalsuite.engine.subjects import Subject, common_base, find_subject
from evalsuite.models.source import directory_source
from evalsuite.recipe import EvalSection
from evalsuite.run import run_evaluation
from evalsuite.tasks import load_suite
from workspace.errors import ModelError, UsageError
from workspace.files import hash_file
from workspace.layout import Workspace

RUN = "20261120-000000-mine-abcd"


class Silent:
    def doing(self, what: str) -> None:
        pass

    def answered(self, model: str, task: str, done: int, total: int) -> None:
        pass


def _keep(adapter: Path, run: Path, step: int) -> Path:
    """Write a checkpoint as training does: weights, optimiser state, manifest."""
    path = run / "checkpoints" / f"step-{step}"
    shutil.copytree(adapter, path)
    (path / "optimizer.pt").write_bytes(b"momentum")
    files = {file.name: hash_file(file) for file in sorted(path.iterdir())}
    (path / "manifest.json").write_text(json.dumps({"schema_version": 1, "files": files}))
    return path


@pytest.fixture
def run(
    tiny_model: Path, tiny_adapter: Path, adapter_maker: Callable[..., Path], tmp_path: Path,
    run_writer: Callable[..., Path],
) -> Path:  # fmt: skip
    run = run_writer(tmp_path / "runs" / RUN, tiny_model, tiny_adapter)
    early = adapter_maker(tiny_model, tmp_path / "early", seed=7)
    _keep(early, run, 4)
    _keep(tiny_adapter, run, 12)
    return run


def _find(name: str, run: Path) -> Subject:
    return find_subject(name, Workspace(run.parent.parent))


def test_a_run_and_two_of_its_checkpoints_are_measured_on_one_base(
    run: Path, tiny_model: Path, tmp_path: Path, suite_writer: Callable[..., list[Path]]
) -> None:
    suites = tuple(load_suite(path) for path in suite_writer(tmp_path / "suites", 8))
    names = ("mine", "mine@step-4", f"{RUN}@step-12")
    subjects = tuple(_find(name, run) for name in names)
    assert common_base(subjects).path == tiny_model
    request = EvalRequest(
        "test", directory_source(tiny_model, name="tiny"), subjects, suites,
        EvalSection(noise_items=0), "float32",
    )  # fmt: skip
    results = run_evaluation(request, Workspace(tmp_path), Silent()).results
    assert [one.tuned for one in results.comparisons] == ["mine", "mine@step-4", "mine@step-12"]
    finished, early, last = (
        [ability.tuned for ability in one.verdict.abilities] for one in results.comparisons
    )
    assert last == finished != early
    for comparison in results.comparisons:
        assert comparison.verdict.status != "invalid"
        checked = {canary.name: canary.status for canary in comparison.verdict.canaries}
        assert checked["base, template and end token as at training"] == "pass"


def test_a_run_that_was_stopped_is_measured_by_its_checkpoints(run: Path) -> None:
    shutil.rmtree(run / "model")
    with pytest.raises(ModelError, match="no finished model") as caught:
        _find("mine", run)
    assert f"{RUN}@step-N" in caught.value.cure
    assert _find("mine@step-4", run).path == run / "checkpoints" / "step-4"


def test_the_optimisers_state_is_not_the_model(run: Path) -> None:
    before = _find("mine@step-4", run).digest
    (run / "checkpoints" / "step-4" / "optimizer.pt").write_bytes(b"other")
    assert _find("mine@step-4", run).digest == before != _find("mine@step-12", run).digest


@pytest.mark.parametrize("name", ["mine@step-5", "mine@step-x", "mine@step-"])
def test_a_checkpoint_that_is_not_kept_is_told_which_are(run: Path, name: str) -> None:
    (run / "checkpoints" / "step-x").mkdir()
    with pytest.raises(UsageError, match="no such checkpoint") as caught:
        _find(name, run)
    assert "step-4, step-12." in caught.value.cause


def test_damaged_weights_are_refused(run: Path) -> None:
    path = run / "checkpoints" / "step-4"
    (path / "adapter_model.safetensors").write_bytes(b"torn")
    with pytest.raises(ModelError, match="damaged") as caught:
        _find("mine@step-4", run)
    assert "adapter_model.safetensors" in caught.value.cause
    (path / "manifest.json").unlink()
    with pytest.raises(ModelError, match="damaged"):
        _find("mine@step-4", run)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("peft_type", "ADALORA", "AdaLoRA"), ("init_lora_weights", "pissa", "took out of it")],
)
def test_weights_that_are_no_model_yet_are_refused(
    run: Path, field: str, value: str, said: str
) -> None:
    path = run / "checkpoints" / "step-4"
    config = json.loads((path / "adapter_config.json").read_text())
    (path / "adapter_config.json").write_text(json.dumps({**config, field: value}))
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["adapter_config.json"] = hash_file(path / "adapter_config.json")
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="cannot be measured") as caught:
        _find("mine@step-4", run)
    assert said in caught.value.cause


def test_an_unfinished_run_on_four_bits_is_refused(run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "adapter": "qlora"}))
    assert _find("mine@step-4", run).quantization is None
    shutil.rmtree(run / "model")
    with pytest.raises(ModelError, match="cannot be measured"):
        _find("mine@step-4", run)
