"""What the state says about the sessions of a plan: which are done, which are not, and why."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from runner.model import Recipe, Session, Status, Value
from runner.plan import ids
from runner.plan.sharding import Shard
from runner.state.journal import Journal
from runner.state.rows import StoredSession

Only = Literal["new", "failed"]


@dataclass(frozen=True)
class Choice:
    """Which sessions of the plan to run."""

    only: Only | None = None
    fresh: bool = False
    ignore_files: bool = False
    select: Mapping[str, Value] | None = None
    shard: Shard | None = None

    def wants(self, status: Status) -> bool:
        """By status alone. What was interrupted never came to an end, so `new` takes it too."""
        if self.fresh:
            return True
        if self.only == "new":
            return status in (Status.NEW, Status.INTERRUPTED)
        if self.only == "failed":
            return status is Status.FAILED
        return status is not Status.SUCCEEDED


class Planned(NamedTuple):
    """A session, where it stands, and why it stands there."""

    session: Session
    status: Status
    reason: str | None


class History:
    """The past of one sweep. Without a journal everything is new.

    `live` says whether another runner holds the state now; `ignore_files` counts a session as done when one that differs
    only in the content of `files` has succeeded.
    """

    def __init__(self, journal: Journal | None, recipe: Recipe, *, live: bool, ignore_files: bool = False) -> None:
        self._journal = journal
        self._recipe = recipe
        self._live = live
        self._statuses = journal.statuses(live) if journal else {}
        self._done_otherwise = journal.done_points(recipe.sans_files) if journal and ignore_files else frozenset()

    @property
    def empty(self) -> bool:
        """Whether no session was ever tried."""
        return not self._statuses

    def known_ids(self) -> set[int]:
        """The ids, as integers, of all sessions that were ever tried."""
        return set(self._statuses)

    def next_attempt(self, session: Session) -> int:
        if self._journal is None or int(session.id, 16) not in self._statuses:
            return 1
        return self._journal.next_attempt(session.id)

    def orphans(self, ids: Container[int]) -> Iterator[StoredSession]:
        """The stored sessions among these ids."""
        if self._journal is None or not ids:
            return iter(())
        return self._journal.orphans(lambda known: known not in ids, self._live)

    def status(self, session: Session) -> Status:
        status = self._statuses.get(int(session.id, 16), Status.NEW)
        if status is not Status.SUCCEEDED and int(session.point, 16) in self._done_otherwise:
            return Status.SUCCEEDED
        return status

    def compare(self, sessions: Iterable[Session]) -> Iterator[Planned]:
        """Each session with its status and the reason for it."""
        for session in sessions:
            status = self.status(session)
            yield Planned(session, status, self._reason(session, status))

    def _reason(self, session: Session, status: Status) -> str | None:
        if self._journal is None:
            return None
        if status is Status.NEW:
            earlier = self._journal.nearest(session.point)
            if earlier is None:
                return None
            changed = ids.difference(earlier.recipe, self._recipe)
            return f"{changed} changed since {earlier.id} ({earlier.outcome or 'never ended'})" if changed else None
        if status is Status.SUCCEEDED:
            known = self._statuses.get(int(session.id, 16)) is Status.SUCCEEDED
            return None if known else "succeeded with other content of `files`"
        row = self._journal.row(session.id)
        if row is None:
            return None
        if status is Status.RUNNING:
            return f"attempt {row.number} runs as {row.job}" if row.job else f"attempt {row.number} is being started"
        if row.outcome is None:
            return "begun, but runner died before it ended"
        return f"{row.outcome}: {row.reason}" if row.reason else str(row.outcome)
