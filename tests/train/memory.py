"""Models that run out of memory, at a real place: the forward pass of a real model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Refuses = Callable[[Any], bool]


def refuse(monkeypatch: pytest.MonkeyPatch, refuses: Refuses) -> list[int]:
    """Let every model that is loaded raise torch's error where `refuses(input_ids)` says so.

    Returns the rows of each forward pass that was begun.
    """
    import torch

    import evalsuite.models.load as loading

    real, seen = loading.load_model, []

    def before(module: Any, args: Any, options: dict[str, Any]) -> None:
        ids = options["input_ids"]
        seen.append(int(ids.shape[0]))
        if refuses(ids):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    def load(*args: Any, **options: Any) -> Any:
        model = real(*args, **options)
        model.register_forward_pre_hook(before, with_kwargs=True)
        return model

    monkeypatch.setattr(loading, "load_model", load)
    return seen


def refuse_from_pass(number: int, rows: int) -> Refuses:
    """Refuse more than `rows` rows from the given forward pass (from 1) on."""
    passes = 0

    def refuses(ids: Any) -> bool:
        nonlocal passes
        passes += 1
        return passes >= number and int(ids.shape[0]) > rows

    return refuses
