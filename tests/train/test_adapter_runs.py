"""Adapters and optimisers in whole runs: stopped and resumed, evaluated, with preferences."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from train.reporter import Silent
from workspace.errors import RecipeError, Stopped, UsageError

ADALORA = {"init_r": 6, "target_r": 3, "tinit": 1, "tfinal": 1}
PAIRS = [
    {
        "id": f"pair-{number}",
        "prompt": [{"role": "user", "content": f"card {number}"}],
        "chosen": [{"role": "assistant", "content": "angry"}],
        "rejected": [{"role": "assistant", "content": "happy"}],
        "meta": {"source": "pairs.jsonl", "row": number},
    }
    for number in range(16)
]


class StopAfter(Silent):
    """Asks the job to stop after a step, as a signal would."""

    def __init__(self, step: int) -> None:
        self.at = step
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def step(self, report: Any) -> None:
        if report.step == self.at:
            signal.raise_signal(signal.SIGTERM)


@pytest.fixture(scope="session")
def wide_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose matrices have 4,096 weights and more: smaller ones get no 8-bit states."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    path = shutil.copytree(tiny_model, tmp_path_factory.mktemp("wide") / "model")
    config = LlamaConfig.from_pretrained(path)
    config.hidden_size, config.intermediate_size, config.num_hidden_layers = 64, 64, 1
    config.head_dim = 16
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(path)
    return path


def resumed_is_straight(
    bench: Any, losses: Callable[[Path], list[float]], train: dict[str, Any]
) -> None:
    """A run that is stopped and resumed ends in the same bytes as one that is not."""
    train = {"steps": 6, "checkpoint_every": 2, **train}
    straight = bench.train(train)
    wanted = losses(straight)
    (weights,) = (straight / "model").glob("*.safetensors")
    expected = weights.read_bytes()
    shutil.rmtree(straight)
    with pytest.raises(Stopped):
        bench.train(train, reporter=StopAfter(3))
    (run,) = bench.workspace.runs.iterdir()
    bench.resume(run)
    assert losses(run) == wanted
    assert (run / "model" / weights.name).read_bytes() == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "train",
    [
        {"adapter": {"kind": "qlora", "r": 4, "dropout": 0.1}, "neftune": 5},
        {"adapter": {"kind": "lora", "r": 4, "init": "pissa_fast", "trainable_tokens": ["card"]}},
        {"adapter": {"kind": "peft", "tuner": "ADALORA", "options": ADALORA}},
        pytest.param(
            {"adapter": {"kind": "full", "freeze": ["embeddings"]}, "optimizer": "adafactor"},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["qlora neftune", "pissa", "adalora", "frozen adafactor"],
)
def test_a_stopped_run_continues_bit_for_bit(
    bench: Any, losses: Callable[[Path], list[float]], train: dict[str, Any]
) -> None:
    resumed_is_straight(bench, losses, train)


def dtypes(states: Any) -> set[Any]:
    """Return the types of all tensors in nested dictionaries."""
    if isinstance(states, dict):
        return set().union(*map(dtypes, states.values())) if states else set()
    return {states.dtype} if hasattr(states, "dtype") else set()


@pytest.mark.parametrize(
    "optimizer",
    [
        "adamw_8bit",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("paged_adamw_8bit", "lion", "lion_8bit")
        ),
    ],
)
def test_the_optimisers_of_bitsandbytes_continue_bit_for_bit(
    tmp_path: Path,
    make_bench: Any,
    wide_model: Path,
    losses: Callable[[Path], list[float]],
    optimizer: str,
) -> None:
    bench = make_bench(tmp_path, wide_model)
    train = {"adapter": {"kind": "full"}, "optimizer": optimizer, "learning_rate": 0.003}
    resumed_is_straight(bench, losses, train)
    (run,) = bench.workspace.runs.iterdir()
    found = losses(run)
    assert found[-1] < found[0] - 0.1
    import torch

    newest = max((run / "checkpoints").iterdir(), key=lambda path: int(path.name[5:]))
    saved = torch.load(newest / "optimizer.pt", weights_only=True)
    assert (torch.uint8 in dtypes(saved["state"])) == ("8bit" in optimizer)


def test_neftune_makes_the_loss_noisier_and_the_model_is_published_without_it(
    bench: Any, losses: Callable[[Path], list[float]]
) -> None:
    plain = losses(bench.train({"steps": 2}))
    noisy = losses(bench.train({"steps": 2, "neftune": 5.0}))
    assert noisy[0] != plain[0] and noisy[0] == pytest.approx(plain[0], abs=0.5)


def test_neftune_is_refused_where_it_would_reach_the_reference(bench: Any) -> None:
    with pytest.raises(RecipeError, match="no neftune with method dpo"):
        bench.recipe({"method": "dpo", "neftune": 5.0})


def test_a_run_on_four_bits_is_evaluated_on_four_bits(bench: Any) -> None:
    import torch

    from evalsuite.engine.sides import Resident
    from evalsuite.engine.subjects import common_quantization, find_subject
    from evalsuite.models.load import choose_placement

    reporter = StopAfter(-1)
    run = bench.train({"adapter": {"kind": "qlora", "r": 4}}, reporter=reporter)
    assert any("4 bits a weight" in note and "slow" in note for note in reporter.notes)
    manifest = json.loads((run / "model/manifest.json").read_text())
    assert manifest["base_quantization"] == "nf4"
    subject = find_subject(run.name, bench.workspace)
    plain = find_subject(str(run / "model"), bench.workspace)
    assert subject.kind == "adapter" and subject.quantization == plain.quantization == "nf4"
    assert common_quantization([subject, plain]) == "nf4"
    other = find_subject(bench.train().name, bench.workspace)
    assert other.quantization is None
    with pytest.raises(UsageError, match="same form of the base") as caught:
        common_quantization([subject, other])
    assert "base_weights: full" in caught.value.cure

    base = SimpleNamespace(path=bench.model)
    resident = Resident.load(base, choose_placement("float32"), 0, "nf4")  # type: ignore[arg-type]
    ids = torch.tensor([[1, 20, 30, 2]])
    with torch.no_grad():
        before = resident.model(input_ids=ids).logits
        with resident.wearing(subject) as worn:
            assert not torch.equal(worn.engine.model(input_ids=ids).logits, before)
            with worn.off():
                assert torch.equal(worn.engine.model(input_ids=ids).logits, before)


@pytest.mark.parametrize(
    "adapter",
    [
        {"kind": "lora", "r": 4, "init": "pissa"},
        {"kind": "lora", "r": 4, "init": "olora"},
        {"kind": "qlora", "r": 4},
        {"kind": "peft", "tuner": "OFT", "options": {"oft_block_size": 8, "r": 0}},
    ],
    ids=["pissa", "olora", "qlora", "oft"],
)
def test_preferences_are_measured_against_the_untouched_base(
    bench: Any, losses: Callable[[Path], list[float]], adapter: dict[str, Any]
) -> None:
    """Before the first step there is no difference to it: the loss is log 2."""
    bench.dataset("toy", PAIRS)
    run = bench.train(
        {"method": "dpo", "adapter": adapter, "steps": 5, "batch_size": 4, "learning_rate": 0.01}
    )
    found = losses(run)
    assert found[0] == pytest.approx(0.693147, abs=2e-4)
    assert found[-1] < 0.68


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_biases_are_trained_published_and_put_back(
    tmp_path: Path, tiny_model: Path, make_bench: Any, bias: str
) -> None:
    """They are changed in place, so that switching the adapter off has to restore them."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from evalsuite.engine.sides import Resident
    from evalsuite.engine.subjects import find_subject
    from evalsuite.models.load import load_model

    model = shutil.copytree(tiny_model, tmp_path / "model")
    config = LlamaConfig.from_pretrained(model)
    config.attention_bias = True
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(model)
    bench = make_bench(tmp_path, model)
    adapter = {"kind": "lora", "r": 2, "targets": ["q_proj"], "bias": bias}
    reporter = StopAfter(-1)
    run = bench.train({"adapter": adapter}, reporter=reporter)
    biases = 2 * (32 if bias == "lora_only" else 32 + 16 + 16 + 32)
    plan = json.loads((run / "plan.json").read_text())
    assert plan["trainable_parameters"] == 2 * 2 * (32 + 32) + biases
    assert any(f"trainable: {plan['trainable_parameters']:,} of" in n for n in reporter.notes)
    base = load_model(model).requires_grad_(False)
    ids = torch.tensor([[1, 20, 30, 2]])
    before = base(input_ids=ids).logits
    resident = Resident(base, 0)
    with resident.wearing(find_subject(run.name, bench.workspace)) as worn:
        tuned = worn.engine.model
        assert tuned.model.layers[0].self_attn.q_proj.bias.abs().max() > 0
        with worn.off():
            assert torch.equal(tuned(input_ids=ids).logits, before)
        assert not torch.equal(tuned(input_ids=ids).logits, before)
    assert torch.equal(resident.model(input_ids=ids).logits, before)
