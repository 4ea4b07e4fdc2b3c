"""Changes of single values in a YAML text that leave every other character as it was.

A value is replaced where it stands; only what cannot be done so is written anew from ruamel's
tree, which keeps comments but sets indents and spaces its own way. Each change is checked: the new
text must read as the old one with that one value changed.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import Node, ScalarNode, SequenceNode

from workspace.errors import TemperError, UsageError
from workspace.yaml import Key, parse_scalar, parse_yaml
from workspace.yaml_spans import Entry, entries, is_flow, key_line_start, line_end, true_end

_TEXT = Path("recipe")


def as_yaml(value: Any) -> str:
    """Return a value as YAML on one line that reads back as this value, also within brackets.

    >>> as_yaml("a, b"), as_yaml({"kind": "lora", "r": 8}), as_yaml(None)
    ('"a, b"', '{kind: lora, r: 8}', 'null')
    """
    if isinstance(value, str):
        read = _safe(f"[{value}]")
        is_plain = read == [value] and value == value.strip() and "\n" not in value
        return value if is_plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{as_yaml(str(k))}: {as_yaml(v)}' for k, v in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(as_yaml(item) for item in value)}]"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return str(value)


def with_value(text: str, key: Key, value: str, *, in_place: bool = False) -> str:
    """Return `text` with `value`, a YAML text of one line, at `key`.

    An index one behind the last of a list adds an item.

    Args:
        text: a YAML mapping.
        key: keys and places in lists, from the top.
        value: what is to stand there.
        in_place: refuse what would write the whole text anew.

    Raises:
        UsageError: the text cannot be read, or the value cannot be put there alone.
    """
    wanted = parse_scalar(value)

    def put(data: Any) -> None:
        parent = _walk(data, key[:-1], make=True)
        if isinstance(parent, list) and key[-1] == len(parent):
            parent.append(wanted)
        else:
            parent[key[-1]] = wanted

    return _changed(text, key, put, lambda root: _placed(text, root, key, value), in_place)


def without(text: str, key: Key) -> str:
    """Return `text` without what stands at `key`; a mapping or list left empty stays, as `{}`.

    Raises:
        UsageError: the text cannot be read, or this cannot be taken out alone.
    """

    def take(data: Any) -> None:
        del _walk(data, key[:-1])[key[-1]]

    return _changed(text, key, take, lambda root: _removed(text, root, key))


def _changed(
    text: str,
    key: Key,
    change: Callable[[Any], None],
    edit: Callable[[Node | None], str],
    in_place: bool = False,
) -> str:
    """Return the edited text if it reads as `change` of what the old one says."""
    shown = ".".join(str(part) for part in key)
    try:
        wanted = copy.deepcopy(parse_yaml(text, _TEXT).data)
        change(wanted)
        root = YAML(typ="rt", pure=True).compose(text)
    except (TemperError, YAMLError, LookupError, TypeError) as error:
        raise UsageError(
            f"{shown} cannot be changed", cause=str(error), cure="Edit the YAML."
        ) from None
    ways: tuple[Callable[[], str], ...] = (lambda: edit(root), lambda: _dumped(text, change))
    for way in ways[:1] if in_place else ways:
        try:
            found = way()
            if parse_yaml(found, _TEXT).data == wanted:
                return found
        except (TemperError, YAMLError, LookupError, TypeError, ValueError):
            continue
    raise UsageError(
        f"{shown} cannot be changed by itself",
        cause="What stands there is shared with another place (an anchor, say).",
        cure="Edit the YAML.",
    )


def _walk(data: Any, key: Key, *, make: bool = False) -> Any:
    for part in key:
        if make and isinstance(data, dict) and data.get(str(part)) is None:
            data[str(part)] = {}
        data = data[part]
    return data


def _placed(text: str, root: Node | None, key: Key, value: str) -> str:
    """Return the text with the value at `key`, by what stands there now."""
    if root is None:
        lines = _nested(key, value, 0)
        return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{lines}\n"
    node, path, entry = root, list(key), None
    while path:
        found = next((one for one in entries(node) if one.name == path[0]), None)
        if found is None:
            break
        node, entry = found.value, found
        path.pop(0)
    if not path:
        assert entry is not None
        return _replaced(text, entry, value)
    if isinstance(node, ScalarNode):  # nothing stands there yet: `train:`
        assert entry is not None
        return _replaced(text, entry, _nested_flow(path, value))
    return _inserted(text, node, tuple(path), value)


def _nested_flow(path: list[str | int], value: str) -> str:
    """Return `{a: {b: VALUE}}` for the path a, b."""
    for part in reversed(path):
        value = f"{{{part}: {value}}}"
    return value


def _replaced(text: str, entry: Entry, value: str) -> str:
    node = entry.value
    end = true_end(text, node)
    if isinstance(node, ScalarNode) and end <= node.start_mark.index:  # `key:` and nothing
        colon = text.index(":", entry.end) + 1 if entry.is_key else entry.start + 1
        return f"{text[:colon]} {value}{text[colon:]}"
    is_block = not isinstance(node, ScalarNode) and not is_flow(node)
    if is_block and entry.is_key:
        colon = text.index(":", entry.end) + 1
        return f"{text[:colon]} {value}{text[end:]}"
    return f"{text[: node.start_mark.index]}{_beside_comment(text, node, end, value)}"


def _beside_comment(text: str, node: Node, end: int, value: str) -> str:
    """Return the value and what follows it, a comment on its line in the column that it had."""
    after = text[end:]
    spaces = len(after) - len(after.lstrip(" "))
    if not spaces or not after[spaces:].startswith("#"):
        return f"{value}{after}"
    wanted = spaces + (end - int(node.start_mark.index)) - len(value)
    return f"{value}{' ' * max(1, wanted)}{after[spaces:]}"


def _inserted(text: str, node: Node, path: Key, value: str) -> str:
    """Return the text with a new entry at the end of a mapping or list."""
    found = entries(node)
    is_list = isinstance(node, SequenceNode)
    if is_flow(node) or not found:
        for part in reversed(path[1:]):
            value = f"{{{part}: {value}}}"
        entry = value if is_list else f"{path[0]}: {value}"
        if not found:
            brackets = f"[{entry}]" if is_list else f"{{{entry}}}"
            return f"{text[: node.start_mark.index]}{brackets}{text[node.end_mark.index :]}"
        end = true_end(text, found[-1].value)
        return f"{text[:end]}, {entry}{text[end:]}"
    indent = node.start_mark.column
    place = line_end(text, true_end(text, found[-1].value, found[-1].end))
    lines = f"{' ' * indent}- {value}" if is_list else _nested(path, value, indent)
    return f"{text[:place]}\n{lines}{text[place:]}"


def _nested(path: Key, value: str, indent: int) -> str:
    lines = [f"{' ' * (indent + 2 * depth)}{part}:" for depth, part in enumerate(path)]
    return "\n".join(lines) + f" {value}"


def _removed(text: str, root: Node | None, key: Key) -> str:
    assert root is not None
    node = root
    for part in key[:-1]:
        node = next(one for one in entries(node) if one.name == part).value
    found = entries(node)
    place = next(index for index, one in enumerate(found) if one.name == key[-1])
    entry, is_last = found[place], place == len(found) - 1
    end = true_end(text, entry.value, entry.end)
    if len(found) == 1:
        empty = "[]" if isinstance(node, SequenceNode) else "{}"
        if node is root:
            return f"{text[: key_line_start(text, entry.start)]}{text[line_end(text, end) + 1 :]}"
        start = node.start_mark.index
        if not is_flow(node):
            start = key_line_start(text, start) - 1
            return f"{text[:start].rstrip(' ')} {empty}{text[end:]}"
        return f"{text[:start]}{empty}{text[node.end_mark.index :]}"
    if is_flow(node):
        if not is_last:
            return f"{text[: entry.start]}{text[found[place + 1].start :]}"
        previous = true_end(text, found[place - 1].value, found[place - 1].end)
        return f"{text[:previous]}{text[end:]}"
    line = text.rfind("\n", 0, entry.start) + 1
    if text[line : entry.start].strip():  # the first key behind a dash
        return f"{text[: entry.start]}{text[found[place + 1].start :]}"
    return f"{text[:line]}{text[line_end(text, end) + 1 :]}"


def _dumped(text: str, change: Callable[[Any], None]) -> str:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096
    tree = yaml.load(text)
    if not isinstance(tree, CommentedMap | CommentedSeq):
        raise ValueError("not a mapping")
    change(tree)
    stream = StringIO()
    yaml.dump(tree, stream)
    return stream.getvalue()


def _safe(text: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        return None
