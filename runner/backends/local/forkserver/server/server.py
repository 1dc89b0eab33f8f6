"""The server: imports the modules once, forks a process for each request, and reports how each has ended."""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import sys

from runner.backends.local.forkserver.server.child import Inherited
from runner.backends.local.forkserver.server.preload import UnfitError, folders, preload
from runner.backends.local.forkserver.server.protocol import (
    ENDED,
    FAULT,
    READY,
    STARTED,
    UNFIT,
    ForkRequest,
    pack,
    unpack,
)
from runner.backends.local.forkserver.server.run import Compiler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

_PR_SET_PDEATHSIG = 1


def serve(
    modules: list[str], builtin: frozenset[str], requests: int, reports: int, supervisor: int
) -> tuple[ForkRequest, CodeType | None, frozenset[str]]:
    """Serve until the supervisor closes the pipe of requests or dies; either ends this process.

    Returns only in a forked child: its request; its program, if it could be compiled in advance; and the names of the
    modules that are not its own. `builtin` are the names of the modules that an interpreter has imported without us.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # an import may never return
    if os.getppid() != supervisor:
        os._exit(0)
    for pipe in (requests, reports):
        os.set_inheritable(pipe, False)
    inherited = Inherited()
    try:
        variables, written = preload(modules)
    except UnfitError as reason:
        _report(reports, UNFIT, str(reason))
        os._exit(0)
    inherited.preloaded(written)
    for name in [name for name in sys.modules if name.partition(".")[0] == "runner"]:
        del sys.modules[name]  # a program may have its own module `runner`
    imported = frozenset(sys.modules)
    server = _Server(requests, reports, inherited)
    gc.collect()
    gc.freeze()  # a collection in a child does not write to the memory that it shares
    _report(reports, READY, folders(builtin), variables)
    return (*server.run(), imported)


class _Server:
    def __init__(self, requests: int, reports: int, inherited: Inherited) -> None:
        self._requests = requests
        self._reports = reports
        self._inherited = inherited
        self._compiler = Compiler()
        self._keys: dict[int, int] = {}  # of children, by pid
        self._wakeup, self._wakeup_write = os.pipe()

    def run(self) -> tuple[ForkRequest, CodeType | None]:
        """Fork a child for each request. Returns in the children only."""
        for file in (self._wakeup, self._wakeup_write):
            os.set_blocking(file, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakeup_write, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        poll.register(self._requests, select.POLLIN)
        data = bytearray()
        while True:
            for file, _ in poll.poll():
                if file == self._wakeup:
                    os.read(file, 4096)
                    self._reap()
                    continue
                part = os.read(file, 65536)
                if not part:
                    os._exit(0)
                data += part
                for fields in unpack(data):
                    request = ForkRequest(*fields)
                    code = self._compiler.compile(request)
                    if self._fork(request):
                        self._become(request)
                        return request, code

    def _fork(self, request: ForkRequest) -> bool:
        """Return True in the child."""
        try:
            pid = os.fork()
        except OSError:  # out of processes or memory: reported as a child that was killed before it started
            _report(self._reports, ENDED, request.key, 0, 0, 0.0, 0)
            return False
        if pid:
            self._keys[pid] = request.key
        return not pid

    def _become(self, request: ForkRequest) -> None:
        """In the child: leave everything of the server behind and report the start, or why there is none."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for file in (self._wakeup, self._wakeup_write, self._requests):
            os.close(file)
        os.setsid()
        fault = self._inherited.replace(request)
        try:
            if fault:
                _report(self._reports, FAULT, request.key, *fault)
                os._exit(1)
            _report(self._reports, STARTED, request.key, os.getpid())
        except OSError:  # the supervisor is dead: nothing may be started any more
            os._exit(1)
        os.close(self._reports)

    def _reap(self) -> None:
        while self._keys:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                return
            key = self._keys.pop(pid, None)
            if key is not None:
                cpu_time = usage.ru_utime + usage.ru_stime
                _report(self._reports, ENDED, key, pid, status, cpu_time, usage.ru_maxrss * 1024)


def _report(file: int, *message: Any) -> None:
    data = pack(message)
    while data:
        data = data[os.write(file, data) :]
