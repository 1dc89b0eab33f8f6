"""The entries of `include` as conditions of a Space: numbers as the ranges spell them, zipped variables with their partners."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from runner.config.report import Report
from runner.config.yaml.nodes import MappingNode
from runner.model import Value
from runner.scalars import equal, is_number
from runner.space.axis import Axis, Condition


class Inclusions:
    """Reads `include` for the axes of a sweep."""

    def __init__(self, report: Report, axes: Sequence[Axis]) -> None:
        self._report = report
        self._axes = axes
        self._axis_of = {name: axis for axis in axes for name in axis.names}
        self._added: dict[str, list[Value]] = defaultdict(list)
        """Values of earlier entries that no range has."""

    def conditions(self, entries: Iterable[tuple[Condition, MappingNode]]) -> list[tuple[Condition, MappingNode]]:
        """Return the conditions to add, each with the node of its entry; an entry can become several, or none."""
        found: list[tuple[Condition, MappingNode]] = []
        for entry, node in entries:
            spelled = {name: self._spelled(name, value, node) for name, value in entry.items()}
            found += [(condition, node) for condition in self._with_partners(spelled, node)]
        return found

    def _spelled(self, name: str, value: Value, node: MappingNode) -> Value:
        """Return the value as the range has it if that has the same number: `0.001` for `1e-3`."""
        same = next(self._same_number(name, value), None)
        if same is None:
            self._added[name].append(value)
            return value
        if same.text != value.text:
            self._report.warning(
                f"`{value.text}` is the number `{same.text}` of `{name}`, and is taken for it",
                node.span,
                f"write `{name}: {same.text}`",
            )
        return same

    def _same_number(self, name: str, value: Value) -> Iterator[Value]:
        axis = self._axis_of.get(name)
        if axis is None or not is_number(value.data):
            return
        if axis.takes(name, value):
            yield value
        column = axis.column(name)
        if axis.single is not None:
            column = {axis.single[position]: None for position in axis.single.indices_equal(value)}
        for known in itertools.chain(column, self._added[name]):
            if is_number(known.data) and equal(known, value):
                yield known

    def _with_partners(self, entry: Condition, node: MappingNode) -> Iterator[Condition]:
        """Yield the entry with the values that its zipped variables have together, once for each such row."""
        choices: list[list[Condition]] = []
        for axis in self._axes:
            named = {name: entry[name] for name in axis.names if name in entry}
            if not named or len(named) == len(axis.names):
                continue
            rows = [dict(zip(axis.names, axis.rows[at], strict=True)) for at in sorted(axis.matching(named) or ())]
            if not rows:
                self._report_no_partner(axis, named, node)
            choices.append([{**row, **named} for row in rows])
        for chosen in itertools.product(*choices):
            yield {**entry, **{name: value for row in chosen for name, value in row.items()}}

    def _report_no_partner(self, axis: Axis, named: Condition, node: MappingNode) -> None:
        shown = ", ".join(f"{name}={value.text}" for name, value in named.items())
        missing = " and ".join(f"`{name}`" for name in axis.names if name not in named)
        self._report.error(
            f"`zip` has no row with `{shown}`, so nothing says which {missing} goes with it",
            node.span,
            f"give this entry {missing}, too",
        )
