"""Problems as data, and how they look: the fault, its place in the file, and what to do about it."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from runner.errors import InvalidInput

WIDEST = 100
"""Columns of a source line that are shown; of a longer one only the part round the fault."""

Style: TypeAlias = Callable[[str, Literal["error", "warning", "hint", "frame"]], str]
"""Dresses a piece of the text in colour, by its role."""

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of text: 0-based lines and columns in characters, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. `span` is None where it is about the file as a whole."""

    message: str
    span: Span | None
    hint: str | None = None
    severity: Literal["error", "warning"] = "error"


@dataclass(frozen=True)
class Source:
    """A text and the name its user knows it by: a path as written, or `<command line>`."""

    name: str
    text: str

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """Without their ends; the last one is empty where the text ends in a line end."""
        return tuple(_LINE_END.split(self.text))


class InvalidSweep(InvalidInput):
    """The file is wrong. Carries every problem found in it, in file order."""

    def __init__(self, source: Source, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = in_file_order(problems)
        first = self.problems[0]
        super().__init__(first.message, first.hint)


def in_file_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """By place; those about the whole file come first, in the order given."""
    return tuple(sorted(problems, key=lambda problem: problem.span or Span(-1, 0, 0, 0)))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is most likely meant to be; the first of equals, None if none is near."""
    folded = _fold(name)
    best, best_ratio = None, 0.0
    for candidate in known:
        if _fold(candidate) == folded:
            return candidate
        ratio = difflib.SequenceMatcher(None, folded, _fold(candidate), autojunk=False).ratio()
        if ratio > best_ratio:
            best, best_ratio = candidate, ratio
    return best if best_ratio > 0.66 else None


def _fold(name: str) -> str:
    return name.casefold().replace("-", "_")


def _plain(text: str, role: Literal["error", "warning", "hint", "frame"]) -> str:
    return text


def render(source: Source, problems: Iterable[Problem], style: Style = _plain) -> str:
    """The problems as people read them, in file order, with a blank line between two and no last line end."""
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
    """A line as it is shown, the columns before the fault, and the columns of the fault (at least one)."""
    start = min(start, len(text))
    end = min(max(end, start), len(text))
    first = 0
    if len(text) > WIDEST:
        first = max(0, min(start - WIDEST // 3, len(text) - WIDEST))
        text = text[: first + WIDEST] + ("…" if len(text) > first + WIDEST else "")
        end = min(end, first + WIDEST)
    cells = [_cell(character) for character in text[first:]]
    widths = [sum(map(_width, cell)) for cell in cells]
    mark = "…" if first else ""
    return (
        mark + "".join(cells),
        len(mark) + sum(widths[: start - first]),
        max(1, sum(widths[start - first : end - first])),
    )


def printable(text: str) -> str:
    """The text with everything that could move the cursor, hide or reorder it made visible."""
    return text if text.isprintable() else "".join(map(_cell, text))


def _cell(character: str) -> str:
    if character.isprintable():
        return character
    if character == "\t":
        return "    "
    if unicodedata.category(character) == "Zs":
        return " "
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return f"<U+{code:04X}>"


def _width(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def to_json(source: Source, problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """The shape of `schemas/problems.schema.json`: lines and columns from 1, null where unknown."""
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
