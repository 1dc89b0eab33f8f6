"""Escape text from users and programs for GitHub's Markdown."""

from __future__ import annotations

import re

from runner.diagnostics import printable

_MARKS = re.compile(r"[\\`*\[\]#|~@:$<>&]|(?<![^\W_])_|_(?![^\W_])|\bw(?=ww\.)", re.IGNORECASE)
"""An underscore inside a word is not markup. `www.` starts a link."""


def inline(text: str) -> str:
    """The text on one line, escaped: no link, mention, markup or end of a table cell."""
    return _MARKS.sub(lambda mark: f"&#{ord(mark[0])};", printable(text))


def html(text: str) -> str:
    """The text escaped for the inside of an HTML element, on one line."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\n", "&#10;")
