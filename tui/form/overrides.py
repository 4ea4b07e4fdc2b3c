"""The `--set` options that make a saved recipe the one on the screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workspace.errors import TemperError
from workspace.overrides import overridden
from workspace.yaml import Document, Key
from workspace.yaml_edit import as_yaml


def overrides_between(saved: Document, wanted: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the overrides that turn the saved recipe into `wanted`, to the letter.

    A value that was taken out is said by the block that it stood in.

    Args:
        saved: as on disk.
        wanted: what the recipe is to say.

    Returns:
        `a.b=c` for each; None where `--set` cannot say it (a whole section was taken out, say).
    """
    found = tuple(_between(saved.data, wanted, ()))
    try:
        data, _ = overridden(saved, found)
    except TemperError:
        return None
    return found if data == wanted else None


def short_overrides(saved: Document, wanted: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the overrides with null for a value that was taken out.

    They are short, and say the same wherever null is that key's default: whoever uses them has to
    compare what both recipes come to.
    """
    return tuple(_between(saved.data, _padded(wanted, saved.data), ()))


def _padded(wanted: Any, saved: Any) -> Any:
    """Return `wanted` with null for what only `saved` has."""
    if not isinstance(wanted, Mapping) or not isinstance(saved, Mapping):
        return wanted
    padded = {name: _padded(value, saved.get(name)) for name, value in wanted.items()}
    return {**dict.fromkeys((name for name in saved if name not in wanted), None), **padded}


def _between(old: Any, new: Any, key: Key) -> Iterator[str]:
    if old == new and type(old) is type(new):
        return
    both = isinstance(old, Mapping) and isinstance(new, Mapping)
    if both and (not key or set(old) <= set(new)) and all("." not in str(name) for name in new):
        for name, value in new.items():
            if name in old:
                yield from _between(old[name], value, (*key, name))
            else:
                yield _said((*key, name), value)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, value) in enumerate(zip(old, new, strict=True)):
            yield from _between(before, value, (*key, index))
    else:
        yield _said(key, new)


def _said(key: Key, value: Any) -> str:
    return f"{'.'.join(str(part) for part in key)}={as_yaml(value)}"
