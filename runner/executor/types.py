"""What the executor takes from its caller, and what it shows of its state."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from runner.backends.base import Started
from runner.events import Event
from runner.executor.capacity import Lease
from runner.model import Attempt, AttemptEnd, Metrics, Resources, Session


class Host(Protocol):
    """What the executor needs from the apply around it. An exception from any method ends the apply."""

    def emit(self, event: Event) -> None:
        """Take an event. It is not durable, and is not displayed, before the next `commit`."""
        ...

    def commit(self) -> None:
        """Make all emitted events durable, then display them. The executor calls it before each submission."""
        ...

    def make_attempt(
        self, session: Session, number: int, devices: tuple[str, ...], start_when_below: int | None
    ) -> Attempt:
        """The attempt as a backend runs it. Also called for attempts that end before they are submitted."""
        ...

    def create_files(self, session: Session, number: int, retries: int) -> None:
        """Create what the attempt needs on the disk, right before it is submitted. `retries` counts within this apply."""
        ...

    def remove_files(self, session: str, number: int, end: AttemptEnd) -> None:
        """Remove what the attempt has left empty. Its end is recorded by then."""
        ...

    async def check_inputs(self) -> str | None:
        """Why no attempt may start under the ids of this plan: an input has changed. None if none has, as of just now."""
        ...

    async def verified(self, attempt: Attempt, end: AttemptEnd, began: float | None, *, adopted: bool) -> AttemptEnd:
        """The end as it counts: `stale` if the inputs may not have been those of its id while it ran.

        began: Unix time, as far as known. adopted: an earlier runner submitted the attempt.
        """
        ...

    async def collect(self, attempt: Attempt, end: AttemptEnd) -> Metrics:
        """The metrics of an attempt that succeeded or failed; empty if the sweep has none."""
        ...

    async def mask_logs(self, attempt: Attempt) -> None:
        """Mask the secrets of an ended attempt in its logs, if the sweep says so."""
        ...


class Builds(Protocol):
    """The builds that sessions need before they run."""

    def key(self, session: Session) -> str | None:
        """The build this session waits for; None if it needs none, or if that has succeeded."""
        ...

    def attempt(self, session: Session) -> Attempt:
        """The build of this session as a backend runs it."""
        ...

    def finished(self, key: str, end: AttemptEnd) -> None:
        """Take note of the end of a build."""
        ...


class Running(NamedTuple):
    """A session that has a job, or is being submitted.

    waiting: why the backend has not started it, if it says so; None once it has.
    """

    session: Session
    attempt: int
    job: str | None
    started: Started | None
    waiting: str | None
    lease: Lease


class Snapshot(NamedTuple):
    """The state of an apply at one moment, for displays.

    queued: sessions taken from the plan that wait for capacity or a build.
    """

    running: tuple[Running, ...]
    building: int
    queued: int
    backing_off: int
    in_use: Resources
