"""Scorers of an augmentation, with their files relative to the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curate.synth.recipe import AugmentSection
from evalsuite.scorers import demand, placed


def with_scorers(section: AugmentSection, base_dir: Path) -> tuple[AugmentSection, list[str]]:
    """Return the section with every scorer placed, and what should be known of them.

    Raises:
        UsageError: a scorer does not work here: a library, file or isolation is missing.
    """
    told: dict[str, None] = {}

    def found(one: Any) -> Any:
        if getattr(one, "scorer", None) is None:
            return one
        scorer = placed(one.scorer, base_dir)
        told[demand(scorer)] = None
        return one.model_copy(update={"scorer": scorer})

    verify = section.verify.model_copy(update={"answers": found(section.verify.answers)})
    generate = tuple(map(found, section.generate))
    return section.model_copy(update={"generate": generate, "verify": verify}), [
        *filter(None, told)
    ]
