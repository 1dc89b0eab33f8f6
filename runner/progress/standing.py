"""The same as a display of an apply has, read from the state of a live or a finished one, from another terminal too."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runner.capacity import Capacity
from runner.model import Outcome, Resources, Status
from runner.plan import Plan
from runner.progress.ending import counts_line
from runner.progress.tally import Tally
from runner.progress.words import busy_line, in_use, named, summary_line
from runner.results import Result, results
from runner.state import State
from runner.state.records import ApplyRow
from runner.tails import failure, telling_log

MOST_ATTEMPTS = 50_000
"""Of one apply; beyond, how busy its capacity was is not added up."""


@dataclass(frozen=True)
class Standing:
    """A sweep's last apply, None if there was none, and how far it is. `busy` has the average share of each limit in use.

    `tally` counts the failures of earlier applies to their causes, too; it cannot know of retries that are still to come.
    """

    tally: Tally
    apply: ApplyRow | None
    live: bool
    busy: Mapping[str, float]

    def lines(self) -> Iterator[str]:
        """Counts, time and capacity, of what runs or of what has ended, as plain text."""
        if self.apply is None:
            return
        if self.live:
            yield summary_line(self.tally, time.time())
            if used := in_use(self.tally):
                yield f"in use: {', '.join(used)}"
        elif self.apply.ended is not None:
            running = len(self.tally.running)
            not_run = max(0, (self.apply.not_run or 0) - running)
            took = self.apply.ended - self.apply.started
            yield counts_line(self.apply.outcomes, took, not_run=not_run, left_running=running)
            if self.busy:
                yield busy_line(self.busy)


def standing(plan: Plan, state: State, *, causes: bool = True) -> Standing:
    """Look at every session of the plan; with `causes` also into the log of each that failed."""
    tally = Tally()
    apply = state.journal.last_apply()
    live = state.holder is not None
    if apply is not None:
        tally.begin(apply.sweep, apply.started, apply.to_run, apply.capacity, apply.max_parallel)
    needs: dict[str, Resources] = {}
    for result in results(plan, state):
        _count(result, tally, apply)
        if causes:
            _explain(result, plan, state, tally)
        if result.last and apply and not live and result.last.apply == apply.number:
            needs[result.session.id] = result.session.resources
    return Standing(tally, apply, live, _busy(state, apply, needs) if apply else {})


def _count(result: Result, tally: Tally, apply: ApplyRow | None) -> None:
    session, last = result.session, result.last
    if last is None:
        return
    if result.status == Status.RUNNING:
        tally.submitted(session, last.number)
        if last.started is not None:
            tally.started(session.id, last.started)
        elif last.reason is not None:
            tally.waits(session.id, last.reason)
    elif last.outcome is not None and apply is not None and last.apply == apply.number:
        tally.ended_for_good(last.outcome, last.duration, last.started)


def _explain(result: Result, plan: Plan, state: State, tally: Tally) -> None:
    session, last = result.session, result.last
    if last is not None and last.outcome not in (None, Outcome.SUCCEEDED, Outcome.CANCELLED):
        found = failure(state, plan.recipe, session, last)
        tally.fails(found, named(session), telling_log(state, plan.recipe, session, last))


def _busy(state: State, apply: ApplyRow, needs: Mapping[str, Resources]) -> dict[str, float]:
    """Of each limit of an ended apply, the share in use on average; empty where it is not known."""
    took = (apply.ended or apply.started) - apply.started
    attempts = state.journal.attempts_of(apply.number, MOST_ATTEMPTS + 1) if took and needs else []
    if not attempts or len(attempts) > MOST_ATTEMPTS:
        return {}
    capacity = Capacity(apply.capacity, apply.max_parallel)
    used: defaultdict[str, float] = defaultdict(float)
    for attempt in attempts:
        lease = capacity.overdraw(needs.get(attempt.session, {}))
        for name, share in capacity.shares.items():
            used[name] += share * (attempt.duration or 0.0)
        capacity.release(lease)
    return {name: seconds / took for name, seconds in used.items()}
