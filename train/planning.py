"""What `temper plan` tells: the run as far as its data is there, and what it takes on which GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.models.section import ModelSection
from evalsuite.models.source import is_hub_name
from train.distill_section import DistillSection
from train.estimate.compute import Work
from train.estimate.estimate import Estimate, Question, estimate
from train.estimate.gpus import compared
from train.estimate.read import read_shape
from train.estimate.section import PlanSection
from train.estimate.ways import Demand, Optimizer, demand_of, way_of, ways
from train.recipe import TrainSection
from workspace.errors import DataError
from workspace.recipe import Recipe

if TYPE_CHECKING:
    from train.each.plan import WholePlan
    from train.plan import Prepared

_LENGTH = 2048
"""Tokens of a row where there are no rows to look at."""


@dataclass(frozen=True)
class Asked:
    """What the command line adds."""

    gpus: Sequence[str] = ()
    prices: Sequence[str] = ()
    length: int | None = None
    """Tokens of the longest row, in place of what the data or the recipe says."""
    optimizer: Optimizer = "adamw"


@dataclass(frozen=True)
class Answer:
    """The plan, or why there is none yet, and the estimate."""

    prepared: Prepared | None
    missing: str
    """What the plan of rows and tokens waits for."""
    estimate: Estimate
    whole: WholePlan | None = None
    """The groups, where each gets an adapter."""

    def as_dict(self) -> dict[str, Any]:
        """Return one document: the plan with its ledger, if there is one, and the estimate."""
        out: dict[str, Any] = {"schema_version": 1}
        if self.whole is not None:
            out |= self.whole.as_dict()
        elif self.prepared is not None:
            out |= {**self.prepared.plan.as_dict(), "ledger": self.prepared.ledger.as_dict()}
        elif self.missing:
            out["missing"] = self.missing
        return {**out, "estimate": self.estimate.as_dict()}


def plan_recipe(
    recipe: Recipe,
    asked: Asked,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Answer:
    """Plan a recipe's run. Nothing is downloaded but the config of a hub model.

    Raises:
        UsageError: the recipe lacks the `train` or `model` section, or an option is wrong.
        DataError, ModelError, LimitExceeded: as `train.plan.prepare`.
    """
    section = recipe.required("train", TrainSection, command="temper plan")
    model = recipe.required("model", ModelSection, command="temper plan")
    missing = what_is_missing(recipe, section, model)
    prepared = whole = None
    if not missing:
        from train.each.plan import plan_groups
        from train.inputs import find_inputs

        inputs = find_inputs(recipe, recipe.workspace, command="temper plan")
        if section.each is not None:
            whole = plan_groups(inputs, progress)
        prepared = inputs.prepare(progress)
    tokens = sum(one.tokens for one in whole.plans) if whole else None
    found = estimate_recipe(recipe, prepared, asked, tokens=tokens)
    return Answer(prepared, missing, found, whole)


def what_is_missing(recipe: Recipe, section: TrainSection, model: ModelSection) -> str:
    """Return what rows and tokens cannot be counted without, or nothing."""
    for name in section.dataset_names(recipe.name):
        try:
            recipe.workspace.dataset(name)
        except DataError as error:
            return f"{error.title}. {error.cure}".strip()
    if is_hub_name(model, recipe.base_dir):
        from evalsuite.models.download import is_missing

        if is_missing(recipe):
            return f"{model.path} is not on this machine; `temper train` downloads it."
    if isinstance(section.method, DistillSection) and _is_teacher_missing(recipe):
        return "The teacher is not on this machine; `temper train` downloads it."
    local = recipe.base_dir / Path(model.path).expanduser()
    if local.is_file() or (
        (local / "config.json").is_file() and not any(local.glob("*.safetensors"))
    ):
        return f"{model.path} has a config and no weights."
    return ""


def _is_teacher_missing(recipe: Recipe) -> bool:
    from train.teacher import is_teacher_missing  # imports numpy

    return is_teacher_missing(recipe)


def estimate_recipe(
    recipe: Recipe,
    prepared: Prepared | None,
    asked: Asked | None = None,
    *,
    tokens: int | None = None,
) -> Estimate:
    """Return what a recipe takes: with its rows if they are planned, else by `train.max_length`.

    `tokens` over all steps count in place of the plan's, for many runs of a part of the rows each.
    """
    section = recipe.section("train", TrainSection)
    model = recipe.required("model", ModelSection, command="temper plan")
    plan = recipe.section("plan", PlanSection)
    return _estimate(model, recipe.base_dir, section, plan, prepared, asked or Asked(), tokens)


def estimate_model(named: str, asked: Asked, recipe: Recipe | None = None) -> Estimate:
    """Return what a model takes, with the settings of a recipe if one is given.

    Args:
        named: a directory, a config.json, a hub name or `builtin`.
        asked: of the command line.
        recipe: whose `train` and `plan` count; its own model does not.
    """
    section = recipe.section("train", TrainSection) if recipe else None
    plan = recipe.section("plan", PlanSection) if recipe else None
    return _estimate(ModelSection(path=named), Path.cwd(), section, plan, None, asked)


def _estimate(
    model: ModelSection,
    base_dir: Path,
    section: TrainSection | None,
    plan: PlanSection | None,
    prepared: Prepared | None,
    asked: Asked,
    tokens: int | None = None,
) -> Estimate:
    from workspace.gpus import list_gpus

    gpus = compared(plan, asked.gpus, asked.prices, list_gpus())
    shape = read_shape(model, base_dir)
    method = section.method.kind if section else "sft"
    length, reason = _length(section, prepared, shape.context, asked)
    micro = section.micro_batch_size if section else None
    if prepared is not None:
        micro = int(prepared.plan["micro_batch_size"])
    question = Question(
        shape=shape,
        ways=ways(section, asked.optimizer, model.dtype),
        chosen=way_of(section),
        demand=_demand(method, prepared),
        batch_size=section.batch_size if section else 32,
        length=length,
        length_reason=reason,
        micro_batch=micro,
        work=_work(prepared, tokens) if prepared else None,
    )
    return estimate(question, gpus)


def _demand(method: str, prepared: Prepared | None) -> Demand:
    """Return what a method needs; the teacher's part where it is known."""
    demand = demand_of(method)
    if prepared is None or "teacher" not in prepared.plan.settings:
        return demand
    weights = int(prepared.plan["teacher_parameters"])
    return replace(demand, reference="model", reference_parameters=weights, note="")


def _length(
    section: TrainSection | None, prepared: Prepared | None, context: int, asked: Asked
) -> tuple[int, str]:
    """Return the tokens of the longest sequence, and where the number is from."""
    if asked.length is not None:
        return asked.length, "--length"
    if prepared is not None and prepared.ledger.packing is not None:
        return prepared.ledger.packing.longest, "the fullest packed sequence"
    if prepared is not None:
        return max(one.longest for one in prepared.plan.sources), "the longest row"
    if section is not None and section.max_length is not None:
        return section.max_length, "train.max_length; there are no rows yet"
    if context < _LENGTH:
        return context, "the model's context; there are no rows yet"
    return _LENGTH, "assumed; there are no rows yet"


def _work(prepared: Prepared, tokens: int | None = None) -> Work:
    """Return the tokens that all steps compute, and the mean length of a token's sequence."""
    plan = prepared.plan
    lengths = prepared.rows.tokens[prepared.schedule.order] / prepared.rows.per_row
    mean = float((lengths**2).sum() / max(1.0, lengths.sum()))
    seen = plan.tokens_seen if tokens is None else tokens
    return Work(round(seen / (1 - plan.padding_share)), mean)
