"""Which Python command lines can be forked, and which of their environment an interpreter reads only when it starts."""

from __future__ import annotations

import os

from runner.backends.local.forkserver.server.protocol import UnfitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_OPTIONS = frozenset((b"-B", b"-E", b"-I", b"-O", b"-OO", b"-P", b"-S", b"-b", b"-bb", b"-q", b"-s", b"-u"))
"""Options that a fork server is started with; it serves the sessions that have the same ones."""

_STARTUP_PREFIXES = (
    *(b"PYTHON", b"LD_", b"LC_", b"MALLOC_", b"GLIBC_"),
    *(b"OMP_", b"GOMP_", b"KMP_", b"MKL_", b"OPENBLAS_", b"GOTO_", b"BLIS_", b"NUMEXPR_", b"VECLIB_"),
)
_STARTUP_NAMES = frozenset((b"HOME", b"LANG", b"PATH", b"TZ"))
_COLD_VARIABLES = (
    *(b"PYTHONINSPECT", b"PYTHONVERBOSE", b"PYTHONPROFILEIMPORTTIME", b"PYTHONDUMPREFS", b"PYTHONDUMPREFSFILE"),
    *(b"PYTHONTRACEMALLOC", b"PYTHONPERFSUPPORT", b"COVERAGE_PROCESS_START"),
)
"""Variables with which an interpreter traces or reports what it does from its start to its end."""


def parse(command: list[bytes]) -> tuple[tuple[bytes, ...], bytes, int]:
    """Read `command` as the interpreter does.

    Returns its options; `-c`, `-m` or nothing for a script; and the index of the code, module name or script.
    Raises UnfitError.
    """
    words = iter(enumerate(command[1:], 1))
    for at, word in words:
        if word in (b"-c", b"-m") and at + 1 < len(command):
            return tuple(command[1:at]), word, at + 1
        if not word.startswith(b"-"):
            return tuple(command[1:at]), b"", at
        if word == b"-W":
            next(words, None)
        elif word not in _OPTIONS and not word.startswith(b"-W"):
            raise UnfitError(f"the option `{os.fsdecode(word)}` needs an interpreter of its own")
    raise UnfitError("its command has no script, `-m MODULE` or `-c CODE`")


def startup_variables(env: Mapping[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Return the variables that an interpreter and its libraries read only when they start. Raises UnfitError."""
    for name in _COLD_VARIABLES:
        if env.get(name):
            raise UnfitError(f"`{os.fsdecode(name)}` is set")
    path = env.get(b"PYTHONPATH")
    if path and not all(part.startswith(b"/") for part in path.split(b":")):
        raise UnfitError("`PYTHONPATH` has a relative path, which depends on the working directory")
    return tuple(
        sorted(item for item in env.items() if item[0].startswith(_STARTUP_PREFIXES) or item[0] in _STARTUP_NAMES)
    )
