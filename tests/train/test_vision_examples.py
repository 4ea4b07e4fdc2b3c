"""The recipes of examples/vision run on drawings, and what is seen decides the answer."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curate.recipe import CurateSection
from evalsuite.models import ModelSection
from evalsuite.models.vision import FAMILIES
from train.recipe import TrainSection
from workspace.jobs import run_job
from workspace.layout import Workspace
from workspace.recipe import Recipe, load_recipe

from .pictured import likelihoods, make_llava

EXAMPLES = Path(__file__).parents[2] / "examples" / "vision"
SECTIONS = {"model": ModelSection, "train": TrainSection, "curate": CurateSection}


def made(root: Path, images: int) -> Path:
    """A copy of the example with its drawings."""
    shutil.copytree(EXAMPLES, root)
    subprocess.run([sys.executable, "make.py", str(images)], cwd=root, check=True)
    return root


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_every_recipe_is_valid(method: str) -> None:
    section = load_recipe(EXAMPLES / f"{method}.yaml", SECTIONS, []).section("train", TrainSection)
    assert isinstance(section, TrainSection) and section.method.kind == method


def test_the_drawings_are_images_of_what_their_rows_say(tmp_path: Path) -> None:
    import json

    root = made(tmp_path / "vision", 12)
    rows = [json.loads(line) for line in (root / "raw/looks.jsonl").read_text().splitlines()]
    for row in rows:
        image = np.asarray(Image.open(root / "raw" / row["image"]).convert("RGB")).astype(int)
        shape = image[image.sum(-1) < 500]
        named = ["red", "green", "blue"][int(shape.mean(0).argmax())]
        assert f"A {named} " in row["completion"]
    assert len(rows) == 12 and len({row["completion"] for row in rows}) > 3


def curated(root: Path, name: str, model: Path, overrides: list[str]) -> Recipe:
    command = [sys.executable, "-m", "tui", "curate", f"{name}.yaml"]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    return load_recipe(root / f"{name}.yaml", SECTIONS, [f"model.path={model}", *overrides])


def trained(root: Path, recipe: Recipe) -> Path:
    from train.run import run_train

    workspace = Workspace(root)
    with run_job(workspace, "train", ["temper", "train"]) as job:
        return run_train(recipe, workspace, job)


@pytest.mark.slow
def test_held_out_drawings_are_told_by_their_colour(tmp_path: Path, tiny_model: Path) -> None:
    """By sft with all weights, then by dpo with an adapter, from the raw lines on."""
    from evalsuite.models.load import load_adapter, load_image_processor, load_model
    from train.inputs import find_inputs

    model = make_llava(tmp_path / "llava", tiny_model)
    root = made(tmp_path / "vision", 400)
    full = ["train.adapter={kind: full}", "train.learning_rate=0.003", "train.steps=90"]
    looked = trained(root, curated(root, "sft", model, full))
    adapter = ["train.learning_rate=0.01", "train.steps=90"]
    recipe = curated(root, "dpo", model, adapter)
    preferred = trained(root, recipe)
    processor = load_image_processor(model)
    dataset = (root / "datasets/sees/current").resolve()
    images = pq.read_table(dataset / "test.parquet")["images"].to_pylist()
    shutil.copyfile(dataset / "test.parquet", dataset / "train.parquet")
    rows = find_inputs(recipe, Workspace(root)).prepare().rows
    assert len(rows) >= 20

    def share(tuned: Any) -> float:
        hits = []
        for row in rows:
            held = [one["bytes"] for one in images[row.position]]
            chosen, rejected = (
                float(likelihoods(tuned, one, held, processor).sum()) for one in row.sequences
            )
            hits.append(chosen > rejected)
        return float(np.mean(hits))

    base = load_model(model)
    before = share(base)
    assert before <= 0.7
    assert share(load_model(looked / "model")) >= 0.9
    assert share(load_adapter(base, preferred / "model")) >= 0.9


def test_the_recipe_of_the_documentation_is_valid(tmp_path: Path) -> None:
    text = (EXAMPLES.parents[1] / "docs" / "train-vision.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "looks.yaml").write_text(example)
    section = load_recipe(tmp_path / "looks.yaml", SECTIONS, []).section("train", TrainSection)
    assert isinstance(section, TrainSection) and section.vision == "frozen"
    assert all(f"`{family}`" in text for family in FAMILIES)
