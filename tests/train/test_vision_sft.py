"""SFT on rows with images: the right pixels, the loss, and that the model really looks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite.models import ChatTokenizer
from workspace.errors import LimitExceeded

from .pictured import asked, held, likelihoods, looking, picture, preferring, said
from .preferences import build, disturb, first_loss, golden, resumes_bit_for_bit

LORA = {"adapter": {"kind": "lora", "r": 4}, "batch_size": 8, "steps": 4}


def mixed() -> list[dict[str, Any]]:
    """Rows with one image, with two, and with none."""
    two = looking(1, messages=[*asked(1, images=2), *said("angry")])
    two["images"] = [held(picture("red")), held(picture("blue", size=(50, 9)))]
    none = looking(2, messages=[*asked(2, images=0), *said("late")], images=[])
    return [two, none, *(looking(number) for number in range(3, 9))]


@pytest.fixture
def model_of(tiny_llava: Path, tiny_qwen: Path) -> Callable[[str], Path]:
    return lambda kind: {"llava": tiny_llava, "qwen": tiny_qwen}[kind]


@pytest.mark.parametrize("kind", ["llava", "qwen"])
@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_the_loss_is_the_cross_entropy_of_the_answers_behind_their_images(
    kind: str, adapter: str, tmp_path: Path, make_bench: Any, model_of: Any
) -> None:
    from evalsuite.models.load import load_image_processor

    bench = make_bench(tmp_path, model_of(kind))
    bench.dataset("toy", mixed())
    trainer = build(bench, {**LORA, "adapter": {"kind": adapter}, "micro_batch_size": 8})
    model, rows = trainer.model, trainer.request.prepared.rows
    disturb(model)
    processor = load_image_processor(bench.model)
    logs = [
        likelihoods(model, one, one.dataset.pictures.of(one.position), processor) for one in rows
    ]
    by_hand = -float(np.concatenate(logs).mean())
    assert first_loss(trainer) == pytest.approx(by_hand, abs=1e-5)
    blind = [likelihoods(model, one, [], processor) for one in rows]
    assert abs(by_hand + float(np.concatenate(blind).mean())) > 1e-4  # images do count


@pytest.fixture
def trainer(tmp_path: Path, make_bench: Any, tiny_qwen: Path) -> Any:
    bench = make_bench(tmp_path, tiny_qwen)
    rows = mixed()
    rows[0]["images"] = [held(picture("red", size=(9, 9))), held(picture("blue", size=(50, 9)))]
    bench.dataset("toy", rows)
    return build(bench, {**LORA, "micro_batch_size": 8})


def _without(batch: Any) -> None:
    del batch["pixel_values"], batch["image_grid_thw"]


def _exchanged(batch: Any) -> None:
    """Exchange two images of one size: tokens and counts stay as planned."""
    last, before = slice(-24, None), slice(-48, -24)
    pixels = batch["pixel_values"].clone()
    batch["pixel_values"][last], batch["pixel_values"][before] = pixels[before], pixels[last]


def _one_bit(batch: Any) -> None:
    batch["pixel_values"][3, 5] += 1e-6


def _one_less(batch: Any) -> None:
    batch["image_grid_thw"] = batch["image_grid_thw"][:-1]


def _token(batch: Any) -> None:
    batch["input_ids"][0, 0] += 1


@pytest.mark.parametrize("change", [_without, _exchanged, _one_bit, _one_less, _token])
def test_pixels_that_are_not_the_planned_rows_stop_the_run(trainer: Any, change: Any) -> None:
    batch = next(iter(trainer.get_train_dataloader()))
    change(batch)
    with pytest.raises(LimitExceeded, match="not the planned one"):
        trainer.training_step(trainer.model, batch)


def test_after_the_first_step_one_row_in_turn_is_made_again(trainer: Any) -> None:
    """Bytes are compared for every image as they are read; their pixels are not made twice."""
    pixels, rows = trainer.pixels, range(8)
    batch = next(iter(trainer.get_train_dataloader()))
    order = [int(one) for one in trainer.request.prepared.schedule.batch(0)]
    assert pixels.are_in(batch, order, range(8))
    last = max(place for place in rows if pixels.rows[order[place]].pictures)
    batch["pixel_values"][-1, 0] += 1.0
    assert not pixels.are_in(batch, order, [last])
    assert pixels.are_in(batch, order, [place for place in rows if place != last])


@pytest.mark.slow
def test_what_may_learn_is_what_the_recipe_says(
    tmp_path: Path, make_bench: Any, model_of: Any
) -> None:
    from evalsuite.models.vision import part_of

    bench = make_bench(tmp_path, model_of("llava"))
    bench.dataset("toy", mixed())
    for vision, parts in (
        ("frozen", {"language"}),
        ("projector", {"language", "projector"}),
        ("all", {"language", "projector", "tower"}),
    ):
        for adapter in ({"kind": "lora", "r": 4, "bias": "all"}, {"kind": "full"}):
            trainer = build(bench, {**LORA, "adapter": adapter, "vision": vision})
            named = trainer.model.named_parameters()
            learning = {name: one.numel() for name, one in named if one.requires_grad}
            assert {part_of(name) for name in learning} == parts
            assert sum(learning.values()) == trainer.request.prepared.plan.trainable_parameters
    whole = {"kind": "lora", "r": 4, "modules_to_save": ["multi_modal_projector"]}
    trainer = build(bench, {**LORA, "adapter": whole, "vision": "projector"})
    learning = sum(one.numel() for one in trainer.model.parameters() if one.requires_grad)
    assert learning == trainer.request.prepared.plan.trainable_parameters


@pytest.mark.parametrize("kind", ["llava", "qwen"])
def test_the_loss_trajectory_is_the_golden_one(
    kind: str, tmp_path: Path, make_bench: Any, model_of: Any, losses: Callable[[Path], list[float]]
) -> None:
    bench = make_bench(tmp_path, model_of(kind))
    bench.dataset("toy", [*mixed(), *(looking(number) for number in range(9, 20))])
    run = bench.train({**LORA, "micro_batch_size": 4})
    assert losses(run) == pytest.approx(golden(f"vision sft {kind}"), abs=1e-5)
    digests = {ChatTokenizer.from_dir(path).digest for path in (bench.model, run / "model")}
    assert len(digests) == 1  # an adapter's directory tells of images as its base does


@pytest.fixture(scope="module")
def learnt(
    make_bench: Any, tiny_llava: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Path]:
    """A workspace, and a run that learnt to tell red from blue by all weights."""
    bench = make_bench(tmp_path_factory.mktemp("learnt"), tiny_llava)
    bench.dataset("toy", [looking(number) for number in range(32)])
    train = {"adapter": {"kind": "full"}, "learning_rate": 3e-3, "batch_size": 16, "steps": 24}
    return bench, bench.train({**train, "rehearsal": "off"})


def right(bench: Any, model: Any, *, exchanged: bool = False) -> float:
    """Share of new images whose colour the model says; `exchanged`: it is shown the other one."""
    from evalsuite.models.load import load_image_processor

    processor = load_image_processor(bench.model)
    bench.dataset("toy", [preferring(number) for number in range(60, 84)])
    rows = bench.prepare({"method": "dpo"}).rows
    bench.dataset("toy", [looking(number) for number in range(32)])
    hits = 0
    for row in rows:
        number = row.position + 60 + exchanged
        images = [picture(("red", "blue")[number % 2], number)]
        good, bad = (
            float(likelihoods(model, one, images, processor).sum()) for one in row.sequences
        )
        hits += good > bad
    return hits / len(rows)


def test_colours_are_learnt_by_looking(learnt: tuple[Any, Path]) -> None:
    """New shades are told apart; shown the other image, the model says the other word."""
    from evalsuite.models.load import load_model

    bench, run = learnt
    before = right(bench, load_model(bench.model))
    tuned = load_model(run / "model")
    assert before <= 0.8
    assert right(bench, tuned) == 1.0
    assert right(bench, tuned, exchanged=True) == 0.0


def test_a_frozen_tower_is_published_bit_for_bit(learnt: tuple[Any, Path]) -> None:
    from safetensors.torch import load_file

    from evalsuite.models.vision import part_of

    bench, run = learnt
    before = load_file(bench.model / "model.safetensors")
    after = load_file(run / "model" / "model.safetensors")
    assert before.keys() == after.keys()
    changed = {name for name in before if not before[name].equal(after[name])}
    assert {part_of(name) for name in changed} == {"language"}
    assert len(changed) > 20


def test_what_is_published_is_a_model_of_its_own(learnt: tuple[Any, Path]) -> None:
    """Its processor reads images, and its files tell the same tokens as its base's."""
    import json

    from transformers import AutoProcessor

    bench, run = learnt
    processor = AutoProcessor.from_pretrained(run / "model", backend="pil")
    assert type(processor).__name__ == "LlavaProcessor"
    published = ChatTokenizer.from_dir(run / "model")
    assert published.digest == ChatTokenizer.from_dir(bench.model).digest
    texts = [
        json.loads((path / "config.json").read_text())["text_config"]
        for path in (bench.model, run / "model")
    ]
    assert {**texts[0], "dtype": "float32"} == texts[1]


def test_the_proof_and_the_batches_are_on_record(learnt: tuple[Any, Path]) -> None:
    import json

    _, run = learnt
    proof = json.loads((run / "proof.json").read_text())
    assert proof["passed"] and proof["turns"] == proof["prompts_equal"] == 32
    plan = json.loads((run / "plan.json").read_text())
    assert plan["settings"]["vision"]["value"] == "frozen"


@pytest.mark.parametrize(
    "adapter",
    [
        {"kind": "full"},  # saved under other names than the model's own
        pytest.param({"kind": "lora", "r": 4, "dropout": 0.1}, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_continues_bit_for_bit(
    tmp_path: Path, make_bench: Any, tiny_llava: Path, losses: Any, adapter: dict[str, Any]
) -> None:
    bench = make_bench(tmp_path, tiny_llava)
    bench.dataset("toy", mixed())
    train = {**LORA, "adapter": adapter, "steps": 6, "checkpoint_every": 2, "batch_size": 4}
    assert resumes_bit_for_bit(bench, losses, train)


@pytest.mark.slow
def test_an_adapter_on_the_language_model_learns_to_look(
    tmp_path: Path, make_bench: Any, tiny_qwen: Path
) -> None:
    """The tower of this random model is frozen, and rehearsed before."""
    from evalsuite.models.load import load_adapter, load_model

    bench = make_bench(tmp_path, tiny_qwen)
    bench.dataset("toy", [looking(number) for number in range(32)])
    train = {"learning_rate": 0.01, "batch_size": 16, "steps": 40, "rehearsal": "always"}
    run = bench.train({"adapter": {"kind": "lora", "r": 8}, **train})
    tuned = load_adapter(load_model(bench.model), run / "model")
    assert right(bench, tuned) == 1.0
    assert right(bench, tuned, exchanged=True) == 0.0


@pytest.mark.slow
def test_an_adapter_that_looks_is_exported_and_merged(
    tmp_path: Path, make_bench: Any, tiny_llava: Path
) -> None:
    """With the run's token ids and answers; the merged one is a vision-language model again."""
    from evalsuite.models.load import load_model
    from tests.train.shipping import Yard

    bench = make_bench(tmp_path, tiny_llava)
    bench.dataset("toy", mixed())
    yard = Yard(bench.root, bench.train({**LORA, "learning_rate": 0.01}))
    for target in ("adapter", "merged"):
        yard.export(target, tmp_path / target, override="for this test")
        assert (tmp_path / target / "processor_config.json").is_file()
    merged = load_model(tmp_path / "merged")
    assert type(merged).__name__ == "LlavaForConditionalGeneration"
    digests = {ChatTokenizer.from_dir(path).digest for path in (tiny_llava, tmp_path / "merged")}
    assert len(digests) == 1


@pytest.mark.slow
def test_a_run_whose_image_files_change_is_not_resumed_as_if_they_had_not(
    tmp_path: Path, make_bench: Any, tiny_llava: Path
) -> None:
    """Images may be files beside a dataset, which its own digest does not cover."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from workspace.errors import DataError, Stopped, UsageError

    from .preferences import StopAfter

    bench = make_bench(tmp_path, tiny_llava)
    rows = [looking(number) for number in range(8)]
    path = bench.dataset("toy", rows)
    for number, row in enumerate(rows):
        (path / f"{number}.png").write_bytes(row["images"][0]["bytes"])
        row["images"] = [{"bytes": None, "path": f"{number}.png"}]
    pq.write_table(pa.Table.from_pylist(rows), path / "train.parquet")
    with pytest.raises(Stopped):
        bench.train({**LORA, "batch_size": 4, "checkpoint_every": 1}, reporter=StopAfter(2))
    (run,) = bench.workspace.runs.iterdir()
    before = (path / "3.png").read_bytes()
    (path / "3.png").write_bytes(picture("blue", 22))
    with pytest.raises(UsageError, match="not as when this run began"):
        bench.resume(run)
    (path / "3.png").unlink()
    with pytest.raises(DataError, match="1 image cannot be read"):
        bench.resume(run)
    (path / "3.png").write_bytes(before)
    assert bench.resume(run) == run
