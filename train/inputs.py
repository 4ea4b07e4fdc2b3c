"""From a recipe to what a run reads: model, tokenizer, datasets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evalsuite.models import ChatTokenizer, ModelSection, ModelSource, resolve_model
from train.distill_section import DistillSection
from train.plan import Prepared, prepare
from train.plan.facts import ModelFacts, read_facts
from train.probe.suites import ProbeSuites, find_probe
from train.recipe import TrainSection
from train.reinforcement_sections import RewardedSection
from train.reward_opinions import demand_rewards
from train.teacher import Teacher, find_teacher
from workspace.errors import ModelError
from workspace.layout import Workspace
from workspace.recipe import Recipe


@dataclass(frozen=True)
class Inputs:
    """Everything a run reads, found and identified."""

    recipe: Recipe
    section: TrainSection
    model_section: ModelSection
    source: ModelSource
    tokenizer: ChatTokenizer
    facts: ModelFacts
    dataset: Path
    replay: Path | None
    teacher: Teacher | None = None
    """What is learnt from, for `distill`."""
    probe: ProbeSuites | None = None
    """What is asked while training."""

    def prepare(
        self, progress: Callable[[str, int, int], None] = lambda what, done, total: None
    ) -> Prepared:
        """Plan the run.

        Raises:
            DataError, ModelError, LimitExceeded: as `train.plan.prepare`.
        """
        return prepare(
            self.section,
            dataset=self.dataset,
            replay=self.replay,
            facts=self.facts,
            model_digest=self.source.digest,
            tokenizer=self.tokenizer,
            weights=self.model_section.dtype,
            teacher=self.teacher,
            progress=progress,
        )


def find_inputs(recipe: Recipe, workspace: Workspace, *, command: str = "temper train") -> Inputs:
    """Find what a recipe names.

    Raises:
        UsageError: the recipe lacks the `train` or `model` section.
        ModelError: the model is none, has no usable tokenizer, or is wanted in a precision that
            the adapter cannot work in.
        DataError: there is no such dataset, or an item of the probe cannot be asked.
    """
    section = recipe.required("train", TrainSection, command=command)
    model_section = recipe.required("model", ModelSection, command=command)
    _check_precision(section, model_section)
    if isinstance(section.method, RewardedSection):
        demand_rewards(section.method.rewards, recipe.base_dir)
    dataset = workspace.dataset(section.dataset or recipe.name)
    replay = (
        workspace.dataset(section.tempering.replay.dataset) if section.tempering.replay else None
    )
    source = resolve_model(model_section, recipe.base_dir)
    tokenizer, facts = ChatTokenizer.from_dir(source.path), read_facts(source.path)
    teacher = None
    if isinstance(section.method, DistillSection):
        teacher = find_teacher(section.method, recipe.base_dir, workspace, tokenizer)
    return Inputs(
        recipe=recipe,
        section=section,
        model_section=model_section,
        source=source,
        tokenizer=tokenizer,
        facts=facts,
        dataset=dataset,
        replay=replay,
        teacher=teacher,
        probe=find_probe(section.tempering.probe, workspace, tokenizer, facts),
    )


def _check_precision(section: TrainSection, model: ModelSection) -> None:
    if section.adapter.splits_weights and model.dtype == "bfloat16":
        raise ModelError(
            "this adapter needs float32 weights while training",
            where="model.dtype",
            cause="It takes a part out of every weight; what is left, rounded to bfloat16, would "
            "not add up to the base again.",
            cure="Leave model.dtype out, or use init: zero.",
        )
