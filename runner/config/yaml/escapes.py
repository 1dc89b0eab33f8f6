"""Escapes of double-quoted scalars that need a second look: surrogates, as JSON writes them, and NUL."""

from __future__ import annotations

import re

from runner.diagnostics import Source, Span

_HIGH = r"(?:u|U0000)[dD][89abAB][0-9a-fA-F]{2}"
_LOW = r"(?:u|U0000)[dD][c-fC-F][0-9a-fA-F]{2}"
_SURROGATE = re.compile(rf"\\(?:{_HIGH}\\{_LOW}|(?P<it>{_HIGH}|{_LOW})|.)", re.DOTALL)
_NUL = re.compile(r"\\(?:(?P<it>0|x00|u0000|U00000000)|.)", re.DOTALL)


def join_surrogates(source: Source, span: Span, text: str) -> tuple[str, tuple[str, Span, str] | None]:
    """The text with each surrogate pair as the one character it means.

    With it come message, place and hint for the first surrogate that has no partner, if there is one.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        return text, None
    units = text.encode("utf-16-le", "surrogatepass")
    try:
        return units.decode("utf-16-le"), None
    except UnicodeDecodeError:
        found = (
            "half of a surrogate pair",
            _find(source, span, _SURROGATE),
            "a character beyond U+FFFF is two escapes",
        )
        return units.decode("utf-16-le", "replace"), found


def find_nul(source: Source, span: Span) -> Span:
    return _find(source, span, _NUL)


def _find(source: Source, span: Span, escape: re.Pattern[str]) -> Span:
    """The first escape of this kind in the scalar at `span`; all of the scalar if there is none."""
    for line in range(span.line, min(span.end_line + 1, len(source.lines))):
        start = span.column if line == span.line else 0
        end = span.end_column if line == span.end_line else len(source.lines[line])
        for found in escape.finditer(source.lines[line], start, end):
            if found["it"] is not None:
                return Span(line, found.start(), line, found.end())
    return span
