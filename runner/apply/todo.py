"""Which sessions of a plan an apply runs, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from runner.apply.selection import Choice, History
from runner.executor.types import PlannedAttempt
from runner.model import Status
from runner.plan.plan import Plan

BREATH = 1000
"""How many sessions that need not run are passed over before signals and timeouts are heard again."""


class Chosen:
    """Those of the plan that `choice` wants, as `history` has them; those `elsewhere` have their jobs at another backend, and are
    not to run twice.
    """

    def __init__(self, plan: Plan, history: History, choice: Choice, elsewhere: Collection[str]) -> None:
        self._plan = plan
        self._history = history
        self._choice = choice
        self._elsewhere = elsewhere

    def count(self) -> tuple[int, int]:
        """How many sessions an apply will run, and how many it leaves although they have not succeeded.

        The plan is walked only if that can make a difference: a fresh sweep of a million starts at once.
        """
        choice = self._choice
        everything = choice.select is None and choice.shard is None and choice.only is None and not self._elsewhere
        if everything and (choice.fresh or self._history.empty):
            return self._plan.count, 0
        to_run = left = 0
        for session in self._plan.sessions(choice.select, choice.shard):
            status = self._history.status(session)
            if choice.wants(status) and session.id not in self._elsewhere:
                to_run += 1
            elif status is not Status.SUCCEEDED:
                left += 1
        return to_run, left

    def todo(self, to_run: int, adopted: Mapping[str, str]) -> Iterator[PlannedAttempt | None]:
        """What is to be run, the jobs that were adopted, by session, first: their room is taken already. Looks no further than it
        takes to find `to_run`; a None is a pause.
        """
        if adopted:
            for session in self._plan:
                if session.id in adopted:
                    yield PlannedAttempt(session, self._history.next_attempt(session) - 1, adopted[session.id])
        sessions = enumerate(self._plan.sessions(self._choice.select, self._choice.shard)) if to_run else ()
        for position, session in sessions:
            if position % BREATH == 0:
                yield None
            if session.id in adopted or session.id in self._elsewhere:
                continue
            if self._choice.wants(self._history.status(session)):
                yield PlannedAttempt(session, self._history.next_attempt(session))
                to_run -= 1
                if not to_run:
                    return
