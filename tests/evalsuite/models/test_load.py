"""Weights that are damaged or half there are refused, not loaded as far as they go."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from evalsuite.models.load import load_adapter, load_model
from workspace.errors import ModelError


def cut(file: Path) -> None:
    """Take the last bytes off, as a download that stopped does."""
    file.write_bytes(file.read_bytes()[:-100])


def test_a_model_whose_weights_are_cut_off_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    path = shutil.copytree(tiny_model, tmp_path / "cut")
    cut(path / "model.safetensors")
    with pytest.raises(ModelError, match="weights are damaged") as caught:
        load_model(path)
    assert caught.value.where == str(path)


def test_an_adapter_whose_weights_are_cut_off_is_refused(
    tiny_model: Path, tiny_adapter: Path, tmp_path: Path
) -> None:
    path = shutil.copytree(tiny_adapter, tmp_path / "cut")
    cut(path / "adapter_model.safetensors")
    with pytest.raises(ModelError, match="weights are damaged"):
        load_adapter(load_model(tiny_model), path)


def test_an_adapter_that_lacks_some_of_its_weights_is_refused(
    tiny_model: Path, tiny_adapter: Path, tmp_path: Path
) -> None:
    load_adapter(load_model(tiny_model), tiny_adapter)
    path = shutil.copytree(tiny_adapter, tmp_path / "half")
    file = path / "adapter_model.safetensors"
    weights = load_file(file)
    save_file({name: weight for name, weight in weights.items() if "layers.1." not in name}, file)
    with pytest.raises(ModelError, match="this adapter is incomplete") as caught:
        load_adapter(load_model(tiny_model), path)
    assert "layers.1." in caught.value.cause


def test_an_adapter_without_weights_is_refused_in_words(
    tiny_model: Path, tiny_adapter: Path, tmp_path: Path
) -> None:
    path = shutil.copytree(tiny_adapter, tmp_path / "empty")
    (path / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match="no whole adapter") as caught:
        load_adapter(load_model(tiny_model), path)
    assert "adapter_model.safetensors" in caught.value.cause


def test_a_config_that_does_not_fit_the_weights_is_told_so(
    tiny_model: Path, tmp_path: Path
) -> None:
    path = shutil.copytree(tiny_model, tmp_path / "other")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "vocab_size": 9}))
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load_model(path)
    assert "shapes in config.json" in caught.value.cause
