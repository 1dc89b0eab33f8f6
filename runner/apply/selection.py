"""Which sessions of a plan an apply runs, and in which order: by their past, the options, and what runs elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from runner.model import PlannedAttempt, Recipe, Session, Status, Value
from runner.plan import ids
from runner.plan.plan import Plan, PlannedPoint
from runner.plan.sharding import Shard
from runner.state.journal import Journal
from runner.state.rows import StoredSession

Only = Literal["new", "failed"]


@dataclass(frozen=True)
class Choice:
    """The options that select sessions."""

    only: Only | None = None
    fresh: bool = False
    ignore_files: bool = False
    select: Mapping[str, Value] | None = None
    shard: Shard | None = None

    def wants(self, status: Status) -> bool:
        """Whether a session with this status is run. `new` includes interrupted ones: they never had an end of their own."""
        if self.fresh:
            return True
        if self.only == "new":
            return status in (Status.NEW, Status.INTERRUPTED)
        if self.only == "failed":
            return status is Status.FAILED
        return status is not Status.SUCCEEDED


class Planned(NamedTuple):
    """A session, its status, and the reason for it."""

    session: Session
    status: Status
    reason: str | None


class History:
    """The past of one sweep. Without a journal every session is new.

    live: whether another runner holds the state.
    ignore_files: a session counts as succeeded if one that differs only in the content of `files` has succeeded.
    """

    def __init__(self, journal: Journal | None, recipe: Recipe, *, live: bool, ignore_files: bool = False) -> None:
        self._journal = journal
        self._recipe = recipe
        self._live = live
        self._statuses = journal.statuses(live) if journal else {}
        self._done_otherwise = journal.done_points(recipe.sans_files) if journal and ignore_files else frozenset()

    @property
    def empty(self) -> bool:
        """Whether no session was ever attempted."""
        return not self._statuses

    def known_ids(self) -> set[int]:
        """The ids, as integers, of all sessions that were ever attempted."""
        return set(self._statuses)

    def next_attempt(self, session: Session) -> int:
        """The number of the session's next attempt, from 1."""
        if self._journal is None or int(session.id, 16) not in self._statuses:
            return 1
        return self._journal.next_attempt(session.id)

    def orphans(self, ids: Container[int]) -> Iterator[StoredSession]:
        """The stored sessions that are not in `ids`."""
        if self._journal is None or not ids:
            return iter(())
        return self._journal.orphans(lambda known: known not in ids, self._live)

    def status(self, session: Session | PlannedPoint) -> Status:
        """The status when the history was opened."""
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


PAUSE_EVERY = 1000
"""How many points of a plan are looked at before other tasks run."""

KEPT_POINTS = 10_000
"""How many points to run `count` keeps, so that the plan is not walked a second time. It bounds the memory."""


class Selection:
    """The sessions of `plan` that `choice` selects, given their history.

    elsewhere: ids of sessions that have a job at another backend. They are not run twice.
    adoptable: ids of sessions that may have a job at this backend.

    The plan is walked once, by `count`, and a second time only if more than KEPT_POINTS sessions are to run. Both walks
    compute ids; only sessions to run are rendered.
    """

    def __init__(
        self, plan: Plan, history: History, choice: Choice, *, elsewhere: Collection[str], adoptable: Collection[str]
    ) -> None:
        self._plan = plan
        self._history = history
        self._choice = choice
        self._elsewhere = elsewhere
        self._adoptable = adoptable
        self._found: dict[str, PlannedPoint] = {}  # of the adoptable sessions, by id
        self._to_run: list[PlannedPoint] = []  # complete if there are at most KEPT_POINTS

    def count(self) -> tuple[int, int]:
        """How many sessions an apply runs, and how many it does not run although they have not succeeded.

        A fresh sweep is not walked, so that one of a million sessions starts at once.
        """
        choice = self._choice
        whole = choice.select is None and choice.shard is None
        open_somewhere = self._elsewhere or self._adoptable
        if whole and choice.only is None and not open_somewhere and (choice.fresh or self._history.empty):
            return self._plan.count, 0
        to_run = left = 0
        for point in self._plan.points(choice.select, choice.shard):
            status = self._history.status(point)
            if choice.wants(status) and point.id not in self._elsewhere:
                to_run += 1
                if to_run <= KEPT_POINTS:
                    self._to_run.append(point)
            elif status is not Status.SUCCEEDED:
                left += 1
            if point.id in self._adoptable:
                self._found[point.id] = point
        if not whole and len(self._found) < len(self._adoptable):
            self._found = {point.id: point for point in self._plan.points() if point.id in self._adoptable}
        return to_run, left

    def in_plan(self, sessions: frozenset[str]) -> frozenset[str]:
        """Those of the adoptable sessions that the sweep file still describes. To be called after `count`."""
        return sessions & self._found.keys()

    def planned(self, to_run: int, adopted: Mapping[str, str]) -> Iterator[PlannedAttempt | None]:
        """The attempts to make. None is a pause, in which other tasks run. Ends once `to_run` sessions were found.

        adopted: ids of jobs, by session. They come first, because they use capacity already.
        """
        render = self._plan.renderer()
        for point in sorted((self._found[session] for session in adopted), key=lambda point: point.index):
            session = render(point)
            yield PlannedAttempt(session, self._history.next_attempt(session) - 1, adopted[point.id])
        points: Iterable[PlannedPoint] = self._to_run
        if to_run > len(self._to_run):
            points = self._plan.points(self._choice.select, self._choice.shard)
        for position, point in enumerate(points if to_run else ()):
            if position % PAUSE_EVERY == 0:
                yield None
            if point.id in adopted or point.id in self._elsewhere:
                continue
            if self._choice.wants(self._history.status(point)):
                session = render(point)
                yield PlannedAttempt(session, self._history.next_attempt(session))
                to_run -= 1
                if not to_run:
                    return
