"""Characters that YAML does not take, found and replaced before a parser sees them; it would name no place."""

from __future__ import annotations

import re

from runner.diagnostics import Problem, Source, Span

MOST = 20
"""So many are reported one by one."""

_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def clean(source: Source) -> tuple[str, list[Problem]]:
    """The text with a stand-in for every such character, and a problem for each of the first of them.

    A byte order mark inside the text and the line ends of Unicode are among them: programs disagree on their lines.
    """
    if not _UNREADABLE.search(source.text):
        return source.text, []
    problems: list[Problem] = []
    for number, text in enumerate(source.lines):
        for found in _UNREADABLE.finditer(text):
            if len(problems) < MOST:
                problems.append(_problem(ord(found[0]), Span(number, found.start(), number, found.end())))
    return _UNREADABLE.sub("\ufffd", source.text), problems


def _problem(code: int, span: Span) -> Problem:
    hint = "delete it"
    if code and not 0xD800 <= code < 0xE000:
        escape = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
        hint = f'delete it, or write it as `{escape}` inside `"…"`'
    return Problem(f"invisible character U+{code:04X}", span, hint)
