"""One metric over two columns: `--pivot ROW COL METRIC`."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from runner.model import Value
from runner.results.aggregate import AGGREGATES, Summary
from runner.results.columns import MISSING, Column, Row, apart, in_quantity, known
from runner.scalars import identity


@dataclass
class Pivot:
    """An aggregate of `metric` for each value of `row` (down) and of `column` (across)."""

    row: Column[Row]
    column: Column[Row]
    metric: Column[Row]
    aggregate: str
    across: list[Value]
    """The values of `column`."""
    lines: dict[Value, dict[Value, Summary]]
    """For each value of `row` its cells by value of `column`; a combination without sessions has no cell."""

    def columns(self) -> list[Column[Value]]:
        """The columns of the text formats and of CSV; a row is a value of `row`."""
        first: Column[Value] = Column(self.row.name, lambda line: line, self.row.quantity)
        return [first, *map(self._under, self.across)]

    def _under(self, across: Value) -> Column[Value]:
        def cell(line: Value) -> Value:
            summary = self.lines[line].get(across)
            return Value("", None) if summary is None else self._value(summary)

        def show(line: Value) -> str:
            summary = self.lines[line].get(across)
            return "" if summary is None else self._shown(summary)

        return Column(f"{self.column.name}={across.text}", cell, show=show)

    def _value(self, summary: Summary) -> Value:
        """The aggregate, or the first text if there are no numbers."""
        found = known(AGGREGATES[self.aggregate](summary))
        return Value(summary.texts[0], summary.texts[0]) if not found.text and summary.texts else found

    def _shown(self, summary: Summary) -> str:
        value = self._value(summary)
        if not isinstance(value.data, int | float):
            return MISSING if value.data is None else apart(value.text)
        quantity = None if self.aggregate == "count" else (self.metric.quantity or "rounded")
        shown = value.text if quantity is None else in_quantity(value.data, quantity)
        partial = len(summary.numbers) < summary.size and self.aggregate != "count"
        return f"{shown} ({len(summary.numbers)} of {summary.size})" if partial else shown

    def to_json(self) -> dict[str, Any]:
        """The pivot in the shape of `schemas/pivot.schema.json`."""
        return {
            "row": self.row.name,
            "column": self.column.name,
            "metric": self.metric.name,
            "aggregate": self.aggregate,
            "columns": [value.data for value in self.across],
            "rows": [
                {"row": line.data, "cells": [self._cell_json(cells.get(value)) for value in self.across]}
                for line, cells in self.lines.items()
            ],
        }

    def _cell_json(self, summary: Summary | None) -> dict[str, Any] | None:
        if summary is None:
            return None
        found = summary.to_json([self.aggregate])
        value = found.pop(self.aggregate)
        return {"value": value, "sessions": summary.size, "numbers": len(summary.numbers), **found}


def pivot(rows: Iterable[Row], row: Column[Row], column: Column[Row], metric: Column[Row], aggregate: str) -> Pivot:
    """The pivot of these rows; numbers are equal by value. Lines and columns are in the order of their first sessions."""
    across: dict[Hashable, Value] = {}
    down: dict[Hashable, Value] = {}
    lines: dict[Value, dict[Value, Summary]] = {}
    for one in rows:
        line = down.setdefault(identity(of_row := row.of(one)), of_row)
        under = across.setdefault(identity(of_column := column.of(one)), of_column)
        lines.setdefault(line, {}).setdefault(under, Summary()).add(metric.of(one))
    return Pivot(row, column, metric, aggregate, list(across.values()), lines)
