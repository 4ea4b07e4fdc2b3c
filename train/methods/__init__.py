"""Ways to learn: a closed registry. Another is a class here, its settings and a trainer."""

from train.methods.base import Method, Unusable
from train.methods.distill import Distill
from train.methods.dpo import Dpo
from train.methods.kto import Kto
from train.methods.reference_free import Orpo, Simpo
from train.methods.reinforcement import Grpo, Reinforcement, Rft, Rloo
from train.methods.reward import Reward
from train.methods.sft import Sft

METHODS: dict[str, Method] = {
    method.name: method
    for method in (Sft(), Distill(), Dpo(), Kto(), Orpo(), Simpo(), Reward(), Grpo(), Rloo(), Rft())
}

__all__ = ["METHODS", "Method", "Reinforcement", "Unusable"]
