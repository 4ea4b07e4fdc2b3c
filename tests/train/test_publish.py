"""A published model stops where its base does, whichever file of the base says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from evalsuite.models import ChatTokenizer
from train.publish import publish_model


@pytest.fixture
def base(tiny_model: Path, tmp_path: Path) -> Path:
    """A base whose config.json alone names its stop tokens, others than its tokenizer's."""
    path = shutil.copytree(tiny_model, tmp_path / "base")
    (path / "generation_config.json").unlink()
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "eos_token_id": [1, 2]}))
    return path


class Weights:
    """Saves what `save_pretrained` of an adapter or of a whole model leaves behind."""

    def __init__(self, *files: str) -> None:
        self.files = files

    def save_pretrained(self, directory: Path) -> None:
        for name in self.files:
            (directory / name).write_text('{"eos_token_id": 7}')


@pytest.mark.parametrize(
    "model", [Weights("adapter_config.json"), Weights("config.json")], ids=["adapter", "full"]
)
def test_stop_ids_that_only_the_bases_config_names_come_along(
    base: Path, tmp_path: Path, model: Any
) -> None:
    publish_model(tmp_path / "model", model, base)
    assert ChatTokenizer.from_dir(base).eos_ids == {1, 2}
    assert ChatTokenizer.from_dir(tmp_path / "model").eos_ids == {1, 2}
    written = json.loads((tmp_path / "model/generation_config.json").read_text())
    assert written == {"eos_token_id": [1, 2], "pad_token_id": 0}


def test_a_generation_config_that_names_no_stop_token_gets_them(base: Path, tmp_path: Path) -> None:
    (base / "generation_config.json").write_text('{"temperature": 0.6}')
    publish_model(tmp_path / "model", Weights("adapter_config.json"), base)
    written = json.loads((tmp_path / "model/generation_config.json").read_text())
    assert written["temperature"] == 0.6 and written["eos_token_id"] == [1, 2]


def test_a_generation_config_that_names_them_is_copied_byte_for_byte(
    tiny_model: Path, tmp_path: Path
) -> None:
    publish_model(tmp_path / "model", Weights("adapter_config.json"), tiny_model)
    name = "generation_config.json"
    assert (tmp_path / "model" / name).read_bytes() == (tiny_model / name).read_bytes()
