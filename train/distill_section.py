"""The settings of learning from a teacher."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from workspace.recipe import Section


class DistillSection(Section):
    """Knowledge distillation: learn what another model with the same tokenizer thinks of every
    token that the assistant wrote, not just the token itself (arXiv 1503.02531).

    The loss is `(1 - weight)` times the cross-entropy and `weight` times `temperature²` times the
    mean divergence from the teacher, exact over the vocabulary. Costs the teacher's forward pass
    on every row, and its weights in memory.
    """

    kind: Literal["distill"]
    """Knowledge distillation."""
    teacher: str
    """A model directory (relative to the recipe), a run, `builtin`, or a hub name."""
    revision: str | None = None
    """Of a teacher on the hub: a branch, tag or commit."""
    temperature: float = Field(default=1.0, gt=0.0, le=100.0)
    """Both models' logits are divided by it: above 1 the unlikely tokens count for more."""
    weight: float = Field(default=0.5, gt=0.0, le=1.0)
    """Of the teacher against the cross-entropy of the rows: 1 learns from the teacher alone."""
    direction: Literal["forward", "reverse", "jsd"] = "forward"
    """`forward`: KL(teacher ‖ student), which covers all the teacher may say; `reverse`: KL(student
    ‖ teacher), for a student too small for that, which keeps to the likeliest (arXiv 2306.08543);
    `jsd`: the Jensen-Shannon divergence, between the two (arXiv 2306.13649)."""
    chunk: int = Field(default=512, ge=1)
    """Tokens whose whole distributions are in memory at once: 512 tokens and a vocabulary of
    128,000 take 262 MB each for teacher and student."""
