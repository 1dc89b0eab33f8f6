"""The rows of the table as compact data, which the plots draw from, too: a column is known by its key, `c0`, `c1`, …"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from runner.config.reserved import MEASURED
from runner.model import Value
from runner.results.columns import Column, Columns, Quantity, Row, number
from runner.scalars import is_number

Kind: TypeAlias = Literal["id", "variable", "status", "metric", "measured", "count", "hidden"]

HIDDEN = ("reason", "started", "host", "backend", "job")
"""What a row shows only when it is opened."""


ABOUT = {"duration": "wall time", "cpu_time": "CPU time", "max_rss": "peak memory"}
"""What is measured of every session, in words; the names are those that `results` takes, too."""


@dataclass(frozen=True)
class Field:
    """A column of the sheet. The cells of a `coded` one are places in `values`."""

    key: str
    label: str
    kind: Kind
    quantity: Quantity
    coded: bool
    numeric: bool
    """Whether every value is a number (of a metric: at least one)."""
    values: Sequence[Value]
    exact: Mapping[int, str]
    """Rows of an integer that a script would round, and how it reads; the cell is the number nearest to it."""


@dataclass(frozen=True)
class Sheet:
    fields: Sequence[Field]
    cells: Sequence[Sequence[Any]]

    def of_kind(self, *kinds: Kind) -> list[Field]:
        return [field for field in self.fields if field.kind in kinds]

    def to_json(self) -> dict[str, Any]:
        """For the page: what a coded cell reads as, and what plots take it for."""
        return {
            "columns": [
                {
                    "key": field.key,
                    "name": field.label,
                    "kind": field.kind,
                    "about": ABOUT.get(field.label) if field.kind == "measured" else None,
                    "quantity": field.quantity,
                    "numeric": field.numeric,
                    "values": [[value.text, number(value)] for value in field.values] if field.coded else None,
                    "exact": field.exact,
                }
                for field in self.fields
            ],
            "rows": self.cells,
        }


def sheet(rows: Sequence[Row], columns: Columns) -> Sheet:
    """Variables, status, metrics, what was measured, and what a row shows when it is opened."""
    chosen: list[tuple[Kind, str, Column[Row]]] = [("id", "id", columns.find("id"))]
    chosen += [("variable", name, columns.find(f"params.{name}")) for name in columns.variables]
    chosen += [("variable", "repeat", columns.find("repeat"))] if columns.repeated else []
    chosen.append(("status", "status", columns.find("status")))
    chosen += [("metric", name, columns.find(f"metrics.{name}")) for name in columns.metrics]
    chosen += [("measured", name, columns.find(name)) for name in MEASURED]
    chosen += [("count", name, columns.find(name)) for name in ("attempts", "exit_code")]
    chosen += [("hidden", name, columns.find(name)) for name in HIDDEN]
    fields, cells = [], []
    for at, (kind, label, column) in enumerate(chosen):
        values = [column.of(row) for row in rows]
        field = _field(f"c{at}", label, kind, column.quantity, values)
        fields.append(field)
        places = {value: place for place, value in enumerate(field.values)}
        cells.append([places[value] if field.coded else _cell(value) for value in values])
    return Sheet(fields, list(zip(*cells, strict=True)))


def _field(key: str, label: str, kind: Kind, quantity: Quantity, values: Sequence[Value]) -> Field:
    coded = kind in ("variable", "status") or label in ("reason", "host", "backend")
    distinct = list(dict.fromkeys(values)) if coded else []
    numbers = [number(value) is not None for value in (distinct or values)]
    numeric = any(numbers) if kind in ("metric", "measured") else bool(numbers) and all(numbers)
    exact = {} if coded else {row: value.text for row, value in enumerate(values) if _is_rounded(value)}
    return Field(key, label, kind, quantity, coded, numeric, distinct, exact)


def _cell(value: Value) -> Any:
    """As JSON can carry it, and a script hold it: what is no float is text."""
    if not is_number(value.data):
        return value.data
    amount = number(value)
    if amount is None:
        return value.text
    return amount if _is_rounded(value) else value.data


def _is_rounded(value: Value) -> bool:
    return isinstance(value.data, int) and abs(value.data) > 2**53 and number(value) is not None
