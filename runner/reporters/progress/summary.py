"""The summary of an apply that has ended, also for `status`: counts, use of the capacity, failures by cause."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from runner.model import Outcome, Usage
from runner.reporters.progress.tracker import CauseCount
from runner.reporters.progress.wording import describe, usage_line
from runner.results.failures import explanation, flat, headline_of, how, tails
from runner.results.verdict import Stream
from runner.units import counted, format_duration

MOST_CAUSES = 10
TAIL_LINES = 5

LogCommand: TypeAlias = Callable[[CauseCount, Stream], str]
"""Returns the command that shows a log of the example of a cause."""

LEAST_USAGE_SECONDS = 1.0
"""Shorter applies have no line about their use of the capacity."""


def counts_line(
    outcomes: Mapping[Outcome, int],
    seconds: float,
    *,
    not_run: int = 0,
    left_running: int = 0,
    left: int = 0,
    elsewhere: int = 0,
) -> str:
    """`7 succeeded, 1 failed in 2m 05s`.

    `left` sessions have not succeeded and were not selected; `elsewhere` more have jobs at another backend.
    """
    parts = [f"{count:,} {outcome}" for outcome in Outcome if (count := outcomes.get(outcome, 0))]
    if left_running:
        parts.append(f"{left_running:,} left running")
    if not_run:
        parts.append(f"{not_run:,} not run")
    if elsewhere:
        parts.append(
            f"{elsewhere:,} left to another backend, which has {'its job' if elsewhere == 1 else 'their jobs'}"
        )
    others = f"; {left:,} not selected {'has' if left == 1 else 'have'} not succeeded" if left else ""
    return f"{', '.join(parts) or 'nothing to run'} in {format_duration(seconds)}{others}"


def ended_lines(outcomes: Mapping[Outcome, int], seconds: float, usage: Usage | None, **counts: int) -> Iterator[str]:
    """The line of counts, and one about the use of the capacity if the apply was long enough."""
    yield counts_line(outcomes, seconds, **counts)
    if usage is not None and usage.seconds >= LEAST_USAGE_SECONDS:
        yield usage_line(usage)


def cause_lines(causes: Iterable[CauseCount], command: LogCommand) -> Iterator[str]:
    """Failures by cause, the most frequent first: the count, an example's last lines, and the commands that show its logs.

    Yields nothing without failures.
    """
    ordered = sorted(causes, key=lambda cause: (-cause.count, cause.session.index))
    if not ordered:
        return
    yield headline_of([(cause.example.outcome, cause.count) for cause in ordered])
    for cause in ordered[:MOST_CAUSES]:
        yield ""
        ends = tails(cause.logs, TAIL_LINES, cause.example.line, cause.example.stream)
        shown = flat(ends) or list(filter(None, [explanation(cause.example)]))
        end = how(cause.example.outcome, cause.example.exit_code, cause.example.reason)
        name = describe(cause.session)
        yield f"{cause.count:,} {end}, such as {name}{':' if shown else ''}" if cause.count > 1 else f"{end}: {name}"
        yield from (f"    {line}" for line in shown)
        for tail in ends:
            yield f"  see: {command(cause, tail.stream)}"
    if len(ordered) > MOST_CAUSES:
        yield ""
        yield f"and {counted(len(ordered) - MOST_CAUSES, 'more cause')}: `runner report` shows them all"
