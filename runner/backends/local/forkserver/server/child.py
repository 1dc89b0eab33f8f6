"""What a child inherits from the server and replaces by its own before its program starts."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import weakref

from runner.backends.local.forkserver.server.protocol import CODE, MARK_SIZE, SCRIPT, ForkRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Fault = tuple[int | None, str]
    """The exit code of a session that cannot start, None if this machine is at fault; and the reason."""

_MARK = b"RUNNER_JOB"
"""As in `procfs.MARK`."""


class Inherited:
    """Make it before any module is preloaded, and call `preloaded` afterwards."""

    def __init__(self) -> None:
        with open("/proc/self/environ", "rb") as file:
            pairs = [pair.partition(b"=") for pair in file.read().split(b"\0") if pair]
        self._given = {name: value for name, _, value in pairs}
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_void_p
        self._mark: int = getenv(_MARK)
        self._kept: set[bytes] = set()

    def preloaded(self, written: set[bytes]) -> None:
        """Note what the imports did. `written` are the environment variables that they have set."""
        now = os.environb
        self._kept = {*written, *(name for name in {*self._given, *now} if self._given.get(name) != now.get(name))}
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        # Sessions do not finalize what they share: torch has some thousand finalizers, more than half of the time of a session.
        for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]
            finalizer.atexit = False

    def replace(self, request: ForkRequest) -> Fault | None:
        """Give the process its own memory group, folder, streams, environment, arguments and random state."""
        try:
            if request.cgroup is not None:
                _write(request.cgroup, b"0")
        except OSError as error:
            return None, f"the process cannot join its memory group: {error.strerror}"
        fault = _enter(request.workdir) or _open(request.stdout, 1) or _open(request.stderr, 2)
        if fault:
            return fault
        self._set_environment(request.env)
        words = list(map(os.fsdecode, request.command))
        first = words[request.at] if request.mode == SCRIPT else "-c" if request.mode == CODE else "-m"
        sys.argv = [first, *words[request.at + 1 :]]
        if hasattr(sys, "orig_argv"):
            sys.orig_argv = words
        _reseed()
        return None

    def _set_environment(self, env: dict[bytes, bytes]) -> None:
        """Set what differs from the environment of the server, also for C, but for what an import has set."""
        for name in [name for name in os.environb if name not in env and name not in self._kept]:
            del os.environb[name]
        for name, value in env.items():
            if name not in self._kept and self._given.get(name) != value:
                os.environb[name] = value
        # /proc/PID/environ shows the memory in which the kernel put the environment of the server. The mark is
        # written there, so that a session is found after a crash even if no one recorded its pid.
        ctypes.memmove(self._mark, env[_MARK].ljust(MARK_SIZE, b"\0"), MARK_SIZE)


def _write(path: bytes, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, data)
    finally:
        os.close(file)


def _enter(workdir: bytes) -> Fault | None:
    try:
        os.chdir(workdir)
    except OSError as error:
        fault = "does not exist" if error.errno == errno.ENOENT else f"cannot be entered: {error.strerror}"
        return 126, f"the working directory `{os.fsdecode(workdir)}` {fault}"
    return None


def _open(path: bytes, number: int) -> Fault | None:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError as error:
        return None, f"`{os.fsdecode(path)}` cannot be opened: {error.strerror}"
    os.dup2(file, number)
    os.close(file)
    return None


def _reseed() -> None:
    """Give each generator of random numbers that exists by now a state of its own; `random` does that by itself."""
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.default_generator.seed()
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.ORIGINAL_DIR = os.path.abspath(os.getcwd())
        process.current_process().authkey = os.urandom(32)
