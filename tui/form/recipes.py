"""Which files of a workspace are recipes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from workspace.errors import TemperError
from workspace.layout import RECIPE
from workspace.yaml import load_yaml

SECTIONS = ("model", "curate", "augment", "train", "plan", "evaluate")
"""What tells a recipe from other YAML; `tui.schema.compose` knows what each is."""
_MOST_BYTES = 1 << 20


def find_recipes(root: Path, sections: Collection[str] = SECTIONS) -> tuple[Path, ...]:
    """Return the recipes of a workspace, `temper.yaml` first: YAML files with a section of ours.

    A file that is not YAML counts only where its name says that it is the recipe.
    """
    found = []
    for path in sorted(root.glob("*.yaml"), key=lambda path: (path.name != RECIPE, path.name)):
        try:
            if path.stat().st_size > _MOST_BYTES:
                continue
            is_recipe = any(name in load_yaml(path).data for name in sections)
        except (TemperError, OSError):
            is_recipe = False
        if is_recipe or path.name == RECIPE:
            found.append(path)
    return tuple(found)
