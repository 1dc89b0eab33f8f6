"""What stands inside quotes, behind a `$` and in here-documents of a shell string."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

from runner.template import quoting
from runner.template.quoting import BARE_AFTER, VARIABLE, Place, Rule

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+")
_PARAMETER = re.compile(r"[#!]?(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])")
_OPERATOR = re.compile(r":?[-+=?]")
_DEEPEST = 20


class Lost(Exception):
    """From here on the text could mean anything; if `hopeless`, every value could become syntax."""

    def __init__(self, where: str, *, hopeless: bool = False) -> None:
        self.where = where
        self.hopeless = hopeless


class Expansions(ABC):
    """Reads `text` from `pos` to `limit`, and notes the place of each variable it passes, in order.

    Every method raises Lost at what it does not know. A variable counts as passed once its place is noted.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.limit = len(text)
        self.places: list[Place] = []
        self.documents: list[tuple[str, bool, bool]] = []
        """Announced, their bodies to follow the next newline: end word, whether literal, whether tabs go."""
        self.depth = 0

    @abstractmethod
    def commands(self, end: str, inside: str | None) -> None:
        """Reads commands past the character `end`, or up to the limit if that is empty."""

    def single_quotes(self) -> None:
        close = self.text.find("'", self.pos + 1, self.limit)
        if close < 0:
            raise Lost("inside single quotes")
        self.no_document_waits()
        self.raw_until(close, "inside single quotes")
        self.pos += 1

    def raw_until(self, close: int, where: str) -> None:
        for _ in range(self.text.count(VARIABLE, self.pos, close)):
            self.note(quoting.plain, where)
        self.pos = close

    def double_quotes(self) -> None:
        self.no_document_waits()
        self.pos += 1
        while self.pos < self.limit:
            char = self.text[self.pos]
            if char == '"':
                self.pos += 1
                return
            if char == "\\":
                self.backslash()
            elif char == "$":
                self.dollar(in_double=True)
            elif char == "`":
                self.backquotes(in_double=True)
            else:
                if char == VARIABLE:
                    self.note(quoting.plain, "inside double quotes")
                self.pos += 1
        raise Lost("inside double quotes")

    def backslash(self) -> None:
        follows = self.after(1)
        if follows == "\n" and self.pos and self.text[self.pos - 1] not in " \t\n":
            raise Lost("after a line that is continued in the middle of a word")
        if follows == VARIABLE:
            alone = BARE_AFTER.match(self.text, self.pos + 2) is not None
            self.note(quoting.plain_not_empty if alone else quoting.nothing, "after a backslash")
        self.pos = min(self.pos + 2, self.limit)

    def backquotes(self, *, in_double: bool = False) -> None:
        """The shell looks for the end first, whatever stands between, and reads the commands then."""
        self.no_document_waits()
        close = self.text.find("`", self.pos + 1, self.limit)
        inner = self.text[self.pos + 1 : close]
        if close < 0 or "\\" in inner or (in_double and '"' in inner):
            raise Lost("inside backquotes")
        outer, self.limit = self.limit, close
        self.pos += 1
        self.commands("", "inside backquotes")
        self.limit = outer
        self.pos = close + 1

    def dollar(self, *, in_double: bool = False) -> None:
        self.deeper()
        follows = self.after(1)
        if self.text.startswith("$((", self.pos):
            self.arithmetic()
        elif follows == "(":
            self.no_document_waits()
            self.pos += 2
            self.commands(")", "inside `$(…)`")
        elif follows == "{":
            self.parameter()
        elif follows == VARIABLE:
            self.note(quoting.nothing, "right after a `$`")
            self.pos += 2
        elif follows in ("[", "\\") or (follows in ("'", '"') and not in_double):
            raise Lost(f"after `${follows}`")
        elif name := _NAME.match(self.text, self.pos + 1, self.limit):
            self.pos = name.end()
            if in_double and self.after(0) == VARIABLE:
                self.note(quoting.nothing, f"right after `${name[0]}`")
                self.pos += 1
        else:
            self.pos += 2 if follows and follows in "@*#?$!-" else 1
        self.depth -= 1

    def parameter(self) -> None:
        """`${NAME}`, `${NAME:-word}` and the like; no quotes inside."""
        self.pos += 2
        rule: Rule = quoting.nothing
        where = "in the name of a `${…}`"
        if name := _PARAMETER.match(self.text, self.pos, self.limit):
            self.pos = name.end()
            if operator := _OPERATOR.match(self.text, self.pos, self.limit):
                self.pos = operator.end()
                rule, where = quoting.plain, "inside `${…}`"
            elif self.after(0) != VARIABLE:
                rule, where = quoting.parameter_word, "inside `${…}`"
        while self.pos < self.limit and (char := self.text[self.pos]) not in "'\"\\`{~\n":
            if char == "}":
                self.pos += 1
                return
            if char == "$":
                self.dollar(in_double=True)
                continue
            if char == VARIABLE:
                self.note(rule, where)
            self.pos += 1
        raise Lost("inside `${…}`")

    def arithmetic(self) -> None:
        self.pos += 3
        open_parentheses = 0
        while self.pos < self.limit and (char := self.text[self.pos]) not in "'\"\\`{}[]#;\n":
            if char == "$":
                self.dollar(in_double=True)
                continue
            if char == VARIABLE:
                self.note(quoting.unsigned, "inside `$((…))`")
            elif char == "(":
                open_parentheses += 1
            elif char == ")" and open_parentheses:
                open_parentheses -= 1
            elif char == ")":
                if self.after(1) != ")":
                    break
                self.pos += 2
                return
            self.pos += 1
        raise Lost("inside `$((…))`")

    def end_word(self) -> tuple[str, bool]:
        """The word that ends a here-document, and whether it was quoted."""
        word, was_quoted = "", False
        while self.after(0) in (" ", "\t"):
            self.pos += 1
        while self.pos < self.limit and (char := self.text[self.pos]) not in " \t\n;|&<>()":
            if char in "'\"":
                close = self.text.find(char, self.pos + 1, self.limit)
                part = self.text[self.pos + 1 : max(close, self.pos)]
                self.pos = close + 1
            elif char == "\\":
                part = self.after(1)
                self.pos += 2
            else:
                part = char
                self.pos += 1
            was_quoted |= char in "'\"\\"
            if not part.isalnum() and part not in ("_", "-", "."):
                raise Lost("after a here-document whose end word is not understood")
            word += part
        if not word:
            raise Lost("after a here-document without an end word")
        return word, was_quoted

    def here_documents(self) -> None:
        """The bodies of those that the line just read has announced."""
        documents, self.documents = self.documents, []
        for end_word, literal, tabs in documents:
            while self.pos < self.limit:
                close = self.text.find("\n", self.pos, self.limit)
                close = self.limit if close < 0 else close
                body = self.text[self.pos : close]
                if not literal and (body.endswith("\\") or any(mark in body for mark in ("`", "$(", "${", "$["))):
                    raise Lost("in a here-document")
                pieces = (body.lstrip("\t") if tabs else body).split(VARIABLE)
                self.in_here_document(body, end_word, literal, pieces)
                self.pos = min(close + 1, self.limit)
                if pieces == [end_word]:
                    break

    def in_here_document(self, body: str, end_word: str, literal: bool, pieces: list[str]) -> None:
        """A line of it. No value may turn the line into the one that ends the document."""
        could_end = len(pieces) > 1 and re.fullmatch(".*".join(map(re.escape, pieces)), end_word) is not None

        def admits(text: str) -> bool:
            return quoting.plain(text) and not (could_end and text in end_word)

        for found in re.finditer(VARIABLE, body):
            special = not literal and re.search(r"(\$[A-Za-z0-9_]*|\\)\Z", body[: found.start()]) is not None
            self.note(quoting.nothing if special else admits, "in a here-document")

    def note(self, admits: Rule, where: str) -> None:
        self.places.append(Place(quoting.raw, admits, where=where))

    def after(self, distance: int) -> str:
        """The character that far on, or nothing."""
        at = self.pos + distance
        return self.text[at] if at < self.limit else ""

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise Lost("nested that deep")

    def no_document_waits(self) -> None:
        if self.documents:
            raise Lost("after a here-document announced in the middle of a command")
