"""A teacher-forced reading equals whole logits, and distances those of `evalsuite.stats.drift`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from evalsuite.engine.forward import Engine
from evalsuite.engine.sides import Resident, full_model
from evalsuite.engine.subjects import find_subject
from evalsuite.models.load import Placement
from evalsuite.models.source import directory_source
from evalsuite.overfitting import sweep as module
from evalsuite.overfitting.rows import SweepRow
from evalsuite.overfitting.sweep import Sweep
from evalsuite.stats.drift import drift
from workspace.errors import EvaluationInvalid, ModelError
from workspace.layout import Workspace

PLACEMENT = Placement("cpu", "float32", "")
ROWS = [
    SweepRow("trained", "a", "s", (4, 9, 30, 7, 12, 5), (3, 4, 5)),
    SweepRow("test", "b", "s", (9, 8, 7), (1,)),
    SweepRow("test", "c", "s", tuple(range(3, 40)), (2, 3, 20, 36)),
]


@pytest.fixture
def resident(tiny_model: Path) -> Iterator[Resident]:
    yield Resident.load(directory_source(tiny_model, name="tiny"), PLACEMENT, 0)


def whole(engine: Engine, row: SweepRow) -> np.ndarray:
    with torch.inference_mode():
        logits = engine.model(input_ids=torch.tensor([row.ids])).logits[0].double()
    return logits.log_softmax(-1)[[place - 1 for place in row.learnt]].numpy()


@pytest.mark.parametrize("at_once", [2**25, 300])
def test_readings_and_shifts_are_those_of_whole_logits(
    resident: Resident, tiny_adapter: Path, tmp_path: Path, at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "LOGIT_NUMBERS", at_once)  # 300: one position at a time
    sweep = Sweep(tokens=40)
    base = {row.key: whole(resident.engine, row) for row in ROWS}
    sweep.read_base(resident.engine, ROWS)
    with resident.wearing(find_subject(str(tiny_adapter), Workspace(tmp_path))) as worn:
        tuned = {row.key: whole(worn.engine, row) for row in ROWS}
        found = sweep.read_tuned(worn.engine, ROWS)
    for row in ROWS:
        reading, shift = found[row.key]
        own, before = tuned[row.key], base[row.key]
        places = range(len(row.learnt))
        assert reading.logprobs == pytest.approx(own[places, row.targets], abs=1e-5)
        assert sweep.readings[row.key].logprobs == pytest.approx(
            before[places, row.targets], abs=1e-5
        )
        assert reading.greedy.tolist() == (own.argmax(-1) == row.targets).tolist()
        each = [drift(np.exp(one), np.exp(two)) for one, two in zip(own, before, strict=True)]
        assert shift is not None
        assert shift.kl == pytest.approx(np.mean([one.kl for one in each]), rel=1e-3)
        assert shift.kl > 0.01
        assert shift.reverse_kl == pytest.approx(
            np.mean([one.reverse_kl for one in each]), rel=1e-3
        )
        assert shift.same_top == pytest.approx(np.mean([one.same_top for one in each]))


def test_a_full_model_is_compared_with_a_base_that_is_gone(
    resident: Resident, model_maker: Callable[..., Path], tmp_path: Path
) -> None:
    other = model_maker(tmp_path / "full", seed=5)
    before = whole(resident.engine, ROWS[0])
    sweep = Sweep(tokens=1000)
    sweep.read_base(resident.engine, ROWS)
    del resident.model
    with full_model(find_subject(str(other), Workspace(tmp_path)), PLACEMENT, 0) as engine:
        own = whole(engine, ROWS[0])
        _, shift = sweep.read_tuned(engine, ROWS)[ROWS[0].key]
    wanted = np.mean([drift(np.exp(a), np.exp(b)).kl for a, b in zip(own, before, strict=True)])
    assert shift is not None
    assert shift.kl == pytest.approx(wanted, rel=1e-3)


def test_nothing_moves_where_nothing_was_tuned(resident: Resident) -> None:
    sweep = Sweep(tokens=1000)
    sweep.read_base(resident.engine, ROWS)
    for reading, shift in sweep.read_tuned(resident.engine, ROWS).values():
        assert np.isfinite(reading.logprobs).all()
        assert shift is not None
        assert (shift.kl, shift.reverse_kl, shift.same_top) == (0.0, 0.0, 1.0)


def test_logits_that_are_made_in_an_unknown_way_are_refused(
    resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = resident.model.forward

    def halved(*args: object, **kwargs: object) -> object:
        out = forward(*args, **kwargs)
        out.logits = out.logits / 2
        return out

    monkeypatch.setattr(resident.model, "forward", halved)
    with pytest.raises(ModelError, match="cannot be computed from its hidden states"):
        Sweep(tokens=1000).read_base(resident.engine, ROWS)


def test_damaged_weights_are_named(resident: Resident) -> None:
    with torch.no_grad():
        resident.model.get_input_embeddings().weight[7] = float("nan")
    with pytest.raises((EvaluationInvalid, ModelError)):
        Sweep(tokens=1000).read_base(resident.engine, ROWS[:1])


def test_no_pass_holds_more_than_its_tokens(resident: Resident) -> None:
    passes = []
    rows = [SweepRow("test", str(n), "s", tuple(range(3, 3 + n)), (n - 1,)) for n in range(2, 12)]
    sweep = Sweep(tokens=24, on_pass=lambda: passes.append(1))
    sweep.read_base(resident.engine, [*rows, *rows])
    assert set(sweep.readings) == {row.key for row in rows}
    assert 4 <= len(passes) <= 6


def test_drift_is_that_of_the_rows_whose_states_fit_into_memory(
    resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = replace(ROWS[0], part="planted", ids=(*ROWS[0].ids[:-1], 6))
    rows = [*ROWS, planted]
    for tokens, measured in ((8, 3), (7, 2), (0, 0)):
        monkeypatch.setattr(module, "STATE_BYTES", tokens * 32 * 4)  # 32 wide, in float32
        sweep = Sweep(tokens=1000)
        sweep.read_base(resident.engine, rows)
        shifts = [shift for _, shift in sweep.read_tuned(resident.engine, rows).values()]
        assert len(shifts) == 4
        # whichever comes first by its digest: at most as many as have so many tokens
        assert sum(shift is not None for shift in shifts) <= measured
        assert (tokens < 8) or sum(shift is not None for shift in shifts) == 3
