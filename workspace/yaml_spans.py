"""Where the parts of a YAML text begin and end, by ruamel's nodes."""

from __future__ import annotations

from dataclasses import dataclass

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode


@dataclass(frozen=True)
class Entry:
    """One entry of a mapping or list."""

    name: str | int
    start: int
    """Where its key, or the dash of an item in block style, begins."""
    end: int
    """Where its key ends; of an item where it begins."""
    value: Node
    is_key: bool


def entries(node: Node | None) -> list[Entry]:
    """Return the entries of a mapping or a list, in order; of a scalar none."""
    if isinstance(node, MappingNode):
        return [
            Entry(str(key.value), key.start_mark.index, key.end_mark.index, value, True)
            for key, value in node.value
        ]
    if isinstance(node, SequenceNode):
        return [_item(index, value) for index, value in enumerate(node.value)]
    return []


def _item(index: int, value: Node) -> Entry:
    start = value.start_mark.index
    return Entry(index, start, start, value, False)


def is_flow(node: Node) -> bool:
    """Return whether a mapping or list stands in brackets."""
    return isinstance(node, MappingNode | SequenceNode) and bool(node.flow_style)


def true_end(text: str, node: Node, least: int = 0) -> int:
    """Return where a value ends; ruamel counts what follows a block to it.

    Args:
        text: the whole text.
        node: the value.
        least: where its key ends, for a value that is nothing.
    """
    if isinstance(node, ScalarNode):
        start = int(node.start_mark.index)
        end = start + len(text[start : node.end_mark.index].rstrip())
        if end == start and least:
            return text.index(":", least) + 1
        return end
    if is_flow(node) or not entries(node):
        return int(node.end_mark.index)
    last = entries(node)[-1]
    return true_end(text, last.value, last.end if last.is_key else 0)


def line_end(text: str, place: int) -> int:
    """Return where the line of `place` ends."""
    found = text.find("\n", place)
    return len(text) if found < 0 else found


def key_line_start(text: str, place: int) -> int:
    """Return where the line of `place` begins."""
    return text.rfind("\n", 0, place) + 1
