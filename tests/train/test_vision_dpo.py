"""DPO on pairs with images: the loss, and that preferences hang on what is seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workspace.errors import LimitExceeded

from .pictured import asked, held, likelihoods, picture, preferring, said
from .preferences import build, disturb, first_loss, golden, resumes_bit_for_bit

DPO = {"method": "dpo", "adapter": {"kind": "lora", "r": 4}, "batch_size": 8, "steps": 4}


@pytest.fixture
def pairs(tmp_path: Path, make_bench: Any, tiny_llava: Path) -> Any:
    """A workspace with pairs of which some have two images and one has none."""
    bench = make_bench(tmp_path, tiny_llava)
    rows = [preferring(number) for number in range(24)]
    rows[1]["images"] = [held(picture("red")), held(picture("blue", size=(50, 9)))]
    rows[1]["prompt"] = asked(1, images=2)
    rows[2] = preferring(2, images=[], prompt=asked(2, images=0), rejected=said("late broken"))
    bench.dataset("toy", rows)
    return bench


def _ratio(model: Any, base: Any, row: Any, place: int, processor: Any) -> float:
    images = row.dataset.pictures.of(row.position)
    one = row.sequences[place]
    tuned, before = (float(likelihoods(m, one, images, processor).sum()) for m in (model, base))
    return tuned - before


@pytest.mark.parametrize("kind", ["llava", "qwen"])
@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_the_loss_is_that_of_the_paper(
    pairs: Any, tiny_qwen: Path, kind: str, adapter: str
) -> None:
    """With all weights, the likelihoods of what the model was are computed with images too."""
    from evalsuite.models.load import load_image_processor, load_model

    if kind == "qwen":
        pairs.model = tiny_qwen
    trainer = build(pairs, {**DPO, "adapter": {"kind": adapter}, "micro_batch_size": 8})
    model, prepared = trainer.model, trainer.request.prepared
    base, processor = load_model(pairs.model), load_image_processor(pairs.model)
    disturb(model)
    losses = []
    for index in prepared.schedule.batch(0):
        row = prepared.rows[index]
        chosen, rejected = (_ratio(model, base, row, place, processor) for place in (0, 1))
        losses.append(np.logaddexp(0.0, -0.1 * (chosen - rejected)))
    assert np.std(losses) > 0.005
    assert first_loss(trainer) == pytest.approx(np.mean(losses), abs=1e-5)


def test_pixels_of_either_answer_are_proved(pairs: Any) -> None:
    trainer = build(pairs, {**DPO, "micro_batch_size": 8})
    batch = next(iter(trainer.get_train_dataloader()))
    batch["pixel_values"][-1] = batch["pixel_values"][0]  # of the last rejected answer
    with pytest.raises(LimitExceeded, match="not the planned one"):
        trainer.training_step(trainer.model, batch)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("vision dpo lora", {}),
        ("vision dpo full", {"adapter": {"kind": "full"}, "micro_batch_size": 4}),
    ],
)
def test_the_loss_trajectory_is_the_golden_one(
    pairs: Any, losses: Callable[[Path], list[float]], name: str, changes: dict[str, Any]
) -> None:
    assert losses(pairs.train({**DPO, **changes})) == pytest.approx(golden(name), abs=1e-5)


@pytest.mark.slow
def test_preferences_are_learnt_for_images_that_were_not_trained_on(pairs: Any) -> None:
    """The better answer is the one that fits the image; the words alone tell nothing."""
    from evalsuite.models.load import load_adapter, load_image_processor, load_model

    pairs.dataset("toy", [preferring(number) for number in range(32)])
    run = pairs.train({**DPO, "batch_size": 16, "steps": 24, "learning_rate": 0.01})
    pairs.dataset("toy", [preferring(number) for number in range(60, 84)])
    rows, processor = pairs.prepare(DPO).rows, load_image_processor(pairs.model)

    def share(model: Any, *, exchanged: bool = False) -> float:
        hits = 0
        for row in rows:
            number = row.position + 60 + exchanged
            images = [picture(("red", "blue")[number % 2], number)]
            chosen, rejected = (
                float(likelihoods(model, one, images, processor).sum()) for one in row.sequences
            )
            hits += chosen > rejected
        return hits / len(rows)

    base = load_model(pairs.model)
    assert share(base) <= 0.8
    tuned = load_adapter(base, run / "model")
    assert share(tuned) == 1.0
    assert share(tuned, exchanged=True) == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["ipo", "sigmoid_norm", ["sigmoid", "sft"]])
def test_other_losses_learn_from_images_too(pairs: Any, losses: Any, loss: Any) -> None:
    method = {"kind": "dpo", "loss": loss, "beta": 0.2}
    found = losses(pairs.train({**DPO, "method": method, "steps": 16, "learning_rate": 0.01}))
    assert found[-1] < 0.9 * found[0]


@pytest.mark.slow
@pytest.mark.parametrize("adapter", [{"kind": "lora", "r": 4, "dropout": 0.1}, {"kind": "full"}])
def test_a_stopped_run_continues_bit_for_bit(
    pairs: Any, losses: Any, adapter: dict[str, Any]
) -> None:
    train = {**DPO, "adapter": adapter, "steps": 6, "checkpoint_every": 2}
    assert resumes_bit_for_bit(pairs, losses, train)
