"""What stands below a sweep that has ended, or that `status` looks at: counts, and failures by cause."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from runner.model import Outcome, Usage
from runner.reporters.progress.tracker import Kind
from runner.reporters.progress.wording import named, usage_line
from runner.results.failures import headline_of, how, last_lines, told
from runner.units import format_duration

MOST_CAUSES = 10
TAIL_LINES = 5

WORTH_SECONDS = 1.0
"""How long an apply takes at least for its use of the capacity to be worth a word."""


def counts_line(
    outcomes: Mapping[Outcome, int],
    seconds: float,
    *,
    not_run: int = 0,
    left_running: int = 0,
    left: int = 0,
    elsewhere: int = 0,
) -> str:
    """`7 succeeded, 1 failed in 2m 05s`. `left` sessions have not succeeded, and were not to run this time; `elsewhere` more
    have their jobs at another backend.
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
    if left:
        parts.append(f"{left:,} not selected that {'has' if left == 1 else 'have'} not succeeded")
    return f"{', '.join(parts) or 'nothing to run'} in {format_duration(seconds)}"


def ended_lines(outcomes: Mapping[Outcome, int], seconds: float, usage: Usage | None, **counts: int) -> Iterator[str]:
    """How an apply ended: the line of its counts, and, where it took long enough for it to mean anything, of its capacity."""
    yield counts_line(outcomes, seconds, **counts)
    if usage is not None and usage.seconds >= WORTH_SECONDS:
        yield usage_line(usage)


def by_size(kinds: Iterable[Kind]) -> list[Kind]:
    """The causes, the most frequent one first; among equals, the one that comes first in the plan."""
    return sorted(kinds, key=lambda kind: (-kind.count, kind.session.index))


def cause_lines(kinds: Iterable[Kind], command: Callable[[Kind], str]) -> Iterator[str]:
    """Failures by cause: how many, an example's last lines, and the command for its log, if there is one. Nothing where
    nothing failed."""
    known = by_size(kinds)
    if not known:
        return
    yield headline_of([(kind.example.outcome, kind.count) for kind in known])
    for kind in known[:MOST_CAUSES]:
        said = how(kind.example.outcome, kind.example.exit_code, kind.example.reason)
        yield ""
        lines = last_lines(kind.log, TAIL_LINES)
        shown = lines or list(filter(None, [told(kind.example)]))
        several = f"{kind.count:,} {said}, such as {named(kind.session)}{':' if shown else ''}"
        yield several if kind.count > 1 else f"{said}: {named(kind.session)}"
        yield from (f"    {line}" for line in shown)
        if lines:
            yield f"  see: {command(kind)}"
    if len(known) > MOST_CAUSES:
        yield ""
        yield f"and {len(known) - MOST_CAUSES:,} more causes: `runner report` has all of them"
