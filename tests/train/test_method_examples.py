"""The recipes of examples/methods run as they stand, and teach what their data prefers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from curate.recipe import CurateSection
from evalsuite.builtin import model_path
from evalsuite.models import ChatTokenizer, ModelSection
from train.data import DataRow
from train.methods import METHODS
from train.recipe import TrainSection
from workspace.jobs import run_job
from workspace.layout import Workspace
from workspace.recipe import Recipe, load_recipe

from .preferences import likelihoods

EXAMPLES = Path(__file__).parents[2] / "examples" / "methods"
SECTIONS = {"model": ModelSection, "train": TrainSection, "curate": CurateSection}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples with their data."""
    root = tmp_path_factory.mktemp("examples") / "methods"
    shutil.copytree(EXAMPLES, root)
    subprocess.run([sys.executable, "make.py"], cwd=root, check=True)
    return root


def curated(root: Path, name: str) -> Recipe:
    """Curate as the recipe says, and return it."""
    command = [sys.executable, "-m", "tui", "curate", f"{name}.yaml"]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    return load_recipe(root / f"{name}.yaml", SECTIONS, [])


def trained(root: Path, recipe: Recipe) -> Path:
    from train.run import run_train

    workspace = Workspace(root)
    with run_job(workspace, "train", ["temper", "train"]) as job:
        return run_train(recipe, workspace, job)


def held_out(root: Path, method: str) -> list[Any]:
    """The sequences of the test split's pairs, as a method that learns from pairs reads them."""
    tokenizer = ChatTokenizer.from_dir(model_path())
    pairs = []
    for row in pq.read_table(root / f"datasets/{method}/current/test.parquet").to_pylist()[:60]:
        record = dict(row)
        if "completion" in record:
            said = record["completion"][0]["content"].removesuffix(".")
            for name, text in (("chosen", f"{said}."), ("rejected", said)):
                record[name] = [{"role": "assistant", "content": text}]
        kept = {name: record[name] for name in ("prompt", "chosen", "rejected")}
        reader = METHODS["reward" if method == "reward" else "dpo"]
        pairs.append(reader.encode(DataRow("", "", "", "preference", kept), tokenizer))
    return pairs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "least"), [("dpo", 0.7), ("kto", 0.7), ("orpo", 0.9), ("simpo", 0.7)]
)
def test_the_full_stop_is_preferred_on_held_out_pairs(
    made: Path, method: str, least: float
) -> None:
    """Never by the base; by the tuned model in most pairs."""
    from evalsuite.models.load import load_adapter, load_model

    run = trained(made, curated(made, method))
    base = load_model(model_path())

    def share(model: Any) -> float:
        sums = [
            [float(likelihoods(model, one).sum()) for one in pair]
            for pair in held_out(made, method)
        ]
        return float(np.mean([chosen > rejected for chosen, rejected in sums]))

    before = share(base)
    assert before <= 0.05 and share(load_adapter(base, run / "model")) >= least


@pytest.mark.slow
def test_what_the_teacher_does_is_learnt_though_no_row_shows_it(made: Path) -> None:
    """Answers end in a full stop, of which the rows have none."""
    from evalsuite.models.load import load_adapter, load_model

    trained(made, curated(made, "dpo"))
    recipe = curated(made, "distill")
    rows = pq.read_table(made / "datasets/distill/current/train.parquet").to_pylist()
    assert not any(row["completion"][-1]["content"].endswith(".") for row in rows)
    run = trained(made, recipe)
    pairs = held_out(made, "dpo")

    def share(model: Any) -> float:
        sums = [[float(likelihoods(model, one).sum()) for one in pair] for pair in pairs]
        return float(np.mean([chosen > rejected for chosen, rejected in sums]))

    base = load_model(model_path())
    before = share(base)
    assert before <= 0.05 and share(load_adapter(base, run / "model")) >= 0.5


@pytest.mark.slow
def test_the_reward_model_tells_held_out_pairs_apart(made: Path) -> None:
    import torch

    from evalsuite.models.load import load_reward_model

    model = load_reward_model(trained(made, curated(made, "reward")) / "model")

    def score(one: Any) -> float:
        with torch.no_grad():
            ids = torch.tensor(one.input_ids[None].astype("int64"))
            return float(model(input_ids=ids).logits)

    pairs = held_out(made, "reward")
    assert np.mean([score(chosen) > score(rejected) for chosen, rejected in pairs]) >= 0.95


@pytest.mark.parametrize("method", ["distill", "dpo", "kto", "orpo", "simpo", "reward"])
def test_every_recipe_is_valid(method: str) -> None:
    section = load_recipe(EXAMPLES / f"{method}.yaml", SECTIONS, []).section("train", TrainSection)
    assert isinstance(section, TrainSection) and section.method.kind == method
