"""Aggregates of metrics over groups of sessions: `--group-by` and `--agg`."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from runner.config.reserved import MEASURED
from runner.errors import InvalidInput
from runner.model import Value
from runner.results.columns import Column, Row, known, number
from runner.scalars import identity

AGGREGATES: dict[str, Callable[[Summary], float | int | None]] = {
    "mean": lambda summary: summary.mean,
    "std": lambda summary: summary.std,
    "min": lambda summary: min(summary.numbers, default=None),
    "max": lambda summary: max(summary.numbers, default=None),
    "count": lambda summary: len(summary.numbers),
}


@dataclass
class Summary:
    """The values of one metric in one group."""

    numbers: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """Values that are not numbers, or not finite."""
    missing: int = 0
    """How many sessions have no value."""

    def add(self, value: Value) -> None:
        amount = number(value)
        if amount is not None:
            self.numbers.append(amount)
        elif value.data is None and not value.text:
            self.missing += 1
        else:
            self.texts.append(value.text)

    @property
    def size(self) -> int:
        return len(self.numbers) + len(self.texts) + self.missing

    @property
    def mean(self) -> float | None:
        return statistics.mean(self.numbers) if self.numbers else None

    @property
    def std(self) -> float | None:
        """The sample standard deviation (divided by n - 1); None below two numbers, or if it exceeds a float."""
        if len(self.numbers) < 2:
            return None
        try:
            return statistics.stdev(self.numbers)
        except OverflowError:
            return None

    def to_json(self, aggregates: Iterable[str]) -> dict[str, Any]:
        """The aggregates, and the number of values that they leave out."""
        found = {name: AGGREGATES[name](self) for name in aggregates}
        return {**found, "missing": self.missing, "not_numbers": len(self.texts)}


@dataclass
class Group:
    """The sessions that share their values in some columns."""

    by: tuple[Value, ...]
    """The shared values."""
    metrics: dict[str, Summary]
    statuses: Counter[str] = field(default_factory=Counter)

    @property
    def sessions(self) -> int:
        return self.statuses.total()


def parse_aggregates(text: str) -> list[str]:
    """`mean,std`. Raises InvalidInput."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in AGGREGATES:
            known_ones = ", ".join(f"`{one}`" for one in AGGREGATES)
            raise InvalidInput(f"unknown aggregate `{name}`", f"choose from {known_ones}")
    return list(dict.fromkeys(names))


def group(rows: Iterable[Row], by: Sequence[Column[Row]], metrics: Sequence[Column[Row]]) -> list[Group]:
    """The groups, in the order of their first rows; numbers are equal by value. Rows are read once and not kept."""
    groups: dict[tuple[Hashable, ...], Group] = {}
    for row in rows:
        values = tuple(column.of(row) for column in by)
        if (found := groups.get(key := tuple(map(identity, values)))) is None:
            found = groups[key] = Group(values, {column.name: Summary() for column in metrics})
        found.statuses[row.status] += 1
        for column in metrics:
            found.metrics[column.name].add(column.of(row))
    return list(groups.values())


def group_columns(
    groups: Iterable[Group], by: Sequence[Column[Row]], metrics: Sequence[Column[Row]], aggregates: Sequence[str]
) -> list[Column[Group]]:
    """The group columns, the number of sessions, and a column such as `loss.mean` for each aggregate of each metric.

    `loss.missing` and `loss.not_numbers` are added if a group has such values. A group column with the name of another
    column is called `params.NAME` or `metrics.NAME`.
    """
    all_groups = list(groups)
    columns: list[Column[Group]] = [Column("sessions", lambda group: known(group.sessions))]
    for metric in metrics:
        summaries = [group.metrics[metric.name] for group in all_groups]
        for name in aggregates:
            quantity = None if name == "count" else (metric.quantity or "rounded")
            columns.append(Column(f"{metric.name}.{name}", _aggregate(metric.name, name), quantity))
        if any(summary.missing for summary in summaries):
            columns.append(Column(f"{metric.name}.missing", _count(metric.name, lambda summary: summary.missing)))
        if any(summary.texts for summary in summaries):
            columns.append(
                Column(f"{metric.name}.not_numbers", _count(metric.name, lambda summary: len(summary.texts)))
            )
    taken = {column.name for column in columns}
    return [*(_group_column(at, column, taken) for at, column in enumerate(by)), *columns]


def for_people(columns: Sequence[Column[Group]], aggregates: Sequence[str]) -> list[Column[Group]]:
    """The columns of the text formats: of duration, CPU time and memory only the first aggregate."""
    hidden = {f"{metric}.{name}" for metric in MEASURED for name in aggregates[1:]}
    return [column for column in columns if column.name not in hidden]


def _group_column(at: int, column: Column[Row], taken: Set[str]) -> Column[Group]:
    prefix = ("metrics." if column.numeric else "params.") if column.name in taken else ""
    return Column(prefix + column.name, lambda group: group.by[at], column.quantity)


def _aggregate(metric: str, name: str) -> Callable[[Group], Value]:
    return lambda group: known(AGGREGATES[name](group.metrics[metric]))


def _count(metric: str, of: Callable[[Summary], int]) -> Callable[[Group], Value]:
    return lambda group: known(of(group.metrics[metric]))


def groups_json(
    groups: Iterable[Group], by: Sequence[Column[Row]], metrics: Sequence[Column[Row]], aggregates: Sequence[str]
) -> dict[str, Any]:
    """The groups in the shape of `schemas/groups.schema.json`."""
    return {
        "group_by": [column.name for column in by],
        "aggregates": list(aggregates),
        "groups": [
            {
                "by": {column.name: value.data for column, value in zip(by, group.by, strict=True)},
                "sessions": group.sessions,
                "statuses": dict(group.statuses),
                "metrics": {metric.name: group.metrics[metric.name].to_json(aggregates) for metric in metrics},
            }
            for group in groups
        ],
    }
