"""YAML's events: from libyaml where PyYAML has it, else from PyYAML's own parser, taught to read as libyaml does."""

from __future__ import annotations

import re
from typing import Any, Protocol

import yaml
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError
from yaml.tokens import ScalarToken

_LIBYAML: Any = yaml.cyaml.CParser if yaml.__with_libyaml__ else None  # type: ignore[attr-defined]
_SURROGATE_ESCAPE = re.compile(r"\\(?:u|U0000)[dD][89a-fA-F]")
_BLANK = " \t\r\n\0"


class Events(Protocol):
    def get_event(self) -> Any: ...


def events(text: str, *, pure: bool = False) -> Events:
    """A parser over `text`, to be asked for one event after another.

    libyaml knows no escaped surrogates, as JSON has them; the Python parser leaves them in the value, so a text
    with such escapes goes there, too. `get_event` raises yaml.YAMLError.
    """
    if pure or _LIBYAML is None or _SURROGATE_ESCAPE.search(text):
        return PureParser(text)
    parser: Events = _LIBYAML(text)
    return parser


class PureParser(Reader, Scanner, Parser):
    """PyYAML's parser; the scanning follows libyaml's `yaml_parser_scan_to_next_token` and `…_plain_scalar`."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def scan_to_next_token(self) -> None:
        while True:
            while self.peek() == " " or (self.peek() == "\t" and (self.flow_level or not self.allow_simple_key)):
                self.forward()
            if self.peek() == "#":
                while self.peek() not in "\0\r\n":
                    self.forward()
            if not self._line_break():
                return
            if not self.flow_level:
                self.allow_simple_key = True

    def scan_plain(self) -> Any:
        start = end = self.get_mark()
        indent = self.indent + 1
        parts: list[str] = []
        space = ""
        while self.peek() != "#" and not self._at_document_mark():
            length = self._word_length(start)
            if length == 0:
                break
            self.allow_simple_key = False
            parts += (space, self.prefix(length))
            self.forward(length)
            end = self.get_mark()
            space = self._plain_space(indent, start)
            if not space or (not self.flow_level and self.column < indent):
                break
        return ScalarToken("".join(parts), True, start, end)

    def _line_break(self) -> str:
        found: str = self.scan_line_break()  # type: ignore[no-untyped-call]
        return found

    def _at_document_mark(self) -> bool:
        return self.column == 0 and self.prefix(3) in ("---", "...") and self.peek(3) in _BLANK

    def _word_length(self, start: Any) -> int:
        length = 0
        while (character := self.peek(length)) not in _BLANK:
            if character == ":":
                following = self.peek(length + 1)
                if self.flow_level and following in ",?[]{}":
                    self.forward(length)
                    raise ScannerError("while scanning a plain scalar", start, "found unexpected ':'", self.get_mark())
                if following in _BLANK:
                    break
            if self.flow_level and character in ",[]{}":
                break
            length += 1
        return length

    def _plain_space(self, indent: int, start: Any) -> str:
        blanks = ""
        breaks: list[str] = []
        while self.peek() in " \t\r\n":
            if self.peek() in " \t":
                if breaks and self.column < indent and self.peek() == "\t":
                    raise ScannerError(
                        "while scanning a plain scalar",
                        start,
                        "found a tab character that violates indentation",
                        self.get_mark(),
                    )
                if not breaks:
                    blanks += self.peek()
                self.forward()
            else:
                breaks.append(self._line_break())
                self.allow_simple_key = True
        if not breaks:
            return blanks
        return "".join(breaks[1:]) if len(breaks) > 1 else " "
