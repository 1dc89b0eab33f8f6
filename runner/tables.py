"""Results as tables: for a terminal, Markdown and CSV. All show the variables by name and the metrics by name."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from runner.model import Session
from runner.units import format_duration, format_memory

SHORT = ("status", "exit_code", "attempts", "duration", "max_rss")
"""Columns of the forms for people, between the variables and the metrics; CSV has them all."""

FULL = (
    *(
        "status",
        "exit_code",
        "reason",
        "attempts",
        "backend",
        "job",
        "host",
        "started",
        "duration",
        "cpu_time",
    ),
    *("max_rss", "output", "stdout", "stderr"),
)


def table(
    rows: Sequence[tuple[Session, dict[str, Any]]], names: Sequence[str], metrics: Sequence[str], out: TextIO
) -> None:
    """Aligned columns; numbers to the right."""
    from rich.cells import cell_len

    lines = [_header(names, metrics), *(_cells(session, row, names, metrics) for session, row in rows)]
    widths = [max(cell_len(line[at]) for line in lines) for at in range(len(lines[0]))]
    numeric = [all(_is_number(line[at]) for line in lines[1:]) for at in range(len(lines[0]))]
    for line in lines:
        cells = []
        for cell, width, right in zip(line, widths, numeric, strict=True):
            padding = " " * (width - cell_len(cell))
            cells.append(padding + cell if right else cell + padding)
        out.write("  ".join(cells).rstrip() + "\n")


def markdown(
    rows: Iterable[tuple[Session, dict[str, Any]]], names: Sequence[str], metrics: Sequence[str], out: TextIO
) -> None:
    """A GitHub table."""
    header = _header(names, metrics)
    out.write(f"| {' | '.join(map(_escaped, header))} |\n|{' --- |' * len(header)}\n")
    for session, row in rows:
        out.write(f"| {' | '.join(map(_escaped, _cells(session, row, names, metrics)))} |\n")


def comma_separated(
    rows: Iterable[tuple[Session, dict[str, Any]]], names: Sequence[str], metrics: Sequence[str], out: TextIO
) -> None:
    """RFC 4180 but for its line ends: variables as written, plain numbers and ISO times; empty where unknown."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["index", "id", *names, "repeat", *FULL, *metrics])
    for session, row in rows:
        values = [session.params[name].text for name in names]
        fields = [row[column] for column in FULL]
        measured = [row["metrics"].get(name) for name in metrics]
        writer.writerow(
            [
                "" if cell is None else cell
                for cell in (session.index, session.id, *values, session.repeat, *fields, *measured)
            ]
        )


def _header(names: Sequence[str], metrics: Sequence[str]) -> list[str]:
    return ["id", *names, "repeat", *SHORT, *metrics]


def _cells(session: Session, row: dict[str, Any], names: Sequence[str], metrics: Sequence[str]) -> list[str]:
    forms: dict[str, Callable[[Any], str]] = {"duration": format_duration, "max_rss": format_memory}
    cells = [session.id, *(_shown(session.params[name].text) for name in names), str(session.repeat)]
    cells += ["-" if row[column] is None else forms.get(column, str)(row[column]) for column in SHORT]
    return cells + [
        "-" if row["metrics"].get(name) is None else _shown(str(row["metrics"][name])) for name in metrics
    ]


def _shown(text: str) -> str:
    shown = text if text.isprintable() else ascii(text)[1:-1]
    return shown if len(shown) <= 40 else shown[:37] + "..."


def _escaped(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;") or " "


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.replace(".", "", 1).replace("-", "", 1).replace("e", "", 1).isdigit()
