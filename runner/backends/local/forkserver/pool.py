"""The fork servers, the sessions that wait for one, and what becomes of these until they have started.

A session waits for a server that is still importing its modules. If none can serve it, it starts cold, and the reason is
reported.
"""

from __future__ import annotations

import os
import select
import signal
from time import monotonic

from runner import clock
from runner.backends.local import procfs
from runner.backends.local.cgroups import UnusableError
from runner.backends.local.forkserver.server import protocol
from runner.backends.local.forkserver.server_process import ForkServer, PendingFork
from runner.backends.local.protocol import Ended, NotForked, never_started
from runner.backends.local.supervisor.launch import LaunchError, ShortageError, StreamError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runner.backends.local.protocol import Spawn
    from runner.backends.local.supervisor.channel import Channel
    from runner.backends.local.supervisor.job import LocalJob
    from runner.backends.local.supervisor.memory_limits import MemoryLimits
    from runner.backends.local.supervisor.running_jobs import RunningJobs
    from runner.backends.local.supervisor.start_queue import StartQueue

MAX_SERVERS = 8
"""Each holds all of its modules in memory."""


class ForkServerPool:
    """Registers the reports of its servers with `poll`; the supervisor then calls `hear`.

    It calls `started` with a job and the Unix time of its start, or `conclude` for one that does not start, or gives it to
    `queue`.
    """

    def __init__(
        self,
        *,
        channel: Channel,
        limits: MemoryLimits,
        jobs: RunningJobs,
        queue: StartQueue,
        poll: select.poll,
        started: Callable[[LocalJob, float], None],
        conclude: Callable[[Ended], None],
    ) -> None:
        self._channel = channel
        self._limits = limits
        self._jobs = jobs
        self._queue = queue
        self._poll = poll
        self._started = started
        self._conclude = conclude
        self._waiting: list[PendingFork] = []
        self._servers: dict[int, ForkServer] = {}  # by the descriptor of their reports
        self._unfit: dict[tuple[Any, ...], str] = {}  # kinds that cannot be forked, and why

    def __bool__(self) -> bool:
        """True if there are servers."""
        return bool(self._servers)

    @property
    def busy(self) -> bool:
        """True if a server was asked for a session that has not started yet."""
        return any(not fork.job.pid for server in self._servers.values() for fork in server.pending.values())

    def take(self, spawn: Spawn) -> None:
        """Fork an attempt from a server that has its modules, or have it started cold."""
        try:
            self._waiting.append(PendingFork(spawn, self._queue.environ, monotonic()))
        except protocol.UnfitError as reason:
            self._cold(spawn, str(reason))

    def cancel(self, key: int, grace: float) -> None:
        """Forget a session that waits here; end one that a server was asked for as soon as it has started."""
        for fork in self._waiting:
            if fork.key == key:
                self._waiting.remove(fork)
                self._conclude(never_started(key))
                return
        for server in self._servers.values():
            if key in server.pending:
                _cancel(server.pending[key].job, grace)

    def cancel_all(self) -> None:
        """Forget the sessions that wait here; end those that servers were asked for as soon as they have started."""
        self._waiting.clear()
        for server in self._servers.values():
            for fork in server.pending.values():
                _cancel(fork.job, fork.job.grace)

    def advance(self) -> None:
        """Send each waiting session to its server if that is ready; start servers for the others."""
        if not self._waiting or not self._channel.up_to_date():
            return
        waiting, self._waiting = self._waiting, []
        for number, fork in enumerate(waiting):
            try:
                if not self._send(fork):
                    self._waiting.append(fork)
            except BlockingIOError:  # the reports of what this server was asked for are a reason to try again
                self._waiting += waiting[number:]
                return
            except (protocol.UnfitError, UnusableError) as reason:
                self._cold(fork.spawn, str(reason))

    def _send(self, fork: PendingFork) -> bool:
        """Return whether it was sent to a server; False if none is ready.

        Raises UnfitError if it has to start cold, and BlockingIOError if its server takes no more at present.
        """
        if fork.kind in self._unfit:
            raise protocol.UnfitError(self._unfit[fork.kind])
        server = next((server for server in self._servers.values() if server.serves(fork)), None)
        if server is None:
            self._launch(fork)
            return False
        if server.variables is None:
            return False
        fork.job.started = monotonic()
        cgroup = self._limits.prepare(fork.job)
        try:
            server.send(fork, cgroup)
        except (BlockingIOError, protocol.UnfitError):
            self._limits.abandon(fork.job)
            raise
        return True

    def _launch(self, fork: PendingFork) -> None:
        if len(self._servers) >= MAX_SERVERS:
            raise protocol.UnfitError(f"the limit of {MAX_SERVERS} preloaded interpreters is reached")
        try:
            server = ForkServer(fork)
        except (LaunchError, StreamError, ShortageError) as fault:
            raise protocol.UnfitError(f"its interpreter cannot be started: {fault}") from None
        self._servers[server.fileno()] = server
        self._poll.register(server.fileno(), select.POLLIN)
        self._jobs.trees.fork_servers.add(server.pid)

    def hear(self, file: int) -> None:
        """Handle the reports that can be read from this descriptor, unless its server was just found dead."""
        server = self._servers.get(file)
        if server is None:
            return
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

    def _handle(self, server: ForkServer, kind: int, *report: Any) -> None:
        if kind == protocol.READY:
            [server.variables] = report
        elif kind == protocol.UNFIT:
            [self._unfit[server.kind]] = report
        elif kind == protocol.STARTED:
            key, pid = report
            self._begun(server.pending[key], pid)
        elif kind == protocol.COLD:
            key, reason = report
            self._not_begun(server.pending.pop(key), reason)
        elif kind == protocol.ENDED:
            key, *end = report
            if fork := server.pending.pop(key, None):
                if fork.job.pid:
                    self._leader_ended(fork.job, *end)
                else:
                    self._not_begun(fork, f"its process ended before its program began ({_how(end[0])})")

    def _begun(self, fork: PendingFork, pid: int) -> None:
        fork.job.pid = pid
        self._started(fork.job, clock.now() - (monotonic() - fork.job.started))
        if fork.job.cancelled:
            self._jobs.terminate(fork.job, fork.job.grace)

    def _not_begun(self, fork: PendingFork, reason: str) -> None:
        self._limits.abandon(fork.job)
        if fork.job.cancelled:
            self._conclude(never_started(fork.key))
        else:
            self._cold(fork.spawn, reason)

    def _leader_ended(self, job: LocalJob, status: int, cpu_time: float, max_rss: int) -> None:
        self._jobs.leader_reaped(job, status, cpu_time, max_rss)
        self._jobs.trees.attribute_orphans()
        self._jobs.leader_ended(job)

    def _cold(self, spawn: Spawn, reason: str) -> None:
        self._channel.send(NotForked(key=spawn.key, reason=reason))
        self._queue.append(spawn)

    def _dead(self, server: ForkServer) -> None:
        """The supervisor inherits the sessions of a dead server; those that have not started start cold."""
        self._poll.unregister(server.fileno())
        del self._servers[server.fileno()]
        self._jobs.trees.fork_servers.discard(server.pid)
        status = server.reap()
        how = _how(status)
        if server.variables is None:
            modules = ", ".join(f"`{os.fsdecode(module)}`" for module in server.modules)
            late = f"to import {modules} takes more than {protocol.IMPORT_TIMEOUT} seconds"
            died = f"the interpreter that imports {modules} died ({how})"
            self._unfit.setdefault(server.kind, late if status == signal.SIGALRM else died)
        for fork in server.pending.values():
            job = fork.job
            if not job.pid:
                self._not_begun(fork, f"the interpreter that it was to be forked from died ({how})")
            elif job.code is None and procfs.process(job.pid) is None:  # it has reaped it, and not reported that
                job.lost = f"its exit status is unknown: the interpreter that it was forked from died ({how})"
                self._jobs.leader_reaped(job, 0, 0.0, 0)
                self._jobs.terminate(job, 0)


def _cancel(job: LocalJob, grace: float) -> None:
    """Have a job that has not started end with this grace once it has."""
    job.cancelled = True
    job.grace = grace


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
