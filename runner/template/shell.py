"""Shell strings: a text for `/bin/sh -c` whose variables the shell itself expands.

The text is never changed. The value of each variable that it names is assigned before it, in single quotes:

    lr='0.1'; python train.py --lr "$lr" | tail -n 1

So `$lr`, `"${lr:-x}"` and `$(date)` mean what they mean in a shell, and no value can become syntax. The assignments are
not exported.

This is not a parser of the shell's language. `expansions` finds names by a pattern; `regions` guesses where the text is
quoted. A wrong guess costs a warning too many or too few; it never changes what runs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from runner.model import Value

Quoting: TypeAlias = Literal["none", "single", "double", "here-document", "comment"]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_EXPANSION = re.compile(rf"\\.|\$(?:\$|(?P<bare>{_NAME})|\{{[#!]?(?P<braced>{_NAME})(?P<rest>[^}}]?))", re.S)
_PROCESS_ID_AND_NAME = re.compile(rf"(?<!\\)\$\$(\{{?{_NAME}|\()")
QUOTED_REGION = re.compile(
    r"""
    \\.
  | (?P<comment> (?<![^\s;&|(]) \# [^\n]* )
  | (?P<single> '[^']*' )
  | (?P<double> " (?:\\.|[^"\\])* " )
  | << -? [ \t]* (?P<quote>['"\\]?) (?P<end>\w+) ['"]? [^\n]* \n (?P<document> .*? ) ^\t* (?P=end) $
    """,
    re.S | re.M | re.X,
)
_ARITHMETIC = re.compile(r"\(\(|\[\[|\$\[|\blet\b|\b(?:declare|local|typeset)\b[^;\n]*-\w*i")
"""Where bash evaluates a value as an expression, array subscripts with command substitutions included."""

_ASSIGNMENT = re.compile(rf"({_NAME})(?:\[[^]]*\])?\+?=")
_NAMING_COMMAND = re.compile(
    r"\b(?:for|select|read|getopts|mapfile|readarray|export|local|declare|typeset|readonly|let|printf\s+-v)\b([^;\n|&]*)"
)
_IDENTIFIER = re.compile(_NAME)
_NOT_SPLIT_BEFORE = re.compile(rf"(?:(?:\A|[\s;&|({{`]){_NAME}\+?=\S*|\bcase\s+\S*|\[\[[^]]*|\(\([^)]*)\Z")
_SPLIT = re.compile(r"[\s*?\[]")


class Expansion(NamedTuple):
    """`$name` or `${name…}` as text[start:end]; `has_default` for `${name:-x}` and its like, which an unset name suits."""

    name: str
    start: int
    end: int
    braced: bool
    whole: bool
    has_default: bool


@dataclass(frozen=True, slots=True)
class ShellScript:
    """A text for the shell, and the variables of the sweep that it names, in order of appearance."""

    text: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, text: str, known: Collection[str]) -> ShellScript:
        """The script that `text` is where `known` are the variables of the sweep."""
        named = [expansion.name for expansion in expansions(text)]
        return cls(text, tuple(dict.fromkeys(name for name in (*named, *_in_arithmetic(text)) if name in known)))

    def render(self, params: Mapping[str, Value]) -> str:
        """What `/bin/sh -c` runs for these values."""
        return "".join([f"{name}={quote(params[name].text)}; " for name in self.names]) + self.text

    def longest(self, lengths: Mapping[str, int]) -> int:
        """An upper bound of the bytes of a rendered script, if no value of NAME takes more than lengths[NAME]."""
        return len(_encoded(self.text)) + sum(len(name) + 4 * lengths[name] + len("=''; ") for name in self.names)

    def canonical(self) -> list[Any]:
        """Plain JSON data for the session's identity: text, and `{"var": name}` where a variable is expanded.

        `$x` and `${x}` are the same there. Where the text is quoted so that nothing is expanded, it stays text.
        """
        parts: list[Any] = []
        done = 0
        region = regions(self.text)
        for found in expansions(self.text):
            if found.name in self.names and found.whole and region(found.start) != "single":
                parts += [self.text[done : found.start]] if found.start > done else []
                parts.append({"var": found.name})
                done = found.end
        return parts + ([self.text[done:]] if done < len(self.text) else [])

    def unquoted(self) -> Iterator[Expansion]:
        """Expansions of the sweep's variables that the shell will split into words and match with file names."""
        region = regions(self.text)
        for found in expansions(self.text):
            bare = region(found.start) == "none" and not _NOT_SPLIT_BEFORE.search(self.text, 0, found.start)
            if found.name in self.names and bare:
                yield found

    def undefined(self, defined: Collection[str]) -> Iterator[Expansion]:
        """Expansions of names that are neither variables of the sweep nor `defined` nor set by the text itself."""
        region = regions(self.text)
        own = {*self.names, *defined, *_assigned(self.text)}
        for found in expansions(self.text):
            literal = region(found.start) in ("single", "comment")
            if found.name not in own and not found.has_default and not literal:
                yield found

    @property
    def evaluates(self) -> bool:
        """Whether the text has a construct in which bash evaluates a value as an arithmetic expression."""
        return _ARITHMETIC.search(self.text) is not None


def quote(text: str) -> str:
    """`text` as one word of the shell, always in single quotes."""
    return "'" + text.replace("'", "'\\''") + "'"


def is_split(text: str) -> bool:
    """Whether the shell makes of an unquoted value anything but one word, the same: white space, patterns, nothing."""
    return not text or _SPLIT.search(text) is not None


def is_evaluated(text: str) -> bool:
    """Whether bash, evaluating this as an arithmetic expression, would run a command: `a[$(id)]`."""
    return "[" in text and ("$" in text or "`" in text)


def process_ids(text: str) -> Iterator[tuple[int, int, str]]:
    """`$$name` and `$$(` as (start, end, what follows): the process id and then text, where `$name` or `$(` was meant."""
    for found in _PROCESS_ID_AND_NAME.finditer(text):
        yield found.start(), found.end(), found[1].lstrip("{")


def expansions(text: str) -> Iterator[Expansion]:
    """Every `$name` and `${name…}` that no backslash escapes, wherever in the text."""
    for found in _EXPANSION.finditer(text):
        if name := found["bare"]:
            yield Expansion(name, found.start(), found.end(), braced=False, whole=True, has_default=False)
        elif name := found["braced"]:
            rest = text[found.end("braced") : found.end("braced") + 2]
            whole = rest.startswith("}") and text[found.start() + 2] not in "#!"
            end = found.end("braced") + 1 if whole else found.end("braced")
            yield Expansion(
                name, found.start(), end, braced=True, whole=whole, has_default=rest.lstrip(":")[:1] in tuple("-=+?")
            )


def regions(text: str) -> _Regions:
    """Where the text seems to be quoted: call the result with a position."""
    return _Regions(text)


class _Regions:
    def __init__(self, text: str) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._kinds: list[Quoting] = []
        for found in QUOTED_REGION.finditer(text):
            if found["comment"] is not None:
                self._add(found.span("comment"), "comment")
            elif found["single"] is not None:
                self._add(found.span("single"), "single")
            elif found["double"] is not None:
                self._add(found.span("double"), "double")
            elif found["document"] is not None:
                self._add(found.span("document"), "single" if found["quote"] else "here-document")

    def _add(self, span: tuple[int, int], kind: Quoting) -> None:
        self._starts.append(span[0])
        self._ends.append(span[1])
        self._kinds.append(kind)

    def __call__(self, position: int) -> Quoting:
        at = bisect_right(self._starts, position) - 1
        return self._kinds[at] if at >= 0 and position < self._ends[at] else "none"


def _in_arithmetic(text: str) -> Iterator[str]:
    """Names between `((` and its `))`, where a variable needs no `$`."""
    for opened in re.finditer(r"\(\(", text):
        depth, end = 2, opened.end()
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        yield from _IDENTIFIER.findall(text[opened.end() : end])


def _assigned(text: str) -> set[str]:
    """Names that the text may set: `name=…`, `for name in`, `read name`, `export name` …"""
    names = set(_ASSIGNMENT.findall(text))
    for found in _NAMING_COMMAND.finditer(text):
        names.update(re.findall(rf"(?<![\w${{=]){_NAME}", found[1]))
    return names


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
