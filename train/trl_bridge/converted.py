"""Checkpoints whose weights have other names than the model's own.

transformers 5 saves some models, vision-language ones among them, under the names that their files
have always had, and turns them back in `from_pretrained`. Its trainer does not: it loads a whole
model's checkpoint by the names in the file, warns of those it does not know, and goes on with the
weights as they were.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import safe_open


def is_converted(model: Any, checkpoint: Path) -> bool:
    """Tell whether a checkpoint holds a whole model under other names than the model's own."""
    own = set(model.state_dict())
    for file in checkpoint.glob("model*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            if not own.issuperset(opened.keys()):
                return True
    return False


def load_converted(model: Any, checkpoint: Path) -> None:
    """Give a model the weights of such a checkpoint; every one of them must be there."""
    saved = type(model).from_pretrained(
        checkpoint, dtype=model.dtype, local_files_only=True, use_safetensors=True
    )
    model.load_state_dict(saved.state_dict())
