"""`temper plan`, as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from evalsuite.models import ModelSection
from train.cli import register
from train.estimate.section import PlanSection
from train.recipe import TrainSection
from workspace.context import Context
from workspace.errors import ModelError, UsageError
from workspace.gpus import Gpu

app = typer.Typer()
SECTIONS = {"model": ModelSection, "train": TrainSection, "plan": PlanSection}
LLAMA = {
    "model_type": "llama",
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
}


@app.callback()
def root(context: typer.Context) -> None:
    context.obj = Context(lambda: SECTIONS, ("temper",))


register(app)


@pytest.fixture
def temper(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `temper …` in the workspace, on a machine without GPUs."""
    bench.recipe()
    monkeypatch.chdir(bench.root)
    monkeypatch.setattr("workspace.gpus.list_gpus", lambda: [])
    (bench.root / "llama.json").write_text(json.dumps(LLAMA))

    def call(*arguments: str) -> Any:
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def document(temper: Any, *arguments: str) -> Any:
    return json.loads(temper("plan", "--json", *arguments).stdout)


def test_the_estimate_comes_after_the_plan_and_is_of_its_rows(temper: Any) -> None:
    out = temper("plan").stdout
    places = [out.index(word) for word in ("settings", "6 steps × 8 rows", "weights =", "GPUs")]
    assert places == sorted(places)
    found = document(temper)
    longest = max(source["longest"] for source in found["sources"])
    assert found["estimate"]["length"] == longest
    assert found["estimate"]["length_reason"] == "the longest row"
    assert found["estimate"]["micro_batch_size"] == found["settings"]["micro_batch_size"]["value"]
    computed = found["tokens_seen"] / (1 - found["padding_share"])
    assert found["estimate"]["tokens"] == pytest.approx(computed, abs=1)
    assert found["estimate"]["model"]["parameters"] == found["model_parameters"]
    assert found["estimate"]["trained"]["lora"] == found["trainable_parameters"]


def test_without_a_dataset_memory_is_still_answered(temper: Any) -> None:
    result = temper("plan", "--set", "train.dataset=nowhere", "--set", "train.max_length=64")
    assert "no rows and tokens yet: there is no dataset called 'nowhere'" in result.stderr
    assert "64 tokens at once" in result.stdout and "settings" not in result.stdout
    found = document(temper, "--set", "train.dataset=nowhere")
    assert found["missing"] and found["estimate"]["tokens"] is None


def test_a_model_is_answered_from_its_config_alone(temper: Any) -> None:
    found = document(temper, "--model", "llama.json", "--gpu", "H100", "--length", "4096")
    assert found["estimate"]["model"]["parameters"] == 8_030_261_248
    (gpu,) = found["estimate"]["gpus"]
    assert gpu["name"] == "H100 80GB" and not gpu["ways"]["full"]["fits"]
    assert found["estimate"]["length"] == 4096
    out = temper("plan", "--model", "llama.json").stdout
    assert "hours and US dollars for a million tokens" in out and "RTX 4090" in out


def test_a_directory_without_weights_is_answered_too(temper: Any, bench: Any) -> None:
    (bench.root / "bare").mkdir()
    (bench.root / "bare" / "config.json").write_text(json.dumps(LLAMA))
    result = temper("plan", "--set", f"model.path={bench.root / 'bare'}")
    assert "has a config and no weights" in result.stderr
    assert "8,030,261,248 weights" in result.stdout


def test_the_recipe_names_gpus_and_settings(temper: Any, bench: Any) -> None:
    recipe = json.loads((bench.root / "temper.yaml").read_text())
    recipe["plan"] = {"gpus": [{"name": "ours", "memory": 48, "tflops": 100, "price": 2}]}
    recipe["train"]["adapter"] = {"kind": "lora", "r": 64, "targets": ["q_proj"]}
    (bench.root / "temper.yaml").write_text(json.dumps(recipe))
    found = document(temper, "temper.yaml", "--model", "llama.json", "--price", "ours=3")
    (gpu,) = found["estimate"]["gpus"]
    assert (gpu["name"], gpu["price"]) == ("ours", 3)
    assert found["estimate"]["trained"]["lora"] == 32 * 64 * 2 * 4096


def test_eight_bit_adam_needs_less(temper: Any) -> None:
    usual = document(temper, "--model", "llama.json")["estimate"]["memory"]["full"]
    small = document(temper, "--model", "llama.json", "--adam-8bit")["estimate"]["memory"]["full"]
    assert small["optimizer"] < 0.26 * usual["optimizer"]


def test_the_gpu_of_the_machine_is_first(temper: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Gpu(0, "GPU-1", "NVIDIA GeForce RTX 3090", 24 * 2**30, 20 * 2**30, 0)
    monkeypatch.setattr("workspace.gpus.list_gpus", lambda: [own])
    found = document(temper, "--model", "llama.json")["estimate"]
    assert found["gpus"][0]["is_here"] and not found["gpus"][1]["is_here"]
    assert found["recommendation"].startswith("LoRA on NVIDIA GeForce RTX 3090: 19.6 of 24.0 GiB")


def test_an_unknown_architecture_is_counted_from_its_files(
    temper: Any, bench: Any, tmp_path: Path
) -> None:
    import shutil

    other = tmp_path / "other"
    shutil.copytree(bench.model, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "model_type": "novel"}))
    known = document(temper, "--model", str(bench.model))["estimate"]
    found = document(temper, "--model", str(other))["estimate"]
    assert found["model"]["parameters"] == known["model"]["parameters"]
    assert found["trained"] == known["trained"]
    assert "headers of its weight files" in found["model"]["notes"][0]
    near = known["memory"]["lora"]["activations"]
    assert found["memory"]["lora"]["activations"] == pytest.approx(near, rel=0.05)
    for file in other.glob("*.safetensors"):
        file.unlink()
    with pytest.raises(ModelError, match="is not known from its config alone") as caught:
        temper("plan", "--model", str(other))
    assert "novel" in caught.value.cause and "llama" in caught.value.cause


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({**LLAMA, "hidden_size": None}, "lacks hidden_size"),
        ({**LLAMA, "num_hidden_layers": -1}, "positive"),
        ([], "object"),
    ],
)
def test_a_broken_config_is_told(temper: Any, bench: Any, config: Any, said: str) -> None:
    (bench.root / "broken.json").write_text(json.dumps(config))
    with pytest.raises(UsageError) as caught:
        temper("plan", "--model", "broken.json")
    assert said in str(caught.value)


PROBE = """
import sys, time
began = time.process_time()
from train.cli import register
import typer
from typer.testing import CliRunner
from workspace.context import Context
app = typer.Typer()
@app.callback()
def root(): pass
register(app)
for name in sys.argv[1:]:
    result = CliRunner().invoke(app, ["plan", "--model", name], obj=Context(dict, ("temper",)))
    assert result.exit_code == 0, result.output
heavy = {"torch", "transformers", "trl", "peft", "polars", "numpy", "pyarrow", "huggingface_hub"}
print(sorted(heavy & set(sys.modules)), time.process_time() - began)
"""


def test_eight_and_seventy_billion_take_under_a_second_and_no_library(tmp_path: Path) -> None:
    large = {"hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80}
    (tmp_path / "8b.json").write_text(json.dumps(LLAMA))
    (tmp_path / "70b.json").write_text(json.dumps({**LLAMA, **large, "num_attention_heads": 64}))
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROBE, "8b.json", "70b.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded, seconds = done.stdout.rsplit(maxsplit=1)
    assert loaded == "[]" and float(seconds) < 2.0  # of CPU, for both and all imports
