"""Preferences without a model to compare with: ORPO and SimPO.

Hong et al. 2024, arXiv 2403.07691; Meng et al. 2024, arXiv 2405.14734. Both trainers are
experimental in trl, which says that such may change or go in any release: a run that asks for one
that is not there is refused before anything is read.
"""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from train.data import DataType
from train.methods.answers import PAIR
from train.methods.pairs import PairMethod
from workspace.errors import UsageError

if TYPE_CHECKING:
    from train.recipe import TrainSection


class _ReferenceFree(PairMethod):
    """Learns from pairs, by a trainer that trl may not have."""

    accepts: ClassVar[tuple[DataType, ...]] = ("preference",)
    sequences: ClassVar[tuple[str, ...]] = PAIR
    trainer: ClassVar[str]
    """The module of `trl.experimental` that has its trainer."""

    def demand(self, section: TrainSection) -> None:
        """Refuse where the installed trl lacks the trainer; trl itself is not imported."""
        if not _has_experimental(self.trainer):
            raise UsageError(
                f"the installed trl has no trainer for `method: {self.name}`",
                where="train.method",
                cause=f"trl {version('trl')} has no trl.experimental.{self.trainer}; what is "
                "experimental there may go in any release.",
                cure='Install one that has it (pip install "trl==1.16.*"), or use `method: dpo`, '
                "which learns from the same rows.",
            )


def _has_experimental(name: str) -> bool:
    found = find_spec("trl")
    places = found.submodule_search_locations if found else None
    return any((Path(place) / "experimental" / name).is_dir() for place in places or ())


class Orpo(_ReferenceFree):
    """The chosen answer's cross-entropy, and the odds of it over the rejected one."""

    name: ClassVar[str] = "orpo"
    trainer: ClassVar[str] = "orpo"
    rates: ClassVar[dict[tuple[str, bool], tuple[float, str]]] = {
        ("lora", False): (5e-5, "LoRA: ten times the rate for all weights"),
        ("lora", True): (
            1e-3,
            "LoRA on a model below 20 M parameters: measured on the built-in one",
        ),
        ("full", False): (5e-6, "all weights: the paper's rate (arXiv 2403.07691, appendix C)"),
        ("full", True): (
            1e-4,
            "all weights of a model below 20 M parameters: a tenth of LoRA's",
        ),
    }


class Simpo(_ReferenceFree):
    """The chosen answer's likelihood per token over the rejected one's, by a margin."""

    name: ClassVar[str] = "simpo"
    trainer: ClassVar[str] = "cpo"
    rates: ClassVar[dict[tuple[str, bool], tuple[float, str]]] = {
        ("lora", False): (5e-6, "LoRA: ten times the rate for all weights"),
        ("lora", True): (
            5e-4,
            "LoRA on a model below 20 M parameters: measured on the built-in one",
        ),
        ("full", False): (5e-7, "all weights: within the paper's 3e-7 to 1e-6 (arXiv 2405.14734)"),
        ("full", True): (
            5e-5,
            "all weights of a model below 20 M parameters: a tenth of LoRA's",
        ),
    }
