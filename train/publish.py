"""`model/`: the adapter or the weights, with the tokenizer they were trained with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from evalsuite.models import ChatTokenizer
from evalsuite.models.vision import PROCESSOR_FILES
from train.checkpoints import write_manifest
from workspace.files import publish_directory, write_json

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
    *PROCESSOR_FILES,
)
_STOP_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")


def publish_model(
    target: Path, model: Any, base: Path, *, pad_id: int | None = None, **fields: object
) -> None:
    """Write the trained model to `target`, all of it or nothing.

    The tokenizer, template and generation config are the base's, byte for byte: libraries that
    save them again have changed end tokens and templates on the way. Where the base's generation
    config names no stop token, one that names those of the base is written: an adapter has no
    config.json, in which they would be found otherwise.

    Args:
        target: the run's `model` directory; must not exist.
        model: a PEFT model (its adapter is saved) or a whole model.
        base: directory of the base model.
        pad_id: written to config.json; a reward model finds the last token of a chat by it.
        fields: further fields of the manifest.
    """
    with publish_directory(target) as directory:
        fill_model(directory, model, base, pad_id=pad_id)
        write_manifest(directory, **fields)


def fill_model(directory: Path, model: Any, base: Path, *, pad_id: int | None = None) -> None:
    """Write a model with its base's tokenizer into a directory; arguments as `publish_model`."""
    model.save_pretrained(directory)
    (directory / "README.md").unlink(missing_ok=True)  # peft's form, not filled in
    (directory / "generation_config.json").unlink(missing_ok=True)
    copy_tokenizer(base, directory)
    if (directory / "config.json").is_file():
        _keep_stop_ids(directory / "config.json", base / "config.json", pad_id)
    _name_stop_ids(directory / "generation_config.json", base)


def copy_tokenizer(source: Path, directory: Path) -> None:
    """Copy tokenizer, template and generation config, byte for byte."""
    for name in _TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, directory / name)


def _keep_stop_ids(saved: Path, base: Path, pad_id: int | None) -> None:
    """Undo what trainers change in a config to agree with the tokenizer."""
    document, original = json.loads(saved.read_text()), json.loads(base.read_text())
    for inner, before in (
        (document, original),
        (document.get("text_config"), original.get("text_config")),
    ):
        if not isinstance(inner, dict) or not isinstance(before, dict):
            continue
        for name in _STOP_IDS:
            if name in before:
                inner[name] = before[name]
            else:
                inner.pop(name, None)
    if pad_id is not None:
        document["pad_token_id"] = pad_id
    write_json(saved, document)


def _name_stop_ids(file: Path, base: Path) -> None:
    """Write where generation stops, as resolved from the base, if `file` does not say it."""
    document = json.loads(file.read_text()) if file.is_file() else {}
    if document.get("eos_token_id") is not None:
        return
    stops = sorted(ChatTokenizer.from_dir(base).eos_ids)
    if not stops:
        return
    config = json.loads((base / "config.json").read_text())
    for name in _STOP_IDS:
        if document.get(name) is None and config.get(name) is not None:
            document[name] = config[name]
    write_json(file, {**document, "eos_token_id": stops[0] if len(stops) == 1 else stops})
