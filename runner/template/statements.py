"""The statements of a shell string, as far as a pattern finds them: what runs after what, joined by what.

Quoted text, comments, here-documents and substitutions are blanked first, so that their content is not taken for
commands. A text with a function or a `case` is not looked at: what a parser is needed for has no statements here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from runner.template.shell import QUOTED_REGION

_SUBSTITUTION = re.compile(r"[$<>]\(|`|\(\(")
_SEPARATOR = re.compile(r"[<>]&|&>|>\||\|\||&&|;;|\|&|[;|&\n]")
_BEYOND = re.compile(r"\bcase\b|\w\s*\(\s*\)|\bfunction\b|\bselect\b")
_OPENING = re.compile(r"\s*(?:(?:then|do|else|time|nohup|command|exec)\b|[{(!](?=\s|\w|\())")
_CONDITIONAL = re.compile(r"\s*(?:if|elif|while|until)\b|\s*!\s")
_NEUTRAL = re.compile(r"\s*(?:for\b.*|fi|done|[})].*|\s*)", re.S)
_ASSIGNMENT = re.compile(r"\s*[A-Za-z_]\w*\+?=\S*")


class Command(NamedTuple):
    """A simple command, as text[start:end]."""

    word: str
    """Its first word; empty for an assignment alone, `q` characters where it is quoted."""
    start: int
    end: int


@dataclass
class Statement:
    """Commands up to a `;`, a `&` or the end of a line."""

    pipelines: list[list[Command]] = field(default_factory=list)
    """The commands joined by `|`, of each part between `&&` and `||`."""
    conditional: bool = False
    """It is the condition of `if` or `while`, or negated."""
    has_alternative: bool = False
    """It has `||`."""
    background: bool = False


def statements(text: str) -> list[Statement]:
    """Return the statements of a shell string in order, those inside of loops and conditionals among them."""
    blank = _blanked(text)
    if _BEYOND.search(blank):
        return []
    found = [Statement()]
    pipeline: list[Command] = []
    for start, end, separator in _pieces(blank):
        statement = found[-1]
        piece = blank[start:end]
        if separator == "\n" and not piece.strip():
            continue  # an empty line, also behind `&&` and `|`
        statement.conditional = statement.conditional or _CONDITIONAL.match(piece) is not None
        if (command := _command(blank, start, end)) is not None:
            pipeline.append(command)
        if separator in ("|", "|&"):
            continue
        if pipeline:
            statement.pipelines.append(pipeline)
            pipeline = []
        if separator in ("&&", "||"):
            statement.has_alternative = statement.has_alternative or separator == "||"
            continue
        statement.background = separator == "&"
        found.append(Statement())
    return [statement for statement in found if statement.pipelines]


def _blanked(text: str) -> str:
    """Return the text, of the same length, with `q` for quoted text and spaces for comments and here-documents."""

    def blank(found: re.Match[str]) -> str:
        whole = found[0]
        if found["comment"] is not None or whole == "\\\n":
            return " " * len(whole)
        if found["document"] is not None:
            head = found.start("document") - found.start()
            return whole[:head].replace("\n", " ") + " " * (len(whole) - head)
        return "q" * len(whole)

    unquoted = QUOTED_REGION.sub(blank, text)
    parts: list[str] = []
    at = 0
    while found := _SUBSTITUTION.search(unquoted, at):
        end = _end_of_substitution(unquoted, found)
        parts += [unquoted[at : found.start()], "q" * (end - found.start())]
        at = end
    return "".join([*parts, unquoted[at:]])


def _end_of_substitution(text: str, found: re.Match[str]) -> int:
    if found[0] == "`":
        return text.find("`", found.end()) + 1 or len(text)
    depth, at = found[0].count("("), found.end()
    while at < len(text) and depth:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return at


def _pieces(blank: str) -> Iterator[tuple[int, int, str]]:
    """Yield the text between two separators as blank[start:end], and the separator behind it."""
    start = 0
    for found in _SEPARATOR.finditer(blank):
        if found[0] in (">&", "<&", "&>", ">|"):
            continue
        yield start, found.start(), found[0]
        start = found.end()
    yield start, len(blank), ""


def _command(blank: str, start: int, end: int) -> Command | None:
    """Return the command of a piece; None if it has none of its own, as `for x in a b`, `fi` and `done`."""
    while found := _OPENING.match(blank, start, end) or _CONDITIONAL.match(blank, start, end):
        start = found.end()
    if _NEUTRAL.fullmatch(blank, start, end):
        return None
    while found := _ASSIGNMENT.match(blank, start, end):
        start = found.end()
    piece = blank[start:end].rstrip().rstrip(")")  # of a subshell
    words = piece.split(maxsplit=1)
    begin = start + len(piece) - len(piece.lstrip())
    return Command(words[0] if words else "", begin, begin + len(piece.strip()))
