"""Starts admitted attempts in their order, and waits while the machine is short of processes or file descriptors."""

from __future__ import annotations

from collections import deque
from time import monotonic

from runner import clock
from runner.backends.local.cgroups import UnusableError
from runner.backends.local.protocol import Ended, Refused
from runner.backends.local.supervisor.job import LocalJob
from runner.backends.local.supervisor.launch import LaunchError, ShortageError, StreamError, launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.backends.local.protocol import Spawn
    from runner.backends.local.supervisor.channel import Channel
    from runner.backends.local.supervisor.memory_limits import MemoryLimits

RETRY_INTERVAL = 0.05
"""Seconds until an attempt that could not be started is tried again."""

SHORTAGE_TIMEOUT = 60.0
"""Seconds to wait out a shortage while no running job could end it."""


class StartQueue:
    """Attempts that wait for nothing but their start."""

    def __init__(
        self,
        *,
        channel: Channel,
        limits: MemoryLimits,
        started: Callable[[LocalJob, float], None],
        conclude: Callable[[Ended | Refused], None],
        any_running: Callable[[], bool],
    ) -> None:
        self.environ: dict[bytes, bytes] = {}
        """The variables that every job gets, before its own."""
        self._channel = channel
        self._limits = limits
        self._started = started
        self._conclude = conclude
        self._any_running = any_running
        self._queue: deque[Spawn] = deque()
        self._retry_at = 0.0
        self._short_since: float | None = None

    def append(self, spawn: Spawn) -> None:
        """Start this attempt after the others."""
        self._queue.append(spawn)

    def withdraw(self, key: int) -> bool:
        """Forget an attempt; False if it is not in the queue."""
        for spawn in self._queue:
            if spawn.key == key:
                self._queue.remove(spawn)
                return True
        return False

    def clear(self) -> None:
        """Forget every attempt."""
        self._queue.clear()

    def due(self) -> float | None:
        """When `start` is to be called again, on the monotonic clock; None if the queue is empty."""
        return self._retry_at if self._queue else None

    def start(self) -> None:
        """Start what can be started. Calls `started` with the job and the Unix time, or `conclude`, for each."""
        while self._queue:
            # A supervisor that lags behind must not start what runner has cancelled, or what a later runner has taken over.
            if not self._channel.up_to_date():
                self._retry_at = monotonic() + RETRY_INTERVAL
                return
            spawn = self._queue[0]
            at = clock.now()  # read before the monotonic clock, so that at + duration is never after the job's end
            job = LocalJob(key=spawn.key, name=spawn.name, mem=spawn.mem, grace=spawn.grace, started=monotonic())
            try:
                self._launch(job, spawn)
            except ShortageError as shortage:
                if self._wait_out_shortage():
                    return
                reason = f"no process could be started for {SHORTAGE_TIMEOUT:.0f} seconds: {shortage}"
                self._conclude(Refused(key=spawn.key, reason=reason))
            except LaunchError as error:
                self._conclude(Ended(key=spawn.key, code=error.code, reason=error.reason))
            except (StreamError, UnusableError) as error:
                self._conclude(Refused(key=spawn.key, reason=str(error)))
            else:
                self._started(job, at)
            self._short_since = None
            self._queue.popleft()

    def _launch(self, job: LocalJob, spawn: Spawn) -> None:
        env = {**self.environ, **spawn.env}
        if spawn.mem is None:
            job.pid = launch(spawn.command, env, spawn.workdir, spawn.stdout, spawn.stderr)
        else:
            self._limits.launch(job, lambda: launch(spawn.command, env, spawn.workdir, spawn.stdout, spawn.stderr))

    def _wait_out_shortage(self) -> bool:
        """True if it is worth to try again: a job's end may end the shortage, or it is recent."""
        now = monotonic()
        if self._short_since is None:
            self._short_since = now
        self._retry_at = now + RETRY_INTERVAL
        return self._any_running() or now < self._short_since + SHORTAGE_TIMEOUT
