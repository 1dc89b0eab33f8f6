"""Which Python command lines can be forked, and what of them an interpreter reads only when it starts."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

SCRIPT, MODULE, CODE = 1, 2, 3

_FLAGS = frozenset((b"-B", b"-E", b"-I", b"-O", b"-OO", b"-P", b"-S", b"-b", b"-bb", b"-q", b"-s", b"-u"))
"""Options that a parent can be started with; it then serves the sessions that have the very same ones."""

_PREFIXES = (
    *(b"PYTHON", b"LD_", b"LC_", b"MALLOC_", b"GLIBC_"),
    *(b"OMP_", b"GOMP_", b"KMP_", b"MKL_", b"OPENBLAS_", b"GOTO_", b"BLIS_", b"NUMEXPR_", b"VECLIB_"),
)
_NAMES = frozenset((b"HOME", b"LANG", b"TZ"))
_COLD = frozenset(
    (
        *(b"PYTHONINSPECT", b"PYTHONVERBOSE", b"PYTHONPROFILEIMPORTTIME", b"PYTHONDUMPREFS", b"PYTHONDUMPREFSFILE"),
        *(b"PYTHONTRACEMALLOC", b"PYTHONPERFSUPPORT", b"COVERAGE_PROCESS_START"),
    )
)
"""What changes an interpreter from its start on, and makes it say so."""


class UnfitError(Exception):
    """Why a command line cannot be forked; for people, without a full stop."""


class Program:
    """A Python command line: its `flags`, the `mode` of its program, and `at`, where in it the program is named."""

    __slots__ = ("at", "flags", "mode")

    def __init__(self, flags: tuple[bytes, ...], mode: int, at: int) -> None:
        self.flags = flags
        self.mode = mode
        self.at = at


def parse(command: list[bytes]) -> Program:
    """Read `command` as the interpreter would. Raises UnfitError."""
    flags: list[bytes] = []
    at = 1
    while at < len(command):
        word = command[at]
        if word in (b"-c", b"-m"):
            if at + 1 == len(command):
                break
            return Program(tuple(flags), CODE if word == b"-c" else MODULE, at + 1)
        if not word.startswith(b"-"):
            return Program(tuple(flags), SCRIPT, at)
        if word == b"-W" and at + 1 < len(command):
            at += 1
            word += command[at]
        elif word not in _FLAGS and not (word.startswith(b"-W") and len(word) > 2):
            raise UnfitError(f"`{os.fsdecode(word)}` is for an interpreter of its own")
        flags.append(word)
        at += 1
    raise UnfitError("no script, `-m MODULE` or `-c CODE` stands in the command")


def startup(env: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Those variables that an interpreter and its libraries read once, at their start. Raises UnfitError."""
    for name in _COLD:
        if env.get(name):
            raise UnfitError(f"`{os.fsdecode(name)}` is set")
    if any(not part.startswith(b"/") for part in env.get(b"PYTHONPATH", b"/").split(b":")) and env[b"PYTHONPATH"]:
        raise UnfitError("`PYTHONPATH` depends on the working directory: a part of it is relative")
    return {name: value for name, value in env.items() if name.startswith(_PREFIXES) or name in _NAMES}


def first_folder(program: Program, command: list[bytes], workdir: bytes) -> bytes:
    """Where the program's imports look first, ahead of what is installed, unless it is told not to."""
    if program.mode != SCRIPT:
        return workdir
    return os.path.dirname(os.path.realpath(os.path.join(workdir, command[program.at])))


if TYPE_CHECKING:
    Loaded: TypeAlias = Mapping[bytes, bytes]
    """Modules and the folders that they came from."""


class Hiding:
    """Which preloaded modules a folder has another module for, of the same name: a fork would never see that one."""

    def __init__(self) -> None:
        self._listed: dict[bytes, tuple[int, frozenset[bytes]]] = {}

    def __call__(self, folder: bytes, loaded: Loaded) -> bytes | None:
        """The first of them; None if there is none."""
        for name in sorted(self._modules(folder) & loaded.keys()):
            if loaded[name] != folder:
                return name
        return None

    def _modules(self, folder: bytes) -> frozenset[bytes]:
        try:
            changed = os.stat(folder).st_mtime_ns
            if folder in self._listed and self._listed[folder][0] == changed:
                return self._listed[folder][1]
            entries = os.listdir(folder)
        except OSError:  # the program itself will find out
            return frozenset()
        names = frozenset(name for entry in entries if (name := _module(folder, entry)))
        if os.stat(folder).st_ctime_ns < _now() - 1_000_000_000:  # else it may change again within a tick of its clock
            self._listed = {**self._listed, folder: (changed, names)} if len(self._listed) < 100 else {}
        return names


def _module(folder: bytes, entry: bytes) -> bytes | None:
    name, _, ending = entry.partition(b".")
    if ending in (b"py", b"pyc") or ending.endswith(b"so"):
        return name
    return name if not ending and os.path.exists(os.path.join(folder, entry, b"__init__.py")) else None


def _now() -> int:
    import time

    return time.time_ns()
