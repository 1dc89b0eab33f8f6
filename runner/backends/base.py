"""The seam between policy and the places where jobs run.

A backend is a handful of async methods and no policy: it never retries, never times out, never counts capacity.
`tests/contract.py` is the suite that every backend passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from runner.model import Attempt, AttemptEnd

FOR_MAX_PARALLEL = "for `max_parallel`"
"""What a job waits for at a backend that keeps that limit itself, in the words that `on_waiting` is told."""


class Rejected(Exception):
    """The backend refuses an attempt for good. `reason` is for people, without a full stop."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Started:
    """The job's command has begun, `at` (Unix time), on `host`.

    `cold` is why it has an interpreter of its own, where it was to be forked from one that has imported its `preload`; or why it
    was started in some other way that is slower than what there could be.
    """

    at: float
    host: str | None
    cold: str | None = None


class Finding(NamedTuple):
    """One line of `runner doctor`; `hint` says how it could be better, None where it could not.

    With one that has `failed`, nothing can run there.
    """

    fact: str
    value: str
    hint: str | None
    failed: bool = False


class Backend(Protocol):
    """Where jobs run. Opened with `async with`; what it started ends with it unless `outlives_client`."""

    name: str
    outlives_client: bool
    """Whether jobs run on when runner dies, so that a later runner adopts them by their id."""
    max_jobs: int | None
    """How many jobs may be submitted and not ended at once, queued ones included; None: no limit."""
    prefetch_limit: int
    """How many attempts it accepts before capacity for them is free (`Attempt.start_when_below`). 0: none."""

    async def submit(self, attempt: Attempt, on_waiting: Callable[[str], None] | None = None) -> str:
        """Hand an attempt over and return its job id once it is accepted; `on_waiting` is told of what that has to wait for.

        Submitting a name that the backend already has, even by a dead process, returns the existing job's id: that is how
        one is adopted, and how the backend learns where its logs and outputs belong. A program that cannot be started
        is accepted, and ends as failed with 127 or 126. Raises `Rejected` for what the backend refuses for good.
        """
        ...

    async def find(self, name: str, job: str | None = None, started: float | None = None) -> str | None:
        """The id of the job that was submitted under this name, by this process or a dead one; None if there is none.

        `job` is the id it had and `started` when its command began (Unix time), where somebody knows: a job that hides its
        name is found by them.
        """
        ...

    async def live_jobs(self, prefix: str) -> Mapping[str, str]:
        """The jobs under names that begin so, by their names, that have not ended and that no living process may own.

        Nothing where jobs end with their client.
        """
        ...

    async def started(self, job: str, on_waiting: Callable[[str], None]) -> Started:
        """Return when the job's command has begun (or has already ended); tell `on_waiting` why it has not, when that changes."""
        ...

    async def wait(self, job: str) -> AttemptEnd:
        """Return how the job ended, its logs and outputs in place. May be called again.

        A job that was found, but never submitted by this process, may be waited for; its logs then have no place.
        """
        ...

    async def refresh(self, job: str) -> bool:
        """Bring what a job has written so far into its files, where it does not write them itself. Whether more may come."""
        ...

    async def cancel(self, job: str, grace: float) -> None:
        """Ask the job's whole process tree to end, and after `grace` seconds end it. Returns when it is gone.

        `wait` then says `cancelled`, with the exit code, unless the job had ended by itself before: then its own end stands.
        Calling it again with a shorter grace hurries it up. A job that has ended, or that nobody knows, is no error.
        """
        ...
