"""What the server finds out about a program before it forks: its code, and the modules that it would not see."""

from __future__ import annotations

import os
import sys
import warnings
from functools import lru_cache
from importlib.machinery import all_suffixes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import CodeType

    from runner.backends.local.forkserver.server.protocol import Request

SEARCHES_FOLDER = not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))
"""Whether this interpreter searches the folder of a program for modules."""


def script(request: Request) -> str:
    """Return the absolute path of a script, as in its `__file__`."""
    return os.path.join(os.path.realpath(os.fsdecode(request.workdir)), os.fsdecode(request.command[request.at]))


def folder(request: Request) -> str:
    """Return the folder in which the program's imports are searched for first."""
    if request.mode:
        return os.path.realpath(os.fsdecode(request.workdir))
    return os.path.dirname(os.path.realpath(script(request)))


def code(request: Request) -> CodeType | None:
    """Return the compiled program; None for `-m`, and for what is not source, or not valid, or makes the compiler warn."""
    try:
        if request.mode == b"-c":
            return _compile("<string>", os.fsdecode(request.command[request.at]))
        if not request.mode and os.path.isfile(script(request)):
            with open(script(request), "rb") as file:
                return _compile(script(request), file.read())
    except Exception:  # the new interpreter reports it
        pass
    return None


@lru_cache(maxsize=64)
def _compile(path: str, source: str | bytes) -> CodeType | None:
    """Compile once for all children that run the same source."""
    with warnings.catch_warnings(record=True) as shown:
        made = compile(source, path, "exec", dont_inherit=True)
    return None if shown else made


def shadowed(folder: str, preloaded: Mapping[str, str]) -> str | None:
    """Return the first module in `folder` that a fork would not see, since a preloaded one (name to file) has its name."""
    try:
        names = {entry.partition(".")[0] for entry in os.listdir(folder)} & preloaded.keys()
    except OSError:  # the program reports it
        return None
    for name in sorted(names) if SEARCHES_FOLDER else ():
        for ending in ("/__init__.py", *all_suffixes()):
            file = os.path.join(folder, name + ending)
            if os.path.isfile(file) and os.path.realpath(file) != os.path.realpath(preloaded[name]):
                return name
    return None
