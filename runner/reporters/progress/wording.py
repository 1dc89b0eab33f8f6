"""How things read in lines of plain text: what ended, how far it is, what is in use."""

from __future__ import annotations

import math

from runner.events import AttemptEnded
from runner.model import Amount, Outcome, Session, Usage
from runner.reporters.progress.tracker import Tally
from runner.results.failures import how
from runner.text import variables
from runner.units import format_duration, format_memory


def named(session: Session) -> str:
    return variables(session.params, session.repeat)


def end_line(event: AttemptEnded, name: str, last: str | None) -> str:
    """One attempt's end: how, whether it is tried again, whose it was, and the last line of its log."""
    said = how(event.outcome, event.exit_code, event.reason)
    if event.outcome is Outcome.SUCCEEDED and event.duration is not None:
        said += f" in {format_duration(event.duration)}"
    if event.retry_in is not None:
        said += f", again in {format_duration(event.retry_in)}" if event.retry_in else ", again at once"
    return ": ".join([said, name, *([last] if last else [])])


def whole(seconds: float) -> str:
    """`7s`, `4m 05s`: for what is drawn again every second."""
    return f"{math.floor(seconds)}s" if seconds < 60 else format_duration(float(math.floor(seconds)))


def counts(tally: Tally) -> list[str]:
    """`360 succeeded`, `12 failed`, `3 retries`: the outcomes so far, those that there are."""
    parts = [f"{count:,} {outcome}" for outcome in Outcome if (count := tally.outcomes[outcome])]
    return [*parts, *([_retries(tally.retries)] if tally.retries else [])]


def _retries(count: int) -> str:
    return "1 retry" if count == 1 else f"{count:,} retries"


def activity(tally: Tally) -> list[str]:
    """`8 running`, `2 waiting`, `1 building`: what there is just now."""
    waiting = tally.waiting.total()
    parts = [f"{len(tally.running) - waiting:,} running"]
    if waiting:
        parts.append(f"{waiting:,} waiting")
    if tally.building:
        parts.append(f"{tally.building:,} building")
    return parts


def tried_again(tally: Tally, now: float) -> str | None:
    """`3 waiting to be tried again, next in 12s`; None where none is."""
    if not tally.again:
        return None
    due = min(tally.again.values()) - now
    return f"{len(tally.again):,} waiting to be tried again" + (f", next in {whole(math.ceil(due))}" if due > 0 else "")


def pace(tally: Tally, now: float) -> str | None:
    """`4.2/s`, `30/min`, `1.5/h`; None until a session has ended."""
    rate = tally.rate(now)
    if rate is None:
        return None
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3600)):
        if rate * seconds >= 1 or unit == "h":
            break
    number = rate * seconds
    return f"{number:,.0f}/{unit}" if number >= 10 else f"{number:.1f}/{unit}"


def coming(tally: Tally, now: float) -> str | None:
    """`ETA 2m 30s`; None while nothing is known."""
    eta = tally.eta(now)
    return None if eta is None else f"ETA {whole(max(1.0, eta))}"


def summary_line(tally: Tally, now: float) -> str:
    """One line, for where nothing can be redrawn: how far it is, what runs, how long it will take."""
    again = filter(None, [tried_again(tally, now)])
    far = ", ".join([f"{tally.done:,}/{tally.to_run:,} done", *counts(tally), *activity(tally), *again])
    time = [whole(tally.elapsed(now)), *filter(None, (pace(tally, now), coming(tally, now)))]
    return f"{far}; {', '.join(time)}"


def in_use(tally: Tally) -> list[str]:
    """`cpu 8/8`, `mem 12/32 GiB`: of each limit, how much is taken, those of which something is."""
    capacity = tally.capacity
    parts = [_taken(name, taken, capacity.limits[name]) for name, taken in capacity.in_use.items() if taken]
    if (limit := capacity.max_parallel) is not None:
        taken = len(tally.running) + tally.building
        if taken > limit:  # the backend keeps it, and has the others wait
            taken = sum(running.started is not None for running in tally.running.values())
        parts.append(f"max_parallel {taken:,}/{limit:,}")
    return parts


def _taken(name: str, taken: Amount, limit: Amount) -> str:
    if name == "mem":
        return f"mem {format_memory(int(taken))} of {format_memory(int(limit))}"
    return f"{name} {_plain(taken)}/{_plain(limit)}"


def _plain(amount: Amount) -> str:
    return f"{amount:,}" if isinstance(amount, int) else f"{float(amount):g}"


def usage_line(usage: Usage) -> str:
    """`in use: cpu 83%, mem 33%; limited by cpu 67% of the time`: the average shares of an apply, and what held it up."""
    used = sorted(((share, name) for name, share in usage.busy.items() if share >= 0.005), reverse=True)
    busy = ", ".join(f"{name} {share:.0%}" for share, name in used) or "nothing named"
    name = usage.bottleneck
    limit = f"limited by {name} {usage.limited_by[name]:.0%} of the time" if name else "nothing waited for room"
    return f"in use: {busy}; {limit}"
