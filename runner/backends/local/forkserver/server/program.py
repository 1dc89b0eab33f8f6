"""What the server finds out about a program before it forks: its code, and why it has to start cold."""

from __future__ import annotations

import os
import sys
import warnings
from functools import lru_cache
from importlib.machinery import all_suffixes

from runner.backends.local.forkserver.server.protocol import Request, UnfitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import CodeType

SEARCHES_FOLDER = not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))
"""Whether this interpreter searches the folder of a program for modules."""


class Program:
    """Raises UnfitError if it has to start cold. `preloaded` are the imported top-level modules and their files.

    word: the code, the name of the module, or the path of the script
    folder: where its imports are searched for first
    code: compiled; None for a module
    warnings: what the compiler has warned of
    """

    def __init__(self, request: Request, preloaded: Mapping[str, str]) -> None:
        self.word = os.fsdecode(request.command[request.at])
        self.folder = os.path.realpath(os.fsdecode(request.workdir))
        self.code: CodeType | None = None
        self.warnings: list[warnings.WarningMessage] = []
        if request.mode == b"-c":
            self.code, self.warnings = _compile("<string>", self.word)
        elif request.mode == b"-m":
            module = sys.modules.get(self.word)
            if module and not hasattr(module, "__path__"):  # runpy would warn of that
                raise UnfitError(f"`{self.word}` is one of the modules that are imported already")
        else:
            self.word = os.path.join(self.folder, self.word)
            self.folder = os.path.dirname(os.path.realpath(self.word))
            self.code, self.warnings = _compile(self.word, _read(self.word))
        if name := shadowed(self.folder, preloaded):
            raise UnfitError(f"`{self.folder}` has a module `{name}`, which would be shadowed by the preloaded one")


def _read(script: str) -> bytes:
    try:
        if os.path.isfile(script):  # a pipe would be empty afterwards
            with open(script, "rb") as file:
                return file.read()
    except OSError:
        pass
    raise UnfitError(f"`{script}` is not a file that can be read")


@lru_cache(maxsize=64)
def _compile(path: str, source: str | bytes) -> tuple[CodeType, list[warnings.WarningMessage]]:
    """Compile once for all children that run the same source. Raises UnfitError."""
    with warnings.catch_warnings(record=True) as shown:
        try:
            return compile(source, path, "exec", dont_inherit=True), shown
        except Exception as error:
            raise UnfitError(f"its program cannot be compiled: {type(error).__name__}") from None


def shadowed(folder: str, preloaded: Mapping[str, str]) -> str | None:
    """Return the first module in `folder` that a fork would not see, since a preloaded one has its name."""
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
