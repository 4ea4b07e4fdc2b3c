"""From a recipe to what a run reads: model, tokenizer, datasets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.models import ChatTokenizer, ModelSection, ModelSource, resolve_model
from train.beginning import Beginning, begun_with, find_beginning
from train.data import DESCRIPTIONS, data_type
from train.distill_section import DistillSection
from train.methods import METHODS
from train.plan import Prepared, prepare
from train.plan.facts import ModelFacts, read_facts
from train.probe.suites import ProbeSuites, find_probe
from train.recipe import TrainSection
from train.reinforcement_sections import RewardedSection
from train.reward_opinions import demand_rewards
from train.teacher import Teacher, find_teacher
from workspace.errors import DataError, ModelError, UsageError
from workspace.files import hash_file, read_json
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
    beginning: Beginning | None = None
    """The earlier run whose result is not in place yet; None once the run has begun."""

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


def find_inputs(
    recipe: Recipe,
    workspace: Workspace,
    *,
    command: str = "temper train",
    begun: Path | None = None,
) -> Inputs:
    """Find what a recipe names.

    Args:
        recipe: of one run.
        workspace: where datasets and runs are.
        command: that reads it, for messages.
        begun: the run that is to go on, if it is not a new one.

    Raises:
        UsageError: the recipe lacks the `train` or `model` section, or has stages.
        ModelError: the model is none, has no usable tokenizer, or is wanted in a precision that
            the adapter cannot work in; or the run to begin with is not finished, damaged or of
            another base.
        DataError: there is no such dataset, or an item of the probe cannot be asked.
    """
    section = recipe.required("train", TrainSection, command=command)
    if section.has_stages:
        raise UsageError(
            "this recipe has stages, of which each is a run",
            where=f"{recipe.path}: train.stages",
            cause=f"`{command}` is for one run.",
            cure="`temper train`, `temper plan` and `temper check` take all stages; "
            "`temper preview --stage NAME` shows one.",
        )
    model_section = recipe.required("model", ModelSection, command=command)
    _check_precision(section, model_section)
    if isinstance(section.method, RewardedSection):
        demand_rewards(section.method.rewards, recipe.base_dir)
    dataset = workspace.dataset(section.dataset or recipe.name)
    record = read_json(begun / "run.json", kind="run record") if begun else None
    source, beginning = _model(recipe, section, model_section, workspace, begun, record)
    replay = _replay(section, workspace, beginning, record)
    own = beginning.subject.tokenizer if beginning else source.path
    tokenizer, facts = ChatTokenizer.from_dir(own), read_facts(source.path)
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
        beginning=beginning,
    )


def _model(
    recipe: Recipe,
    section: TrainSection,
    named: ModelSection,
    workspace: Workspace,
    begun: Path | None,
    record: Mapping[str, Any] | None,
) -> tuple[ModelSource, Beginning | None]:
    """Return the model that the run begins with, and the run that it is still to be made from."""
    if begun is not None and record is not None:
        in_place = begun_with(begun, record, section)
        return in_place or resolve_model(named, recipe.base_dir), None
    base = resolve_model(named, recipe.base_dir)
    if section.from_run is None:
        return base, None
    beginning = find_beginning(section.from_run, recipe.base_dir, workspace)
    if beginning.root["digest"] != base.digest:
        raise ModelError(
            "the run to begin with has another base",
            where=f"train.from: {beginning.run.name}",
            cause=f"It goes back to {beginning.root['name']} "
            f"({str(beginning.root['digest'])[:12]}); `model` is {base.name} ({base.digest[:12]}).",
            cure="Name that base under `model`, or train its recipe on the new one: "
            f"`temper rebase {beginning.run.name} --base {base.name}`.",
        )
    return beginning.source, beginning


def _replay(
    section: TrainSection,
    workspace: Workspace,
    beginning: Beginning | None,
    record: Mapping[str, Any] | None,
) -> Path | None:
    """Return the dataset to replay: the one that is named, or that of the run to begin with."""
    replay = section.tempering.replay
    if replay is None or replay.share == 0:
        return None
    if replay.dataset is not None:
        return workspace.dataset(replay.dataset)
    if record is not None:
        # None where nothing was replayed: then that it is now is a difference with a name
        return Path(str(record["replay"] or record["begins"]["chain"][-1]["dataset"]))
    assert beginning is not None  # without one the recipe must name it
    _demand_rows(beginning, section.method.kind)
    return beginning.dataset


def _demand_rows(beginning: Beginning, method: str) -> None:
    """Refuse a replay of rows that are gone, or that the method cannot learn from."""
    import pyarrow.parquet as pq

    where = f"train.from: {beginning.run.name}"
    cure = "Name a dataset under `tempering.replay`, or replay nothing with `share: 0`."
    file = beginning.dataset / "train.parquet"
    if not file.is_file():
        raise DataError(
            "the rows of the run to begin with are gone",
            where=where,
            cause=f"It learnt from {beginning.dataset}.",
            cure=cure,
        )
    if hash_file(file) != beginning.chain[-1].dataset_digest:
        raise DataError(
            "the rows of the run to begin with are not those that it learnt from",
            where=str(file),
            cause=f"They have another digest than {beginning.run.name} recorded.",
            cure=cure,
        )
    kind = data_type(pq.read_schema(file).names)
    if kind not in METHODS[method].accepts:
        raise DataError(
            f"`method: {method}` cannot replay the rows of the run to begin with",
            where=where,
            cause=f"{file} has {DESCRIPTIONS[kind] if kind else 'other columns'}.",
            cure=cure,
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
