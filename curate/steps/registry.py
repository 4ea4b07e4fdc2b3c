"""The closed list of steps: adding one is a file, a config and a line here."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from curate.steps.base import Step
from curate.steps.configs import StepConfig

STEPS = {
    "exact_duplicates": "curate.steps.exact_duplicates.ExactDuplicatesStep",
    "near_duplicates": "curate.steps.near_duplicates.NearDuplicatesStep",
    "semantic_duplicates": "curate.steps.semantic_duplicates.SemanticDuplicatesStep",
    "empty_answers": "curate.steps.empty_answers.EmptyAnswersStep",
    "contradictions": "curate.steps.contradictions.ContradictionsStep",
    "repeated_prompts": "curate.steps.repeated.RepeatedPromptsStep",
    "repeated_answers": "curate.steps.repeated.RepeatedAnswersStep",
    "preference_pairs": "curate.steps.preference_pairs.PreferencePairsStep",
    "prefix_conversations": "curate.steps.prefix_conversations.PrefixConversationsStep",
    "decontaminate": "curate.steps.decontaminate.DecontaminateStep",
    "topics": "curate.steps.topics.TopicsStep",
    "consistency": "curate.steps.consistency.ConsistencyStep",
    "balance": "curate.steps.balance.BalanceStep",
    "select": "curate.steps.select.SelectStep",
    "repair": "curate.steps.repair.RepairStep",
    "filter": "curate.steps.filter.FilterStep",
    "redact": "curate.steps.redact.RedactStep",
    "score": "curate.steps.score.ScoreStep",
}
"""Step → its class, imported when a recipe asks for it: some bring libraries that take a second."""


def step_class(name: str) -> Any:
    """Return the class of a step, which its config makes a step of."""
    module, _, own = STEPS[name].rpartition(".")
    return getattr(import_module(module), own)


def make_step(config: StepConfig) -> Step:
    """Return the step that a recipe's entry asks for."""
    step: Step = step_class(config.name)(config.settings)
    return step
