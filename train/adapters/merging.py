"""An adapter added to the weights of its base."""

from __future__ import annotations

from collections import Counter
from math import prod
from pathlib import Path
from typing import Any

from safetensors import safe_open

from evalsuite.models.load import load_adapter, load_model
from workspace.errors import ModelError

_PRECISIONS = {"BF16": "bfloat16", "F16": "float16"}


def merged(base: Path, adapter: Path) -> Any:
    """Return the whole model in float32 on the CPU.

    Added up in float32: in bfloat16 every sum is rounded, and a small update to a large weight is
    lost.

    Args:
        base: directory of the unquantised base.
        adapter: directory of the adapter.

    Raises:
        ModelError: this kind of adapter cannot be merged.
    """
    tuned = load_adapter(load_model(base), adapter)
    try:
        return tuned.merge_and_unload(safe_merge=True)
    except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
        raise ModelError(
            "this adapter cannot be merged into its base",
            where=str(adapter),
            cause=f"{str(error).splitlines()[0] if str(error) else type(error).__name__}",
            cure="It can be used as it is, beside its base: `temper export --to adapter`.",
        ) from error


def stored_precision(model: Path) -> str:
    """Return the precision that most weights of a model directory are stored in, as torch names
    it; float32 for what is neither bfloat16 nor float16.
    """
    counts: Counter[str] = Counter()
    for file in sorted(model.glob("*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - it is no mapping
                part = opened.get_slice(name)
                counts[part.get_dtype()] += prod(part.get_shape())
    return _PRECISIONS.get(counts.most_common(1)[0][0], "float32")
