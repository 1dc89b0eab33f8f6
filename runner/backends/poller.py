"""The poll loop of a remote backend: one question to the cluster about all jobs that are waited for."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import trio


class PolledJob:
    """A job whose state tasks of this process wait for."""

    def __init__(self) -> None:
        self._changed = trio.Event()

    def notify(self) -> None:
        """Wake the tasks in `Poller.until`: each checks its condition again."""
        self._changed.set()
        self._changed = trio.Event()

    async def changed(self) -> None:
        """Return at the next `notify`."""
        await self._changed.wait()


JobT = TypeVar("JobT", bound=PolledJob)


class Poller(Generic[JobT]):
    """Calls `ask` with the jobs that tasks wait for: soon after a change, then at growing intervals.

    `ask` updates these jobs, notifies those that have changed, and returns the longest interval in seconds until it wants to be
    called again. Intervals start at `shortest` and are multiplied by `growth`. An exception from `ask` ends the loop; `until`
    raises it from then on.
    """

    def __init__(self, ask: Callable[[list[JobT]], Awaitable[float]], *, shortest: float, growth: float) -> None:
        self._ask = ask
        self._shortest = shortest
        self._growth = growth
        self._interval = shortest
        self._waiters: dict[JobT, int] = {}
        self._next_at = math.inf  # trio's time
        self._moved = trio.Event()
        self._error: Exception | None = None

    @property
    def waited_for(self) -> list[JobT]:
        """The jobs that at least one task waits for."""
        return list(self._waiters)

    def waits_for(self, job: JobT) -> bool:
        """Whether at least one task waits for this job."""
        return job in self._waiters

    async def until(self, job: JobT, condition: Callable[[], bool]) -> None:
        """Return once `condition` holds; it is checked now and at each `job.notify()`. Raises the error that ended the loop."""
        self._waiters[job] = self._waiters.get(job, 0) + 1
        try:
            while not condition():
                if self._error is not None:
                    raise self._error
                self.ask_within(self._interval)
                await job.changed()
        finally:
            self._waiters[job] -= 1
            if not self._waiters[job]:
                del self._waiters[job]

    def ask_soon(self, seconds: float) -> None:
        """Ask within so many seconds, and then at short intervals again: something is about to change."""
        self._interval = self._shortest
        self.ask_within(seconds)

    def ask_within(self, seconds: float) -> None:
        """Ask after so many seconds, unless that is due sooner anyway."""
        at = trio.current_time() + seconds
        if at < self._next_at:
            self._next_at = at
            self._moved.set()

    async def run(self) -> None:
        """Ask until an error ends it."""
        while True:
            await self._due()
            if not self._waiters:
                continue  # the next `until` sets the time again
            try:
                longest = await self._ask(self.waited_for)
            except Exception as error:
                self.fail(error)
                return
            self._interval = min(longest, self._interval * self._growth)
            self.ask_within(self._interval)

    def fail(self, error: Exception) -> None:
        """Have `until` raise this in all tasks that wait."""
        self._error = error
        for job in self.waited_for:
            job.notify()

    async def _due(self) -> None:
        while trio.current_time() < self._next_at:
            self._moved = trio.Event()
            with trio.move_on_at(self._next_at):
                await self._moved.wait()
        self._next_at = math.inf
