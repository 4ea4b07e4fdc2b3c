"""YAML 1.2 with the place of every key, duplicate keys refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workspace.errors import Problem, RecipeError, UsageError

Key = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """A YAML mapping as plain Python values, with the position of every key and item."""

    path: Path
    data: dict[str, Any]
    places: dict[Key, tuple[int, int]] = field(default_factory=dict)
    """Path of keys → (line, column) of that key or item, both from 1."""

    def where(self, key: Key) -> str:
        """Return `file:line:column` of `key`, or of its nearest parent that has a place."""
        while key and key not in self.places:
            key = key[:-1]
        line, column = self.places.get(key, (1, 1))
        return f"{self.path}:{line}:{column}"


def scalar(text: str) -> str:
    """Return text as YAML that reads back as this text: plain where that is safe, else quoted.

    >>> scalar("data/train.jsonl"), scalar("2024"), scalar("a: b")
    ('data/train.jsonl', '"2024"', '"a: b"')
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        plain = YAML(typ="safe", pure=True).load(f"key: {text}")
    except YAMLError:
        plain = None
    # JSON's strings are YAML's double-quoted ones
    return text if plain == {"key": text} else json.dumps(text, ensure_ascii=False)


def load_yaml(path: Path) -> Document:
    """Read a YAML file that holds one mapping.

    Raises:
        UsageError: no such file, or not UTF-8.
        RecipeError: not YAML, a key given twice, or not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError("there is no such file", where=str(path)) from None
    except IsADirectoryError:
        raise UsageError("this is a directory, not a YAML file", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise UsageError(
            "this file is not UTF-8",
            where=str(path),
            cause=f"Byte {error.start} is {error.object[error.start]:#04x}.",
            cure="Save it as UTF-8.",
        ) from None
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> Document:
    """Parse YAML text; `path` is what errors call it. Raises as `load_yaml`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        tree = YAML(typ="rt").load(text)
    except DuplicateKeyError as error:
        key = str(error.problem or "").partition('"')[2].partition('"')[0]
        raise _unreadable(path, error, key or "(a key)", "this key twice", "it once") from None
    except MarkedYAMLError as error:
        found = f"{error.problem or 'something else'}".removeprefix("found ")
        tab = "'\\t'" in found
        expected = "spaces: YAML is not indented with tabs" if tab else "valid YAML"
        raise _unreadable(path, error, "(YAML)", found, expected) from None
    except YAMLError as error:
        raise UsageError("this is not valid YAML", where=str(path), cause=str(error)) from None
    if tree is None:
        tree = CommentedMap()
    if not isinstance(tree, CommentedMap):
        problem = Problem(f"{path}:1:1", "(top)", type(tree).__name__, "a mapping of keys")
        raise RecipeError("this file is not a mapping", [problem])
    places: dict[Key, tuple[int, int]] = {}
    data = _plain(tree, (), places)
    return Document(path, data, places)


def _unreadable(path: Path, error: Any, key: str, found: str, expected: str) -> RecipeError:
    mark = error.problem_mark or error.context_mark
    place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else f"{path}:1:1"
    return RecipeError("this file cannot be read", [Problem(place, key, found, expected)])


def _plain(node: Any, key: Key, places: dict[Key, tuple[int, int]]) -> Any:
    """Turn ruamel's nodes into builtins, noting where each key and item stands."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(node, CommentedMap):
        out = {}
        for name, value in node.items():
            line, column = node.lc.key(name) if name in (node.lc.data or {}) else (0, 0)
            places[(*key, str(name))] = (line + 1, column + 1)
            out[str(name)] = _plain(value, (*key, str(name)), places)
        return out
    if isinstance(node, CommentedSeq):
        for index in range(len(node)):
            line, column = node.lc.item(index)
            places[(*key, index)] = (line + 1, column + 1)
        return [_plain(value, (*key, index), places) for index, value in enumerate(node)]
    if isinstance(node, bool) or node is None:
        return node
    for builtin in (int, float, str):
        if isinstance(node, builtin):
            return builtin(node)
    return node


def parse_scalar(text: str) -> Any:
    """Return the value that `text` has in YAML: `--set` values read as in the file."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        return text
