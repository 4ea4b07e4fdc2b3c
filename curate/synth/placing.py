"""Scorers and reward models of an augmentation, with their files relative to the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curate.synth.generators.configs import GeneratorConfig, Preference
from curate.synth.recipe import AugmentSection
from curate.synth.rewarding import reward_source
from evalsuite.scorers import demand, placed


def with_scorers(section: AugmentSection, base_dir: Path) -> tuple[AugmentSection, list[str]]:
    """Return the section with scorers and reward models placed, and what is to be known of them.

    Raises:
        UsageError: a scorer does not work here: a library, file or isolation is missing.
        ModelError: a reward model is not there, or is none.
    """
    told: dict[str, None] = {}

    def found(one: Any) -> Any:
        if getattr(one, "scorer", None) is None:
            return one
        scorer = placed(one.scorer, base_dir)
        told[demand(scorer)] = None
        return one.model_copy(update={"scorer": scorer})

    def generator(one: GeneratorConfig) -> GeneratorConfig:
        settings = found(one.settings)
        if isinstance(settings, Preference) and settings.reward is not None:
            source = reward_source(settings.reward, base_dir)
            name = f"{settings.reward.model} (digest {source.digest[:12]})"
            told[f"Answers are weighed by the reward model {name} on this machine."] = None
            here = settings.reward.model_copy(update={"model": str(source.path), "revision": None})
            settings = settings.model_copy(update={"reward": here})
        return one.model_copy(update={one.name: settings})

    verify = section.verify.model_copy(update={"answers": found(section.verify.answers)})
    generate = tuple(map(generator, section.generate))
    return section.model_copy(update={"generate": generate, "verify": verify}), [
        *filter(None, told)
    ]
