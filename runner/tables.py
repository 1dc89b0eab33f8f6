"""Results as tables: for a terminal, Markdown and CSV. All show the variables by name and the metrics by name."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO, TypeAlias

from runner.model import Session
from runner.units import format_duration, format_memory

SHORT = ("status", "exit_code", "attempts", "duration", "max_rss")
"""Columns of the forms for people, between the variables and the metrics; CSV has them all."""

FULL = (
    *("status", "exit_code", "reason", "attempts", "backend", "job", "host", "started", "duration"),
    *("cpu_time", "max_rss", "output", "stdout", "stderr"),
)

Row: TypeAlias = tuple[Session, dict[str, Any]]
"""A session and its row of `results`."""


@dataclass(frozen=True)
class Columns:
    """What a sweep's table has: its variables, `repeat` where something is repeated, its metrics."""

    variables: Sequence[str]
    repeated: bool
    metrics: Sequence[str]


def table(rows: Sequence[Row], columns: Columns, out: TextIO) -> None:
    """Aligned columns; what is a number or begins with one stands to the right."""
    from rich.cells import cell_len

    lines = [_header(columns), *(_cells(*row, columns) for row in rows)]
    widths = [max(cell_len(line[at]) for line in lines) for at in range(len(lines[0]))]
    right = [at > 0 and all(_begins_with_number(line[at]) for line in lines[1:]) for at in range(len(lines[0]))]
    for line in lines:
        padded = [
            " " * (width - cell_len(cell)) + cell if to_right else cell + " " * (width - cell_len(cell))
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ]
        out.write("  ".join(padded).rstrip() + "\n")


def markdown(rows: Iterable[Row], columns: Columns, out: TextIO) -> None:
    """A GitHub table."""
    header = _header(columns)
    out.write(f"| {' | '.join(map(_escaped, header))} |\n|{' --- |' * len(header)}\n")
    for row in rows:
        out.write(f"| {' | '.join(map(_escaped, _cells(*row, columns)))} |\n")


def comma_separated(rows: Iterable[Row], columns: Columns, out: TextIO) -> None:
    """RFC 4180 but for its line ends: variables as written, plain numbers and ISO times; empty where unknown.

    A variable or metric that has the name of a fixed column is called `params.NAME` or `metrics.NAME`.
    """
    writer = csv.writer(out, lineterminator="\n")
    fixed = {"index", "id", "repeat", *FULL}
    variables = [f"params.{name}" if name in fixed else name for name in columns.variables]
    metrics = [f"metrics.{name}" if name in fixed else name for name in columns.metrics]
    writer.writerow(["index", "id", *variables, "repeat", *FULL, *metrics])
    for session, row in rows:
        cells = [
            *(
                session.index,
                session.id,
                *(session.params[name].text for name in columns.variables),
                session.repeat,
            ),
            *(row[column] for column in FULL),
            *(row["metrics"].get(name) for name in columns.metrics),
        ]
        writer.writerow(["" if cell is None else cell for cell in cells])


def _header(columns: Columns) -> list[str]:
    return ["id", *columns.variables, *(["repeat"] if columns.repeated else []), *SHORT, *columns.metrics]


def _cells(session: Session, row: Mapping[str, Any], columns: Columns) -> list[str]:
    forms: dict[str, Callable[[Any], str]] = {"duration": format_duration, "max_rss": format_memory}
    cells = [session.id, *(_shown(session.params[name].text) for name in columns.variables)]
    cells += [str(session.repeat)] if columns.repeated else []
    cells += ["-" if row[name] is None else forms.get(name, str)(row[name]) for name in SHORT]
    metrics = (row["metrics"].get(name) for name in columns.metrics)
    return cells + ["-" if value is None else _shown(str(value)) for value in metrics]


def _shown(text: str) -> str:
    shown = text if text.isprintable() else ascii(text)[1:-1]
    return shown if len(shown) <= 40 else shown[:37] + "..."


def _escaped(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;") or " "


def _begins_with_number(cell: str) -> bool:
    return cell == "-" or cell.lstrip("+-.")[:1].isdigit()
