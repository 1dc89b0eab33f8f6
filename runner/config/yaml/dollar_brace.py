"""`${x}` inside brackets, where its brace opens a mapping and the parser stops.

So that the first one does not hide all other problems, every `${…}` of the text is put in disguise, the text
is parsed again, and each that stood unquoted inside brackets is reported at its place.
"""

from __future__ import annotations

import re

from runner.diagnostics import Problem, Span

_DOLLAR_BRACE = re.compile(r"\$\{([^{}\[\],\"'\r\n]*)\}")
_OPEN, _CLOSE = "\ue000", "\ue001"
_UNMASK = str.maketrans({_OPEN: "{", _CLOSE: "}"})
MASKED = re.compile(rf"\${_OPEN}[^{_CLOSE}]*{_CLOSE}")


def mask(text: str) -> str | None:
    """The text with every `${…}` in disguise, columns unchanged; None if no characters are free for it."""
    if _OPEN in text or _CLOSE in text:
        return None
    return _DOLLAR_BRACE.sub(rf"${_OPEN}\1{_CLOSE}", text)


def unmask(text: str) -> str:
    return text.translate(_UNMASK)


def unquoted(text: str, span: Span, brackets: str, following: str) -> Problem:
    """The problem of one such `text`; `following` is what comes right behind its `}`."""
    name = text[2:-1]
    short = f", or write `${name}`" if name.isidentifier() and not re.match(r"\w", following) else ""
    return Problem(f"unquoted `{text}` in `{brackets}`", span, f'quote the whole value, as `"{text}"`{short}')
