"""The same as a display of an apply has, read from the state of a live or a finished one, from another terminal too."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runner.model import Outcome, Status, Usage
from runner.plan.plan import Plan
from runner.reporters.progress.summary import ended_lines
from runner.reporters.progress.tracker import Tally
from runner.reporters.progress.wording import in_use, summary_line
from runner.results.failures import CAUSED
from runner.results.rows import Result, results
from runner.results.tails import failure, telling_log
from runner.state import State
from runner.state.rows import ApplyRow, together


@dataclass(frozen=True)
class Standing:
    """A sweep's last apply, none if there was none, several where states were merged since; and how far it is, or they are.

    `tally` counts the failures of earlier applies to their causes, too.
    `untried` counts the sessions that no apply has begun.
    """

    tally: Tally
    applies: Sequence[ApplyRow]
    live: bool
    untried: int

    @property
    def seconds(self) -> float | None:
        """How long any of them ran; None where one has no end, or there is none."""
        return together(self.applies) if self.applies else None

    def lines(self) -> Iterator[str]:
        """Counts, time and capacity, of what runs or of what has ended, as plain text."""
        if self.live and self.applies:
            yield summary_line(self.tally, time.time())
            if used := in_use(self.tally):
                yield f"in use: {', '.join(used)}"
        elif self.seconds is not None:
            outcomes, not_run = self._counts()
            running = len(self.tally.running)
            counts = {"not_run": max(0, not_run - running), "left_running": running}
            yield from ended_lines(outcomes, self.seconds, _together(self.applies), **counts)

    def _counts(self) -> tuple[Mapping[Outcome, int], int]:
        """What became of the sessions, and how many were not run. Those that several applies had are counted once."""
        if len(self.applies) > 1:
            return self.tally.outcomes, self.untried
        (apply,) = self.applies
        return apply.outcomes, apply.not_run or 0


def standing(plan: Plan, state: State, *, causes: bool = True) -> Standing:
    """Look at every session of the plan; with `causes` also into the log of each that failed."""
    tally = Tally()
    applies = state.journal.last_applies()
    live = state.holder is not None
    for apply in applies[:1]:
        tally.begin(apply.sweep, apply.started, apply.to_run, apply.capacity, apply.max_parallel)
        if live:
            tally.tried_again(*state.journal.retries(apply.number))
    numbers = frozenset(apply.number for apply in applies)
    untried = 0
    for result in results(plan, state):
        untried += result.last is None
        _count(result, tally, numbers)
        if causes:
            _explain(result, plan, state, tally)
    return Standing(tally, applies, live, untried)


def _count(result: Result, tally: Tally, applies: Container[int]) -> None:
    session, last = result.session, result.last
    if last is None:
        return
    if result.again is not None:
        tally.again[session.id] = result.again
    elif result.status == Status.RUNNING:
        if last.started is None and last.reason is None and last.backend == "local":
            return  # it will have begun in a moment, or is ahead of its room
        tally.submitted(session, last.number)
        if last.started is not None:
            tally.started(session.id, last.started)
        elif last.reason is not None:
            tally.waits(session.id, last.reason)
    elif last.outcome is not None and last.apply in applies:
        tally.ended_for_good(last.outcome, last.duration, last.started)


def _explain(result: Result, plan: Plan, state: State, tally: Tally) -> None:
    session, last = result.session, result.last
    if last is not None and result.status in CAUSED:
        found = failure(state, plan.recipe, session, last)
        tally.fails(found, session, telling_log(state, plan.recipe, session, last))


def _together(applies: Sequence[ApplyRow]) -> Usage:
    """Their use of the capacity, each for the time that it took: the average over all machines."""
    usages = [apply.usage for apply in applies if apply.usage is not None]
    seconds = sum(usage.seconds for usage in usages)

    def average(of: Callable[[Usage], Mapping[str, float]]) -> dict[str, float]:
        names = dict.fromkeys(name for usage in usages for name in of(usage))
        return {name: sum(of(usage).get(name, 0.0) * usage.seconds for usage in usages) / seconds for name in names}

    return Usage(seconds, average(lambda usage: usage.busy), average(lambda usage: usage.limited_by))
