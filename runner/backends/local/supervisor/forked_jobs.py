"""What the supervisor does for jobs that a fork server starts (see `forkserver.owner`)."""

from __future__ import annotations

import select

from runner.backends.local.protocol import COLD, ENDED, LOST, REFUSED
from runner.backends.local.supervisor.job import Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runner.backends.local.forkserver.server_process import Parent
    from runner.backends.local.supervisor.memory_limits import Limits
    from runner.backends.local.supervisor.supervisor import Spawner


class ForkedJobs:
    """The owner of the pool of fork servers."""

    def __init__(self, spawner: Spawner) -> None:
        self._spawner = spawner

    @property
    def environ(self) -> dict[bytes, bytes]:
        return self._spawner.environ

    @property
    def limits(self) -> Limits:
        return self._spawner.limits

    def up_to_date(self) -> bool:
        """Whether nothing can be started any more that nobody wants."""
        return self._spawner.line.up_to_date()

    def watch(self, parent: Parent) -> None:
        """It has been started: hear its reports, and take it for no orphan."""
        self._spawner.poll.register(parent.reports, select.POLLIN)
        self._spawner.trees.parents.add(parent.pid)

    def forget(self, parent: Parent) -> None:
        self._spawner.poll.unregister(parent.reports)
        self._spawner.trees.parents.discard(parent.pid)

    def cold(self, message: tuple[Any, ...], reason: str) -> None:
        """Start it by itself: the rest of its SPAWN, and why."""
        self._spawner.line.say(COLD, message[0], reason)
        self._spawner.waiting.append(message)

    def begun(self, job: Job, at: float) -> None:
        self._spawner.begun(job, at)

    def end(self, job: Job, grace: float) -> None:
        self._spawner.end(job, grace)

    def ended(self, key: int, status: int, cpu_time: float, max_rss: int) -> None:
        """Its parent has waited for it: the status as wait4 gives it, seconds and bytes."""
        job = self._spawner.jobs[key]
        self._spawner.exited(job, status, cpu_time, max_rss)
        self._spawner.trees.adopt()
        self._spawner.settle(job)

    def lost(self, key: int, reason: str) -> None:
        """It has ended, and nobody knows how, unless the spawner has waited for it meanwhile."""
        job = self._spawner.jobs.get(key)
        if job is None or job.code is not None:
            return
        self._spawner.line.say(LOST, key, reason)
        self._spawner.exited(job, 0, 0.0, 0)
        self._spawner.end(job, 0)

    def refused(self, key: int, code: int | None, reason: str) -> None:
        """It cannot begin: an exit code, None where the place is at fault and not the session."""
        if code is None:
            self._spawner.conclude(REFUSED, key, reason)
        else:
            self._spawner.conclude(ENDED, key, code, reason, False, False, None, None, None, True)

    def never_began(self, key: int) -> None:
        self._spawner.never_began(key)
