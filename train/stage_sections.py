"""`train.stages`: several runs as one recipe, each going on from what those before it made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from train.recipe import TrainSection
from train.reinforcement_sections import ModelReward, RewardedSection
from workspace.recipe import Section

Place = tuple[str | int, ...]
_EITHER = {"steps": "epochs", "epochs": "steps"}


class StageModel(Section):
    """A model that does not exist yet."""

    stage: str
    """The name of an earlier stage that writes; an adapter of its is merged into its base."""


class Stage(TrainSection):
    """One run of several: what stands here goes over what `train` says for all."""

    is_stage: ClassVar[bool] = True

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,30}$")
    """What other stages call it; the run is called RECIPE-NAME, the last one RECIPE."""
    model: StageModel | None = None
    """`{stage: NAME}`: begin with what that stage made. Left out: with the recipe's `model`."""

    @property
    def reward_stages(self) -> list[tuple[int, str]]:
        """Which of its rewards are made by which stages."""
        method = self.method
        if not isinstance(method, RewardedSection):
            return []
        return [
            (number, reward.stage)
            for number, reward in enumerate(method.rewards)
            if isinstance(reward, ModelReward) and reward.stage is not None
        ]

    @model_validator(mode="after")
    def _one_beginning(self) -> Stage:
        if self.model is not None and self.from_run is not None:
            raise ValueError("either `model: {stage: …}` or `from`, not both: a stage begins once")
        if self.each is not None:
            raise ValueError("no `each` in a stage: a stage is one run")
        replay = self.tempering.replay
        unnamed = replay is not None and replay.share > 0 and replay.dataset is None
        if unnamed and self.model is None and self.from_run is None:
            raise ValueError(
                "a dataset in tempering.replay, or an earlier stage or run to begin with, whose "
                "rows are replayed"
            )
        return self


class StagedTrainSection(TrainSection):
    """How the dataset becomes a run; with `stages`, several."""

    stages: Annotated[tuple[Stage, ...], Field(min_length=1)] | None = None
    """Runs of one job, in order: each is this section with its own keys over it. A stage may begin
    with what an earlier one made (`model: {stage: NAME}`) and be rewarded by one
    (`rewards: [{kind: model, stage: NAME}]`). Finished stages are never repeated."""

    @property
    def has_stages(self) -> bool:
        """Whether it is several runs."""
        return bool(self.stages)

    @model_validator(mode="wrap")
    @classmethod
    def _overlay(
        cls, data: Any, handler: ModelWrapValidatorHandler[StagedTrainSection]
    ) -> StagedTrainSection:
        """Check what is common by itself first: its faults are told once, not for each stage."""
        stages = data.get("stages") if isinstance(data, Mapping) else None
        if not isinstance(stages, Sequence) or isinstance(stages, str):
            return handler(data)
        common = {key: value for key, value in data.items() if key != "stages"}
        handler(common)
        if common.get("from") is not None:
            raise ValueError("`from` in the stage that begins with that run, not for all stages")
        overlaid = [overlay(common, one) for one in stages]
        section = handler({**common, "stages": overlaid})
        if faults := list(_faults(section.stages or ())):
            raise ValidationError.from_exception_data(cls.__name__, faults)
        return section


def overlay(common: Mapping[str, Any], stage: Any) -> Any:
    """Return a stage with what it leaves out: mappings of one kind key by key, all else whole.

    >>> overlay({"adapter": {"kind": "lora", "r": 8}, "steps": 5}, {"adapter": {"r": 2}})
    {'adapter': {'kind': 'lora', 'r': 2}, 'steps': 5}
    >>> overlay({"adapter": {"kind": "lora", "r": 8}, "steps": 5}, {"adapter": {"kind": "full"}})
    {'adapter': {'kind': 'full'}, 'steps': 5}
    """
    if not isinstance(stage, Mapping):
        return stage
    own = {key for key, value in stage.items() if value is not None}
    out = {key: value for key, value in common.items() if _EITHER.get(key) not in own}
    for key, value in stage.items():
        out[key] = _over(out.get(key), value)
    return out


def _over(before: Any, value: Any) -> Any:
    """Return a key's value: a mapping over one of the same kind, everything else as it is."""
    if not isinstance(before, Mapping) or not isinstance(value, Mapping):
        return value
    kind = before.get("kind")
    return overlay(before, value) if value.get("kind", kind) == kind else value


def _faults(stages: Sequence[Stage]) -> Iterator[InitErrorDetails]:
    """Yield what stages cannot be to each other."""
    names = [stage.name for stage in stages]
    for number, stage in enumerate(stages):
        place = ("stages", number)
        earlier = stages[:number]
        if stage.name in names[:number]:
            yield _fault((*place, "name"), stage.name, "a name of its own for each stage")
        if stage.model is not None:
            writing = [one.name for one in earlier if one.method.kind != "reward"]
            yield from _reference(
                (*place, "model", "stage"), stage.model.stage, stage, names, writing, "that writes"
            )
        scoring = [one.name for one in earlier if one.method.kind == "reward"]
        for which, named in stage.reward_stages:
            where = (*place, "method", "rewards", which, "stage")
            yield from _reference(where, named, stage, names, scoring, "of `method: reward`")


def _reference(
    place: Place, named: str, stage: Stage, names: Sequence[str], known: Sequence[str], what: str
) -> Iterator[InitErrorDetails]:
    if named in known:
        return
    shown = f"an earlier stage {what}: {', '.join(known) or 'there is none before this one'}"
    if named == stage.name:
        shown += "; a stage cannot come after itself"
    elif named in names:
        shown += f"; `{named}` comes later or is of another method"
    yield _fault(place, named, shown, known)


def _fault(place: Place, found: str, expected: str, known: Sequence[str] = ()) -> InitErrorDetails:
    context = {"text": expected, "expected": ", ".join(f"'{one}'" for one in known)}
    return InitErrorDetails(
        type=PydanticCustomError("stage", "{text}", context), loc=place, input=found
    )
