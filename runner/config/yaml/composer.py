"""Nodes from the events of libyaml.

`yaml.compose` would do without the limits: it crashes the process on 100,000 nested `[`, accepts duplicate keys and
recursive aliases, and does not keep the position of an alias.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import yaml

from runner.config.yaml import characters, syntax_errors
from runner.config.yaml.nodes import MappingNode, Node, RefusedNode, ScalarNode, SequenceNode, kind
from runner.diagnostics import Problem, Source, Span
from runner.model import Scalar, Value
from runner.scalars import resolve, resolve_number

DEEPEST = 100
"""Levels of nesting, with aliases expanded."""

MOST_ALIASED = 100_000
"""Values that all aliases together may expand to."""

_CORE = "tag:yaml.org,2002:"
_PROPERTIES = re.compile(r"(?:(?:!<[^>\s]*>|[&!][^\s,\[\]{}]*)(?:\s|(?<=\s)#[^\n\r]*)*)+")
_FOREIGN_VARIABLE = re.compile(r"\{\s*(?:\{\s*)?(?:\w+\.)*([A-Za-z_]\w*)\s*(?:\}\s*)?\}")
_RANGE = re.compile(r"(case|linspace|range|logspace|geomspace):")


class _StopReading(Exception):
    """A limit was exceeded; the problem has been reported."""


@dataclass(frozen=True)
class _Anchored:
    """A node with an anchor."""

    node: Node
    weight: int
    """Values that it expands to."""
    height: int
    """Levels of nesting in it."""


class Composer:
    """Composes the document of one text, once; `problems` holds what is wrong with it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self._parser = _parser(source.text)
        self._anchors: dict[str, _Anchored | None] = {}
        self._open: list[Span] = []
        self._weight = 0
        self._aliased = 0
        self._deepest = 0

    def document(self) -> MappingNode | None:
        try:
            return self._document()
        except _StopReading:
            return None
        except yaml.YAMLError as error:
            self.problems.append(syntax_errors.explain(self.source, error, self._open))
        except (ValueError, OverflowError):  # PyYAML's own parser, for `"\UFFFFFFFF"`
            mark = self._parser.get_mark()
            self._report("an escape is not a character", Span(mark.line, mark.column, mark.line, mark.column + 1))
        return None

    def _document(self) -> MappingNode | None:
        self._parser.get_event()
        if isinstance(self._parser.get_event(), yaml.StreamEndEvent):
            self._report_empty()
            return None
        node = self._node(self._parser.get_event(), 0)
        self._parser.get_event()
        following = self._parser.get_event()
        if isinstance(following, yaml.DocumentStartEvent):
            self._report("a second document", _span(following), "a file holds one sweep: split it into two files")
        if isinstance(node, MappingNode):
            return node
        if isinstance(node, ScalarNode) and not node.quoted and not node.value.text:
            self._report_empty()
        elif isinstance(node, ScalarNode) and (
            problem := characters.space_in_syntax(self.source, 0, node.span.end_line)
        ):
            self.problems.append(problem)
        elif not isinstance(node, RefusedNode):
            no_space = isinstance(node, ScalarNode) and re.match(r"\w+:\S", node.value.text)
            hint = "put a space after the `:`" if no_space else "begin with a key: `exec: …`"
            self._report(f"a sweep file must be a mapping, not {kind(node)}", node.span, hint)
        return None

    def _report(self, message: str, span: Span | None, hint: str | None = None) -> None:
        self.problems.append(Problem(message, span, hint))

    def _report_empty(self) -> None:
        self._report("the file is empty", None, "`runner init` writes a first sweep file")

    def _refuse(self, message: str, span: Span, hint: str | None = None) -> RefusedNode:
        self._report(message, span, hint)
        return RefusedNode(span)

    def _node(self, event: Any, depth: int) -> Node:
        """Compose the node that begins with `event`."""
        if depth > DEEPEST:
            self._report(f"nested deeper than {DEEPEST} levels", _span(event))
            raise _StopReading
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        weight, outer = self._weight, self._deepest
        self._weight += 1
        self._deepest = depth
        if event.anchor:
            self._anchors[event.anchor] = None
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        else:
            self._open.append(_span(event))
            compose = self._sequence if isinstance(event, yaml.SequenceStartEvent) else self._mapping
            node = compose(event, depth)
            self._open.pop()
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(node, self._weight - weight, self._deepest - depth)
        self._deepest = max(outer, self._deepest)
        return node

    def _alias(self, event: Any, depth: int) -> Node:
        name, span = f"*{event.anchor}", _span(event)
        if event.anchor not in self._anchors:
            return self._refuse(f"unknown alias `{name}`", span, f'if text is meant, quote it: `"{name}"`')
        anchored = self._anchors[event.anchor]
        if anchored is None:
            return self._refuse(f"the alias `{name}` is inside the value that it refers to", span)
        self._weight += anchored.weight
        self._aliased += anchored.weight
        self._deepest = max(self._deepest, depth + anchored.height)
        if self._aliased > MOST_ALIASED:
            self._report(f"the aliases expand to more than {MOST_ALIASED:,} values", span, "write the values out")
            raise _StopReading
        if self._deepest > DEEPEST:
            self._report(f"nested deeper than {DEEPEST} levels", span)
            raise _StopReading
        return anchored.node

    def _scalar(self, event: Any) -> ScalarNode | RefusedNode:
        text: str = event.value
        style: str = event.style or ""
        span = self._without_properties(event) if event.anchor or event.tag else _span(event)
        if not style and not text.isascii() and (warning := characters.smart_quote(text, span)):
            self.problems.append(warning)
        if "\0" in text:
            hint = "remove it: arguments and environment variables of a process end there"
            return self._refuse("a value cannot contain a NUL character", span, hint)
        data = text if style else resolve(text)
        if event.tag:
            tag = event.tag.removeprefix(_CORE)
            try:
                data = _tagged(tag, text)
            except KeyError:
                return self._unknown_tag(event)
            except ValueError:
                return self._refuse(f"`{text}` is not a `!!{tag}`", span)
            if isinstance(data, float) and isinstance(resolve_number(text), int):
                text = f"{text}.0"  # 1 and `!!float 1` are two values, so they need two texts
        return ScalarNode(Value(text, data), style in ("'", '"') if style else False, span, style in ("|", ">"))

    def _without_properties(self, event: Any) -> Span:
        """Return the position of a scalar without its anchor and tag."""
        outer = _span(event)
        found = _PROPERTIES.match(self.source.text, event.start_mark.index, event.end_mark.index)
        if found is None:
            return outer
        skipped = Source("", found[0]).lines
        column = len(skipped[-1]) + (outer.column if len(skipped) == 1 else 0)
        return Span(outer.line + len(skipped) - 1, column, outer.end_line, outer.end_column)

    def _unknown_tag(self, event: Any) -> RefusedNode:
        tag = event.tag
        shown = "!!" + tag.removeprefix(_CORE) if tag.startswith(_CORE) else tag if tag.startswith("!") else f"!<{tag}>"
        start = event.start_mark
        span = Span(start.line, start.column, start.line, start.column + len(shown))
        return self._refuse(f"unknown tag `{shown}`", span, "if text is meant, quote the value")

    def _sequence(self, event: Any, depth: int) -> Node:
        items: list[Node] = []
        while not isinstance(following := self._parser.get_event(), yaml.SequenceEndEvent):
            items.append(self._node(following, depth + 1))
        if event.tag not in (None, "!", _CORE + "seq"):
            return self._unknown_tag(event)
        return SequenceNode(tuple(items), _collection_span(event, following, items))

    def _mapping(self, event: Any, depth: int) -> Node:
        entries: dict[str, tuple[ScalarNode, Node]] = {}
        values: list[Node] = []
        bare: list[Node] = []
        while not isinstance(following := self._parser.get_event(), yaml.MappingEndEvent):
            key = self._node(following, depth + 1)
            if isinstance(following, yaml.AliasEvent) and isinstance(key, ScalarNode):
                key = replace(key, span=_span(following))
            begin = self._parser.get_event()
            value = self._node(begin, depth + 1)
            if isinstance(value, ScalarNode) and not (value.value.text or value.quoted or value.block):
                value = replace(value, span=key.span)
                if event.flow_style and self._has_no_colon(key):
                    bare.append(key)
            values.append(value)
            if key not in bare and self._is_key(key, entries):
                entries[key.value.text] = (key, value)
        if event.tag not in (None, "!", _CORE + "map"):
            return self._unknown_tag(event)
        span = _collection_span(event, following, values)
        if bare and not self._mend_range(bare[-1], entries):
            return self._bare_key(bare[0], span)
        return MappingNode(tuple(entries.values()), span)

    def _is_key(self, node: Node, entries: dict[str, tuple[ScalarNode, Node]]) -> TypeGuard[ScalarNode]:
        """Report a key that is not a string or that `entries` holds already."""
        if isinstance(node, RefusedNode):
            return False
        if not isinstance(node, ScalarNode):
            self._report(f"a key must be a string, not {kind(node)}", node.span)
            return False
        text, data = node.value
        line = node.span.line
        if not text.isascii() and not node.quoted and (bad := characters.space_in_syntax(self.source, line, line)):
            self.problems.append(bad)
        elif not (text or node.quoted):
            self._report("no key before the `:`", node.span)
        elif text == "<<" and not node.quoted:
            self._report("a merge key (`<<`) is not part of YAML 1.2", node.span, "write the entries out")
        elif not isinstance(data, str):
            self._report(f"a key must be a string, not {kind(node)}: `{text}`", node.span, f'quote it: `"{text}"`')
        elif text in entries:
            first = entries[text][0].span.line + 1
            self._report(f"duplicate key `{text}`, first given on line {first}", node.span, "remove one of them")
        else:
            return True
        return False

    def _has_no_colon(self, key: Node) -> bool:
        line = self.source.lines[key.span.end_line] if key.span.end_line < len(self.source.lines) else ""
        return not line[key.span.end_column :].lstrip().startswith(":")

    def _mend_range(self, last: Node, entries: dict[str, tuple[ScalarNode, Node]]) -> bool:
        """Refuse the value `case:1,2` of an entry, of which YAML reads `2` as a key; False if there is none."""
        for name, (key, value) in entries.items():
            if isinstance(value, ScalarNode) and not value.quoted and _RANGE.match(value.value.text):
                begin, end = value.span, last.span
                span = Span(begin.line, begin.column, end.end_line, end.end_column)
                text = (
                    self.source.lines[begin.line][begin.column : end.end_column] if span.line == span.end_line else "…"
                )
                fault = "a comma ends an unquoted range expression in `{ }`"
                entries[name] = (key, self._refuse(fault, span, f'quote it: `"{text}"`'))
                return True
        return False

    def _bare_key(self, key: Node, span: Span) -> RefusedNode:
        """Refuse a mapping in `{ }` with a key that has no `:`: `{{ lr }}`, `{lr}`, `{a:1}`."""
        if isinstance(key, RefusedNode):
            return RefusedNode(span)
        line = self.source.lines[span.line]
        begin = span.column - 1 if line[: span.column].endswith("{") else span.column
        if found := _FOREIGN_VARIABLE.match(line, begin):
            shown = Span(span.line, begin, span.line, found.end())
            return self._refuse(f"`{found[0]}` is not a variable", shown, f"write `${found[1]}`")
        text = key.value.text if isinstance(key, ScalarNode) else ""
        if re.match(r"\w+:", text):
            return self._refuse(f"no space after the `:` in `{text}`", key.span, "put one there")
        return self._refuse(f"the key `{text}` has no value", key.span, "write `name: value`")


def _parser(text: str) -> Any:
    """Return a parser of events: libyaml, or PyYAML's own where it was installed without libyaml."""
    return yaml.cyaml.CParser(text) if yaml.__with_libyaml__ else yaml.SafeLoader(text)  # type: ignore[attr-defined]


def _tagged(tag: str, text: str) -> Scalar:
    """Return the value of a text with one of the core tags. Raises ValueError, or KeyError for another tag."""
    plain, number = resolve(text), resolve_number(text)
    data: Scalar
    fits, data = {
        "!": (True, text),
        "str": (True, text),
        "int": (isinstance(number, int), number),
        "float": (number is not None, number),
        "bool": (isinstance(plain, bool), plain),
        "null": (plain is None, None),
    }[tag]
    if not fits:
        raise ValueError(tag)
    return float(data) if tag == "float" and data is not None else data


def _span(event: Any) -> Span:
    start, end = event.start_mark, event.end_mark
    return Span(start.line, start.column, end.line, end.column)


def _collection_span(start: Any, end: Any, inside: list[Node]) -> Span:
    """Return the span from bracket to bracket; a block collection ends with its last node."""
    mark = start.start_mark
    if start.flow_style:
        return Span(mark.line, mark.column, end.end_mark.line, end.end_mark.column)
    last = max([(node.span.end_line, node.span.end_column) for node in inside] + [(mark.line, mark.column)])
    return Span(mark.line, mark.column, *last)
