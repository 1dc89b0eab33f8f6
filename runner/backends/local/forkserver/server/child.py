"""From a fresh fork to the process that a new interpreter would be at the first line of its program."""

from __future__ import annotations

import errno
import io
import os
import sys

from runner.backends.local.forkserver.server.code_cache import Sources
from runner.backends.local.forkserver.server.proctitle import Titles, write
from runner.backends.local.forkserver.server.random_state import Chance
from runner.backends.local.forkserver.server.request import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runner.backends.local.forkserver.server.proctitle import Block

    Prepared = tuple[list[Block], dict[bytes, bytes]]
    """What to write over the parent's, and what is then in os.environ."""

_STREAMS = (("stdout", sys.stdout), ("stderr", sys.stderr))
"""As this interpreter makes them, for /dev/null: encoding, errors, and buffers of so many bytes as that has blocks."""

_BLOCK = os.fstat(1).st_blksize
_UNBUFFERED = isinstance(getattr(sys.stdout, "buffer", None), io.RawIOBase)


class Fresh:
    """What a fork needs to know of the parent. To be made before anything is preloaded; `settle` once everything is."""

    def __init__(self) -> None:
        self.titles = Titles()
        self._sources = Sources()
        self._changed: dict[bytes, bytes] = {}
        self._removed: list[bytes] = []
        self._chance: Chance

    def settle(self, written: set[bytes]) -> None:
        """`written` are the variables that certainly have been set meanwhile."""
        now = dict(os.environb)  # (an interpreter itself sets LC_CTYPE in the C locale, PEP 538)
        given = self.titles.given
        self._changed = {name: value for name, value in now.items() if name in written or given.get(name) != value}
        self._removed = [name for name in given if name not in now]
        self.titles.settle(written)
        self._own = os.environ._data  # type: ignore[attr-defined]  # (to be freed by no fork)
        self._chance = Chance()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()

    def prepare(self, request: Request) -> Prepared:
        """In the parent: all that can be made ready there."""
        self._sources.prepare(request)
        environ = {**request.env, **self._changed}
        for name in self._removed:
            environ.pop(name, None)
        return self.titles.prepare(request.command, request.env), environ

    def become(self, request: Request, prepared: Prepared) -> tuple[int | None, str] | None:
        """None when done; else an exit code (None if the place is at fault, not the session) and why it cannot begin."""
        blocks, environ = prepared
        write(blocks)
        try:
            if request.join is not None:
                _write(request.join, b"0")
            fault = _enter(request.workdir) or _open(request.stdout, 1) or _open(request.stderr, 2)
        except OSError as error:
            fault = (None, f"no memory group can be joined: {error.strerror}")
        if fault:
            return fault
        os.environ._data = os.environb._data = environ  # type: ignore[attr-defined]
        if os.fstat(1).st_blksize != _BLOCK:
            _set_streams()
        sys.argv = request.argv
        if hasattr(sys, "orig_argv"):
            sys.orig_argv = request.words
        self._chance.renew()
        return None


def _write(path: bytes, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, data)
    finally:
        os.close(file)


def _enter(workdir: bytes) -> tuple[int | None, str] | None:
    try:
        os.chdir(workdir)
    except OSError as error:
        fault = "does not exist" if error.errno == errno.ENOENT else f"cannot be entered: {error.strerror}"
        return 126, f"the working directory `{os.fsdecode(workdir)}` {fault}"
    return None


def _open(path: bytes, number: int) -> tuple[int | None, str] | None:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError as error:
        return None, f"`{os.fsdecode(path)}` cannot be opened: {error.strerror}"
    os.dup2(file, number)
    os.close(file)
    return None


def _set_streams() -> None:
    """For files of another block size: then the buffers have another size, too."""
    for number, (name, old) in enumerate(_STREAMS, 1):
        raw_too: Any = {"buffering": 0} if _UNBUFFERED else {}
        buffer = open(number, "wb", closefd=False, **raw_too)  # noqa: SIM115
        raw: Any = getattr(buffer, "raw", buffer)
        raw.name = f"<{name}>"
        lines, through = bool(old.line_buffering), bool(getattr(old, "write_through", False))
        stream = io.TextIOWrapper(buffer, old.encoding, old.errors, "\n", lines, through)
        stream.mode = "w"  # type: ignore[misc]
        if getattr(sys, name) is old:
            setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
