"""Problems as data, and their rendering: the fault, the excerpt with a caret, the hint."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from runner.errors import InvalidInput
from runner.text.escape import cell, printable

WIDEST = 100
"""Longest excerpt of a source line, in characters; of a longer line the part around the fault is shown."""

Style: TypeAlias = Callable[[str, Literal["error", "warning", "hint", "frame"]], str]
"""Returns the text with the colour of its role, for a terminal."""

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A part of a text: 0-based lines and columns in characters, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. `span` is None if it concerns the whole file."""

    message: str
    span: Span | None
    hint: str | None = None
    severity: Literal["error", "warning"] = "error"


@dataclass(frozen=True)
class Source:
    """A text and its name in messages: the path as the user wrote it, `<stdin>` or `<command line>`."""

    name: str
    text: str

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines without their line ends; the last is empty if the text ends in a line end."""
        return tuple(_LINE_END.split(self.text))


class InvalidSweep(InvalidInput):
    """The sweep file is wrong. `problems` holds every problem found in it, in file order."""

    def __init__(self, source: Source, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = in_file_order(problems)
        first = self.problems[0]
        super().__init__(first.message, first.hint)


def in_file_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems by position; those of the whole file come first, in the order given."""
    return tuple(sorted(problems, key=lambda problem: problem.span or Span(-1, 0, 0, 0)))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name of which `name` is a likely misspelling, the first of equals, or None.

    Likely means: equal but for case and `-` for `_`, or one edit in a name of 3 to 7 characters, two from 8, three from 12. An
    edit inserts, deletes or replaces a character, or swaps two neighbours.
    """
    folded = _fold(name)
    best, fewest = None, sys.maxsize
    for candidate in known:
        other = _fold(candidate)
        longest = max(len(folded), len(other))
        allowed = max(longest >= 3, longest // 4)
        if abs(len(folded) - len(other)) <= allowed and (edits := _edits(folded, other)) <= allowed and edits < fewest:
            best, fewest = candidate, edits
    return best


def did_you_mean(
    name: str, known: Iterable[str], aliases: Mapping[str, str] = MappingProxyType({}), form: str = "`{}`"
) -> str | None:
    """Return the hint for an unknown `name`, or None.

    `aliases` maps what people write from other tools to a known name, or to a whole hint. `form` shows a known name, such
    as "`--{}`".
    """
    known = tuple(known)
    alias = aliases.get(_fold(name))
    if alias is not None and alias not in known:
        return alias
    near = alias or nearest(name, known)
    return f"did you mean {form.format(near)}?" if near else None


def _fold(name: str) -> str:
    return name.casefold().replace("-", "_")


def _edits(one: str, other: str) -> int:
    """Return the optimal string alignment distance of two texts."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, character in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, its in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (character != its))
            if i > 1 and j > 1 and character == other[j - 2] and one[i - 2] == its:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _plain(text: str, role: Literal["error", "warning", "hint", "frame"]) -> str:
    return text


def render(source: Source, problems: Iterable[Problem], style: Style = _plain) -> str:
    """Return the problems as text, in file order, separated by blank lines, without a final line end."""
    return "\n\n".join(_block(source, problem, style) for problem in in_file_order(problems))


def _block(source: Source, problem: Problem, style: Style) -> str:
    lines = [f"{style(f'{problem.severity}:', problem.severity)} {printable(problem.message)}"]
    if problem.span is None:
        lines.append(f"{style(' -->', 'frame')} {printable(source.name)}")
    else:
        lines += _excerpt(source, problem.span, problem.severity, style)
    if problem.hint is not None:
        lines += ["", f"{style('hint:', 'hint')} {printable(problem.hint)}"]
    return "\n".join(lines)


def _excerpt(source: Source, span: Span, severity: Literal["error", "warning"], style: Style) -> list[str]:
    number = str(span.line + 1)
    indent = " " * len(number)
    place = f"{printable(source.name)}:{number}:{span.column + 1}"
    text = source.lines[span.line] if span.line < len(source.lines) else ""
    end = span.end_column if span.end_line == span.line else len(text)
    line, before, marked = _picture(text, span.column, end)
    return [
        f"{style(indent + '-->', 'frame')} {place}",
        style(f"{indent} |", "frame"),
        f"{style(f'{number} |', 'frame')} {line}".rstrip(),
        f"{style(f'{indent} |', 'frame')} {' ' * before}{style('^' * marked, severity)}",
    ]


def _picture(text: str, start: int, end: int) -> tuple[str, int, int]:
    """Return the line as shown, and in terminal columns the start and the width (at least 1) of the caret."""
    start = min(start, len(text))
    end = min(max(end, start), len(text))
    first = 0
    if len(text) > WIDEST:
        first = max(0, min(start - WIDEST // 3, len(text) - WIDEST))
        text = text[: first + WIDEST] + ("…" if len(text) > first + WIDEST else "")
        end = min(end, first + WIDEST)
    cells = [cell(character) for character in text[first:]]
    widths = [sum(map(_width, shown)) for shown in cells]
    mark = "…" if first else ""
    return (
        mark + "".join(cells),
        len(mark) + sum(widths[: start - first]),
        max(1, sum(widths[start - first : end - first])),
    )


def _width(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def to_json(source: Source, problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Return the problems in the shape of `schemas/problems.schema.json`: lines and columns from 1, None if unknown."""
    return [
        {
            "file": source.name,
            "line": span.line + 1 if span else None,
            "column": span.column + 1 if span else None,
            "end_line": span.end_line + 1 if span else None,
            "end_column": span.end_column + 1 if span else None,
            "severity": problem.severity,
            "message": problem.message,
            "hint": problem.hint,
        }
        for problem in in_file_order(problems)
        for span in [problem.span]
    ]
