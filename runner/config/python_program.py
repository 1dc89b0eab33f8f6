"""`python` of a sweep file: the interpreter of its Python programs, and the modules to preload."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from runner.config.yaml.nodes import ScalarNode

_PLAIN = ("python", "python3")
_NAME = re.compile(r"python(3(\.[0-9]+)?)?")


@dataclass(frozen=True)
class Python:
    """The interpreter for `code` and for `python` or `python3` at the beginning of `exec`, and the modules to preload."""

    interpreter: ScalarNode | None
    preload: tuple[ScalarNode, ...]

    def is_meant(self, program: str) -> bool:
        """Return whether a command that begins with this word runs on this interpreter."""
        if self.interpreter is None:
            return _NAME.fullmatch(os.path.basename(program)) is not None
        return program in (*_PLAIN, self.interpreter.value.text)

    def path(self, folder: Path | None) -> str | None:
        """Return the interpreter, or None. A path is relative to `folder`; without a folder it stays as written."""
        if self.interpreter is None:
            return None
        text = self.interpreter.value.text
        return os.path.normpath(folder / text) if folder is not None and "/" in text else text

    def command(self, command: tuple[str, ...], folder: Path | None) -> tuple[str, ...]:
        """Return the command of a Python program with its interpreter."""
        return (self.path(folder) or command[0], *command[1:])

    @property
    def modules(self) -> tuple[str, ...]:
        return tuple(node.value.text for node in self.preload)
