"""`python` of a sweep file: which interpreter its Python programs have, and what that has imported before they begin."""

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
    """`interpreter`, where it is given, is what `python` and `python3` at the beginning of `exec` mean, and what runs `code`."""

    interpreter: ScalarNode | None
    preload: tuple[ScalarNode, ...]

    def is_meant(self, program: str) -> bool:
        """Whether a command that begins with this word is one of its programs."""
        if self.interpreter is None:
            return _NAME.fullmatch(os.path.basename(program)) is not None
        return program in (*_PLAIN, self.interpreter.value.text)

    def path(self, folder: Path | None) -> str | None:
        """The interpreter, None where none is given. A path is looked up from `folder`, None leaves it as written."""
        if self.interpreter is None:
            return None
        text = self.interpreter.value.text
        return os.path.normpath(folder / text) if folder is not None and "/" in text else text

    def command(self, command: tuple[str, ...], folder: Path | None) -> tuple[str, ...]:
        """A command that is one of its programs, with its interpreter."""
        return (self.path(folder) or command[0], *command[1:])

    @property
    def modules(self) -> tuple[str, ...]:
        return tuple(node.value.text for node in self.preload)
