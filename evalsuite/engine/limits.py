"""What fits the machine at once. No torch."""

from __future__ import annotations

from evalsuite.engine.batching import BatchLimits
from evalsuite.recipe import EvalSection

_CPU_TOKENS, _GPU_TOKENS = 16_384, 131_072


def batch_limits(section: EvalSection, device: str) -> BatchLimits:
    """Return how large a batch may be on `device`."""
    default = _CPU_TOKENS if device == "cpu" else _GPU_TOKENS
    return BatchLimits(section.batch_tokens or default, section.batch_rows)
