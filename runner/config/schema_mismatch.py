"""One place where a document does not fit its schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.config.yaml.nodes import MappingNode, Node, ScalarNode, at, kind
from runner.diagnostics import Span, printable


@dataclass(frozen=True)
class Misfit:
    """One error of jsonschema: where in the document, against which keyword of which part of the schema."""

    document: MappingNode
    path: tuple[str | int, ...]
    keyword: str
    wanted: Any
    schema: Mapping[str, Any]
    schema_path: tuple[str | int, ...]
    value: Any

    @property
    def node(self) -> Node:
        return at(self.document, self.path)

    @property
    def title(self) -> str:
        """The kind of thing it should be."""
        return str(self.schema.get("title", ""))

    @property
    def name(self) -> str:
        """What is wrong, for the beginning of a sentence."""
        dotted = ".".join(step for step in self.path if isinstance(step, str))
        return f"an item of `{dotted}`" if self.path and isinstance(self.path[-1], int) else f"`{dotted}`"

    @property
    def key_span(self) -> Span:
        """The key whose value it is; for the document its first key, for an item of a list the item."""
        if not self.path:
            return self.document.entries[0][0].span if self.document.entries else self.document.span
        last = self.path[-1]
        parent = at(self.document, self.path[:-1])
        key = parent.key(last) if isinstance(parent, MappingNode) and isinstance(last, str) else None
        return key.span if key else self.node.span


def shown(node: Node) -> str:
    """The value as a message can show it."""
    if not isinstance(node, ScalarNode) or (node.value.data is None and not node.value.text):
        return kind(node)
    text = printable(node.value.text)
    text = text if len(text) <= 40 else text[:39] + "…"
    return f"the string `{text}`" if node.quoted else f"`{text}`"
