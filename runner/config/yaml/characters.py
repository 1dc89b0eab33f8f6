"""Characters that YAML does not allow, or that look like a space or a quote and are neither."""

from __future__ import annotations

import json
import re

from runner.diagnostics import Problem, Source, Span

MOST_REPORTED = 20
"""Further disallowed characters of a file are not reported one by one."""

_DISALLOWED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_SPACE = "[\u00a0\u2000-\u200b\u202f\u3000]"
_SPACE_IN_SYNTAX = re.compile(rf"""^[ ]*(?:-[ ]+)*(?:[\w."'-]+[ ]*:|-)?[ ]*(?P<it>{_SPACE}+)""")
_SURROGATES = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|.)", re.DOTALL)
_SMART_QUOTE = re.compile("[“”„‘’‚«»]")


def clean(source: Source) -> tuple[str, list[Problem]]:
    """Return the text with U+FFFD for each disallowed character, and a problem for each of the first of them.

    A parser would report them without a position. A byte order mark inside the text and the line ends of Unicode are
    among them, because programs disagree on the lines of such a text.
    """
    if not _DISALLOWED.search(source.text):
        return source.text, []
    problems: list[Problem] = []
    for number, text in enumerate(source.lines):
        for found in _DISALLOWED.finditer(text):
            if len(problems) < MOST_REPORTED:
                problems.append(_problem(ord(found[0]), Span(number, found.start(), number, found.end())))
    return _DISALLOWED.sub("\ufffd", source.text), problems


def join_surrogates(text: str) -> str:
    """Return a JSON text with `\\U0001f600` for `\\ud83d\\ude00`, which libyaml does not read; any other text as it is."""
    if not re.search(r"\\u[dD][89abAB]", text):
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text

    def joined(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0]
        return f"\\U{0x10000 + ((int(found[1], 16) - 0xD800) << 10) + int(found[2], 16) - 0xDC00:08x}"

    return _SURROGATES.sub(joined, text)


def space_in_syntax(source: Source, first: int, last: int) -> Problem | None:
    """Return a problem for a no-break or other Unicode space where YAML needs a space, in the lines `first` to `last`."""
    for number in range(first, min(last + 1, len(source.lines))):
        if found := _SPACE_IN_SYNTAX.match(source.lines[number]):
            span = Span(number, found.start("it"), number, found.end("it"))
            name = "a no-break space" if found["it"][0] == "\u00a0" else f"the space U+{ord(found['it'][0]):04X}"
            return Problem(f"{name} where YAML needs a space", span, "replace it by a space")
    return None


def smart_quote(text: str, span: Span) -> Problem | None:
    """Return a warning for a plain scalar that begins or ends with a typographic quote."""
    found = next((edge for edge in (text[:1], text[-1:]) if _SMART_QUOTE.match(edge)), None)
    if found is None:
        return None
    return Problem(f"`{found}` is part of the value, not a quote", span, "write `\"` or `'`", "warning")


def _problem(code: int, span: Span) -> Problem:
    hint = "delete it"
    if code and not 0xD800 <= code < 0xE000:
        escape = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
        hint = f'delete it, or write `{escape}` inside `"…"`'
    return Problem(f"invisible character U+{code:04X}", span, hint)
