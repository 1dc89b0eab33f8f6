"""One place where a sweep file does not match its schema, and the words that the schema has for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.config.yaml.nodes import MappingNode, Node, Path, ScalarNode, at, kind
from runner.diagnostics import Span
from runner.text.shorten import excerpt

_NOUNS = {
    "string": "a string",
    "array": "a list",
    "object": "a mapping",
    "integer": "a whole number",
    "number": "a number",
}


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """One error of jsonschema."""

    document: MappingNode
    path: Path
    """Where the value is in the document."""
    keyword: str
    expected: Any
    """The value of the keyword."""
    value: Any
    schemas: tuple[Mapping[str, Any], ...]
    """The subschemas for this value, outermost first; the last one has the keyword."""
    is_name: bool
    """The error is in a key of the mapping at `path`; `value` is the key."""

    @property
    def node(self) -> Node:
        return at(self.document, self.path)

    @property
    def mapping(self) -> MappingNode:
        node = self.node
        assert isinstance(node, MappingNode)
        return node

    @property
    def title(self) -> str:
        return str(self.schemas[-1].get("title", ""))

    @property
    def name(self) -> str:
        """The value's name, for the beginning of a sentence."""
        dotted = ".".join(step for step in self.path if isinstance(step, str))
        return f"an item of `{dotted}`" if self.path and isinstance(self.path[-1], int) else f"`{dotted}`"

    @property
    def key_span(self) -> Span:
        """The position of the value's key; for the document that of its first key, for an item of a list its own."""
        if not self.path:
            return self.document.entries[0][0].span if self.document.entries else self.document.span
        last = self.path[-1]
        parent = at(self.document, self.path[:-1])
        key = parent.key(last) if isinstance(parent, MappingNode) and isinstance(last, str) else None
        return key.span if key else self.node.span

    def words(self, key: str, default: Any = None) -> Any:
        """Return what the outermost subschema says under an `x-` key."""
        return next((schema[key] for schema in self.schemas if key in schema), default)

    @property
    def types(self) -> list[str]:
        found: str | list[str] = next((schema["type"] for schema in reversed(self.schemas) if "type" in schema), [])
        return [found] if isinstance(found, str) else list(found)

    @property
    def noun(self) -> str:
        noun = self.words("x-noun")
        return str(noun) if noun else joined([_NOUNS[name] for name in self.types if name in _NOUNS])


def shown(node: Node) -> str:
    """Return the value as a message shows it."""
    if not isinstance(node, ScalarNode) or (node.value.data is None and not node.value.text):
        return kind(node)
    text = excerpt(node.value.text)
    return f"the string `{text}`" if node.quoted else f"`{text}`"


def joined(words: Sequence[str]) -> str:
    """Return the words as `a, b or c`."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
