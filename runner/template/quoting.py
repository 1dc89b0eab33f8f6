"""The ways a value may stand in a shell string: how it is written there, and which values may be.

In the strings that are looked at here each variable is one VARIABLE character.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

PLAIN = r"A-Za-z0-9_@%+=:,./\-"
"""Characters that mean nothing to a shell inside a word, for a character class."""

VARIABLE = "\0"

BARE_AFTER = re.compile(rf"\Z|[{PLAIN}{VARIABLE}\s;|&)'\"]")
"""What may follow a bare value: nothing that joins it to an operator or gives it a meaning."""

_UNKNOWN_BEFORE = re.compile(rf"(?:\A|[\s;|&()\"'`])[{PLAIN}{VARIABLE}]*\Z")
_UNKNOWN_TARGET = re.compile(r"(?:<<-?|[<>]&)[ \t]*\S*\Z")
_UNKNOWN_AFTER = re.compile(rf"\Z|[A-Za-z0-9_@%:,./{VARIABLE}\s;|&)'\"-]")
_CONTINUED = re.compile(r"[^ \t\n]\\\n\Z")
_END_WORD = re.compile(r"<<-?[ \t]*(\S+)")
_OPERATORS = re.compile(r"\(\(|\[\[|\$\[|\blet\b")

_RESERVED = (
    "if then elif else fi for in do done while until case esac select function time coproc".split()  # noqa: SIM905
)

Rule: TypeAlias = Callable[[str], bool]
"""Whether a place admits a value."""


def quoted(text: str) -> str:
    """One word of a POSIX shell, in quotes even where none are needed."""
    return "'" + text.replace("'", "'\\''") + "'"


def most_bytes(length: int) -> int:
    """The most bytes that a value of so many bytes takes in quotes."""
    return 4 * length + 2


def word(text: str) -> str:
    """One word of a POSIX shell, bare if nothing in it needs quotes."""
    return text if _plain_word(text) else quoted(text)


def raw(text: str) -> str:
    return text


class Place(NamedTuple):
    """`write` puts a value that this place admits into the string; `quotable` places admit every value.

    `where` describes a place that is not quotable, for people: `inside double quotes`.
    """

    write: Callable[[str], str]
    admits: Rule
    quotable: bool = False
    where: str | None = None


def nothing(_: str) -> bool:
    return False


def anything(_: str) -> bool:
    return True


def _matching(pattern: str) -> Rule:
    match = re.compile(pattern, re.ASCII).fullmatch
    return lambda text: match(text) is not None


_plain_word = _matching(f"[{PLAIN}]+")
plain = _matching(f"[{PLAIN}]*")
plain_not_empty = _plain_word
unsigned = _matching("[0-9]+")
parameter_word = _matching("[A-Za-z0-9_.][A-Za-z0-9_.-]*")


def unknown_place(text: str, at: int, where: str, *, hopeless: bool = False) -> Place:
    """The place of the variable at `at` where nobody knows what the text means.

    A value must be plain there, stand alone, and be no part of a reserved word, an assignment or the end word of a
    here-document. `hopeless` leaves nothing.
    """
    start = text.rfind("\n", 0, at) + 1
    before = text[start:at]
    alone = (
        _UNKNOWN_BEFORE.search(before)
        and _UNKNOWN_AFTER.match(text, at + 1)
        and not _UNKNOWN_TARGET.search(before)
        and not _CONTINUED.search(text[max(0, start - 3) : start])
    )
    if hopeless or not alone:
        return Place(raw, nothing, where=where)
    end_words = [re.sub(r"['\"\\]", "", found) for found in _END_WORD.findall(text)]
    words = (*_RESERVED, *end_words)
    admitted = _matching("[A-Za-z0-9_.]+" if _OPERATORS.search(text) else "[A-Za-z0-9_@%+:,./-]+")
    return Place(raw, lambda value: admitted(value) and not any(value in word for word in words), where=where)
