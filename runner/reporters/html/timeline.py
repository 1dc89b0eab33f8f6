"""When what ran: attempts laid out in slots, and how much of the capacity was in use meanwhile."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from runner.model import Amount, Outcome, Resources
from runner.state.rows import ApplyRow, AttemptRow

MOST_STEPS = 600
"""Points of a curve; more are averaged over as many equal spans of time."""


@dataclass(frozen=True)
class Bar:
    """An attempt in its slot. Times are Unix seconds; `end` is now for one that runs."""

    attempt: AttemptRow
    slot: int
    start: float
    end: float
    status: str


def bars(attempts: Sequence[AttemptRow], now: float, live: bool) -> list[Bar]:
    """Each attempt in the lowest slot that was free when it began: as many slots as there ever ran at once."""
    known = [end for one in attempts if (end := _known_end(one)) is not None]
    last = max(known, default=now)
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    slots = 0
    found = []
    for one in sorted(attempts, key=lambda attempt: attempt.started or 0.0):
        start = one.started or 0.0
        end = max(start, _end(one, now if live else last))
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            slot = heapq.heappop(free)
        else:
            slot, slots = slots, slots + 1
        heapq.heappush(busy, (end, slot))
        found.append(Bar(one, slot, start, end, one.outcome.value if one.outcome else ("running" if live else "lost")))
    return found


def _known_end(one: AttemptRow) -> float | None:
    if one.started is not None and one.duration is not None:
        return one.started + one.duration
    # What was lost was found to be so later; nobody knows when it ended.
    return one.ended if one.outcome is not Outcome.LOST else None


def _end(one: AttemptRow, otherwise: float) -> float:
    known = _known_end(one)
    return otherwise if known is None else known


def use(
    found: Sequence[Bar], applies: Sequence[ApplyRow], resources: Mapping[str, Resources]
) -> dict[str, list[tuple[float, float]]]:
    """For each limited resource, and for slots where `max_parallel` limits them, the share in use from each time on: of what
    those of the applies had that ran then.
    """
    each = {apply.number: _limits(apply) for apply in applies}
    common = [name for name in next(iter(each.values())) if all(name in limits for limits in each.values())]
    names = [name for name in common if any(limits[name] for limits in each.values())]
    by_number = {apply.number: apply for apply in applies}
    taken: dict[str, list[Change]] = {}
    for bar in found:
        for name, amount in _demand(resources.get(bar.attempt.session, {}), by_number[bar.attempt.apply]).items():
            if name in names and amount:
                taken.setdefault(name, []).extend(((bar.start, amount, 0), (bar.end, -amount, 0)))
    for apply in applies:
        begin, end = _span(apply, found)
        for name, changes in taken.items():
            limit = each[apply.number][name]
            changes.extend(((begin, 0, limit), (end, 0, -limit)))
    return {name: thinned(_steps(taken[name])) for name in names if name in taken}


Change: TypeAlias = tuple[float, Amount, Amount]
"""From that time on so much more is taken, and so much more is there."""


def _span(apply: ApplyRow, found: Sequence[Bar]) -> tuple[float, float]:
    """When it ran, and at any rate when its attempts did."""
    ours = [bar for bar in found if bar.attempt.apply == apply.number]
    return (
        min([apply.started, *(bar.start for bar in ours)]),
        max([apply.ended or apply.started, *(bar.end for bar in ours)]),
    )


def _limits(apply: ApplyRow) -> dict[str, Amount]:
    return {**apply.capacity, **({} if apply.max_parallel is None else {"max_parallel": apply.max_parallel})}


def _demand(resources: Resources, apply: ApplyRow) -> Mapping[str, Amount]:
    """What a session takes: one that names no cpu counts as one, unless `max_parallel` is given."""
    if apply.max_parallel is not None:
        return {**resources, "max_parallel": 1}
    return {"cpu": min(1, apply.capacity.get("cpu", 1)), **resources}


def _steps(changes: Iterable[Change]) -> list[tuple[float, float]]:
    taken = there = Fraction(0)
    shares: dict[float, float] = {}
    for at, more_taken, more_there in sorted(changes, key=lambda change: change[0]):
        taken += more_taken
        there += more_there
        shares[at] = float(taken / there) if there else 0.0
    steps: list[tuple[float, float]] = []
    for at, share in shares.items():
        if share != (steps[-1][1] if steps else 0.0):
            steps.append((at, share))
    return steps


def thinned(steps: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where there are too many, the mean over equal spans, each from its beginning on."""
    if len(steps) <= MOST_STEPS:
        return steps
    first, last = steps[0][0], steps[-1][0]
    span = (last - first) / MOST_STEPS
    areas = [0.0] * MOST_STEPS
    for (start, level), (end, _) in itertools.pairwise(steps):
        at = min(MOST_STEPS - 1, int((start - first) / span))
        while start < end:
            until = min(end, first + (at + 1) * span) if at < MOST_STEPS - 1 else end
            areas[at] += level * (until - start)
            start, at = until, min(MOST_STEPS - 1, at + 1)
    return [*((first + at * span, area / span) for at, area in enumerate(areas)), (last, steps[-1][1])]
