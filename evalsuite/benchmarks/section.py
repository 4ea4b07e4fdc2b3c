"""What a suite says of a benchmark. Imports no lm_eval."""

from __future__ import annotations

from pydantic import Field

from workspace.recipe import Section


class BenchmarkSection(Section):
    """A task of lm_eval, put to base and tuned through lm_eval's own code."""

    task: str = Field(min_length=1)
    """Its name in lm_eval, such as `hellaswag`; of a group, name its tasks one by one."""
    include_path: str | None = None
    """A directory with tasks of your own, relative to the suite; lm_eval's are then not looked
    through, which takes 15 seconds. Files that name Python code are refused."""
    metric: str | None = None
    """Which figure of an item is its score; left out, the first of the task that can be paired."""
    filter: str | None = None
    """Which of the task's filters finds the answer; left out, the first."""
    num_fewshot: int | None = Field(default=None, ge=0, le=64)
    """Examples before every item; left out, as the task says."""
    chat_template: bool = True
    """Ask through the model's chat template, as everything else is asked. False is how most
    published figures were made."""
    items: int | None = Field(default=None, ge=2)
    """So many items, drawn by `seed`; left out, all."""
    seed: int = 1234
    """Of the draw of items and of examples; lm_eval's own default."""
