"""Escape text that is not runner's own for the place where it is shown.

| place | function |
|---|---|
| a line on a terminal, in a message | `printable` |
| several lines on a terminal | `printable_lines` |
| the last lines of a log | `log_line` |
| JSON | `json_text` |
| GitHub's Markdown | `markdown`, and `html_in_markdown` inside an element |
| XML | `valid_xml`, before it is quoted |

Workflow commands of GitHub are in `runner.text.workflow`, HTML pages in `runner.reporters.html.markup`. CSV has no escapes
besides its quotes: a cell that a spreadsheet takes for a formula is written as it is, so that programs read back what was
measured.
"""

from __future__ import annotations

import re
import unicodedata

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_MARKS = re.compile(r"[\\`*\[\]#|~@:$<>&]|(?<![^\W_])_|_(?![^\W_])|\bw(?=ww\.)", re.IGNORECASE)
"""Markup of GitHub. An underscore inside a word is not markup. `www.` starts a link."""
_NOT_XML = "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]"
"""Also what XML can contain, but what changes the meaning of the text around it: C1 controls and bidirectional formatting.

Compiled at its first use: that takes 3 ms, and most commands write no XML.
"""


def printable(text: str) -> str:
    """Return the text on one line, with control, format and bidirectional characters replaced by visible ones."""
    return text if text.isprintable() else "".join(map(cell, text))


def printable_lines(text: str) -> str:
    """Return the same, but keep line ends (`\\n`)."""
    return text if text.replace("\n", "").isprintable() else "\n".join(map(printable, text.split("\n")))


def cell(character: str) -> str:
    """Return what is shown for one character."""
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


def log_line(line: str) -> str:
    """Return a line of a log as a terminal shows it: without colours, and without text that a carriage return overwrote."""
    visible = next((part for part in reversed(line.split("\r")) if part.strip()), "")
    plain = _ANSI.sub("", visible).expandtabs(8)
    return "".join(char if char.isprintable() else "�" for char in plain).rstrip()


def json_text(text: str) -> str:
    """Return JSON in which every character that is not printable is written as `\\uXXXX`; the data is the same."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else _json_escape(char) for char in text)


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def markdown(text: str) -> str:
    """Return the text on one line of Markdown: no link, mention, markup or end of a table cell."""
    return _MARKS.sub(lambda mark: f"&#{ord(mark[0])};", printable(text))


def html_in_markdown(text: str) -> str:
    """Return the text for the inside of an HTML element in Markdown, on one line of it."""
    escaped = printable_lines(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\n", "&#10;")


def valid_xml(text: str) -> str:
    r"""Return the text with characters that XML cannot contain, even escaped, as `\x1b` and the like."""
    return re.sub(_NOT_XML, lambda found: ascii(found[0])[1:-1], text)
