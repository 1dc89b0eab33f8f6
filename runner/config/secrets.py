"""The `secrets` of a sweep: names of environment variables, whose values come from the caller's environment or from a file."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner import regular
from runner.config import fields
from runner.config.yaml.nodes import Node, ScalarNode
from runner.diagnostics import Problem
from runner.text.escape import printable
from runner.text.masks import SHORTEST, maskable

LARGEST = 1024 * 1024
"""Bytes of a file of secrets."""

_NAME = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_SINGLE = re.compile(r"'([^']*)'[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"[ \t]*(?:#[^\n]*)?(?:\n|\Z)', re.S)
_PLAIN = re.compile(r"([^\n]*)(?:\n|\Z)")
_BLANK = re.compile(r"[ \t]*(?:#[^\n]*)?\n|[ \t]*(?:#[^\n]*)?\Z")
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class UnreadableError(Exception):
    """The file of secrets cannot be read. The text is the fault, without the name of the file."""


@dataclass(frozen=True)
class Secrets:
    """The secrets of a sweep. Values are read when they are needed and kept nowhere."""

    nodes: tuple[ScalarNode, ...] = ()
    """The names in the sweep file."""
    file: ScalarNode | None = None
    """The path of the file; without names, all of its names are secrets."""
    folder: Path = Path()

    @classmethod
    def of(cls, node: Node | None, folder: Path) -> Secrets:
        """From the value of `secrets`: a list of names, or `{from: PATH, names: [NAME]}`."""
        entries = {key.value.text: value for key, value in fields.entries(node)}
        names = fields.texts(entries.get("names")) if entries else fields.texts(node)
        file = fields.scalar(entries.get("from"))
        return cls(names, file, folder)

    @property
    def path(self) -> Path | None:
        """The absolute path of the file."""
        return None if self.file is None else self.folder / os.path.expanduser(self.file.value.text)

    def names(self) -> list[str]:
        """The names that are known without the environment."""
        return [node.value.text for node in self.nodes] or list(self._file_or_empty())

    def known(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The values that can be found, with no regard to problems."""
        values = self._file_or_empty() if self.file else environ
        return {name: values[name] for name in self.names() if values.get(name)}

    def problems(self, environ: Mapping[str, str], *, needed: bool) -> Iterator[Problem]:
        """What is missing or empty. Unless the values are `needed`, a variable may be missing in the environment."""
        if self.file is not None:
            yield from self._problems_of_file(self.file)
            return
        for node in self.nodes:
            name = node.value.text
            if name not in environ and needed:
                hint = f"set it where runner starts: `export {name}=…`"
                yield Problem(f"secret `{name}` is not set in the environment", node.span, hint)
            elif environ.get(name) == "":
                hint = "set it, or leave it out of `secrets`; GitHub passes an empty text for a secret that a job may not read"
                yield Problem(f"secret `{name}` is empty", node.span, hint)

    def warnings(self, environ: Mapping[str, str]) -> Iterator[Problem]:
        """Values that are too short to be masked, and a file that others can read."""
        for name, value in self.known(environ).items():
            if not maskable(value):
                node = next((node for node in self.nodes if node.value.text == name), self.file)
                text = f"secret `{name}` has fewer than {SHORTEST} characters and is not masked in what sessions print"
                yield Problem(text, node.span if node else None, "use a longer value", "warning")
        if self.file is not None and self.path is not None:
            try:
                mode = self.path.stat().st_mode
            except OSError:
                return
            if mode & (stat.S_IRGRP | stat.S_IROTH):
                shown = printable(self.file.value.text)
                yield Problem(f"other users can read `{shown}`", self.file.span, f"run `chmod 600 {shown}`", "warning")

    def _problems_of_file(self, file: ScalarNode) -> Iterator[Problem]:
        shown = printable(file.value.text)
        try:
            values = self._read()
        except UnreadableError as error:
            yield Problem(f"`{shown}` {error}", file.span, "a line is `NAME=VALUE`; quote a value with spaces or `#`")
            return
        for node in self.nodes:
            if node.value.text not in values:
                yield Problem(f"`{shown}` has no `{node.value.text}`", node.span, f"add `{node.value.text}=…` to it")
        if not values:
            yield Problem(f"`{shown}` has no secrets", file.span, "a line is `NAME=VALUE`")
        for name in self.names():
            if values.get(name) == "":
                node = next((node for node in self.nodes if node.value.text == name), file)
                yield Problem(
                    f"secret `{name}` is empty in `{shown}`", node.span, "give it a value, or remove the line"
                )

    def _file_or_empty(self) -> dict[str, str]:
        try:
            return self._read() if self.file else {}
        except UnreadableError:
            return {}

    def _read(self) -> dict[str, str]:
        assert self.path is not None
        try:
            with regular.read(self.path) as file:
                content = file.read(LARGEST + 1)
        except regular.NotRegularError:
            raise UnreadableError("is not a regular file") from None
        except OSError as error:
            fault = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
            raise UnreadableError(fault) from None
        if len(content) > LARGEST:
            raise UnreadableError(f"has more than {LARGEST:,} bytes")
        return parse(content.decode("utf-8-sig", "surrogateescape"))


def parse(text: str) -> dict[str, str]:
    """The variables of a file in the syntax of `.env`. Raises UnreadableError with the number of a wrong line.

    `NAME=VALUE` lines, perhaps with `export`. A value in single quotes is literal, one in double quotes has the escapes `\\n`,
    `\\r`, `\\t`, `\\"`, `\\\\` and `\\$`; both may have several lines. Else it ends at the end of the line or before ` #`.
    Nothing is expanded.
    """
    text = text.replace("\r\n", "\n")
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        if (blank := _BLANK.match(text, at)) and blank.end() > at:
            at = blank.end()
            continue
        name = _NAME.match(text, at)
        value = name and _value(text, name.end())
        if not name or not value:
            raise UnreadableError(f"has a line that is not `NAME=VALUE`: line {text.count(chr(10), 0, at) + 1}")
        found[name[1]], at = value
        if "\0" in found[name[1]]:
            raise UnreadableError(f"has a NUL character in `{name[1]}`")
    return found


def _value(text: str, at: int) -> tuple[str, int] | None:
    """The value that begins there, and where the next line begins."""
    quote = text[at : at + 1]
    if quote == "'":
        single = _SINGLE.match(text, at)
        return (single[1], single.end()) if single else None
    if quote == '"':
        double = _DOUBLE.match(text, at)
        if not double:
            return None
        return re.sub(r"\\(.)", lambda escape: _unescaped(escape[1]), double[1], flags=re.S), double.end()
    plain = _PLAIN.match(text, at)
    assert plain is not None
    return _COMMENT.sub("", plain[1]).strip(), plain.end()


def _unescaped(character: str) -> str:
    return _ESCAPES.get(character, character if character in '"\\$`' else f"\\{character}")
