"""How the sessions of a plan stand, without looking at each of those that are new or have succeeded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from runner.model import Outcome, Status
from runner.plan.plan import Plan
from runner.results.collected import Definitions, MissingMetrics
from runner.results.rows import Result, results
from runner.state import State
from runner.state.rows import Succeeded


@dataclass(slots=True)
class Overview:
    """The sessions of a plan by status, and those that need a closer look."""

    counts: Counter[str] = field(default_factory=Counter)
    """By the statuses of `results`."""
    succeeded: list[Succeeded] = field(default_factory=list)
    """The sessions that have succeeded, summed up for each apply."""
    unfinished: list[Result] = field(default_factory=list)
    """The sessions that were attempted and have not succeeded, in the order of the plan."""
    missing: MissingMetrics = field(default_factory=MissingMetrics)
    """What the succeeded sessions lack."""
    orphaned: int = 0
    """Sessions in the journal that the plan does not have."""


def overview(plan: Plan, state: State) -> Overview:
    """Read where every session of the plan stands.

    As long as the file is as it was applied, every session of its recipe in the journal belongs to the plan. Then the journal
    counts them, and only the sessions that have not succeeded are rendered. Otherwise the plan is walked.
    """
    with state.journal.snapshot():
        if state.journal.applied_only(plan.recipe.digest, plan.sweep.source.text):
            return _from_journal(plan, state)
        return _from_plan(plan, state)


def _from_journal(plan: Plan, state: State) -> Overview:
    found = Overview(succeeded=state.journal.succeeded(plan.recipe.digest))
    unfinished = state.journal.unfinished(plan.recipe.digest)
    if unfinished:
        points = {tuple(session.params.values()) for session in unfinished}
        ids = {session.id for session in unfinished}
        sessions = (session for session in plan.sessions(among=points) if session.id in ids)
        found.unfinished = list(results(sessions, state))
    definitions = Definitions(plan.sweep.metrics)
    for stored, of in state.journal.without_metrics(plan.recipe.digest, definitions.text):
        found.missing.add_missing(definitions.metrics(stored, of))
    succeeded = sum(group.count for group in found.succeeded)
    found.counts.update(result.status for result in found.unfinished)
    found.counts[Outcome.SUCCEEDED] = succeeded
    found.missing.sessions = succeeded
    found.counts[Status.NEW] = plan.count - succeeded - len(unfinished)
    found.orphaned = state.journal.count() - succeeded - len(unfinished)
    return found


def _from_plan(plan: Plan, state: State) -> Overview:
    found = Overview()
    groups: dict[int, Succeeded] = {}
    for result in results(plan, state, plan.sweep.metrics):
        found.counts[result.status] += 1
        last = result.last
        if last is None:
            continue
        if result.status == Outcome.SUCCEEDED:
            found.missing.add(last.metrics)
            group = groups.get(last.apply, Succeeded(last.apply, 0, 0.0, None))
            starts = [start for start in (group.first_start, last.started) if start is not None]
            seconds = group.seconds + (last.duration or 0.0)
            groups[last.apply] = Succeeded(last.apply, group.count + 1, seconds, min(starts, default=None))
        else:
            found.unfinished.append(result)
    found.succeeded = list(groups.values())
    found.orphaned = state.journal.count() - (plan.count - found.counts[Status.NEW])
    return found
