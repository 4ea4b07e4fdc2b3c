"""What a recipe changes against the run that it was last used for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace.yaml import load_yaml
from workspace.yaml_edit import as_yaml

_ABSENT = object()


@dataclass(frozen=True)
class Change:
    """A key whose value is another than in the run."""

    key: str
    before: str
    now: str


def changes_since(run: Path, resolved: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return which values of a recipe differ from those that a run was made with.

    Args:
        run: its directory, which holds the recipe as it was resolved.
        resolved: every value now in effect.

    Raises:
        UsageError: the run's recipe cannot be read.
    """
    return tuple(_between(load_yaml(run / "recipe.yaml").data, resolved, ""))


def _between(before: Any, now: Any, key: str) -> Iterator[Change]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys([*before, *now]):
            place = f"{key}.{name}" if key else str(name)
            yield from _between(before.get(name, _ABSENT), now.get(name, _ABSENT), place)
    elif before != now:
        yield Change(key, _shown(before), _shown(now))


def _shown(value: Any) -> str:
    return "not there" if value is _ABSENT else as_yaml(value)
