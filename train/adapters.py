"""From the recipe's adapter to a model whose trainable weights are what it says.

Imports peft and torch: import it late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peft import LoraConfig, PeftModel
from peft.utils.other import TrainableTokensWrapper

from train.methods import METHODS
from train.plan import Plan
from workspace.errors import ModelError

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel


def peft_config(model: PreTrainedModel, plan: Plan) -> PeftConfig | None:
    """Return the adapter that the plan names, or None where all weights are trained."""
    return None if plan.adapter["kind"] == "full" else _lora_config(model, plan)


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


def whole_model(model: Any) -> Any:
    """Return a trained model without its adapter, whose effect is added to the weights.

    Readers of reward models load a whole model; a head beside an adapter they would not find.
    """
    return model.merge_and_unload() if isinstance(model, PeftModel) else model


def _lora_config(model: PreTrainedModel, plan: Plan) -> LoraConfig:
    options: dict[str, Any] = {}
    if plan.trainable_token_ids:
        # peft ties the trained rows of the output matrix to those of the embedding by itself
        # where the model ties the matrices.
        name = _embedding_name(model)
        options["trainable_token_indices"] = {name: list(plan.trainable_token_ids)}
    targets = plan.adapter["targets"]
    return LoraConfig(
        r=plan.adapter["r"],
        lora_alpha=plan["lora_alpha"],
        lora_dropout=plan.adapter["dropout"],
        target_modules=targets if isinstance(targets, str) else list(targets),
        # of a reward model peft trains the head as well, and leaves it without an adapter
        task_type="SEQ_CLS" if METHODS[plan.method["kind"]].makes == "reward" else "CAUSAL_LM",
        **options,
    )


def _embedding_name(model: PreTrainedModel) -> str:
    embedding = model.get_input_embeddings()
    for name, module in model.named_modules():
        if module is embedding:
            return str(name).rsplit(".", 1)[-1]
    return "embed_tokens"


def trainable_parameters(model: Any) -> int:
    """Return how many weights will be trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
