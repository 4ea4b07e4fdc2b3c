"""Rows with images: what is refused before they are read, and which parts of the model learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.models.vision import Part, demand_vision, part_of
from train.pictures import COLUMN
from train.plan.facts import ModelFacts
from train.plan.settings import Decided
from train.recipe import PeftAdapter, TrainSection
from workspace.errors import ModelError, UsageError

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer

_LEARNING: dict[str, frozenset[Part]] = {
    "frozen": frozenset({"language"}),
    "projector": frozenset({"language", "projector"}),
    "all": frozenset({"language", "projector", "tower"}),
}
"""Value of `train.vision` → the parts whose weights are trained or adapted."""


def has_images(dataset: Path) -> bool:
    """Tell whether a dataset has a column of images, by the header of its file alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return COLUMN in pq.read_schema(dataset / "train.parquet").names
    except (OSError, pa.ArrowInvalid):
        return False  # the reader says what is wrong with it


def demand_images(
    section: TrainSection, datasets: Sequence[Path], tokenizer: ChatTokenizer
) -> bool:
    """Return whether a run has rows with images, which it can learn from.

    Raises:
        ModelError: the model reads no images, or not so that it is known here.
        UsageError: a setting that rows with images do not have.
    """
    if not any(map(has_images, datasets)):
        return False
    if tokenizer.vision is None:
        demand_vision(tokenizer.path, tokenizer.tokenizer)
    for is_asked, where, why, cure in _refused(section):
        if is_asked:
            raise UsageError(
                "this cannot be done with rows that have images", where=where, cause=why, cure=cure
            )
    return True


def _refused(section: TrainSection) -> list[tuple[bool, str, str, str]]:
    return [
        (
            section.tempering.kl is not None,
            "train.tempering.kl",
            "The distance from the base is measured on text alone.",
            "Use tempering.replay, a lower rate, or dpo, whose beta holds it near the base.",
        ),
        (
            section.neftune is not None,
            "train.neftune",
            "Its noise would fall on the places of images.",
            "Leave neftune out.",
        ),
    ]


def check_parts(section: TrainSection, facts: ModelFacts) -> None:
    """Refuse settings that do not go with the model's having a vision part, or having none.

    Raises:
        ModelError: there is none; an adapter that cannot be kept off it or filled from its files;
            selective checkpointing; or rates by layer, which would count the tower's layers too.
    """
    if facts.has_vision and getattr(section.adapter, "init", None) == "loftq":
        raise ModelError(
            "init: loftq is not for vision-language models",
            where="train.adapter.init",
            cause="It needs the unquantised weights by their names in the model, and the files of "
            "these models name them otherwise.",
            cure="Use init: zero.",
        )
    if facts.has_vision and section.speed.checkpointing == "selective":
        raise ModelError(
            "checkpointing cannot be selective with a vision tower",
            where="train.speed.checkpointing",
            cause="trl would ask it of the tower's layers, which cannot.",
            cure="Use checkpointing: full or off.",
        )
    if facts.has_vision and isinstance(section.adapter, PeftAdapter):
        raise ModelError(
            "this adapter is not for vision-language models",
            where="train.adapter",
            cause=f"{section.adapter.tuner} could not be kept off the vision tower.",
            cure="Use kind: lora, qlora or full.",
        )
    if section.vision != "frozen" and not facts.has_vision:
        raise ModelError(
            "this model has no vision tower",
            where="train.vision",
            cause=f"Its config.json has no vision_config; asked for is vision: {section.vision}.",
            cure="Leave train.vision out.",
        )
    if section.vision != "frozen" and section.tempering.layer_rates is not None:
        raise ModelError(
            "rates by layer are for a frozen vision tower",
            where="train.tempering.layer_rates",
            cause="Layers of the tower and of the language model have the same numbers.",
            cure="Leave train.vision or layer_rates out.",
        )


def learning_facts(facts: ModelFacts, vision: str) -> ModelFacts:
    """Return the facts of what may learn: the language model, and the parts that are named.

    Args:
        facts: of the whole model.
        vision: `train.vision`.
    """
    if not facts.has_vision:
        return facts
    return replace(
        facts,
        linear_shapes=tuple(one for one in facts.linear_shapes if learns(one[0], vision)),
        tensors=tuple(one for one in facts.tensors if learns(one[0], vision)),
    )


def learns(name: str, vision: str) -> bool:
    """Return whether a weight or module of a vision-language model may be trained or adapted."""
    return part_of(name) in _LEARNING[vision]


def decided(section: TrainSection, facts: ModelFacts) -> dict[str, Decided]:
    """Return which parts of a vision-language model learn, with the reason."""
    if not facts.has_vision:
        return {}
    if section.vision != "frozen":
        return {"vision": Decided(section.vision, "recipe")}
    return {"vision": Decided("frozen", "what images are turned into stays as it was trained")}
