"""Write tables: aligned text, Markdown and CSV."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from runner.results.columns import Column, T
from runner.text import escape
from runner.text.shorten import MARK, shortened

LONGEST_CELL = 40
"""Characters of a cell in the text formats, unless more are needed to distinguish it from others of its column."""


BATCH = 500
"""Lines of CSV that are written at once: stdout escapes each text that is written to it."""


def table(rows: Iterable[T], columns: Sequence[Column[T]], out: TextIO) -> None:
    """Aligned columns. A column whose cells all begin with a number is aligned to the right."""
    from rich.cells import cell_len

    lines = [[escape.printable(column.name) for column in columns]]
    lines += _cells(rows, columns)
    widths = [max(cell_len(line[at]) for line in lines) for at in range(len(lines[0]))]
    right = [
        column.name != "id" and all(_begins_with_number(line[at]) for line in lines[1:])
        for at, column in enumerate(columns)
    ]
    for line in lines:
        padded = [
            " " * (width - cell_len(cell)) + cell if to_right else cell + " " * (width - cell_len(cell))
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ]
        out.write("  ".join(padded).rstrip() + "\n")


def markdown(rows: Iterable[T], columns: Sequence[Column[T]], out: TextIO) -> None:
    """A GitHub table."""
    out.write(f"| {' | '.join(escape.markdown(column.name) for column in columns)} |\n|{' --- |' * len(columns)}\n")
    for cells in _cells(rows, columns):
        out.write(f"| {' | '.join(escape.markdown(cell) or ' ' for cell in cells)} |\n")


def comma_separated(names: Iterable[str], lines: Iterable[Iterable[Any]], out: TextIO) -> None:
    """RFC 4180 but for its line ends. None is an empty cell."""
    rest = itertools.chain([names], lines)
    while batch := list(itertools.islice(rest, BATCH)):
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows(batch)
        out.write(buffer.getvalue())


def _cells(rows: Iterable[T], columns: Sequence[Column[T]]) -> list[list[str]]:
    lines = [[column.shown(row) for column in columns] for row in rows]
    short = [shortened((line[at] for line in lines), LONGEST_CELL, MARK) for at in range(len(columns))]
    return [[short[at][cell] for at, cell in enumerate(line)] for line in lines]


def _begins_with_number(cell: str) -> bool:
    unsigned = cell.lstrip("+-.").lower()
    return not unsigned or unsigned[0].isdigit() or unsigned in ("nan", "inf", "infinity")
