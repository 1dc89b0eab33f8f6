"""What the process table shows of a fork: its own command line and environment instead of the parent's.

The kernel reads both from where they stood when the parent was started (proc(5), `arg_start` to `env_end`), so a fork
writes its own there. The mark by which a session is found after a crash of everything above it is in that environment.
"""

from __future__ import annotations

import ctypes
import os

_FIRST = 48
"""The number of `arg_start` among the fields of /proc/self/stat; `arg_end`, `env_start` and `env_end` follow."""

_MARK = b"RUNNER_JOB"


class Titles:
    """To be made before anything can have changed the process's original environment."""

    def __init__(self) -> None:
        with open("/proc/self/stat", "rb") as stat:
            words = stat.read().rpartition(b")")[2].split()
        self._command, end, self._environ, environ_end = (int(word) for word in words[_FIRST - 3 : _FIRST + 1])
        self._sizes = (end - self._command, environ_end - self._environ)
        for name, value in os.environb.items():
            os.putenv(name, value)  # a copy of its own: what stands there now will be overwritten
        with open("/proc/self/cmdline", "rb") as cmdline:
            own = cmdline.read().split(b"\0")
        self._used = self._sizes
        self.write(self.prepare(own[:-2], {}))  # without its room for others
        self._used = (len(b"\0".join(own[:-2])), 0)

    def prepare(self, command: list[bytes], environ: dict[bytes, bytes]) -> tuple[bytes, bytes]:
        """For `write`: as much of them as there is room for, the mark first."""
        pairs = [name + b"=" + value for name, value in environ.items() if name != _MARK]
        if _MARK in environ:
            pairs.insert(0, _MARK + b"=" + environ[_MARK])
        texts = (b"\0".join(command), b"\0".join(pairs))
        first, second = (
            text[: size - 1].ljust(min(used, size - 1), b"\0") + b"\0"
            for text, size, used in zip(texts, self._sizes, self._used)
        )
        return first, second

    def write(self, blocks: tuple[bytes, bytes]) -> None:
        ctypes.memmove(self._command, blocks[0], len(blocks[0]))
        ctypes.memmove(self._environ, blocks[1], len(blocks[1]))
