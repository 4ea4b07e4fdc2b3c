"""What the step `consistency` can be told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from workspace.recipe import Section


class Consistency(Section):
    """Find answers that depart from what nearly all others do: form, keys, labels, style."""

    share: Annotated[float, Field(ge=0.5, lt=1.0)] = 0.95
    """A convention is what at least this share of the rows do to which it applies, of all sources
    or of one that has another convention as a whole."""
    drop: Literal["form", "all", "none"] = "form"
    """`form` drops rows over which a parser or exact scorer would stumble (JSON, keys, types, label
    spellings, final-answer markers, code fences) and notes the rest; `all` drops for style too;
    `none` only notes."""
    language: bool = True
    """Tell the language of long answers; it takes most of the time."""
