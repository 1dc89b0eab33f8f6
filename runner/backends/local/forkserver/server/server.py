"""The server: imports the modules once, forks a process for each request, and reports how each has ended."""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import sys
import weakref

from runner.backends.local.forkserver.server import protocol
from runner.backends.local.forkserver.server.preload import preload
from runner.backends.local.forkserver.server.program import Program
from runner.backends.local.forkserver.server.session import take_over

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runner.backends.local.forkserver.server.protocol import Request

_PR_SET_PDEATHSIG = 1


def serve(
    modules: list[str], builtin: frozenset[str], stream: int, supervisor: int
) -> tuple[Request, Program, frozenset[str]]:
    """Serve until the supervisor closes its end of `stream` or dies; either ends this process.

    Returns only in a forked child: its request, its program, and the names of the modules that are not its own. `builtin` are
    the names of the modules that an interpreter has imported without us.
    """
    mark = _tie_to(supervisor)
    os.set_inheritable(stream, False)
    signal.alarm(protocol.IMPORT_TIMEOUT)
    try:
        variables = preload(modules)
    except protocol.UnfitError as reason:
        os.write(stream, protocol.encode((protocol.UNFIT, str(reason))))
        os._exit(0)
    signal.alarm(0)
    imported = _share_modules()
    top_level = {name.partition(".")[0] for name in imported} - builtin
    preloaded = {name: getattr(sys.modules.get(name), "__file__", None) or "" for name in top_level}
    server = _Server(stream, mark, preloaded)
    gc.collect()
    gc.freeze()  # a collection in a child does not write to the memory that it shares
    server.report(protocol.READY, variables)
    return (*server.run(), imported)


def _tie_to(supervisor: int) -> int:
    """Have this process die with its parent; return the address of the value of the mark in its environment."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # an import may never return
    if os.getppid() != supervisor:
        os._exit(0)
    libc.getenv.restype = ctypes.c_void_p
    return int(libc.getenv(protocol.MARK))


def _share_modules() -> frozenset[str]:
    """Leave the imported modules as a child needs them; return their names."""
    for output in (sys.stdout, sys.stderr):
        output.flush()
    for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        finalizer.atexit = False  # torch has some thousand: more than half of the time of a session
    for name in [name for name in sys.modules if name.partition(".")[0] == "runner"]:
        del sys.modules[name]  # a program may have its own module `runner`
    return frozenset(sys.modules)


class _Server:
    def __init__(self, stream: int, mark: int, preloaded: dict[str, str]) -> None:
        self._stream = stream
        self._mark = mark
        self._preloaded = preloaded
        self._keys: dict[int, int] = {}  # of children, by pid
        self._wakeup = os.pipe()

    def run(self) -> tuple[Request, Program]:
        """Fork a child for each request. Returns in the children only."""
        for file in self._wakeup:
            os.set_blocking(file, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        while True:
            ready, _, _ = select.select([self._wakeup[0], self._stream], [], [])
            if self._wakeup[0] in ready:
                os.read(self._wakeup[0], 4096)
                self._reap()
            if self._stream in ready:
                packet = os.read(self._stream, protocol.MAX_PACKET)
                if not packet:
                    os._exit(0)
                request = protocol.Request(*protocol.decode(packet))
                try:
                    program = Program(request, self._preloaded)
                    pid = os.fork()
                except (protocol.UnfitError, OSError) as reason:
                    self.report(protocol.COLD, request.key, str(reason))
                    continue
                if not pid:
                    self._become(request)
                    return request, program
                self._keys[pid] = request.key

    def _become(self, request: Request) -> None:
        """In the child: leave everything of the server behind and report the start, or why there is none."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for file in self._wakeup:
            os.close(file)
        os.setsid()
        try:
            take_over(request, self._mark)
        except OSError as error:
            self.report(protocol.COLD, request.key, str(error))
            os._exit(1)
        try:
            self.report(protocol.STARTED, request.key, os.getpid())
        except OSError:  # the supervisor is dead: nothing may be started any more
            os._exit(1)
        os.close(self._stream)

    def _reap(self) -> None:
        while self._keys:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                return
            key = self._keys.pop(pid, None)
            if key is not None:
                self.report(protocol.ENDED, key, status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)

    def report(self, *message: Any) -> None:
        """Send the message to the supervisor. Raises OSError if that is dead."""
        os.write(self._stream, protocol.encode(message))
