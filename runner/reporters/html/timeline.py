"""The timeline: attempts laid out in slots, and the share of the capacity in use below them, on one axis of time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from runner.model import Amount, Outcome, Resources
from runner.reporters.html.templates import fill
from runner.reporters.html.theme import COLOUR
from runner.state.rows import ApplyRow, AttemptRow

MOST_STEPS = 600
"""Points of a curve; more are averaged over this many equal spans of time."""

Steps: TypeAlias = Sequence[tuple[float, float]]
"""A step function: from each time on, the value."""


@dataclass(frozen=True)
class Bar:
    """An attempt in its slot. Times are Unix seconds."""

    attempt: AttemptRow
    slot: int
    start: float
    end: float
    """The time of the report for a running attempt."""
    status: str


def bars(attempts: Sequence[AttemptRow], now: float, live: bool) -> list[Bar]:
    """Each attempt in the lowest slot that was free when it started: as many slots as attempts ever ran at once."""
    known = [end for one in attempts if (end := _known_end(one)) is not None]
    last = max(known, default=now)
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    slots = 0
    found = []
    for one in sorted(attempts, key=lambda attempt: attempt.started or 0.0):
        start = one.started or 0.0
        known_end = _known_end(one)
        end = max(start, known_end if known_end is not None else now if live else last)
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
    # A lost attempt ended at an unknown time: `ended` is when the loss was noticed.
    return one.ended if one.outcome is not Outcome.LOST else None


def use(found: Sequence[Bar], applies: Sequence[ApplyRow], resources: Mapping[str, Resources]) -> dict[str, Steps]:
    """The share in use over time, for each limited resource and for `max_parallel`.

    The whole is the capacity of those applies that ran at that time.
    """
    limits_of = {apply.number: _limits(apply) for apply in applies}
    common = [name for name in next(iter(limits_of.values())) if all(name in limits for limits in limits_of.values())]
    names = [name for name in common if any(limits[name] for limits in limits_of.values())]
    by_number = {apply.number: apply for apply in applies}
    changes_of: dict[str, list[Change]] = {}
    for bar in found:
        demand = _demand(resources.get(bar.attempt.session, {}), by_number[bar.attempt.apply])
        for name in names:
            if amount := demand.get(name, 0):
                changes_of.setdefault(name, []).extend(((bar.start, amount, 0), (bar.end, -amount, 0)))
    for apply in applies:
        begin, end = _span(apply, found)
        for name, changes in changes_of.items():
            limit = limits_of[apply.number][name]
            changes.extend(((begin, 0, limit), (end, 0, -limit)))
    return {name: thinned(_steps(changes_of[name])) for name in names if name in changes_of}


Change: TypeAlias = tuple[float, Amount, Amount]
"""A time, and by how much the amount in use and the limit increase then."""


def _span(apply: ApplyRow, found: Sequence[Bar]) -> tuple[float, float]:
    """The first and last time that it, or any of its attempts, ran."""
    ours = [bar for bar in found if bar.attempt.apply == apply.number]
    return (
        min([apply.started, *(bar.start for bar in ours)]),
        max([apply.ended or apply.started, *(bar.end for bar in ours)]),
    )


def _limits(apply: ApplyRow) -> dict[str, Amount]:
    return {**apply.capacity, **({} if apply.max_parallel is None else {"max_parallel": apply.max_parallel})}


def _demand(resources: Resources, apply: ApplyRow) -> Mapping[str, Amount]:
    """What a session holds: one cpu if it names none, except under `max_parallel`."""
    if apply.max_parallel is not None:
        return {**resources, "max_parallel": 1}
    return {"cpu": min(1, apply.capacity.get("cpu", 1)), **resources}


def _steps(changes: Iterable[Change]) -> list[tuple[float, float]]:
    in_use: Amount = 0
    limit: Amount = 0
    shares: dict[float, float] = {}
    for at, more_in_use, more_limit in sorted(changes, key=lambda change: change[0]):
        in_use += more_in_use
        limit += more_limit
        shares[at] = float(in_use / limit) if limit else 0.0
    steps: list[tuple[float, float]] = []
    for at, share in shares.items():
        if share != (steps[-1][1] if steps else 0.0):
            steps.append((at, share))
    return steps


def thinned(steps: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most MOST_STEPS + 1 steps: of more, the mean over equal spans of time."""
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


def unit(seconds: float) -> tuple[str, float]:
    """The unit for an axis of that length, and its seconds."""
    for name, size in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return name, size
    return "seconds", 1.0


def timeline_spec(found: Sequence[Bar], used: Mapping[str, Steps]) -> dict[str, Any]:
    """Vega-Lite for the data sets `attempts` and `use`, in which a span of time can be selected."""
    length = max(bar.end for bar in found) - min(bar.start for bar in found)
    word, size = unit(length)
    whole = [0, length / size]
    statuses = list(dict.fromkeys(bar.status for bar in found))
    title = f"{word} since the start"
    within = all(share <= 1.0 for steps in used.values() for _, share in steps)
    values = {
        "slots_height": max(60, min(420, 20 * (max(bar.slot for bar in found) + 1))),
        "stroke": 0.5 if len(found) <= 500 else 0,
        "slots_title": "" if used else title,
        "slots_domain": {"param": "span", "encoding": "x"} if used else whole,
        "time_title": title,
        "whole": whole,
        "statuses": statuses,
        "colours": [COLOUR[status] for status in statuses],
        "resources": list(used),
        "most_share": 1 if within else None,
    }
    spec: dict[str, Any] = fill("timeline", values if used else {**values, "use": None})
    return spec


def timeline_data(found: Sequence[Bar], used: Mapping[str, Steps], rows: Mapping[str, int]) -> dict[str, Any]:
    """The data of the timeline for the page's script, which makes the data sets of it. Times are seconds since `start`.

    `rows` maps a session to its row in the data set; a session that is not in it is known by its id.
    """
    start = min(bar.start for bar in found)
    _, size = unit(max(bar.end for bar in found) - start)
    return {
        "start": start,
        "unit": size,
        "attempts": [
            [
                rows.get(bar.attempt.session, bar.attempt.session),
                bar.attempt.number,
                bar.slot,
                round(bar.start - start, 4),
                round(bar.end - start, 4),
                bar.status,
            ]
            for bar in found
        ],
        "use": [
            {"at": round((at - start) / size, 6), "share": round(share, 4), "resource": name}
            for name, steps in used.items()
            for at, share in steps
        ],
    }
