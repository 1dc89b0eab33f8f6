"""A parsed document as immutable nodes that know their place in the text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from runner.diagnostics import Source, Span
from runner.model import Value


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """`quoted` is '…' or "…", `block` is | or >; neither is a plain scalar, whose type its text decides.

    The span holds the quotes or the block's indicator, but no tag or anchor.
    """

    value: Value
    quoted: bool
    span: Span
    block: bool


@dataclass(frozen=True, slots=True)
class SequenceNode:
    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class MappingNode:
    """Keys are strings, each there once."""

    entries: tuple[tuple[ScalarNode, Node], ...]
    span: Span

    def get(self, key: str) -> Node | None:
        return next((node for name, node in self.entries if name.value.text == key), None)

    def key(self, key: str) -> ScalarNode | None:
        return next((name for name, _ in self.entries if name.value.text == key), None)


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


def plain(node: Node) -> Any:
    """The node as dicts, lists and typed scalars."""
    if isinstance(node, ScalarNode):
        return node.value.data
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.items]
    return {key.value.text: plain(value) for key, value in node.entries}


def at(node: Node, path: Iterable[str | int]) -> Node:
    """The node at a path of keys and positions, as jsonschema gives it. Raises KeyError if there is none."""
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


def place(source: Source, node: ScalarNode, start: int, end: int) -> Span:
    """Where the characters `start` to `end` of a scalar's text stand in the file.

    Exact wherever that part stands in the file as it is; all of the scalar where escapes or folding hide it.
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
    """What a node is, with its article, as messages say it."""
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    data = node.value.data
    if data is None:
        return "null"
    if isinstance(data, bool):
        return "true or false"
    return "a string" if isinstance(data, str) else "a number"
