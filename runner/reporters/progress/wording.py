"""The texts of progress: ends of attempts, counts, rates and use of the capacity."""

from __future__ import annotations

import math

from runner.events import AttemptEnded
from runner.model import Amount, Outcome, Session, Usage
from runner.reporters.progress.tracker import Tracker
from runner.results.failures import how
from runner.text.escape import printable
from runner.text.sessions import variables
from runner.units import format_duration, format_memory


def describe(session: Session) -> str:
    """`lr=0.1 seed=3`."""
    return variables(session.params, session.repeat)


def end_line(event: AttemptEnded, name: str, last: str | None) -> str:
    """`failed (exit code 1), again in 2.0s: lr=0.1: boom`; `last` is the last line of its log."""
    text = how(event.outcome, event.exit_code, event.reason)
    if event.outcome is Outcome.SUCCEEDED and event.duration is not None:
        text += f" in {format_duration(event.duration)}"
    if event.retry_in is not None:
        text += f", again in {format_duration(event.retry_in)}" if event.retry_in else ", again at once"
    return printable(": ".join([text, name, *([last] if last else [])]))


def whole_seconds(seconds: float) -> str:
    """`7s`, `4m 05s`: without the tenths that `format_duration` has below a minute."""
    return f"{math.floor(seconds)}s" if seconds < 60 else format_duration(float(math.floor(seconds)))


def counts(tracker: Tracker) -> list[str]:
    """`360 succeeded`, `12 failed`, `3 retries`; counts of 0 are left out."""
    parts = [f"{count:,} {outcome}" for outcome in Outcome if (count := tracker.outcomes[outcome])]
    return [*parts, *([_retries(tracker.retries)] if tracker.retries else [])]


def _retries(count: int) -> str:
    return "1 retry" if count == 1 else f"{count:,} retries"


def activity(tracker: Tracker) -> list[str]:
    """`8 running`, `2 waiting`, `1 building`; the last two where they are not 0."""
    waiting = tracker.waiting.total()
    parts = [f"{len(tracker.running) - waiting:,} running"]
    if waiting:
        parts.append(f"{waiting:,} waiting")
    if tracker.building:
        parts.append(f"{tracker.building:,} building")
    return parts


def retries_due(tracker: Tracker, now: float) -> str | None:
    """`3 waiting to be tried again, next in 12s`; None without any."""
    if not tracker.retries_due:
        return None
    text = f"{len(tracker.retries_due):,} waiting to be tried again"
    due = min(tracker.retries_due.values()) - now
    return f"{text}, next in {whole_seconds(math.ceil(due))}" if due > 0 else text


def pace(tracker: Tracker, now: float) -> str | None:
    """`4.2/s`, `30/min`, `1.5/h`; None until a session has ended."""
    rate = tracker.rate(now)
    if rate is None:
        return None
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3600)):
        if rate * seconds >= 1 or unit == "h":
            break
    number = rate * seconds
    return f"{number:,.0f}/{unit}" if number >= 10 else f"{number:.1f}/{unit}"


def eta(tracker: Tracker, now: float) -> str | None:
    """`ETA 2m 30s`; None until a session has ended."""
    seconds = tracker.eta(now)
    return None if seconds is None else f"ETA {whole_seconds(max(1.0, seconds))}"


def summary_line(tracker: Tracker, now: float) -> str:
    """`30/60 done, 27 succeeded, 3 failed, 6 running; 1m 40s, 18/min, ETA 1m 13s`."""
    retries = filter(None, [retries_due(tracker, now)])
    progress = [f"{tracker.done:,}/{tracker.to_run:,} done", *counts(tracker), *activity(tracker), *retries]
    timing = [whole_seconds(tracker.elapsed(now)), *filter(None, (pace(tracker, now), eta(tracker, now)))]
    return f"{', '.join(progress)}; {', '.join(timing)}"


def in_use(tracker: Tracker) -> list[str]:
    """`cpu 8/8`, `mem 12 GiB of 32 GiB`: how much of each limit is in use; unused ones are left out."""
    capacity = tracker.capacity
    parts = [_of_limit(name, used, capacity.limits[name]) for name, used in capacity.in_use.items() if used]
    if (limit := capacity.max_parallel) is not None:
        used = len(tracker.running) + tracker.building
        if used > limit:  # the backend enforces it: more were submitted, and the others wait there
            used = sum(running.started is not None for running in tracker.running.values())
        parts.append(f"max_parallel {used:,}/{limit:,}")
    return parts


def _of_limit(name: str, used: Amount, limit: Amount) -> str:
    if name == "mem":
        return f"mem {format_memory(int(used))} of {format_memory(int(limit))}"
    return f"{name} {_number(used)}/{_number(limit)}"


def _number(amount: Amount) -> str:
    return f"{amount:,}" if isinstance(amount, int) else f"{float(amount):g}"


def usage_line(usage: Usage) -> str:
    """`in use: cpu 83%, mem 33%; limited by cpu 67% of the time`: average shares over an apply, and its bottleneck."""
    used = sorted(((share, name) for name, share in usage.busy.items() if share >= 0.005), reverse=True)
    busy = ", ".join(f"{name} {share:.0%}" for share, name in used) or "nothing"
    name = usage.bottleneck
    limit = f"limited by {name} {usage.limited_by[name]:.0%} of the time" if name else "no resource was a bottleneck"
    return f"in use: {busy}; {limit}"
