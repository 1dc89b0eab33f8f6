"""The parent: imports the modules once, forks a process for each request, and reports how each has ended.

Requests come over one pipe, reports go out over another; both are frames of four bytes of length and a marshalled
tuple (version 2, which every Python 3 reads). A report is one write, so that the parent's and those of its children
arrive whole:

    requests: (key, mode, at, command, env, workdir, stdout, stderr, join)
    reports:  (READY, modules, reads)      modules: top-level name to folder; reads: environment variables that were looked at
              (UNFIT, reason)              nothing can be forked here
              (BEGUN, key, pid)            by the child, before its program's first line
              (FAULT, key, code, reason)   by the child; the program cannot begin; code None: the fault of the place
              (ENDED, key, pid, status, cpu_time, max_rss)    as wait4 gives them, in seconds and bytes

The end of the requests is the end of the parent.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` without its enums: a fork pays for each page of memory it touches
import fcntl
import gc
import marshal
import os
import resource  # noqa: F401 (wait4 would import it at its first call, after it has been noted what is loaded)
import select
import signal
import sys

from runner.backends.local.forkserver.server.child import Fresh
from runner.backends.local.forkserver.server.heap_filler import fill
from runner.backends.local.forkserver.server.huge_pages import collapse
from runner.backends.local.forkserver.server.library_exit import call_off
from runner.backends.local.forkserver.server.preload import UnfitError, preload
from runner.backends.local.forkserver.server.request import Request, looks_beside
from runner.backends.local.forkserver.server.shutdown import Before, before
from runner.backends.local.forkserver.server.warmup import rehearse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runner.backends.local.forkserver.server.child import Prepared

READY, UNFIT, BEGUN, FAULT, ENDED = 1, 2, 3, 4, 5

_kept: list[object] = []
"""What a fork has no use for, and would free object by object: each page that it writes to is copied."""


def serve(
    modules: list[str], requests: int, reports: int, bare: frozenset[str], main: dict[str, Any]
) -> tuple[Request, Before]:
    """Serve until the requests end, which ends this process. Returns in a fork, which is to run what is returned; with
    it what was there before.

    `bare` are the modules that an interpreter has without us, and `main` is what a `__main__` begins with.
    """
    _end_with(requests, True)
    try:
        fresh = Fresh()
        reads, written = preload(modules)
    except UnfitError as reason:
        _report(reports, UNFIT, str(reason))
        os._exit(0)
    _end_with(requests, False)
    fresh.settle(written)
    for name in [name for name in sys.modules if name.partition(".")[0] == "runner"]:
        del sys.modules[name]  # a program may have a `runner` of its own
    call_off()
    there = before()
    parent = _Parent(requests, reports, fresh)
    folders = _folders(bare) if looks_beside() else {}
    _kept.extend((parent, folders, reads, written, modules, bare, main))
    _kept.extend((sys.modules["__main__"], sys.argv, getattr(sys, "orig_argv", None)))
    collapse()
    gc.collect()
    gc.freeze()  # what no collection looks at stays shared
    _kept.append(fill())
    rehearse(fresh, there, main)
    gc.collect()
    gc.freeze()
    _report(reports, READY, folders, reads)
    return parent.run(), there


def _end_with(requests: int, on: bool) -> None:
    """Whether the end of the requests is deadly (by SIGIO), for as long as nobody reads: an import may never return."""
    fcntl.fcntl(requests, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(requests, fcntl.F_SETFL, os.O_ASYNC if on else 0)


class _Parent:
    def __init__(self, requests: int, reports: int, fresh: Fresh) -> None:
        self.requests = requests
        self.reports = reports
        self.fresh = fresh
        self.keys: dict[int, int] = {}
        self.rest = b""
        self.bell, self.clapper = os.pipe()
        self.poll = select.poll()

    def run(self) -> Request:
        os.set_blocking(self.bell, False)
        os.set_blocking(self.clapper, False)
        signal.signal(signal.SIGCHLD, _nothing)
        signal.set_wakeup_fd(self.clapper, warn_on_full_buffer=False)
        self.poll.register(self.bell, select.POLLIN)
        self.poll.register(self.requests, select.POLLIN)
        while True:
            self.next = self.take()
            if self.fork(self.next[0]):
                return self.become(*self.next)

    def take(self) -> tuple[Request, Prepared]:
        """The next request, once there is one; meanwhile, reap."""
        while True:
            if len(self.rest) >= 4:
                end = 4 + int.from_bytes(self.rest[:4], "little")
                if len(self.rest) >= end:
                    request = Request(*marshal.loads(self.rest[4:end]))
                    self.rest = self.rest[end:]
                    return request, self.fresh.prepare(request)
            for file, _ in self.poll.poll():
                if file == self.bell:
                    os.read(self.bell, 64)
                    self.reap()
                    continue
                data = os.read(self.requests, 16384)
                if not data:
                    os._exit(0)
                self.rest += data

    def fork(self, request: Request) -> bool:
        """Whether this is the child."""
        try:
            pid = os.fork()
        except OSError:  # out of processes or memory: as if it had been killed at once
            _report(self.reports, ENDED, request.key, 0, 0, 0.0, 0)
            return False
        if pid:
            self.keys[pid] = request.key
        return not pid

    def become(self, request: Request, prepared: Prepared) -> Request:
        """Leave everything of the parent behind; tells that the program begins, or why it cannot."""
        _signal.set_wakeup_fd(-1)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        for file in (self.bell, self.clapper, self.requests):
            os.close(file)
        os.setsid()
        fault = self.fresh.become(request, prepared)
        try:
            if fault:
                _report(self.reports, FAULT, request.key, *fault)
                os._exit(1)
            _report(self.reports, BEGUN, request.key, os.getpid())
        except OSError:  # nobody is left who would want to know: then nobody wants it to run
            os._exit(1)
        os.close(self.reports)
        return request

    def reap(self) -> None:
        while self.keys:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                return
            key = self.keys.pop(pid, None)
            if key is not None:
                cpu_time = usage.ru_utime + usage.ru_stime
                _report(self.reports, ENDED, key, pid, status, cpu_time, usage.ru_maxrss * 1024)


def _report(file: int, *message: Any) -> None:
    body = marshal.dumps(message, 2)
    data = len(body).to_bytes(4, "little") + body
    while data:
        data = data[os.write(file, data) :]


def _nothing(*_: object) -> None:
    """What a handler has to do for a system call to be interrupted."""


def _folders(bare: frozenset[str]) -> dict[bytes, bytes]:
    """The top-level modules that this process has beyond `bare`, and where they were found."""
    found = {}
    for name in {name.partition(".")[0] for name in sys.modules} - {name.partition(".")[0] for name in bare}:
        origin = getattr(sys.modules.get(name), "__file__", None) or ""
        folder = os.path.dirname(origin)
        if os.path.basename(origin).startswith("__init__."):
            folder = os.path.dirname(folder)
        found[os.fsencode(name)] = os.fsencode(folder)
    return found
