"""What the parent is asked for: one session."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

SCRIPT, MODULE, CODE = 1, 2, 3


class Request:
    """`command[at]` names its program, in the `mode` SCRIPT, MODULE or CODE.

    `join` is the file of a memory group through which the writing process gets in, None if there is none. What can be known
    before the fork is made there: it costs each fork a page for all that it touches. `words` are the command and `argv` is
    sys.argv; `code` is the program compiled, for the working directory `cwd`, None where the fork has to see to it.
    """

    __slots__ = (
        *("argv", "at", "code", "command", "cwd", "env", "join", "key", "mode", "stderr", "stdout", "target"),
        *("words", "workdir"),
    )

    def __init__(
        self,
        key: int,
        mode: int,
        at: int,
        command: list[bytes],
        env: dict[bytes, bytes],
        workdir: bytes,
        stdout: bytes,
        stderr: bytes,
        join: bytes | None,
    ) -> None:
        self.key, self.mode, self.at, self.command, self.env = key, mode, at, command, env
        self.workdir, self.stdout, self.stderr, self.join = workdir, stdout, stderr, join
        self.words = list(map(os.fsdecode, command))
        self.target = self.words[at]
        self.argv = [{SCRIPT: self.target, MODULE: "-m", CODE: "-c"}[mode], *self.words[at + 1 :]]
        self.code: CodeType | None = None
        self.cwd: str | None = None


def looks_beside() -> bool:
    """Whether a program's own folder is searched for modules."""
    return not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))
