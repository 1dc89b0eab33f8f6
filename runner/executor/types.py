"""What the executor takes, and what it shows of itself."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from runner.backends.base import Started
from runner.executor.capacity import Lease
from runner.model import Attempt, AttemptEnd, Resources, Session


class PlannedAttempt(NamedTuple):
    """A session to run: the number of the attempt to make, or of the one whose live job is to be adopted."""

    session: Session
    attempt: int
    adopt: str | None = None


class Builds(Protocol):
    """What sessions need built before they run."""

    def key(self, session: Session) -> str | None:
        """The build this session needs; None if it needs none, or it is there."""
        ...

    def attempt(self, session: Session) -> Attempt: ...

    def finished(self, key: str, ended: AttemptEnd) -> None: ...


class Running(NamedTuple):
    """A session that has a job, or is about to. Until it has started, `waiting` may say why not."""

    session: Session
    attempt: int
    job: str | None
    started: Started | None
    waiting: str | None
    lease: Lease


class Snapshot(NamedTuple):
    """The state of an apply, for whoever draws it. `queued` counts what was looked at and found no room."""

    running: tuple[Running, ...]
    building: int
    queued: int
    backing_off: int
    in_use: Resources
