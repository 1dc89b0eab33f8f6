"""Text as HTML: the only place where text from users becomes part of a page."""

from __future__ import annotations

import html
import json
import re
from typing import Any

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")

_NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?( ?(ms|[smhd]|[KMGT]?i?B)\b)?( \d+[smhd])?( [±(].*)?", re.S)


class Markup(str):
    """HTML. Any other text is escaped when it becomes part of markup."""

    __slots__ = ()


def escaped(content: Any) -> Markup:
    """Markup as it is; other text escaped, with control and bidirectional characters and lone surrogates as `�`."""
    if isinstance(content, Markup):
        return content
    return Markup(html.escape(_CONTROL.sub("�", str(content))))


def tag(name: str, *content: Any, **attributes: Any) -> Markup:
    """An element. Of `class_`, the underscore at the end is dropped; inner ones become hyphens; None leaves an attribute out."""
    shown = "".join(
        f' {key.removesuffix("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{shown}>{joined(*content)}</{name}>")


def joined(*content: Any) -> Markup:
    return Markup("".join(map(escaped, content)))


def table(header: list[str], rows: list[list[Any]], caption: str) -> Markup:
    """A table that scrolls on its own if it is wide; columns of numbers are aligned to the right."""
    right = [all(_is_number(row[at]) for row in rows) for at in range(len(header))]
    head = tag(
        "tr",
        *(
            tag("th", name, scope="col", class_="number" if to_right else None)
            for name, to_right in zip(header, right, strict=True)
        ),
    )
    body = [
        tag(
            "tr",
            *(
                tag("td", cell, class_="number" if to_right else None)
                for cell, to_right in zip(row, right, strict=True)
            ),
        )
        for row in rows
    ]
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    return tag("div", whole, class_="wide", tabindex="0", role="region", aria_label=caption)


def _is_number(cell: Any) -> bool:
    return cell == "-" or _NUMBER.fullmatch(str(cell)) is not None


def data_block(name: str, data: Any) -> Markup:
    """Data for the script as an element; `<`, `>` and `&` are written as JSON escapes, so that no text can end it."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(f'<script type="application/json" id="{escaped(name)}">{text}</script>')
