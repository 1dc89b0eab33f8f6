"""Nodes from YAML events.

PyYAML's own composer takes keys given twice and recursive aliases, and crashes on deep nesting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import yaml

from runner.config.yaml import dollar_brace, escapes, flow_repair, syntax_errors
from runner.config.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode, kind, place
from runner.config.yaml.parser import events
from runner.diagnostics import Problem, Source, Span
from runner.model import Scalar, Value
from runner.scalars import resolve, resolve_number

DEEPEST = 100
"""Levels of nesting, with aliases expanded."""

MOST_ALIASED = 100_000
"""Values that all aliases together may stand for."""

_CORE = "tag:yaml.org,2002:"
_PROPERTIES = re.compile(r"(?:(?:!<[^>\s]*>|[&!][^\s,\[\]{}]*)(?:\s|(?<=\s)#[^\n\r]*)*)+")


class _StopReading(Exception):
    """There is no sense in reading on; the problem has been noted."""


@dataclass(frozen=True)
class _Anchored:
    """A node under its anchor, how many values it stands for and how many levels it has."""

    node: Node
    weight: int
    height: int


class Composer:
    """One pass over one text; asked once for its `document`, it then holds the `problems`.

    `masked` says that every `${…}` of the text is in disguise (see `dollarbrace.mask`).
    """

    def __init__(self, source: Source, *, pure: bool = False, masked: bool = False) -> None:
        self.source = source
        self.masked = masked
        self.problems: list[Problem] = []
        self.stopped_at_dollar_brace = False
        self._events = events(source.text, pure=pure)
        self._anchors: dict[str, _Anchored | None] = {}
        self._open: list[Span] = []
        self._unsound = False
        self._weight = 0
        self._aliased = 0
        self._deepest = 0

    def document(self) -> MappingNode | None:
        try:
            document = self._document()
        except _StopReading:
            return None
        except yaml.YAMLError as error:
            problem = syntax_errors.explain(self.source, error, self._open)
        except (ValueError, OverflowError):
            # PyYAML's own parser trips over "\UFFFFFFFF" itself, standing at its digits.
            problem = syntax_errors.explain(self.source, syntax_errors.no_such_character(self._events), self._open)
        else:
            return None if self._unsound else document
        self.stopped_at_dollar_brace = problem.message.startswith("unquoted `${")
        self.problems.append(problem)
        return None

    def _report(self, message: str, span: Span | None, hint: str | None = None) -> None:
        self.problems.append(Problem(message, span, hint))

    def _document(self) -> MappingNode | None:
        self._events.get_event()
        if isinstance(self._events.get_event(), yaml.StreamEndEvent):
            self._empty()
            return None
        node = self._node(self._events.get_event(), 0, "")
        self._events.get_event()
        following = self._events.get_event()
        if isinstance(following, yaml.DocumentStartEvent):
            self._report("a second document", _span(following), "a file holds one sweep; make it two files")
        if isinstance(node, MappingNode):
            return node
        if isinstance(node, ScalarNode) and not node.quoted and not node.value.text:
            self._empty()
            return None
        hint = "begin with a key: `exec: …`"
        if isinstance(node, ScalarNode) and re.match(r"\w+:\S", node.value.text):
            hint = "put a space after the `:`"
        if not self._unsound:
            self._report(f"a sweep file must be a mapping, not {kind(node)}", node.span, hint)
        return None

    def _empty(self) -> None:
        self._report("the file is empty", None, "`runner init` writes a first sweep file")

    def _node(self, event: Any, depth: int, flow: str) -> Node:
        """The node that `event` begins. `flow` is the kind of brackets round it, if any."""
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
            node = self._scalar(event, flow)
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
            self._report(f"unknown alias `{name}`", span, f'if text is meant, quote it: `"{name}"`')
        elif (anchored := self._anchors[event.anchor]) is None:
            self._report(f"the alias `{name}` stands inside of what it stands for", span)
        else:
            self._weight += anchored.weight
            self._aliased += anchored.weight
            self._deepest = max(self._deepest, depth + anchored.height)
            if self._aliased > MOST_ALIASED:
                self._report(f"the aliases stand for more than {MOST_ALIASED:,} values", span, "write the values out")
                raise _StopReading
            if self._deepest > DEEPEST:
                self._report(f"nested deeper than {DEEPEST} levels", span)
                raise _StopReading
            return anchored.node
        self._unsound = True
        return ScalarNode(Value(name, name), True, span, False)

    def _scalar(self, event: Any, flow: str) -> ScalarNode:
        text: str = event.value
        style: str = event.style or ""
        span = self._inner_span(event) if event.anchor or event.tag else _span(event)
        if not text.isascii():
            if self.masked:
                if flow and not style:
                    self._dollar_braces(ScalarNode(Value(text, text), False, span, False), flow)
                text = dollar_brace.unmask(text)
            text, lone = escapes.join_surrogates(self.source, span, text)
            if lone is not None:
                self._report(*lone)
        if "\0" in text:
            self._report(
                "a value cannot hold a NUL character",
                escapes.find_nul(self.source, span),
                "remove it; arguments and variables of a process end there",
            )
            text = text.replace("\0", "\ufffd")
        data = text if style else resolve(text)
        if event.tag:
            data = self._tagged(event, text, data)
            if isinstance(data, float) and isinstance(resolve_number(text), int):
                text = f"{text}.0"  # 1 and `!!float 1` are two values, so they need two texts
        return ScalarNode(Value(text, data), style in ("'", '"') if style else False, span, style in ("|", ">"))

    def _dollar_braces(self, node: ScalarNode, flow: str) -> None:
        text = node.value.text
        for found in dollar_brace.MASKED.finditer(text):
            span = place(self.source, node, found.start(), found.end())
            following = text[found.end() :]
            self.problems.append(dollar_brace.unquoted(dollar_brace.unmask(found[0]), span, flow, following))

    def _inner_span(self, event: Any) -> Span:
        """Where a scalar itself begins, behind its anchor and tag."""
        outer = _span(event)
        found = _PROPERTIES.match(self.source.text, event.start_mark.index, event.end_mark.index)
        if found is None:
            return outer
        skipped = Source("", found[0]).lines
        column = len(skipped[-1]) + (outer.column if len(skipped) == 1 else 0)
        return Span(outer.line + len(skipped) - 1, column, outer.end_line, outer.end_column)

    def _tagged(self, event: Any, text: str, data: Scalar) -> Scalar:
        tag = event.tag.removeprefix(_CORE)
        number = resolve_number(text)
        if tag in ("!", "str"):
            return text
        if tag == "int" and isinstance(number, int):
            return number
        if tag == "float" and number is not None:
            return float(number)
        if tag == "bool" and isinstance(resolve(text), bool):
            return resolve(text)
        if tag == "null" and resolve(text) is None:
            return None
        if tag in ("int", "float", "bool", "null"):
            self._report(f"`{text}` is no `!!{tag}`", _span(event))
        else:
            self._unknown_tag(event)
        return data

    def _unknown_tag(self, event: Any) -> None:
        tag = event.tag
        shown = "!!" + tag.removeprefix(_CORE) if tag.startswith(_CORE) else tag if tag.startswith("!") else f"!<{tag}>"
        start = event.start_mark
        self._report(
            f"unknown tag `{shown}`",
            Span(start.line, start.column, start.line, start.column + len(shown)),
            "if text is meant, quote the value",
        )

    def _collection_tag(self, event: Any, known: str) -> None:
        if event.tag not in (None, "!", _CORE + known):
            self._unknown_tag(event)

    def _sequence(self, event: Any, depth: int) -> SequenceNode:
        self._collection_tag(event, "seq")
        flow = "[ ]" if event.flow_style else ""
        items: list[Node] = []
        while not isinstance(following := self._events.get_event(), yaml.SequenceEndEvent):
            items.append(self._node(following, depth + 1, flow))
        if flow:
            items = list(flow_repair.mend_list(self.source, items, self.problems))
        return SequenceNode(tuple(items), _collection_span(event, following, items))

    def _mapping(self, event: Any, depth: int) -> MappingNode:
        self._collection_tag(event, "map")
        flow = "{ }" if event.flow_style else ""
        pairs: list[tuple[Node, Node]] = []
        entries: dict[str, tuple[ScalarNode, Node]] = {}
        while not isinstance(following := self._events.get_event(), yaml.MappingEndEvent):
            key = self._node(following, depth + 1, flow)
            if isinstance(following, yaml.AliasEvent) and isinstance(key, ScalarNode):
                key = replace(key, span=_span(following))
            value = self._node(self._events.get_event(), depth + 1, flow)
            if isinstance(value, ScalarNode) and not (value.value.text or value.quoted or value.block):
                # The parsers disagree on where nothing is; at its key it can be shown.
                value = replace(value, span=key.span)
            pairs.append((key, value))
            if not flow:
                self._enter(key, value, entries)
        if flow:
            for key, value in flow_repair.mend_mapping(self.source, pairs, self.problems):
                self._enter(key, value, entries)
        span = _collection_span(event, following, [value for _, value in pairs])
        return MappingNode(tuple(entries.values()), span)

    def _enter(self, key: Node, value: Node, entries: dict[str, tuple[ScalarNode, Node]]) -> None:
        if not self._is_key(key):
            return
        name = key.value.text
        if name in entries:
            line = entries[name][0].span.line + 1
            self._report(f"duplicate key `{name}`, first given on line {line}", key.span, "remove one of them")
        else:
            entries[name] = (key, value)

    def _is_key(self, node: Node) -> TypeGuard[ScalarNode]:
        if not isinstance(node, ScalarNode):
            self._report(f"a key must be a string, not {kind(node)}", node.span)
        elif not (node.value.text or node.quoted):
            self._report("no key before the `:`", node.span)
        elif node.value.text == "<<" and not node.quoted:
            self._report("a merge key (`<<`) is not part of YAML 1.2", node.span, "write the entries out")
        elif not isinstance(node.value.data, str):
            text = node.value.text
            self._report(f"a key must be a string, not {kind(node)}: `{text}`", node.span, f'quote it: `"{text}"`')
        else:
            return True
        return False


def _span(event: Any) -> Span:
    start, end = event.start_mark, event.end_mark
    return Span(start.line, start.column, end.line, end.column)


def _collection_span(start: Any, end: Any, inside: list[Node]) -> Span:
    """From bracket to bracket; a block ends where its last part does, not where the parser saw it."""
    mark = start.start_mark
    if start.flow_style:
        return Span(mark.line, mark.column, end.end_mark.line, end.end_mark.column)
    last = max([(node.span.end_line, node.span.end_column) for node in inside] + [(mark.line, mark.column)])
    return Span(mark.line, mark.column, *last)
