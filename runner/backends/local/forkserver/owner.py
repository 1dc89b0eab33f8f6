"""What the pool of fork servers needs of its owner, the supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from runner.backends.local.forkserver.server_process import ForkServer
    from runner.backends.local.protocol import Spawn
    from runner.backends.local.supervisor.job import LocalJob
    from runner.backends.local.supervisor.memory_limits import MemoryLimits


class Owner(Protocol):
    """The owner starts jobs that cannot be forked, and watches and ends those that were.

    Import this module for type checking only: the supervisor does not load `typing`.
    """

    @property
    def environ(self) -> dict[bytes, bytes]:
        """The variables that every job gets, before its own."""
        ...

    @property
    def limits(self) -> MemoryLimits:
        """The memory limits of jobs."""
        ...

    def up_to_date(self) -> bool:
        """True if runner is alive and every message that it has sent so far was read."""
        ...

    def watch(self, server: ForkServer) -> None:
        """Read the reports of a server that was started, and do not treat its process as an orphan."""
        ...

    def forget(self, server: ForkServer) -> None:
        """Undo `watch`: the server is dead."""
        ...

    def cold(self, spawn: Spawn, reason: str) -> None:
        """Start this attempt without a fork server, for `reason`."""
        ...

    def begun(self, job: LocalJob, at: float) -> None:
        """The leader of `job` runs since `at` (Unix time)."""
        ...

    def end(self, job: LocalJob, grace: float) -> None:
        """End the process tree of `job`: SIGTERM now, SIGKILL after `grace` seconds."""
        ...

    def ended(self, key: int, status: int, cpu_time: float, max_rss: int) -> None:
        """The server has reaped the leader of job `key`: wait status, seconds, bytes."""
        ...

    def lost(self, key: int, reason: str) -> None:
        """The leader of job `key` has ended with an unknown status, unless the supervisor has reaped it."""
        ...

    def refused(self, key: int, code: int | None, reason: str) -> None:
        """Job `key` cannot be started: `code` is its exit code, None if the environment is at fault."""
        ...

    def never_began(self, key: int) -> None:
        """Job `key` was cancelled before it was started."""
        ...
