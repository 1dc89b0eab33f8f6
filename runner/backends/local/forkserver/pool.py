"""The fork servers, the sessions that wait for one, and what becomes of these until they have started.

A session waits for a server that is still importing its modules. If none can serve it, it starts cold, and the reason is
reported.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from time import monotonic, time

from runner.backends.local.cgroups import UnusableError
from runner.backends.local.forkserver.eligibility import ShadowedModules, UnfitError, program_folder
from runner.backends.local.forkserver.pending import PendingFork
from runner.backends.local.forkserver.server.protocol import ENDED, FAULT, READY, STARTED, UNFIT
from runner.backends.local.forkserver.server_process import ForkServer
from runner.backends.local.procfs import LINUX
from runner.backends.local.supervisor.launch import LaunchError, ShortageError, StreamError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runner.backends.local.forkserver.owner import Owner
    from runner.backends.local.protocol import Spawn


MAX_SERVERS = 8
"""Each holds all of its modules in memory."""

IMPORT_TIMEOUT = 600.0
"""Seconds that a server may take to import its modules."""

_MAX_DEATHS = 2
"""Servers that may die from the same import, or before the same session has started; then sessions start cold."""

_FLUSH_INTERVAL = 0.005
"""Seconds between two tries to write what a server's pipe did not take."""


class ForkServerPool:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._waiting: list[PendingFork] = []
        self._servers: dict[int, ForkServer] = {}  # by the descriptor of their reports
        self._unfit: dict[tuple[Any, ...], str] = {}  # kinds that cannot be forked, and why
        self._deaths: Counter[tuple[Any, ...]] = Counter()  # of servers while they imported, by kind
        self._shadowed = ShadowedModules()

    def __bool__(self) -> bool:
        """True if there are servers."""
        return bool(self._servers)

    @property
    def busy(self) -> bool:
        """True if a server was asked for a session that has not started yet."""
        return any(server.pending.keys() - server.pids.keys() for server in self._servers.values())

    def due(self) -> float | None:
        """Return when to call `tick`, on the monotonic clock."""
        if any(server.backlog for server in self._servers.values()):
            return monotonic() + _FLUSH_INTERVAL
        deadlines = [server.launched + IMPORT_TIMEOUT for server in self._servers.values() if not server.ready]
        return min(deadlines, default=None)

    def take(self, spawn: Spawn) -> None:
        """Fork an attempt from a server that has its modules, or have it started cold."""
        if not LINUX:
            self._owner.cold(spawn, "sessions are forked on Linux only")
            return
        try:
            self._waiting.append(PendingFork(spawn, self._owner.environ, monotonic()))
        except UnfitError as reason:
            self._owner.cold(spawn, str(reason))

    def cancel(self, key: int, grace: float) -> None:
        """Forget a session that waits here; end one that a server was asked for as soon as it has started."""
        for fork in self._waiting:
            if fork.key == key:
                self._waiting.remove(fork)
                self._owner.never_began(key)
                return
        for server in self._servers.values():
            if key in server.pending and key not in server.pids:
                server.pending[key].grace = grace

    def cancel_all(self) -> None:
        """Forget the sessions that wait here; end those that servers were asked for as soon as they have started."""
        self._waiting.clear()
        for server in self._servers.values():
            for fork in server.pending.values():
                fork.grace = fork.job.grace

    def advance(self) -> None:
        """Send each waiting session to its server if that is ready; start servers for the others."""
        if not self._waiting or not self._owner.up_to_date():
            return
        waiting, self._waiting = self._waiting, []
        for fork in waiting:
            try:
                if not self._send(fork):
                    self._waiting.append(fork)
            except UnfitError as reason:
                self._owner.cold(fork.spawn, str(reason))
            except UnusableError as fault:
                self._owner.refused(fork.key, None, str(fault))

    def _send(self, fork: PendingFork) -> bool:
        """Return whether it was sent to a server. Raises UnfitError if it has to start cold."""
        if fork.kind in self._unfit:
            raise UnfitError(self._unfit[fork.kind])
        if fork.deaths >= _MAX_DEATHS:
            raise UnfitError(f"{_MAX_DEATHS} preloaded interpreters died before it had started")
        server = next((server for server in self._servers.values() if server.serves(fork)), None)
        if server is None:
            self._launch(fork)
            return False
        if server.modules is None:
            return False
        folder = program_folder(fork.program, fork.command, fork.workdir)
        if server.modules and (shadowed := self._shadowed.first(folder, server.modules)):
            name = os.fsdecode(shadowed)
            raise UnfitError(
                f"`{os.fsdecode(folder)}` has a module `{name}`, which would be shadowed by the preloaded one"
            )
        fork.started_at, fork.job.started = time(), monotonic()
        server.send(fork, self._owner.limits.prepare(fork.job))
        return True

    def _launch(self, fork: PendingFork) -> None:
        if len(self._servers) >= MAX_SERVERS:
            raise UnfitError(f"the limit of {MAX_SERVERS} preloaded interpreters is reached")
        try:
            server = ForkServer(fork, monotonic())
        except (LaunchError, StreamError, ShortageError) as fault:
            raise UnfitError(f"its interpreter cannot be started: {fault}") from None
        self._servers[server.reports] = server
        self._owner.watch(server)

    def hear(self, file: int) -> None:
        """Handle the reports that can be read from this descriptor, unless its server was just found dead."""
        server = self._servers.get(file)
        if server is None:
            return
        server.flush()
        reports, ended = server.receive()
        for report in reports:
            self._handle(server, *report)
        if ended:
            self._dead(server)

    def hear_all(self) -> None:
        """Handle the reports of all servers."""
        for file in list(self._servers):
            self.hear(file)

    def exited(self, pid: int, status: int) -> bool:
        """Return whether the process that was reaped, with this wait status, was a server."""
        for server in self._servers.values():
            if server.pid == pid:
                server.status = status
                return True
        return False

    def tick(self) -> None:
        """Write what pipes did not take before; kill servers whose imports take too long."""
        for server in self._servers.values():
            server.flush()
            if not server.ready and monotonic() >= server.launched + IMPORT_TIMEOUT:
                server.unfit = f"its modules were not imported within {IMPORT_TIMEOUT:.0f} seconds"
                os.kill(server.pid, signal.SIGKILL)

    def _handle(self, server: ForkServer, kind: int, *report: Any) -> None:
        if kind == READY:
            server.modules, server.variables = report
        elif kind == UNFIT:
            [server.unfit] = report
        elif kind == STARTED:
            self._started(server, *report)
        elif kind == FAULT:
            key, code, reason = report
            self._owner.limits.abandon(server.pending.pop(key).job)
            self._owner.refused(key, code, reason)
        elif kind == ENDED:
            key, _, status, cpu_time, max_rss = report
            if key in server.pids:
                del server.pids[key], server.pending[key]
                self._owner.ended(key, status, cpu_time, max_rss)
            elif key in server.pending:  # killed before it could report its start: it has done nothing
                self._retry(server.pending.pop(key))

    def _started(self, server: ForkServer, key: int, pid: int) -> None:
        fork = server.pending[key]
        server.pids[key] = fork.job.pid = pid
        self._owner.begun(fork.job, fork.started_at)
        if fork.grace is not None:
            fork.job.cancelled = True
            self._owner.end(fork.job, fork.grace)

    def _retry(self, fork: PendingFork) -> None:
        self._owner.limits.abandon(fork.job)
        fork.deaths += 1
        if fork.grace is None:
            self._waiting.append(fork)
        else:
            self._owner.never_began(fork.key)

    def _dead(self, server: ForkServer) -> None:
        """The supervisor inherits the sessions of a dead server; those that have not started get another one."""
        del self._servers[server.reports]
        self._owner.forget(server)
        how = _how(server.reap())
        if not server.ready:
            self._deaths[server.kind] += 1
            modules = ", ".join(f"`{os.fsdecode(module)}`" for module in server.kind[3])
            if server.unfit or self._deaths[server.kind] == _MAX_DEATHS:
                self._unfit[server.kind] = server.unfit or f"the interpreter that imports {modules} died ({how})"
        for key, fork in server.pending.items():
            if key not in server.pids:
                self._retry(fork)
            elif not _is_child(server.pids[key]):
                reason = f"its exit status is unknown: the interpreter that it was forked from died ({how})"
                self._owner.lost(key, reason)


def _is_child(pid: int) -> bool:
    """Return whether it is a child of this process, alive or not."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
