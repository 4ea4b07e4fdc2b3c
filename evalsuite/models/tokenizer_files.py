"""What the files beside a tokenizer say: special tokens, where generation stops, the template."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.models.template import ChatTemplate
from workspace.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token")


def read_document(path: Path) -> dict[str, Any]:
    """Return a JSON object from a file; an empty one where there is no such file.

    Raises:
        ModelError: it is not JSON.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ModelError("this is not JSON", where=str(path), cause=f"{error}.") from error
    return document if isinstance(document, dict) else {}


def _token_text(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None


def named_tokens(config: Mapping[str, Any], older: Mapping[str, Any]) -> dict[str, str]:
    """Return `eos_token` … → its text, of those that are named."""
    found = {name: _token_text(config.get(name, older.get(name))) for name in _SPECIAL}
    return {name: text for name, text in found.items() if text is not None}


def stop_ids(path: Path, tokenizer: Tokenizer, special: Mapping[str, str]) -> frozenset[int]:
    """Return where generation stops, decided as in transformers.

    That is by the generation config, the config, or the tokenizer, in this order.
    """
    for name in ("generation_config.json", "config.json"):
        value = read_document(path / name).get("eos_token_id")
        if value is not None:
            return frozenset(value if isinstance(value, list) else [value])
    own = special.get("eos_token")
    number = tokenizer.token_to_id(own) if own else None
    return frozenset() if number is None else frozenset([number])


def read_template_file(
    path: Path, config: Mapping[str, Any], special: Mapping[str, str]
) -> ChatTemplate | None:
    """Return the chat template of a model directory, or None.

    Raises:
        ModelError: it is broken.
    """
    file = path / "chat_template.jinja"
    if file.is_file():
        return ChatTemplate(
            file.read_text(encoding="utf-8"), where=str(file), special_tokens=special
        )
    older = path / "chat_template.json"  # beside processors before transformers 4.52
    source = config.get("chat_template") or read_document(older).get("chat_template")
    if isinstance(source, list):
        source = {entry["name"]: entry["template"] for entry in source}.get("default")
    if not isinstance(source, str):
        return None
    return ChatTemplate(source, where=str(path / "tokenizer_config.json"), special_tokens=special)
