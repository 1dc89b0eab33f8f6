"""The progress of the last apply, live or finished, read from the state."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runner.model import Outcome, Status, Usage
from runner.plan.plan import Plan
from runner.reporters.progress.summary import ended_lines
from runner.reporters.progress.tracker import Tracker
from runner.reporters.progress.wording import in_use, summary_line
from runner.results.failures import CAUSED, cause_logs, failure
from runner.results.overview import Overview, overview
from runner.results.rows import Result
from runner.state import State
from runner.state.rows import ApplyRow, together


@dataclass(frozen=True)
class Snapshot:
    """A sweep's last apply and its progress."""

    tracker: Tracker
    """Its causes include the failures of earlier applies."""
    applies: Sequence[ApplyRow]
    """The last apply; empty without one, several after states were merged."""
    live: bool
    untried: int
    """Sessions that no apply has submitted."""

    @property
    def seconds(self) -> float | None:
        """How long any of `applies` ran; None without one, or where one has no end."""
        return together(self.applies) if self.applies else None

    def lines(self) -> Iterator[str]:
        """Counts, time and use of the capacity as plain text."""
        if self.live and self.applies:
            yield summary_line(self.tracker, time.time())
            if used := in_use(self.tracker):
                yield f"in use: {', '.join(used)}"
        elif self.seconds is not None:
            outcomes, not_run = self._counts()
            running = len(self.tracker.running)
            counts = {"not_run": max(0, not_run - running), "left_running": running}
            yield from ended_lines(outcomes, self.seconds, _average_usage(self.applies), **counts)

    def _counts(self) -> tuple[Mapping[Outcome, int], int]:
        """The sessions by outcome, and how many were not run; one that was in several applies counts once."""
        if len(self.applies) > 1:
            return self.tracker.outcomes, self.untried
        (apply,) = self.applies
        return apply.outcomes, apply.not_run or 0


def take_snapshot(plan: Plan, state: State, *, causes: bool = True, seen: Overview | None = None) -> Snapshot:
    """How the last apply stands, from an overview `seen` before or a new one; with `causes` also the log of each failure."""
    tracker = Tracker()
    applies = state.journal.last_applies()
    live = state.holder is not None
    for apply in applies[:1]:
        tracker.begin(apply.sweep, apply.started, apply.to_run, apply.capacity, apply.max_parallel)
        if live:
            tracker.add_retries(*state.journal.retries(apply.number))
    numbers = frozenset(apply.number for apply in applies)
    found = seen or overview(plan, state)
    for group in found.succeeded:
        if group.apply in numbers:
            tracker.end(Outcome.SUCCEEDED, group.seconds, group.first_start, count=group.count)
    for result in found.unfinished:
        _count(result, tracker, numbers)
        if causes:
            _add_failure(result, plan, state, tracker)
    return Snapshot(tracker, applies, live, found.counts[Status.NEW])


def _count(result: Result, tracker: Tracker, applies: Container[int]) -> None:
    session, last = result.session, result.last
    if last is None:
        return
    if result.again is not None:
        tracker.retries_due[session.id] = result.again
    elif result.status == Status.RUNNING:
        if last.started is None and last.reason is None and last.backend == "local":
            return  # about to start, or prefetched
        tracker.submit(session, last.number)
        if last.started is not None:
            tracker.start(session.id, last.started)
        elif last.reason is not None:
            tracker.wait(session.id, last.reason)
    elif last.outcome is not None and last.apply in applies:
        tracker.end(last.outcome, last.duration, last.started)


def _add_failure(result: Result, plan: Plan, state: State, tracker: Tracker) -> None:
    session, last = result.session, result.last
    if last is not None and result.status in CAUSED:
        found = failure(state, plan.recipe, session, last)
        tracker.add_failure(found, session, cause_logs(state, plan.recipe, session, last))


def _average_usage(applies: Sequence[ApplyRow]) -> Usage:
    """The mean use of the capacity, weighted by the seconds of each apply."""
    usages = [apply.usage for apply in applies if apply.usage is not None]
    seconds = sum(usage.seconds for usage in usages)

    def average(of: Callable[[Usage], Mapping[str, float]]) -> dict[str, float]:
        names = dict.fromkeys(name for usage in usages for name in of(usage))
        return {name: sum(of(usage).get(name, 0.0) * usage.seconds for usage in usages) / seconds for name in names}

    return Usage(seconds, average(lambda usage: usage.busy), average(lambda usage: usage.limited_by))
