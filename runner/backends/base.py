"""The interface between the executor and the backends.

A backend has no policy: it never retries an attempt and never counts capacity. It enforces a timeout only if its jobs
outlive their client. Every backend passes the tests of `tests/contract.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from runner.model import Attempt, AttemptEnd

LEASED = "RUNNER_DEVICES"
"""The variable by which a runner inside a session knows the GPUs of that session, which it may use."""

FOR_MAX_PARALLEL = "for `max_parallel`"
"""The reason given to `on_waiting` for a job that waits for a `max_parallel` that the backend enforces itself."""


class Rejected(Exception):
    """The backend will never run this attempt. `reason` is a message without a full stop."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Started:
    """The job's command has begun.

    at: Unix time.
    cold: why it was started in a slower way than the attempt allows, such as without a preloaded interpreter; None if it
        was not.
    """

    at: float
    host: str | None
    cold: str | None = None


class Finding(NamedTuple):
    """One line of `runner doctor`.

    hint: how to improve it; None if there is nothing to improve.
    failed: whether no job can run at the backend because of it.
    """

    fact: str
    value: str
    hint: str | None
    failed: bool = False


class Backend(Protocol):
    """Runs jobs. Used with `async with`; leaving it ends the jobs, unless they outlive the client."""

    name: str
    outlives_client: bool
    """Whether jobs continue when runner ends. A later runner adopts them by their names."""
    max_jobs: int | None
    """How many jobs may be submitted and not ended at once, queued ones included; None: no limit."""
    prefetch_limit: int
    """How many attempts it accepts before capacity for them is free (`Attempt.start_when_below`). 0: none."""

    async def submit(self, attempt: Attempt, on_waiting: Callable[[str], None] | None = None) -> str:
        """Submit an attempt and return the id of its job once it is accepted.

        on_waiting: called with the reason while the submission itself has to wait.

        A name that the backend already has, even from a dead runner, gives the id of the existing job: so a job is adopted,
        and the backend learns where its logs and outputs belong. A program that cannot be executed is accepted, and ends
        as failed with 127 or 126. Raises `Rejected` if the backend will never run the attempt.
        """
        ...

    async def find(self, name: str, job: str | None = None, started: float | None = None) -> str | None:
        """The id of the job that was submitted under this name, by this process or a dead one; None if there is none.

        job, started: the id that it had and when its command began (Unix time), if known. A job whose name cannot be read
            is found by them.
        """
        ...

    async def live_jobs(self, prefix: str) -> Mapping[str, str]:
        """The ids of jobs that have not ended and whose names begin with `prefix`, by name. Empty if jobs end with their client.

        The caller holds the state to which the prefix belongs, so no other living runner owns these jobs.
        """
        ...

    async def started(self, job: str, on_waiting: Callable[[str], None]) -> Started:
        """Return when the command has begun, or has ended. Call `on_waiting` with the reason for the wait when it changes."""
        ...

    async def wait(self, job: str) -> AttemptEnd:
        """Return how the job ended, once its logs and outputs are in their files. Can be called again.

        The logs of a job that this process has found but not submitted are not fetched.
        """
        ...

    async def refresh(self, job: str) -> bool:
        """Fetch what a remote job has written so far into its files. False if no more can come."""
        ...

    async def cancel(self, job: str, grace: float) -> None:
        """Send SIGTERM to the process tree of the job, and SIGKILL after `grace` seconds. Returns when it has ended.

        `wait` returns `cancelled` then, with the exit code, unless the job had ended by itself before. A second call with a
        shorter grace overrides the first. Nothing happens if the job has ended or is unknown.
        """
        ...
