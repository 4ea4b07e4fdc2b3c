"""What files of a task directory say, looked at before lm_eval reads them. Imports no lm_eval."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

import yaml

from workspace.errors import DataError
from workspace.text import plain

# The loader that lm_eval takes: what it would see is what is looked at, and composing runs nothing.
_LOADER = yaml.CSafeLoader if getattr(yaml, "__with_libyaml__", False) else yaml.SafeLoader
_PLAIN_TAG = re.compile(
    r"tag:yaml\.org,2002:(?:null|bool|int|float|binary|timestamp|omap|pairs|set|str|seq|map|merge"
    r"|value)"
)
"""Tags that make plain data. Others name a constructor: lm_eval's `!function` imports Python."""
_CODE_KEYS = ("class", "unsafe_code", "hf_evaluate")
_INCLUDED = re.compile(r"[\w.-]+\.ya?ml")


def refuse_code(include: Path, metrics: Container[str]) -> None:
    """Refuse a directory with a file that would run Python when it is read or scored.

    Args:
        include: the directory of tasks.
        metrics: names of lm_eval's own; others are programs from the hub.

    Raises:
        DataError: there is no such directory, a file is no YAML, or one names code.
    """
    if not include.is_dir():
        raise DataError(
            "there is no such directory of tasks",
            where=str(include),
            cure="`include_path` is relative to the suite.",
        )
    paths = sorted([*include.rglob("*.yaml"), *include.rglob("*.yml")])
    for path in paths:
        for node, what in _suspects(_composed(path), path.parent, paths, metrics):
            raise DataError(
                "this task names code that would be run",
                where=f"{path}:{node.start_mark.line + 1}",
                cause=f"Found `{plain(what, 60)}`; expected templates, lm_eval's own metrics, and "
                "includes by name of YAML files beside it.",
                cure="Write it as a task of this suite instead (kind generation or choice).",
            )


def _composed(path: Path) -> Any:
    """Return a file's nodes with their resolved tags, made by nothing."""
    try:
        # Bytes: the encoding is told by the file, as it is to lm_eval.
        return yaml.compose(path.read_bytes(), Loader=_LOADER)
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        raise DataError(
            "this file of tasks cannot be read",
            where=str(path),
            cause=f"{plain(' '.join(str(error).split()), 200).rstrip('.')}.",
            cure="Mend its YAML, or take it out of the directory.",
        ) from error


def _suspects(
    root: Any, directory: Path, checked: Container[Path], metrics: Container[str]
) -> Iterator[tuple[Any, str]]:
    """Yield the nodes that name code with what they say, in the order of the file."""
    todo, seen = [root] if root is not None else [], set()
    while todo:
        node = todo.pop()
        if id(node) in seen:  # an alias, perhaps of what it stands in
            continue
        seen.add(id(node))
        if not _PLAIN_TAG.fullmatch(node.tag):
            yield node, node.tag
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if what := _suspect(key, value, directory, checked, metrics):
                    yield key, what
            todo += [one for pair in reversed(node.value) for one in reversed(pair)]
        elif isinstance(node, yaml.SequenceNode):
            todo += reversed(node.value)


def _suspect(
    key: Any, value: Any, directory: Path, checked: Container[Path], metrics: Container[str]
) -> str:
    """Return what names code in an entry of a mapping, or nothing."""
    if key.value in _CODE_KEYS:
        return f"{key.value}:"
    if key.value == "metric" and value.tag != "!function":
        return "" if _is_text(value) and value.value in metrics else f"metric {_shown(value)}"
    if key.value == "include":
        given = value.value if isinstance(value, yaml.SequenceNode) else [value]
        foreign = [one for one in given if not _is_beside(one, directory, checked)]
        return f"include: {_shown(foreign[0])}" if foreign else ""
    return ""


def _is_beside(node: Any, directory: Path, checked: Container[Path]) -> bool:
    """Return whether an include is a file by name that is itself looked at."""
    named = _is_text(node) and _INCLUDED.fullmatch(node.value)
    return bool(named) and directory / node.value in checked


def _is_text(node: Any) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str"


def _shown(node: Any) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else str(node.tag)
