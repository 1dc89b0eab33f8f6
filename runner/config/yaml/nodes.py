"""A parsed document as immutable nodes with positions in the text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from runner.diagnostics import Source, Span
from runner.model import Value


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A single value."""

    value: Value
    quoted: bool
    """Written in single or double quotes."""
    span: Span
    """Includes the quotes or the block indicator, but no tag or anchor."""
    block: bool
    """Written as a block scalar, `|` or `>`. A node neither quoted nor block is plain: its text decides its type."""


@dataclass(frozen=True, slots=True)
class SequenceNode:
    """A list."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class MappingNode:
    """A mapping; its keys are distinct strings."""

    entries: tuple[tuple[ScalarNode, Node], ...]
    span: Span

    def get(self, key: str) -> Node | None:
        return next((node for name, node in self.entries if name.value.text == key), None)

    def key(self, key: str) -> ScalarNode | None:
        return next((name for name, _ in self.entries if name.value.text == key), None)


@dataclass(frozen=True, slots=True)
class RefusedNode:
    """A value whose problem has been reported; it is not read any further."""

    span: Span


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode | RefusedNode
Path: TypeAlias = tuple[str | int, ...]
"""Keys and positions that lead from the document to a node."""


def plain(node: Node) -> Any:
    """Return the node as dicts, lists and typed scalars; None for a refused one."""
    if isinstance(node, ScalarNode):
        return node.value.data
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.items]
    if isinstance(node, MappingNode):
        return {key.value.text: plain(value) for key, value in node.entries}
    return None


def at(node: Node, path: Iterable[str | int]) -> Node:
    """Return the node at a path of keys and positions. Raises KeyError."""
    for step in path:
        found: Node | None = None
        if isinstance(node, MappingNode):
            found = node.get(str(step))
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.items):
            found = node.items[step]
        if found is None:
            raise KeyError(step)
        node = found
    return node


def refused(node: Node, paths: Iterable[Path]) -> Node:
    """Return the node with a RefusedNode at each of the paths below it, or itself as one if a path is empty."""
    below: dict[str | int, list[Path]] = {}
    for path in paths:
        if not path:
            return RefusedNode(node.span)
        below.setdefault(path[0], []).append(path[1:])
    if not below:
        return node
    if isinstance(node, SequenceNode):
        items = (refused(item, below.get(number, ())) for number, item in enumerate(node.items))
        return SequenceNode(tuple(items), node.span)
    if isinstance(node, MappingNode):
        entries = ((key, refused(value, below.get(key.value.text, ()))) for key, value in node.entries)
        return MappingNode(tuple(entries), node.span)
    return node


def has_refused(node: Node | None) -> bool:
    """Return whether a part of the node was refused."""
    if isinstance(node, SequenceNode):
        return any(map(has_refused, node.items))
    if isinstance(node, MappingNode):
        return any(has_refused(value) for _, value in node.entries)
    return isinstance(node, RefusedNode)


def place(source: Source, node: ScalarNode, start: int, end: int) -> Span:
    """Return the position of the characters `start` to `end` of a scalar's text.

    It is exact unless an escape or folding hides this part; then it is the position of the whole scalar.
    """
    span, text = node.span, node.value.text
    wanted = text[start:end]
    lines = list(source.lines[span.line : span.end_line + 1])
    if not wanted or not lines:
        return span
    if span.end_line < len(source.lines):
        lines[-1] = lines[-1][: span.end_column]
    lines[0] = " " * span.column + lines[0][span.column :]
    raw = "\n".join(lines)
    if "\n" in wanted or raw.count(wanted) != text.count(wanted):
        return span
    found = -1
    for _ in range(text.count(wanted, 0, start) + 1):
        found = raw.find(wanted, found + 1 if found < 0 else found + len(wanted))
    line = span.line + raw.count("\n", 0, found)
    column = found - (raw.rfind("\n", 0, found) + 1)
    return Span(line, column, line, column + len(wanted))


def kind(node: Node) -> str:
    """Return what a node is, with its article, for a message."""
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    data = node.value.data if isinstance(node, ScalarNode) else None
    if data is None:
        return "null"
    if isinstance(data, bool):
        return "true or false"
    return "a string" if isinstance(data, str) else "a number"
