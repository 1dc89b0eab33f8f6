"""Text of whoever inside Markdown, as GitHub reads it."""

from __future__ import annotations

import re

from runner.diagnostics import printable

_MARKS = re.compile(r"[\\`*\[\]#|~@:$<>&]|(?<![^\W_])_|_(?![^\W_])|\bw(?=ww\.)", re.IGNORECASE)
"""An underscore inside a word is nothing but that; `www.` begins a link all by itself."""


def inline(text: str) -> str:
    """Text that means nothing: no link, no mention, no markup, nor the end of a table's cell. On one line."""
    return _MARKS.sub(lambda mark: f"&#{ord(mark[0])};", printable(text))


def html(text: str) -> str:
    """Text for inside a tag, its lines on one."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\n", "&#10;")
