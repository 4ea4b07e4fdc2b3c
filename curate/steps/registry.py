"""The closed list of steps: adding one is a file, a config and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from curate.steps.balance import BalanceStep
from curate.steps.base import Step
from curate.steps.configs import StepConfig
from curate.steps.consistency import ConsistencyStep
from curate.steps.contradictions import ContradictionsStep
from curate.steps.decontaminate import DecontaminateStep
from curate.steps.empty_answers import EmptyAnswersStep
from curate.steps.exact_duplicates import ExactDuplicatesStep
from curate.steps.filter import FilterStep
from curate.steps.near_duplicates import NearDuplicatesStep
from curate.steps.preference_pairs import PreferencePairsStep
from curate.steps.prefix_conversations import PrefixConversationsStep
from curate.steps.redact import RedactStep
from curate.steps.repair import RepairStep
from curate.steps.repeated import RepeatedAnswersStep, RepeatedPromptsStep
from curate.steps.score import ScoreStep
from curate.steps.select import SelectStep
from curate.steps.semantic_duplicates import SemanticDuplicatesStep
from curate.steps.topics import TopicsStep

STEPS: dict[str, Callable[[Any], Step]] = {
    step.name: step
    for step in (
        ExactDuplicatesStep,
        NearDuplicatesStep,
        SemanticDuplicatesStep,
        EmptyAnswersStep,
        ContradictionsStep,
        RepeatedPromptsStep,
        RepeatedAnswersStep,
        PreferencePairsStep,
        PrefixConversationsStep,
        DecontaminateStep,
        TopicsStep,
        ConsistencyStep,
        BalanceStep,
        SelectStep,
        RepairStep,
        FilterStep,
        RedactStep,
        ScoreStep,
    )
}


def make_step(config: StepConfig) -> Step:
    """Return the step that a recipe's entry asks for."""
    return STEPS[config.name](config.settings)
