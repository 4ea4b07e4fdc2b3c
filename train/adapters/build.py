"""The adapter that a plan names, on a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig
from peft.utils.other import ModulesToSaveWrapper, TrainableTokensWrapper

from train.adapters.tuner import tuner_config
from train.methods import METHODS
from train.plan import Plan
from train.plan.layers import chosen_layers, is_named, layer_of, trained_names
from train.plan.vision import learns
from train.recipe import FullAdapter, LoraAdapter, PeftAdapter, QloraAdapter
from workspace.errors import ModelError

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel

_INITS: dict[str, Any] = {
    "zero": True,
    "loftq": True,  # filled in when the adapter is on
    "gaussian": "gaussian",
    "pissa": "pissa",
    "pissa_fast": "pissa_niter_16",
    "olora": "olora",
}


def peft_config(model: PreTrainedModel, plan: Plan) -> PeftConfig | None:
    """Return the adapter that the plan names, or None where there is none."""
    section = plan.adapter_section
    if isinstance(section, FullAdapter):
        return None
    if isinstance(section, PeftAdapter):
        return tuner_config(section.tuner, section.options, total_steps=plan.steps)
    return _lora_config(model, plan, section)


def _lora_config(
    model: PreTrainedModel, plan: Plan, section: LoraAdapter | QloraAdapter
) -> LoraConfig:
    options: dict[str, Any] = {}
    if plan.trainable_token_ids:
        # peft ties the trained rows of the output matrix to those of the embedding by itself
        # where the model ties the matrices.
        options["trainable_token_indices"] = {
            _embedding_name(model): list(plan.trainable_token_ids)
        }
    targets: str | list[str] = section.targets
    if "vision" in plan.settings:
        targets = _targets_beside_vision(model, plan, section)
    elif section.layers is not None:
        names = _linear_names(model)
        options["layers_to_transform"] = chosen_layers(
            section.layers, names, where="train.adapter.layers"
        )
        if isinstance(targets, str):  # peft takes layers only with targets by name
            targets = sorted({name.rsplit(".", 1)[-1] for name in names})
    return LoraConfig(
        r=section.r,
        lora_alpha=plan["lora_alpha"],
        lora_dropout=section.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        exclude_modules=list(section.exclude) or None,
        modules_to_save=list(section.modules_to_save) or None,
        rank_pattern=dict(section.rank_pattern),
        alpha_pattern=dict(section.alpha_pattern),
        use_dora=section.dora,
        use_rslora=section.rslora,
        init_lora_weights=_INITS[section.init],
        bias=section.bias if isinstance(section, LoraAdapter) else "none",
        # of a reward model peft trains the head as well, and leaves it without an adapter
        task_type="SEQ_CLS" if METHODS[plan.method["kind"]].makes == "reward" else "CAUSAL_LM",
        **options,
    )


def _targets_beside_vision(
    model: PreTrainedModel, plan: Plan, section: LoraAdapter | QloraAdapter
) -> list[str]:
    """Return the whole names of the layers to adapt: names alone would mean the tower's too."""
    names = [name for name in _linear_names(model) if learns(name, plan["vision"])]
    if section.layers is not None:
        layers = chosen_layers(section.layers, names, where="train.adapter.layers")
        names = [name for name in names if layer_of(name) in layers]
    if isinstance(section.targets, str):
        return names
    return [name for name in names if is_named(name, section.targets)]


def _linear_names(model: PreTrainedModel) -> list[str]:
    """Return the linear layers that `all-linear` means: all but the output matrix."""
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    return [
        name
        for name, module in model.named_modules()
        if module is not head and type(module).__name__ in ("Linear", "Linear4bit", "Conv1D")
    ]


def _embedding_name(model: PreTrainedModel) -> str:
    embedding = model.get_input_embeddings()
    for name, module in model.named_modules():
        if module is embedding:
            return str(name).rsplit(".", 1)[-1]
    return "embed_tokens"


def freeze(model: PreTrainedModel, plan: Plan) -> None:
    """Let only those weights be trained that a plan without an adapter names.

    Raises:
        ModelError: the model, once built, has other weights than its files, so that a pattern
            means something else.
    """
    section = plan.adapter_section
    assert isinstance(section, FullAdapter)
    names = [name for name, _ in model.named_parameters() if _may_learn(name, plan)]
    trained = trained_names(section, names, tied=bool(model.config.tie_word_embeddings))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trained)
    found = trainable_parameters(model)
    if found != plan.trainable_parameters:
        raise ModelError(
            "the weights to train are not the planned ones",
            where="train.adapter",
            cause=f"{found:,} are named by freeze or only, {plan.trainable_parameters:,} were "
            "planned: the model's files name its weights otherwise than the model itself.",
            cure="Use `layers`, `embeddings` and `norms` instead of patterns.",
        )


def _may_learn(name: str, plan: Plan) -> bool:
    return "vision" not in plan.settings or learns(name, plan["vision"])


def prepare_adapter(model: Any, plan: Plan, base: Path) -> None:
    """Finish an adapter that a trainer has just put on.

    Args:
        model: with its adapter.
        plan: of the run.
        base: directory of the base's unquantised weights.
    """
    section = plan.adapter_section
    for name, parameter in model.named_parameters():  # peft's `bias: all` means the tower's too
        if not _may_learn(name, plan):
            parameter.requires_grad_(False)
    if isinstance(section, QloraAdapter):
        _as_float32(model)
        if section.init == "loftq":
            _fill_with_what_was_lost(model, base)


def _as_float32(model: Any) -> None:
    """Undo what trl does to adapters on 4-bit bases: it rounds them to bfloat16.

    Updates of a small rate are lost in bfloat16, and copies of trained modules and token rows
    would begin rounded: those are copied again.
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, ModulesToSaveWrapper):
                original = dict(module.original_module.named_parameters())
                for name, one in module.modules_to_save["default"].named_parameters():
                    one.copy_(original[name])
            elif isinstance(module, TrainableTokensWrapper):
                adapter: Any = module.token_adapter
                rows = adapter.get_base_layer().weight[adapter.token_indices["default"]]
                adapter.trainable_tokens_delta["default"].copy_(rows)


def _fill_with_what_was_lost(model: Any, base: Path) -> None:
    """Begin the adapter with the difference between the weights and their 4-bit form (LoftQ).

    One iteration, as Guo et al.'s LQ-LoRA and peft's own function: the singular directions of
    W - NF4(W) of the adapter's rank, divided by its scaling.
    """
    import bitsandbytes.functional as codes
    from safetensors import safe_open

    weights: dict[str, Path] = {}
    for file in sorted(base.glob("*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            weights.update(dict.fromkeys(opened.keys(), file))
    for name, module in model.named_modules():
        if not hasattr(module, "lora_A") or "default" not in module.lora_A:
            continue
        key = f"{name.removeprefix('base_model.model.')}.weight"
        with safe_open(weights[key], framework="pt") as opened:
            original = opened.get_tensor(key)
        layer = module.get_base_layer()
        held = codes.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
        lost = original.to(held.device, torch.float32) - held.to(torch.float32)
        left, sizes, right = torch.linalg.svd(lost, full_matrices=False)
        rank, scale = module.r["default"], module.scaling["default"]
        root = (sizes[:rank] / scale).sqrt()
        module.lora_A["default"].weight.data[: len(root)] = root[:, None] * right[:rank]
        module.lora_B["default"].weight.data[:, : len(root)] = left[:, :rank] * root


def complete_output_wrapper(model: PreTrainedModel) -> None:
    """Give peft's wrapper of a tied output matrix the `bias` that a linear layer has.

    Call it when the adapter is on. trl 1.16 reads `lm_head.weight` and `lm_head.bias`; peft 0.21's
    TrainableTokensWrapper answers for the weight, with the trained rows in it, but has no bias.
    """
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if not isinstance(head, TrainableTokensWrapper):
        return
    if getattr(head.original_module, "bias", None) is not None:
        raise ModelError(
            "trainable_tokens cannot be used with this model",
            where="train.adapter.trainable_tokens",
            cause="Its output layer has a bias, which peft would leave out.",
            cure="Leave trainable_tokens out, or train all weights.",
        )
    head.register_parameter("bias", None)


def trainable_parameters(model: Any) -> int:
    """Return how many weights will be trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
