"""What the process table shows of a fork: its own command line and environment instead of the parent's.

The kernel reads both from where they stood when the parent was started (proc(5), `arg_start` to `env_end`), so a fork
writes its own there. The mark by which a session is found after a crash of everything above it is in that environment.
"""

from __future__ import annotations

import ctypes

_FIRST = 48
"""The number of `arg_start` among the fields of /proc/self/stat; `arg_end`, `env_start` and `env_end` follow."""


class Titles:
    """To be made before anything can have changed the process's original environment."""

    def __init__(self) -> None:
        with open("/proc/self/stat", "rb") as stat:
            words = stat.read().rpartition(b")")[2].split()
        begin, end, self._environ, environ_end = (int(word) for word in words[_FIRST - 3 : _FIRST + 1])
        self._command = begin
        self._sizes = (end - begin, environ_end - self._environ)
        with open("/proc/self/cmdline", "rb") as cmdline:
            own = cmdline.read().split(b"\0")
        _write(self._command, b"\0".join(own[:-2]), self._sizes[0])  # without its room for others

    def show(self, command: list[bytes], environ: dict[bytes, bytes]) -> None:
        """As much of them as there is room for."""
        _write(self._command, b"\0".join(command), self._sizes[0])
        _write(self._environ, b"\0".join([name + b"=" + environ[name] for name in environ]), self._sizes[1])


def _write(at: int, data: bytes, size: int) -> None:
    ctypes.memmove(at, data[: size - 1].ljust(size, b"\0"), size)
