"""What the supervisor does for jobs that a fork server starts: the methods of `forkserver.owner.Owner`."""

from __future__ import annotations

import select

from runner.backends.local.protocol import Ended, NotForked, Refused, Spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.backends.local.forkserver.server_process import ForkServer
    from runner.backends.local.supervisor.channel import Channel
    from runner.backends.local.supervisor.job import LocalJob
    from runner.backends.local.supervisor.memory_limits import MemoryLimits
    from runner.backends.local.supervisor.running_jobs import RunningJobs
    from runner.backends.local.supervisor.start_queue import StartQueue


class ForkedJobs:
    """The owner of the pool of fork servers."""

    def __init__(
        self,
        *,
        channel: Channel,
        limits: MemoryLimits,
        jobs: RunningJobs,
        queue: StartQueue,
        started: Callable[[LocalJob, float], None],
        conclude: Callable[[Ended | Refused], None],
    ) -> None:
        self.limits = limits
        self.poll = select.poll()
        """The descriptors that the supervisor waits for."""
        self._channel = channel
        self._jobs = jobs
        self._queue = queue
        self._started = started
        self._conclude = conclude

    @property
    def environ(self) -> dict[bytes, bytes]:
        return self._queue.environ

    def up_to_date(self) -> bool:
        return self._channel.up_to_date()

    def watch(self, server: ForkServer) -> None:
        self.poll.register(server.reports, select.POLLIN)
        self._jobs.trees.fork_servers.add(server.pid)

    def forget(self, server: ForkServer) -> None:
        self.poll.unregister(server.reports)
        self._jobs.trees.fork_servers.discard(server.pid)

    def cold(self, spawn: Spawn, reason: str) -> None:
        self._channel.send(NotForked(key=spawn.key, reason=reason))
        self._queue.append(spawn)

    def begun(self, job: LocalJob, at: float) -> None:
        self._started(job, at)

    def end(self, job: LocalJob, grace: float) -> None:
        self._jobs.terminate(job, grace)

    def ended(self, key: int, status: int, cpu_time: float, max_rss: int) -> None:
        job = self._jobs.get(key)
        assert job
        self._jobs.leader_reaped(job, status, cpu_time, max_rss)
        self._jobs.trees.attribute_orphans()
        self._jobs.leader_ended(job)

    def lost(self, key: int, reason: str) -> None:
        job = self._jobs.get(key)
        if job is None or job.code is not None:
            return
        job.lost = reason
        self._jobs.leader_reaped(job, 0, 0.0, 0)
        self._jobs.terminate(job, 0)

    def refused(self, key: int, code: int | None, reason: str) -> None:
        if code is None:
            self._conclude(Refused(key=key, reason=reason))
        else:
            self._conclude(Ended(key=key, code=code, reason=reason))

    def never_began(self, key: int) -> None:
        self._conclude(never_started(key))


def never_started(key: int) -> Ended:
    """The end of an attempt that was cancelled before its start."""
    return Ended(key=key, reason="cancelled before it began", cancelled=True)
