"""What goes wrong inside brackets without being a syntax error: `{X: case:1,2}` and `{a:1}`.

YAML reads the first as `X: case:1` and a key `2`. That is one problem, named as what it is, and the value is put
together again so that nothing else is said about the pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeGuard

from runner.config.yaml.nodes import Node, ScalarNode
from runner.diagnostics import Problem, Source, Span
from runner.model import Value

_RANGE = re.compile(r"(case|linspace|range|logspace|geomspace):")
_NO_SPACE = re.compile(r"\w+:[^\s,]")


def mend_mapping(
    source: Source, pairs: Sequence[tuple[Node, Node]], problems: list[Problem]
) -> Iterator[tuple[Node, Node]]:
    """The entries of a `{…}` as they were meant; what was wrong with them goes to `problems`."""
    at = 0
    while at < len(pairs):
        key, value = pairs[at]
        at += 1
        pieces: list[ScalarNode] = []
        while _is_range(value) and at < len(pairs) and _is_bare(source, *pairs[at]):
            piece = pairs[at][0]
            assert isinstance(piece, ScalarNode)
            pieces.append(piece)
            at += 1
        if pieces and isinstance(value, ScalarNode):
            value = _joined(source, value, pieces[-1])
            problems.append(unquoted_range(value, "{ }"))
        elif _is_bare(source, key, value) and isinstance(key, ScalarNode) and _NO_SPACE.match(key.value.text):
            problems.append(Problem(f"no space after the `:` in `{key.value.text}`", key.span, "put one there"))
            continue
        yield key, value


def mend_list(source: Source, items: Sequence[Node], problems: list[Problem]) -> Iterator[Node]:
    """The items of a `[…]` as they were meant. Only pieces without a space between them were one range."""
    at = 0
    while at < len(items):
        item = items[at]
        at += 1
        pieces: list[ScalarNode] = [item] if _is_range(item) else []
        while pieces and at < len(items) and (piece := _adjoining(pieces[-1], items[at])):
            pieces.append(piece)
            at += 1
        if len(pieces) > 1:
            item = _joined(source, pieces[0], pieces[-1])
            problems.append(unquoted_range(item, "[ ]"))
        yield item


def unquoted_range(node: ScalarNode, brackets: str) -> Problem:
    quoted = f'`"{node.value.text}"`'
    return Problem(
        f"unquoted range expression in `{brackets}`: a comma ends the value there",
        node.span,
        f"write {quoted} without the `[ ]`; if text is meant, quote it" if brackets == "[ ]" else f"quote it: {quoted}",
    )


def _is_plain(node: Node) -> TypeGuard[ScalarNode]:
    return isinstance(node, ScalarNode) and not node.quoted and not node.block


def _is_range(node: Node) -> TypeGuard[ScalarNode]:
    return _is_plain(node) and _RANGE.match(node.value.text) is not None


def _is_bare(source: Source, key: Node, value: Node) -> bool:
    """Whether there is a plain key only, with neither `:` nor value."""
    if not (_is_plain(key) and _is_plain(value)) or value.value.text:
        return False
    return not source.lines[key.span.end_line][key.span.end_column :].lstrip().startswith(":")


def _adjoining(before: ScalarNode, node: Node) -> ScalarNode | None:
    """The node, if it is a plain scalar and just a comma lies between."""
    end = before.span
    begins_behind_comma = (node.span.line, node.span.column) == (end.end_line, end.end_column + 1)
    return node if begins_behind_comma and _is_plain(node) else None


def _joined(source: Source, first: ScalarNode, last: ScalarNode) -> ScalarNode:
    span = Span(first.span.line, first.span.column, last.span.end_line, last.span.end_column)
    lines = list(source.lines[span.line : span.end_line + 1])
    lines[-1] = lines[-1][: span.end_column]
    lines[0] = lines[0][span.column :]
    text = " ".join(line.strip() for line in lines)
    return ScalarNode(Value(text, text), True, span, False)
