"""How strong an adapter works: its ends, its middle, and what is written out."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from evalsuite.models.load import Placement, load_adapter, load_model
from train.adapters.tuner import tuner_config
from train.dial.origin import LINEAR
from train.dial.strength import AdapterStrength, FullStrength, between

IDS = torch.tensor([[1, 20, 30, 2, 45, 101]])
CPU = Placement("cpu", "float32", "test")
LORA: dict[str, Any] = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"}
TUNERS: dict[str, tuple[str, dict[str, Any]]] = {
    "lora": ("LORA", LORA),
    "rslora": ("LORA", {**LORA, "use_rslora": True, "alpha_pattern": {"q_proj": 2}}),
    "dora": ("LORA", {**LORA, "use_dora": True}),
    "tokens": ("LORA", {**LORA, "trainable_token_indices": {"embed_tokens": [20, 45]}}),
    "modules": ("LORA", {**LORA, "modules_to_save": ["norm"]}),
    "biases": ("LORA", {**LORA, "target_modules": ["q_proj"], "bias": "all"}),
    "embedding": ("LORA", {**LORA, "target_modules": ["q_proj", "embed_tokens"]}),
    "ADALORA": ("ADALORA", {"init_r": 4, "target_r": 2, "total_step": 9}),
    "IA3": ("IA3", {}),
    "VERA": ("VERA", {"r": 8}),
    "LOHA": ("LOHA", {"r": 4}),
    "LOKR": ("LOKR", {"r": 4}),
    "SHIRA": ("SHIRA", {"r": 4}),
    "FOURIERFT": ("FOURIERFT", {"n_frequency": 50}),
    "LN_TUNING": ("LN_TUNING", {}),
}


@pytest.fixture(scope="module")
def biased_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with biases that are not zero."""
    from transformers import LlamaConfig, LlamaForCausalLM

    path = shutil.copytree(tiny_model, tmp_path_factory.mktemp("biased") / "model")
    config = LlamaConfig.from_pretrained(path)
    config.attention_bias = True
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    for name, weight in model.named_parameters():
        if name.endswith(".bias"):
            torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(path)
    return path


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def make_adapter(base: Path, path: Path, tuner: str, options: dict[str, Any], seed: int) -> Path:
    """Write an adapter with random weights, as large as training would make them."""
    from peft import LoraConfig, get_peft_model

    made = options if tuner == "LORA" else None
    config = (
        LoraConfig(task_type="CAUSAL_LM", **made)
        if made is not None
        else tuner_config(tuner, options, total_steps=9)
    )
    torch.manual_seed(seed)
    model: Any = get_peft_model(load_model(base), config)
    for name, weight in model.named_parameters():
        if weight.requires_grad and weight.is_floating_point():
            with torch.no_grad():
                weight += 0.1 * torch.randn_like(weight) * (20 if "fourierft" in name else 1)
    model.save_pretrained(path)
    return path


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=IDS).logits
    return found.clone()


def merged(base: Path, adapter: Path) -> dict[str, torch.Tensor]:
    model = load_adapter(load_model(base).requires_grad_(False), adapter).merge_and_unload()
    return dict(model.named_parameters())


def write(strength: Any, source: Path, target: Path, scale: float) -> Path:
    """Write a point beside the source's config."""
    target.mkdir()
    for file in source.iterdir():
        if file.suffix == ".json":
            shutil.copyfile(file, target / file.name)
    strength.save(target, source, scale)
    return target


QUICK = ("lora", "dora", "tokens", "modules", "biases", "IA3")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in TUNERS]
)
def test_the_dial_goes_from_the_base_to_the_tuned_model(
    tmp_path: Path, tiny_model: Path, biased_model: Path, name: str
) -> None:
    """Scale 1 is the tuned model and 0 the base; what is written at 0.5 is what works at 0.5,
    on the base and merged into it; weights in the middle are the mean of the ends.
    """
    tuner, options = TUNERS[name]
    base = biased_model if name == "biases" else tiny_model
    adapter = make_adapter(base, tmp_path / "adapter", tuner, options, seed=1)
    bare = logits(load_model(base).requires_grad_(False))
    tuned = logits(load_adapter(load_model(base).requires_grad_(False), adapter))
    assert (bare - tuned).abs().max() > 1e-3

    strength = AdapterStrength(load_model(base).requires_grad_(False), adapter, tuner)
    assert torch.equal(logits(strength.model), tuned)
    strength.set(0.5)
    half = logits(strength.model)
    assert min((half - bare).abs().max(), (half - tuned).abs().max()) > 1e-4
    strength.set(0.0)
    torch.testing.assert_close(logits(strength.model), bare, atol=1e-5, rtol=0)
    strength.set(1.0)
    torch.testing.assert_close(logits(strength.model), tuned, atol=1e-5, rtol=0)
    strength.set(0.5)
    assert torch.equal(logits(strength.model), half)

    written = write(strength, adapter, tmp_path / "half", 0.5)
    again = load_adapter(load_model(base).requires_grad_(False), written)
    torch.testing.assert_close(logits(again), half, atol=1e-5, rtol=0)
    weights = [dict(load_model(base).named_parameters()), merged(base, written)]
    weights.append(merged(base, adapter))
    onto = load_model(base)
    with torch.no_grad():
        for key, weight in onto.named_parameters():
            weight.copy_(weights[1][key])
    if name != "embedding":  # merged, it would reach the output matrix too, which is the same one
        torch.testing.assert_close(logits(onto), half, atol=2e-5, rtol=1e-4)
    if name != "dora":
        for key, zero in weights[0].items():
            mean = (zero + weights[2][key]) / 2
            torch.testing.assert_close(weights[1][key], mean, atol=1e-5, rtol=1e-4)


def test_every_linear_tuner_is_tried() -> None:
    assert {tuner for tuner, _ in TUNERS.values()} == LINEAR


@pytest.mark.parametrize("name", ["dora", "tokens", "biases"])
def test_a_checkpoint_is_worn_without_loading_the_base_again(
    tmp_path: Path, tiny_model: Path, biased_model: Path, name: str
) -> None:
    tuner, options = TUNERS[name]
    base = biased_model if name == "biases" else tiny_model
    last = make_adapter(base, tmp_path / "last", tuner, options, seed=1)
    early = make_adapter(base, tmp_path / "early", tuner, options, seed=2)
    strength = AdapterStrength(load_model(base).requires_grad_(False), last, tuner)
    strength.set(0.3)
    strength.wear(early)
    expected = logits(load_adapter(load_model(base).requires_grad_(False), early))
    strength.set(1.0)
    assert torch.equal(logits(strength.model), expected)
    strength.set(0.0)
    bare = logits(load_model(base).requires_grad_(False))
    torch.testing.assert_close(logits(strength.model), bare, atol=1e-5, rtol=0)
    strength.wear(last)
    strength.set(1.0)
    tuned = logits(load_adapter(load_model(base).requires_grad_(False), last))
    assert torch.equal(logits(strength.model), tuned)


def test_a_fully_tuned_model_is_interpolated_with_its_base(
    tmp_path: Path, tiny_model: Path
) -> None:
    tuned = shutil.copytree(tiny_model, tmp_path / "tuned")
    model = load_model(tuned)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    model.save_pretrained(tuned)
    strength = FullStrength(load_model(tiny_model).requires_grad_(False), tiny_model, tuned, CPU)
    bare, whole = logits(load_model(tiny_model)), logits(load_model(tuned))
    strength.set(1.0)
    torch.testing.assert_close(logits(strength.model), whole, atol=1e-5, rtol=0)
    strength.set(0.0)
    torch.testing.assert_close(logits(strength.model), bare, atol=1e-5, rtol=0)
    strength.set(0.25)
    quarter = logits(strength.model)
    written = tmp_path / "written"
    written.mkdir()
    strength.save(written, tuned, 0.25)
    torch.testing.assert_close(logits(load_model(written)), quarter, atol=1e-5, rtol=0)


def test_on_a_four_bit_base_the_ends_are_exact_too(tmp_path: Path, tiny_model: Path) -> None:
    adapter = make_adapter(tiny_model, tmp_path / "adapter", *TUNERS["dora"], seed=1)

    def base() -> Any:
        return load_model(tiny_model, quantization="nf4").requires_grad_(False)

    bare, tuned = logits(base()), logits(load_adapter(base(), adapter))
    strength = AdapterStrength(base(), adapter, "LORA")
    strength.set(0.0)
    torch.testing.assert_close(logits(strength.model), bare, atol=1e-5, rtol=1e-2)
    strength.set(1.0)
    assert torch.equal(logits(strength.model), tuned)


def test_the_ends_are_exact_in_bfloat16() -> None:
    torch.manual_seed(0)
    one, two = torch.randn(64, dtype=torch.bfloat16), torch.randn(64, dtype=torch.bfloat16)
    assert torch.equal(between(one, two, 0.0), one) and torch.equal(between(one, two, 1.0), two)
    exact = one.double() + 0.3 * (two.double() - one.double())
    assert (between(one, two, 0.3).double() - exact).abs().max() < 0.01
