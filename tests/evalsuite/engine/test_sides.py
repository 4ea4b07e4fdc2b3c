"""One copy of the weights: the base is bit for bit itself whatever was put on and taken off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from evalsuite.engine.forward import Engine, pad_left, positions_of
from evalsuite.engine.sides import Resident
from evalsuite.engine.subjects import find_subject
from evalsuite.models.load import Placement, load_model
from evalsuite.models.source import directory_source
from workspace.layout import Workspace

CPU = Placement("cpu", "float32", "a test")


def _logits(engine: Engine) -> torch.Tensor:
    ids, mask = pad_left([[5, 10, 11, 12], [10, 9]], 0, "cpu")
    with torch.inference_mode():
        return engine.logits(ids, mask, positions_of(mask), None, keep=1)


@pytest.mark.parametrize("tokens", [False, True])
def test_adapters_come_and_go_and_the_base_stays_bit_equal(
    tiny_model: Path, adapter_maker: Callable[..., Path], tmp_path: Path, tokens: bool
) -> None:
    workspace = Workspace(tmp_path)
    paths = [
        adapter_maker(tiny_model, tmp_path / f"a{seed}", seed=seed, tokens=tokens)
        for seed in (1, 2)
    ]
    resident = Resident.load(directory_source(tiny_model, name="base"), CPU, 0)
    fresh = _logits(Engine(load_model(tiny_model).requires_grad_(False), 0))
    seen = []
    for path in paths:
        with resident.wearing(find_subject(str(path), workspace)) as worn:
            seen.append(_logits(worn.engine))
            assert not torch.equal(seen[-1], fresh)
            with worn.off():
                assert torch.equal(_logits(worn.engine), fresh)
            assert torch.equal(_logits(worn.engine), seen[-1])
        assert torch.equal(_logits(resident.engine), fresh)
    assert not torch.equal(*seen)
    for path, expected in zip(paths, seen, strict=True):
        bare = Resident.load(directory_source(tiny_model, name="base"), CPU, 0)
        with bare.wearing(find_subject(str(path), workspace)) as worn:
            assert torch.equal(_logits(worn.engine), expected)
