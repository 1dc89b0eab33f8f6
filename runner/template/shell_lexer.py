"""A small lexer of the POSIX shell language: what may a value be at a variable's place in a shell string?

It must be right where it calls a place quotable; whatever it does not know, it gives up on for the rest of the
string. Source: POSIX XCU 2.2 to 2.10, and what bash adds to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from runner.template import quoting
from runner.template.expansions import Expansions, Lost
from runner.template.quoting import BARE_AFTER, PLAIN, VARIABLE, Place, unknown_place

_QUOTED, _EXPANSION, _STRANGE = "\1", "\2", "\3"
"""Stand in a word for a quoted part, an expansion of the shell's own, and whatever nobody writes."""

_REDIRECTION = re.compile(r"<<<|<<-|<<|<&|>&|<>|>>|>\||<|>")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_SUBSCRIPT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\[[^]]*\Z")
_BARE_BEFORE = re.compile(rf"(?:[{PLAIN}{VARIABLE}{_QUOTED}]|{_EXPANSION}(?!\Z))*\Z")
_STILL_COMMAND = frozenset(["if", "then", "elif", "else", "do", "while", "until", "!", "{", "time", "fi", "done", "}"])
_UNKNOWN = frozenset(["case", "esac", "select", "function", "coproc", "[[", "]]"])
_MAY_ALIAS = frozenset([".", "source", "eval", "command", "builtin"])
_CHANGES_WORDS = frozenset(["set", "shopt"])


class _Position(Enum):
    """What the next word is."""

    COMMAND = auto()
    ARGUMENT = auto()
    FILE = auto()
    DESCRIPTOR = auto()
    LOOP_NAME = auto()
    LOOP_IN = auto()


@dataclass(slots=True)
class _Line:
    """Where a list of commands has got to. `word` is the unfinished word, None between words."""

    inside: str | None
    position: _Position = _Position.COMMAND
    resume: _Position = _Position.COMMAND
    word: str | None = None

    def extend(self, part: str) -> None:
        self.word = (self.word or "") + part


def places(parts: Sequence[str | None]) -> list[Place]:
    """What the place of each variable (None) of a shell string is, in order. Literals are as the shell sees them."""
    strange = str.maketrans(dict.fromkeys((VARIABLE, _QUOTED, _EXPANSION), _STRANGE))
    lexer = _Lexer("".join(VARIABLE if part is None else part.translate(strange) for part in parts))
    try:
        lexer.commands("", None)
    except Lost as lost:
        unread = [found.start() for found in re.finditer(VARIABLE, lexer.text)][len(lexer.places) :]
        lexer.places += [unknown_place(lexer.text, at, lost.where, hopeless=lost.hopeless) for at in unread]
    return lexer.places


class _Lexer(Expansions):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.aliases = False
        """A command read so far may have defined some, for the lines after it."""
        self.always_quote = False

    def commands(self, end: str, inside: str | None) -> None:
        self.deeper()
        line = _Line(inside)
        while self.pos < self.limit:
            char = self.text[self.pos]
            if char == end:
                self.finish(line)
                self.no_document_waits()
                self.pos += 1
                self.depth -= 1
                return
            if char == VARIABLE:
                self.places.append(self.in_word(line))
                line.extend(VARIABLE)
                self.pos += 1
            elif char in " \t":
                self.finish(line)
                self.pos += 1
            elif char == "\n":
                self.finish(line)
                line.position = _Position.COMMAND
                self.always_quote |= self.aliases
                self.pos += 1
                self.here_documents()
            elif char == "#" and line.word is None:
                close = self.text.find("\n", self.pos, self.limit)
                self.raw_until(self.limit if close < 0 else close, "in a comment")
            elif char == "\\":
                self.escaped(line)
            elif char == "'":
                self.single_quotes()
                line.extend(_QUOTED)
            elif char == '"':
                self.double_quotes()
                line.extend(_QUOTED)
            elif char == "`":
                self.backquotes()
                line.extend(_EXPANSION)
            elif char == "$":
                self.dollar()
                line.extend(_EXPANSION)
            elif char in ";&|":
                self.finish(line)
                if self.text.startswith(";;", self.pos):
                    raise Lost("after `;;`")
                line.position = _Position.COMMAND
                self.pos += 1
            elif char in "<>":
                self.redirection(line)
            elif char == "(":
                if line.word is not None or line.position is not _Position.COMMAND or self.after(1) == "(":
                    raise Lost("after a `(`")
                self.pos += 1
                self.commands(")", inside)
            elif char == ")":
                raise Lost("after a `)`")
            else:
                line.extend(char)
                self.pos += 1
        self.finish(line)
        if end or inside:
            self.no_document_waits()
        if end:
            raise Lost("after an unclosed `(`")
        self.depth -= 1

    def in_word(self, line: _Line) -> Place:
        word, position = line.word or "", line.position
        if position in (_Position.LOOP_NAME, _Position.LOOP_IN):
            return Place(quoting.raw, quoting.nothing, where="in the head of a `for` loop")
        if position is _Position.DESCRIPTOR:
            return Place(quoting.raw, quoting.unsigned, where="after `>&`")
        if _SUBSCRIPT.match(word):
            return Place(quoting.raw, quoting.unsigned, where="inside `[…]`")
        bare = (
            not self.always_quote
            and (position is not _Position.COMMAND or _ASSIGNMENT.match(word) is not None)
            and _BARE_BEFORE.match(word) is not None
            and BARE_AFTER.match(self.text, self.pos + 1) is not None
        )
        write = quoting.word if bare else quoting.quoted
        if line.inside is not None:
            return Place(write, quoting.plain, where=line.inside)
        return Place(write, quoting.anything, quotable=True)

    def finish(self, line: _Line) -> None:
        """The end of a word, if there is one: what is the next?"""
        word, line.word = line.word, None
        if word is None:
            return
        if line.position in (_Position.FILE, _Position.DESCRIPTOR):
            line.position = line.resume
        elif line.position is _Position.LOOP_NAME:
            line.position = _Position.LOOP_IN
        elif line.position is _Position.LOOP_IN:
            if word not in ("in", "do"):
                raise Lost("after a `for` that is not understood")
            line.position = _Position.ARGUMENT if word == "in" else _Position.COMMAND
        elif line.position is _Position.COMMAND:
            line.position = self.after_command_word(word)

    def after_command_word(self, word: str) -> _Position:
        if word == "for":
            return _Position.LOOP_NAME
        if word == "alias":
            raise Lost("after `alias`", hopeless=True)
        if word in _UNKNOWN:
            raise Lost(f"after `{word}`")
        if word in _STILL_COMMAND or word.startswith("-") or _ASSIGNMENT.match(word):
            return _Position.COMMAND
        self.aliases |= word in _MAY_ALIAS or any(mark in word for mark in (VARIABLE, _QUOTED, _EXPANSION))
        self.always_quote |= word in _CHANGES_WORDS
        return _Position.ARGUMENT

    def redirection(self, line: _Line) -> None:
        word = line.word or ""
        if re.fullmatch("[0-9]+", word):
            line.word = None
        elif re.fullmatch(rf"\{{[A-Za-z0-9_\[\]{VARIABLE}]*\}}", word):
            raise Lost("after `{…}>`")
        self.finish(line)
        if line.position not in (_Position.COMMAND, _Position.ARGUMENT):
            raise Lost("after a redirection that is not understood")
        found = _REDIRECTION.match(self.text, self.pos)
        assert found is not None
        self.pos = found.end()
        if found[0] == "<<<" or self.after(0) == "(":
            raise Lost(f"after `{found[0]}{'' if found[0] == '<<<' else '('}`")
        if found[0].startswith("<<"):
            self.documents.append((*self.end_word(), found[0] == "<<-"))
            return
        line.resume = line.position
        line.position = _Position.DESCRIPTOR if found[0].endswith("&") else _Position.FILE

    def escaped(self, line: _Line) -> None:
        """A backslash outside quotes."""
        if self.after(1) != "\n":
            line.extend(_QUOTED)
        self.backslash()
