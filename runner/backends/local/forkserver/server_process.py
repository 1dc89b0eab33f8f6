"""A fork server as the supervisor sees it: a process, a pipe of requests to it, and a pipe of its reports."""

from __future__ import annotations

import os
import signal

from runner.backends.local.forkserver.server.protocol import MARK_SIZE, pack, unpack
from runner.backends.local.procfs import MARK
from runner.backends.local.supervisor.launch import launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runner.backends.local.forkserver.pending import PendingFork

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "server", "__main__.py").encode()


class ForkServer:
    """Started with the interpreter, options and environment of a first session. Raises what `launch` raises.

    kind: see PendingFork
    launched: when it was started, on the monotonic clock
    modules: top-level modules that it has imported, and the folder of each; None until it is ready
    variables: names that its modules have looked up in the environment
    pending: the forks that it was asked for, by key, until they end
    pids: the sessions that have started, by key
    status: its wait status, None until the supervisor has reaped it
    unfit: why nothing can be forked from it, or None
    backlog: requests that its pipe did not take yet
    """

    def __init__(self, first: PendingFork, now: float) -> None:
        self.kind = first.kind
        self.env = first.env
        self.launched = now
        self.modules: dict[bytes, bytes] | None = None
        self.variables: list[bytes] = []
        self.pending: dict[int, PendingFork] = {}
        self.pids: dict[int, int] = {}
        self.status: int | None = None
        self.unfit: str | None = None
        self.backlog = bytearray()
        self._received = bytearray()
        requests_read, self._requests = os.pipe()
        self.reports, reports_write = os.pipe()
        try:
            for ours, its in ((self._requests, requests_read), (self.reports, reports_write)):
                os.set_blocking(ours, False)
                os.set_inheritable(its, True)
            numbers = (requests_read, reports_write, os.getpid())
            command = [
                *(first.command[0], *first.program.options, _PROGRAM, b",".join(first.modules)),
                *(str(number).encode() for number in numbers),
            ]
            env = {**first.env, MARK.encode(): b"-" * MARK_SIZE}  # each session writes its own mark over this one
            self.pid = launch(command, env, first.workdir, b"/dev/null", b"/dev/null")
        except BaseException:
            self._close()
            raise
        finally:
            os.close(requests_read)
            os.close(reports_write)

    @property
    def ready(self) -> bool:
        """True once its modules are imported."""
        return self.modules is not None

    def serves(self, fork: PendingFork) -> bool:
        """Return whether its modules would be the same had this session imported them, as far as is known by now."""
        return self.kind == fork.kind and all(self.env.get(name) == fork.env.get(name) for name in self.variables)

    def send(self, fork: PendingFork, cgroup: str | None) -> None:
        """Ask it to fork a session that joins this memory group."""
        self.pending[fork.key] = fork
        self.backlog += pack(fork.request(cgroup).fields())
        self.flush()

    def flush(self) -> None:
        """Write as much of the backlog as its pipe takes now."""
        try:
            while self.backlog:
                del self.backlog[: os.write(self._requests, self.backlog)]
        except BlockingIOError:
            pass
        except OSError:  # it is dead; the end of its reports says so
            self.backlog.clear()

    def receive(self) -> tuple[list[tuple[Any, ...]], bool]:
        """Return the new reports of it and its children, and whether they were the last."""
        ended = False
        try:
            while part := os.read(self.reports, 65536):
                self._received += part
            ended = True
        except BlockingIOError:
            pass
        return unpack(self._received), ended

    def reap(self) -> int:
        """Kill it if it lives, and return its wait status; 0 if that is unknown."""
        if self.status is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
                _, self.status = os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                self.status = 0
        self._close()
        return self.status

    def _close(self) -> None:
        os.close(self._requests)
        os.close(self.reports)
