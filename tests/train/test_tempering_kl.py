"""The distance from the base: its value by hand, its bounds, its trajectory."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from train.recipe import TrainSection
from train.record import read_record
from train.reporter import Silent
from workspace.errors import RecipeError, Stopped
from workspace.events import read_events

GOLDEN = Path(__file__).with_name("golden_losses.json")
REPLAY = {"dataset": "general", "share": 0.5}
KL = {"tempering": {"replay": REPLAY, "kl": {"weight": 0.5, "chunk": 3}}}
LORA = {"adapter": {"kind": "lora", "r": 4}, **KL}
TOKENS = {"adapter": {"kind": "lora", "r": 4, "trainable_tokens": ["<|im_end|>", "card"]}, **KL}
FULL = {"adapter": {"kind": "full"}, "micro_batch_size": 4, **KL}
PISSA = {"adapter": {"kind": "lora", "r": 4, "init": "pissa"}, **KL}
EVERYWHERE = {**LORA, "tempering": {"kl": {"weight": 0.5, "on": "all"}}}


def build(bench: Any, train: dict[str, Any], decided: str | None = None) -> Any:
    """Return trl's trainer for a recipe, not yet run; `decided` overrides the plan's choice."""
    from dataclasses import replace

    from transformers import AutoTokenizer

    from evalsuite.models.load import load_model
    from train.checkpoints import CheckpointStore
    from train.run import _quiet_libraries
    from train.trl_bridge import FitRequest, build_trainer
    from workspace.jobs import run_job

    prepared = bench.prepare(train)
    if decided is not None:
        settings = dict(prepared.plan.settings)
        settings["kl_base"] = replace(settings["kl_base"], value=decided)
        prepared = replace(prepared, plan=replace(prepared.plan, settings=settings))
    with run_job(bench.workspace, "train", ["test"]) as job, _quiet_libraries():
        store = CheckpointStore(bench.root / "checkpoints", keep=1)
        request = FitRequest(prepared, store, job, 0, "cpu", "float32", lambda report: None)
        tokenizer = AutoTokenizer.from_pretrained(bench.model)
        return build_trainer(load_model(bench.model), tokenizer, request)


def shake(model: Any) -> None:
    import torch

    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))


def by_hand(trainer: Any, base: Any, on: str) -> tuple[float, float]:
    """Return the mean cross-entropy and the mean KL of the first step, row by row in float64."""
    import torch

    prepared, sums = trainer.request.prepared, [0.0, 0.0]
    counts = [0, 0]
    for index in prepared.schedule.batch(0):
        (one,) = prepared.rows[index].sequences
        ids, mask = torch.tensor(one.input_ids[None].astype("int64")), torch.tensor(one.loss_mask)
        with torch.no_grad():
            tuned = trainer.model(input_ids=ids).logits[0, :-1].double().log_softmax(-1)
            known = base(input_ids=ids).logits[0, :-1].double().log_softmax(-1)
        keep = mask[1:]
        picked = tuned[torch.arange(len(tuned)), ids[0, 1:]]
        sums[0] -= float(picked[keep].sum())
        counts[0] += int(keep.sum())
        if on == "all" or prepared.rows[index].role == "replay":
            sums[1] += float((known.exp() * (known - tuned)).sum(-1)[keep].sum())
            counts[1] += int(keep.sum())
    return sums[0] / counts[0], sums[1] / counts[1]


@pytest.mark.parametrize(
    ("train", "decided"),
    [
        (LORA, "adapter off"),
        (TOKENS, "adapter off"),
        (EVERYWHERE, "adapter off"),
        (FULL, "computed ahead"),
        (FULL, "frozen copy"),
        (PISSA, "computed ahead"),
    ],
)
def test_the_loss_is_cross_entropy_plus_the_mean_kl_by_hand(
    bench: Any, train: dict[str, Any], decided: str
) -> None:
    from evalsuite.models.load import load_model
    from train.run import _quiet_libraries

    trainer = build(bench, train, decided)
    shake(trainer.model)
    entropy, kl = by_hand(trainer, load_model(bench.model), train["tempering"]["kl"].get("on", ""))
    assert kl > 0.0005  # the weights are not the base's any more
    batches = list(trainer.get_train_dataloader())
    micro = trainer.request.prepared.plan["micro_batch_size"]
    first = batches[: 8 // micro]
    trainer.current_gradient_accumulation_steps = len(first)
    tokens = sum(int((batch["labels"][:, 1:] != -100).sum()) for batch in first)
    with _quiet_libraries():
        found = sum(float(trainer.training_step(trainer.model, one, tokens)) for one in first)
    assert trainer.distance.value == pytest.approx(kl, abs=1e-5)
    assert found == pytest.approx(entropy + 0.5 * kl, abs=1e-5)


def test_an_untouched_model_is_at_no_distance(bench: Any) -> None:
    run = bench.train({**LORA, "steps": 1})
    events, _ = read_events(bench.workspace.jobs / read_record(run)["job"] / "events.jsonl")
    (step,) = [event for event in events if event["kind"] == "metrics"]
    assert step["values"]["kl"] == pytest.approx(0.0, abs=1e-6)
    assert step["values"]["cross_entropy"] == pytest.approx(step["loss"], abs=1e-5)


def test_chunks_and_micro_batches_change_nothing(
    bench: Any, losses: Callable[[Path], list[float]]
) -> None:
    """8 rows at once = 1 row eight times, and 1 token at once = 1,000."""
    whole = losses(bench.train({**LORA, "micro_batch_size": 8}))
    shutil.rmtree(bench.workspace.runs)
    shutil.rmtree(bench.workspace.jobs)
    kl = {"replay": REPLAY, "kl": {"weight": 0.5, "chunk": 1000}}
    split = losses(bench.train({**LORA, "tempering": kl, "micro_batch_size": 1}))
    assert split == pytest.approx(whole, abs=1e-5)


def test_memory_is_bounded_by_the_chunk(bench: Any) -> None:
    """No tensor as large as tokens × vocabulary is ever kept for the backward pass."""
    import torch

    from evalsuite.models.head import Head
    from train.trl_bridge.distributions import divergence

    torch.manual_seed(0)
    tokens, size, vocabulary = 64, 8, 500
    base, tuned = (Head(torch.randn(vocabulary, size), None, 1.0, None) for _ in range(2))
    hidden = torch.randn(tokens, size, requires_grad=True)
    kept = 0

    def packed(tensor: Any) -> Any:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(packed, lambda tensor: tensor):
        total = divergence(base, torch.randn(tokens, size), tuned, hidden, 4)
    assert kept < tokens * vocabulary // 2  # of all chunks together, before any is gone back over
    total.backward()
    found = hidden.grad
    assert found is not None


def test_the_gradient_is_that_of_the_whole_at_once() -> None:
    """To the hidden states and to the output matrix; none to the base."""
    import torch

    from evalsuite.models.head import Head
    from train.trl_bridge.distributions import divergence

    torch.manual_seed(0)
    base = Head(torch.randn(50, 8, requires_grad=True), None, 0.5, 5.0)
    weight = torch.randn(50, 8, requires_grad=True)
    hidden, other = torch.randn(7, 8, requires_grad=True), torch.randn(7, 8)
    tuned = Head(weight, None, 0.5, 5.0)
    chunked = divergence(base, other, tuned, hidden, 3)
    found = torch.autograd.grad(chunked, [hidden, weight])
    aims = (5.0 * torch.tanh(0.5 * other @ base.weight.T / 5.0)).softmax(-1).detach()
    logs = (5.0 * torch.tanh(0.5 * hidden @ weight.T / 5.0)).log_softmax(-1)
    whole = (aims * (aims.log() - logs)).sum()
    assert chunked.item() == pytest.approx(whole.item(), abs=1e-4)
    for one, other_one in zip(found, torch.autograd.grad(whole, [hidden, weight]), strict=True):
        torch.testing.assert_close(one, other_one, atol=1e-5, rtol=1e-4)
    assert base.weight.grad is None


@pytest.mark.parametrize(
    ("name", "train"), [("kl lora", LORA), ("kl full", FULL)], ids=["lora", "full"]
)
def test_the_loss_trajectory_is_the_golden_one(
    bench: Any, losses: Callable[[Path], list[float]], name: str, train: dict[str, Any]
) -> None:
    assert losses(bench.train(train)) == pytest.approx(
        json.loads(GOLDEN.read_text())[name], abs=1e-5
    )


class StopAfter(Silent):
    """Asks the job to stop after a step, as a signal would."""

    def step(self, report: Any) -> None:
        if report.step == 3:
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    "train",
    [
        {**LORA, "adapter": {"kind": "lora", "r": 4, "dropout": 0.1}},
        pytest.param(FULL, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_continues_bit_for_bit(
    bench: Any, losses: Callable[[Path], list[float]], train: dict[str, Any]
) -> None:
    straight = bench.train({**train, "checkpoint_every": 2})
    wanted = losses(straight)
    shutil.move(straight, bench.root / "straight")
    with pytest.raises(Stopped):
        bench.train({**train, "checkpoint_every": 2}, reporter=StopAfter())
    (run,) = bench.workspace.runs.iterdir()
    bench.resume(run)
    assert losses(run) == wanted
    for path in (bench.root / "straight" / "model").glob("*.safetensors"):
        assert (run / "model" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_more_weight_keeps_nearer_to_the_base(bench: Any) -> None:
    ends = []
    for weight in (1e-3, 100.0):
        kl = {"replay": REPLAY, "kl": {"weight": weight}}
        run = bench.train({**LORA, "tempering": kl, "steps": 12})
        events, _ = read_events(bench.workspace.jobs / read_record(run)["job"] / "events.jsonl")
        ends.append([e["values"]["kl"] for e in events if e["kind"] == "metrics"][-1])
    assert ends[1] < 0.6 * ends[0]


@pytest.mark.parametrize("method", ["dpo", "kto", "orpo", "simpo", "reward", "rft", "grpo", "rloo"])
def test_other_methods_refuse_it_with_the_way_out(bench: Any, method: str) -> None:
    with pytest.raises(RecipeError) as caught:
        rewarded = {"kind": method, "rewards": ["exact"]}
        plain = method not in ("rft", "grpo", "rloo")
        bench.recipe({"method": method if plain else rewarded, **KL})
    (problem,) = caught.value.problems
    assert f"no tempering.kl with method {method}" in problem.expected
    assert any(word in problem.expected for word in ("beta", "lower the rate", "replayed"))


def test_the_plan_says_where_the_base_is_had_from(bench: Any) -> None:
    assert bench.prepare(LORA).plan["kl_base"] == "adapter off"
    full = bench.prepare(FULL).plan.settings["kl_base"]
    assert full.value == "computed ahead" and "a frozen copy" in full.reason
    assert bench.prepare({"steps": 1}).plan.settings.get("kl_base") is None
    assert TrainSection.model_validate(EVERYWHERE).tempering.kl is not None


def test_the_example_of_the_docs_is_a_recipe() -> None:
    from ruamel.yaml import YAML

    text = (Path(__file__).parents[2] / "docs/train-tempering.md").read_text()
    example = text.split("```yaml\n")[1].split("```")[0]
    section = TrainSection.model_validate(YAML(typ="safe").load(example)["train"])
    assert section.tempering.kl is not None and section.tempering.kl.weight == 0.5
    assert section.tempering.layer_rates is not None and section.tempering.replay is not None
