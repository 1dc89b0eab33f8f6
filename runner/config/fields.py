"""The sections of a sweep file: from nodes with positions to typed values.

The schema has refused values of the wrong form: they are RefusedNodes and read as None or as a missing entry. What is
still wrong inside a value (a unit, a range expression, a pattern) is reported at its position.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from runner.config.metrics import JsonMetric, LastLineMetric, Metric, RegexMetric
from runner.config.python_program import Python
from runner.config.report import Report
from runner.config.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode, plain
from runner.diagnostics import Span
from runner.model import Amount, Outcome, Policy, Retry, Stop, Value
from runner.space.range_hints import geomspace_hint, is_expression, is_interval
from runner.space.ranges import Range, RangeError, from_mapping, from_values, parse_expression
from runner.template.shell import ShellScript
from runner.template.template import Template
from runner.units import UnitError, parse_amount, parse_duration, parse_memory


@dataclass(frozen=True, slots=True)
class Placed:
    """A template and its position, for the problems that its values cause later."""

    template: Template | ShellScript
    node: ScalarNode
    key: str

    @property
    def text(self) -> str:
        return self.node.value.text


@dataclass(frozen=True, slots=True)
class Sample:
    size: int
    seed: int


@dataclass(frozen=True, slots=True)
class BackendChoice:
    """`backend:` of the file, unchecked: the backends know which kinds and options exist."""

    kind: str
    options: Mapping[str, Any]
    span: Span | None = None


def scalar(node: Node | None) -> ScalarNode | None:
    return node if isinstance(node, ScalarNode) else None


def entries(node: Node | None) -> tuple[tuple[ScalarNode, Node], ...]:
    return node.entries if isinstance(node, MappingNode) else ()


def items(node: Node | None) -> tuple[Node, ...]:
    return node.items if isinstance(node, SequenceNode) else ()


def integer(node: Node | None) -> int | None:
    found = scalar(node)
    return found.value.data if found and isinstance(found.value.data, int) else None


def boolean(node: Node | None) -> bool | None:
    found = scalar(node)
    return found.value.data if found and isinstance(found.value.data, bool) else None


def sample(node: Node | None) -> Sample | None:
    found = {key.value.text: integer(value) for key, value in entries(node)}
    size = found.get("size")
    return None if size is None else Sample(size, found.get("seed") or 0)


def policy(report: Report) -> Policy:
    get, default = report.document.get, Policy()
    grace = duration(get("grace"), report)
    return Policy(
        timeout=duration(get("timeout"), report),
        grace=default.grace if grace is None else grace,
        retry=retry(get("retry"), report),
        stop=stop(get("stop")),
    )


def duration(node: Node | None, report: Report) -> float | None:
    found = scalar(node)
    if found is None or found.value.data is None:
        return None
    try:
        return parse_duration(found.value.text)
    except UnitError as error:
        report.error(error.message, found.span, error.hint)
        return None


def amount(name: str, value: Value) -> Amount:
    """Return the amount of a resource: bytes for `mem`, an exact number for all others. Raises UnitError."""
    return parse_memory(value.text, bare="error") if name == "mem" else parse_amount(value.text)


def amounts(node: Node | None, report: Report) -> dict[str, Amount]:
    """Read `capacity`: amounts, no templates."""
    found: dict[str, Amount] = {}
    for key, value in entries(node):
        if (given := scalar(value)) is None:
            continue
        try:
            found[key.value.text] = amount(key.value.text, given.value)
        except UnitError as error:
            report.error(error.message, given.span, error.hint)
    return found


def one_range(node: Node, report: Report) -> Range | None:
    """Read one entry of `ranges`: a list, an expression, or the mapping form of an expression."""
    try:
        if isinstance(node, SequenceNode):
            scalars = texts(node)
            _check_items(scalars, report)
            return from_values([item.value for item in scalars]) if len(scalars) == len(node.items) else None
        if isinstance(node, ScalarNode):
            if not isinstance(node.value.data, str):
                return None
            return _warned(parse_expression(node.value.text), node.value.text, node, report)
        if isinstance(node, MappingNode) and len(node.entries) == 1:
            (kind, arguments) = node.entries[0]
            given = arguments.items if isinstance(arguments, SequenceNode) else (arguments,)
            values = [item.value for item in given if isinstance(item, ScalarNode)]
            if len(values) < len(given):
                return None
            text = f"{kind.value.text}:{','.join(value.text for value in values)}"
            return _warned(from_mapping(kind.value.text, values), text, node, report)
    except RangeError as error:
        report.error(error.message, node.span, error.hint)
    return None


def _warned(found: Range, expression: str, node: Node, report: Report) -> Range:
    if hint := geomspace_hint(expression):
        report.warning("the START and STOP of `logspace` are exponents of ten", node.span, hint)
    return found


def _check_items(scalars: Sequence[ScalarNode], report: Report) -> None:
    """Report a range expression inside a list, which is a text there: an error if a comma outside quotes tore it."""
    for number, item in enumerate(scalars):
        text = item.value.text
        if item.quoted or not isinstance(item.value.data, str) or not is_expression(text):
            if is_expression(text) or is_interval(text):
                report.warning(
                    f"`{text}` in a list is a value, not a range",
                    item.span,
                    "write the range without the list",
                )
            continue
        span, whole = item.span, text
        for following in scalars[number + 1 :]:
            if following.quoted or (following.span.line, following.span.column) != (span.end_line, span.end_column + 1):
                break
            span = Span(span.line, span.column, following.span.end_line, following.span.end_column)
            whole += f",{following.value.text}"
        if span == item.span:
            report.warning(f"`{text}` in a list is a value, not a range", span, "write the range without the list")
        else:
            hint = f'write `"{whole}"` without the `[ ]`; if text is meant, quote it'
            report.error("a comma ends an unquoted range expression in `[ ]`", span, hint)


def conditions(node: Node | None) -> list[tuple[dict[str, Value], MappingNode]]:
    """Return the variables and values of each entry of `exclude` or `include`, with its node."""
    return [
        ({key.value.text: value.value for key, value in item.entries if isinstance(value, ScalarNode)}, item)
        for item in items(node)
        if isinstance(item, MappingNode) and item.entries
    ]


def retry(node: Node | None, report: Report) -> Retry:
    default = Retry()
    limit, backoff, causes = default.limit, default.backoff, default.on
    if (given := scalar(node)) is not None and isinstance(given.value.data, int):
        limit = given.value.data
    for key, value in entries(node):
        if key.value.text == "limit" and (given := scalar(value)) and isinstance(given.value.data, int):
            limit = given.value.data
        elif key.value.text == "backoff":
            backoff = default.backoff if (found := duration(value, report)) is None else found
        elif key.value.text == "on":
            names = {item.value.text for item in items(value) if isinstance(item, ScalarNode)}
            causes = frozenset(outcome for outcome in Outcome if outcome.value in names)
    return Retry(limit, backoff, causes)


def stop(node: Node | None) -> Stop | None:
    for key, value in entries(node):
        if key.value.text == "failures" and (given := scalar(value)) is not None:
            data = given.value.data
            if isinstance(data, int):
                return Stop(failures=data)
            if isinstance(data, str):
                return Stop(share=Fraction(data.removesuffix("%")) / 100)
    return None


def metrics(node: Node | None, report: Report) -> dict[str, Metric]:
    found: dict[str, Metric] = {}
    for name, spec in entries(node):
        fields = {key.value.text: value for key, value in entries(spec)}
        texts = {key: value.value.text for key, value in fields.items() if isinstance(value, ScalarNode)}
        if "regex" in texts:
            try:
                found[name.value.text] = RegexMetric(re.compile(texts["regex"], re.MULTILINE).pattern)
            except re.error as error:
                report.error(f"not a regular expression: {error}", fields["regex"].span)
        elif "json" in texts:
            if leads_out(texts["json"]):
                hint = "a session writes it there; `$RUNNER_OUTPUT_DIR` is that folder"
                report.error(f"`{texts['json']}` lies outside the output folder", fields["json"].span, hint)
            found[name.value.text] = JsonMetric(texts["json"], texts.get("key", name.value.text))
        elif "last_line" in texts:
            found[name.value.text] = LastLineMetric(texts["last_line"])
    return found


def leads_out(path: str) -> bool:
    """Return whether a path leaves the folder that it is relative to."""
    return os.path.isabs(path) or os.path.normpath(path).split(os.sep)[0] == os.pardir


def backend(node: Node | None, folder: Path) -> BackendChoice:
    """Read `backend`; a script that it names is relative to `folder`."""
    if isinstance(node, ScalarNode):
        return BackendChoice(node.value.text, {}, node.span)
    if isinstance(node, MappingNode):
        options = dict(plain(node))
        if isinstance(script := options.get("bootstrap_script"), str):
            options["bootstrap_script"] = str(folder / script)
        kind = node.get("kind")
        return BackendChoice(str(options.pop("kind", "local")), options, kind.span if kind else node.span)
    return BackendChoice("local", {})


def python(node: Node | None) -> Python | None:
    if not isinstance(node, MappingNode):
        return None
    return Python(scalar(node.get("interpreter")), texts(node.get("preload")))


def texts(node: Node | None) -> tuple[ScalarNode, ...]:
    """Return the scalars of a list."""
    return tuple(item for item in items(node) if isinstance(item, ScalarNode))
