"""The programs, compiled: once in the parent for all sessions that run the same, as long as the file stays the same."""

from __future__ import annotations

import os
import sys
import time
import warnings

from runner.backends.local.forkserver.server.request import CODE, SCRIPT, Request

if sys.version_info >= (3, 13):
    import linecache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

_MOST = 64
_SETTLED = 100_000_000
"""Nanoseconds after which a file that changes again gets another time stamp."""


class Sources:
    """Keeps what compiled without a word. What did not is left to each session, which is to say it."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], CodeType | None] = {}

    def prepare(self, request: Request) -> None:
        """Set the request's code, if it can be known."""
        if request.mode == CODE:
            request.code = self._compiled((request.target,), request)
        elif request.mode == SCRIPT:
            request.cwd = os.path.realpath(os.fsdecode(request.workdir))
            try:
                found = os.stat(os.path.join(request.cwd, request.target))
            except OSError:
                return
            if time.time_ns() - found.st_ctime_ns > _SETTLED:
                stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
                request.code = self._compiled((request.cwd, request.target, stamp), request)

    def _compiled(self, key: tuple[object, ...], request: Request) -> CodeType | None:
        if key not in self._kept:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                try:
                    code = compiled(request, request.cwd or "")
                except Exception:
                    code = None
            self._kept[key] = None if said else code
        return self._kept[key]


def compiled(request: Request, cwd: str) -> CodeType:
    """Raises whatever there is to raise."""
    if request.mode == CODE:
        return compile(_dedented(request.target), "<string>", "exec", dont_inherit=True)
    with open(os.path.join(cwd, request.target), "rb") as file:
        source = file.read()
    return compile(source, path_of(request, cwd), "exec", dont_inherit=True)


def path_of(request: Request, cwd: str) -> str:
    """What `__file__` is."""
    return os.path.join(cwd, request.target) if sys.version_info >= (3, 9) else request.target


def show_lines(text: str, code: CodeType) -> None:
    """Of a program of `-c`, in tracebacks, where they are shown."""
    if sys.version_info >= (3, 13):
        key = code if hasattr(linecache, "_interactive_cache") else "<string>"
        linecache._register_code(key, _dedented(text) + "\n", "<string>")  # type: ignore[attr-defined]


def _dedented(text: str) -> str:
    if sys.version_info >= (3, 14):
        import textwrap

        text = textwrap.dedent(text)
    return text
