"""Messages between the supervisor and a fork server, which may run different interpreters.

Each is four bytes of length and a marshalled tuple. The supervisor writes requests into one pipe, the fields of
`ForkRequest`; the server and its children write reports into another, each with one `write`, so that none is cut:

    (READY, modules, variables)         modules: top-level name to folder; variables: names read from `os.environ`
    (UNFIT, reason)                     nothing can be forked from this interpreter
    (STARTED, key, pid)                 from the child, before the first line of its program
    (FAULT, key, code, reason)          from the child: the program cannot start; code None: this machine is at fault
    (ENDED, key, pid, status, cpu_time, max_rss)    from wait4, in seconds and bytes
"""

from __future__ import annotations

import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

READY, UNFIT, STARTED, FAULT, ENDED = 1, 2, 3, 4, 5
SCRIPT, MODULE, CODE = 1, 2, 3

MARK_SIZE = 256
"""Bytes that a server reserves in its own environment for the mark of a session and a NUL."""

_MARSHAL_VERSION = 2
"""Every Python 3 reads it."""


def pack(message: tuple[Any, ...]) -> bytes:
    """Return the message with its length before it."""
    body = marshal.dumps(message, _MARSHAL_VERSION)
    return len(body).to_bytes(4, "little") + body


def unpack(data: bytearray) -> list[tuple[Any, ...]]:
    """Remove all complete messages from the start of `data` and return them."""
    messages: list[tuple[Any, ...]] = []
    start = 0
    while len(data) >= start + 4:
        end = start + 4 + int.from_bytes(data[start : start + 4], "little")
        if len(data) < end:
            break
        messages.append(marshal.loads(data[start + 4 : end]))
        start = end
    del data[:start]
    return messages


class ForkRequest:
    """One session to fork.

    key: the supervisor's number for it
    mode: SCRIPT, MODULE or CODE
    at: index in `command` of the script, module name or code
    command: the words of the command line, from the interpreter on
    env: all environment variables
    workdir, stdout, stderr: paths
    cgroup: the file through which a process joins a memory group, or None
    """

    __slots__ = FIELDS = ("key", "mode", "at", "command", "env", "workdir", "stdout", "stderr", "cgroup")

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
        cgroup: bytes | None,
    ) -> None:
        self.key, self.mode, self.at, self.command, self.env = key, mode, at, command, env
        self.workdir, self.stdout, self.stderr, self.cgroup = workdir, stdout, stderr, cgroup

    def fields(self) -> tuple[Any, ...]:
        """Return the arguments of the constructor, as they are sent."""
        return tuple(getattr(self, name) for name in self.FIELDS)
