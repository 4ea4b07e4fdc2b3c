"""What a comparison with real inputs found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curate.covering.edges import EdgeCase
from curate.covering.inputs import Inputs
from curate.covering.regions import Balance
from evalsuite.embedding import Floats
from workspace.files import write_json
from workspace.text import plain

ALPHA = 0.01
FAR_LESS = 0.5
"""A gap is a region with at most half the density of the traffic, and not by chance."""
_EXCERPT, _WORDS = 200, 50


@dataclass(frozen=True)
class Region:
    """A kind of real input."""

    name: str
    """The words that tell it from the others."""
    inputs: int
    """Real inputs in it, repeated ones counted."""
    traffic: float
    """Their share."""
    training: int
    """Training prompts in it, of the sample that regions are made with."""
    training_share: float
    balance: Balance
    nearest: float
    """Median cosine of its real inputs to their nearest training prompt."""
    examples: tuple[str, ...]
    """A typical input, then those farthest from training."""
    seeds: tuple[str, ...]
    """Ids of the training rows nearest to its inputs."""
    wanted: int
    """Rows that would bring its share in training to that of the traffic, of the rows there are."""

    @property
    def gap(self) -> bool:
        """Whether training is far less dense here than the traffic, beyond chance."""
        return self.balance.p < ALPHA and self.balance.ratio <= FAR_LESS

    @property
    def lacking(self) -> float:
        """Share of the traffic that training does not stand for here."""
        return max(self.traffic - self.training_share, 0.0)

    def document(self) -> dict[str, Any]:
        """Return the region for JSON."""
        high = self.balance.high
        return {
            "name": self.name,
            "gap": self.gap,
            "inputs": self.inputs,
            "traffic_share": round(self.traffic, 6),
            "training_prompts": self.training,
            "training_share": round(self.training_share, 6),
            "density_ratio": round(self.balance.ratio, 6) if self.balance.ratio < 1e9 else None,
            "density_ratio_interval": [
                round(self.balance.low, 6),
                round(high, 6) if high < 1e9 else None,
            ],
            "p_corrected": self.balance.p,
            "median_nearest_similarity": round(self.nearest, 4),
            "rows_wanted": self.wanted,
            "examples": [plain(text, _EXCERPT) for text in self.examples],
        }


@dataclass(frozen=True)
class Coverage:
    """What a training set has and lacks of a sample of real inputs."""

    embedder: str
    semantic: bool
    inputs: Inputs
    distinct_inputs: int
    training_rows: int
    template: str
    """What nearly all training prompts have in common; it was left out of the comparison."""
    nearest: Floats
    """Cosine of each distinct input to its nearest training prompt, shape (distinct inputs,)."""
    among: Floats
    """Cosine of each distinct input to its nearest other one: what nearness can be had."""
    regions: tuple[Region, ...]
    """Gaps first."""
    edges: tuple[EdgeCase, ...]
    languages: dict[str, int]
    """Language → real inputs, of languages in which no training prompt is."""
    words: tuple[tuple[str, int], ...]
    """Words that no training prompt has, with the real inputs that have them."""

    @property
    def gaps(self) -> tuple[Region, ...]:
        """The regions that training lacks."""
        return tuple(region for region in self.regions if region.gap)

    @property
    def sentence(self) -> str:
        """The whole in one sentence."""
        share = sum(region.traffic for region in self.gaps)
        unseen = sum(edge.unseen for edge in self.edges)
        return (
            f"{len(self.gaps)} of {len(self.regions)} regions, {share:.0%} of the real inputs, are "
            f"far less dense in training than in the traffic; {unseen} edge cases and "
            f"{len(self.words):,} words never occur in training."
        )

    def document(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {
            "schema_version": 1,
            "embedder": self.embedder,
            "semantic": self.semantic,
            "inputs": {
                "read": self.inputs.read,
                "compared": len(self.inputs.texts),
                "distinct": self.distinct_inputs,
                "unusable": self.inputs.unusable,
            },
            "training_rows": self.training_rows,
            "template_left_out": self.template or None,
            "nearest_training_similarity": _spread(self.nearest),
            "nearest_other_input_similarity": _spread(self.among),
            "statistic": "regions are clusters of real and training prompts together, made without "
            "knowing which is which; density_ratio is the share of the training prompts over the "
            "share of the distinct real inputs in a region, with an exact interval for all regions "
            "at once; p_corrected is Fisher's exact test, one-sided, after Holm",
            "gap_rule": f"p_corrected < {ALPHA} and density_ratio <= {FAR_LESS}",
            "regions": [region.document() for region in self.regions],
            "edge_cases": [
                {
                    "name": edge.name,
                    "real": edge.real,
                    "training": edge.training,
                    "unseen": edge.unseen,
                    "p_corrected": edge.p,
                    "detail": edge.detail,
                    "examples": [plain(text, _EXCERPT) for text in edge.examples],
                }
                for edge in self.edges
            ],
            "unseen_languages": self.languages,
            "unseen_words": [{"word": w, "inputs": n} for w, n in self.words[:_WORDS]],
            "unseen_words_in_all": len(self.words),
        }

    def write_deficits(self, path: Path) -> int:
        """Write the gaps as `augment.target.deficits` reads them; return how many.

        Named are training rows to make others from, by id. No real input is in the file but for
        the words that name a region.
        """
        gaps = [
            {
                "name": region.name,
                "rows": max(region.wanted, 1),
                "why": f"{region.traffic:.1%} of the real inputs, {region.training_share:.1%} of "
                f"the training prompts (p {region.balance.p:.2g})",
                "from": list(region.seeds),
            }
            for region in self.gaps
        ]
        write_json(path, {"schema_version": 1, "kind": "deficits", "deficits": gaps})
        return len(gaps)


def _spread(values: Floats) -> dict[str, float]:
    if not values.size:
        return {}
    return {
        name: round(float(np.quantile(values, at)), 4)
        for name, at in (("p05", 0.05), ("p25", 0.25), ("median", 0.5), ("p75", 0.75))
    }
