"""Rows of the journal as immutable data, and their conversion from SQLite's values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from runner.model import STATUS_AFTER, Amount, Metrics, Missing, Outcome, Recipe, Resources, Status, Usage, Value
from runner.scalars import metric_from
from runner.state.host import Machine


class AttemptRow(NamedTuple):
    """One attempt at a session. Times are Unix seconds, `max_rss` bytes; None where unknown or not yet.

    While it has not ended, `reason` says why it waits at the backend. `retry_at` is when its apply meant to begin the next
    attempt. A tuple, as a million may be read.
    """

    session: str
    number: int
    apply: int
    name: str
    backend: str
    job: str | None
    host: str | None
    devices: tuple[str, ...]
    submitted: float
    started: float | None
    ended: float | None
    outcome: Outcome | None
    exit_code: int | None
    reason: str | None
    duration: float | None
    cpu_time: float | None
    max_rss: int | None
    metrics: Metrics
    retry_at: float | None = None
    definitions: str | None = None
    """The digests of the definitions of `metrics`, as `attempt_definitions` makes them; None before version 4."""


ATTEMPT_COLUMNS = """
    s.id, a.number, a.apply, a.name, a.backend, a.job, a.host, a.devices, a.submitted, a.started, a.ended,
    a.outcome, a.exit_code, a.reason, a.duration, a.cpu_time, a.max_rss, a.metrics, a.retry_at, a.definitions"""

_OUTCOMES: Mapping[str | None, Outcome | None] = {
    None: None,
    **{outcome.value: outcome for outcome in Outcome},
}


def attempt_row(row: tuple[Any, ...]) -> AttemptRow:
    """From the values of ATTEMPT_COLUMNS."""
    values = list(row[: len(AttemptRow._fields)])
    values[0] = row[0].hex()
    values[7] = tuple(json.loads(row[7])) if row[7] else ()
    values[11] = _OUTCOMES[row[11]]
    values[17] = metrics_of(row[17])
    return AttemptRow._make(values)


def definitions_text(digests: Mapping[str, str]) -> str:
    """The digests of definitions, in the order of their names, with spaces between them."""
    return " ".join(digests[name] for name in sorted(digests))


def attempt_definitions(metrics: Metrics, digests: Mapping[str, str]) -> str:
    """The same for the metrics of an attempt; `-` for one that could not be read."""
    unread = {name for name, metric in metrics.items() if isinstance(metric, Missing) and metric.unread}
    return definitions_text({name: "-" if name in unread else digests.get(name, "-") for name in metrics})


def outdated(metrics: Metrics, definitions: str | None, digests: Mapping[str, str]) -> frozenset[str]:
    """The metrics that an attempt lacks, or has by other definitions than those with these digests.

    What an earlier version has recorded counts as of the present definition.
    """
    if definitions is None:
        return frozenset(digests.keys() - metrics.keys())
    stored = dict(zip(sorted(metrics), definitions.split(), strict=False))
    return frozenset(name for name, digest in digests.items() if stored.get(name) != digest)


def metrics_of(stored: str | None) -> Metrics:
    """From the column `metrics`."""
    return {name: metric_from(data) for name, data in json.loads(stored).items()} if stored else {}


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """A submitted attempt without a recorded end; `machine` is where its runner ran, None if that was not recorded."""

    session: str
    number: int
    name: str
    backend: str
    job: str | None
    submitted: float
    started: float | None
    machine: Machine | None

    @property
    def remote(self) -> bool:
        """True if its job may run on without runner."""
        return runs_on(self.backend, self.job)


@dataclass(frozen=True, slots=True)
class OpenBuild:
    """A started build without a recorded end."""

    build: str
    name: str
    backend: str
    machine: Machine | None


MACHINE_COLUMNS = "p.host, p.boot, p.pids"
"""Of the apply `p`; NULL if it is not in the journal."""


def machine(row: tuple[Any, ...]) -> Machine | None:
    """From the values of MACHINE_COLUMNS."""
    return None if row[0] is None else Machine(*row)


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as it was first submitted. Its environment is not stored: params and recipe determine it."""

    id: str
    point: str
    repeat: int
    params: Mapping[str, Value]
    exec: str | tuple[str, ...] | None
    attempts: int
    status: Status


STORED_COLUMNS = "s.id, s.point, t.repeat, t.params, t.exec, s.attempts, s.outcome"


def stored_session(row: tuple[Any, ...], live: bool) -> StoredSession:
    """From the values of STORED_COLUMNS."""
    command = json.loads(row[4])
    return StoredSession(
        id=row[0].hex(),
        point=row[1].hex(),
        repeat=row[2],
        params={name: Value(text, data) for name, text, data in json.loads(row[3])},
        exec=tuple(command) if isinstance(command, list) else command,
        attempts=row[5],
        status=status_after(_OUTCOMES[row[6]], live),
    )


class Succeeded(NamedTuple):
    """The sessions whose last attempt succeeded in one apply."""

    apply: int
    """Its number in the journal."""
    count: int  # type: ignore[assignment]  # tuples have a method of this name
    seconds: float
    """The sum of their durations."""
    first_start: float | None
    """Unix time, None if none of them has one."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier session with the same variables, and its recipe; `outcome` is None if it never ended."""

    id: str
    outcome: Outcome | None
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class ApplyRow:
    """One apply. `ended` is None while it runs, and stays None if it was killed."""

    number: int
    started: float
    ended: float | None
    sweep: str
    total: int
    to_run: int
    backend: str
    capacity: Resources
    max_parallel: int | None
    host: str
    user: str
    pid: int
    version: str
    commit: str | None
    dirty: bool | None
    text: str
    recipe: Recipe
    stopped: str | None
    interrupted: str | None
    waiting: str | None
    """What its sessions wait for that another runner holds, such as a GPU; of use only while the apply lives."""
    outcomes: Mapping[Outcome, int]
    not_run: int | None
    usage: Usage | None
    file: str | None


APPLY_COLUMNS = """
    a.n, a.started, a.ended, a.sweep, a.total, a.to_run, a.backend, a.capacity, a.max_parallel, a.host,
    a.user, a.pid, a.version, a.revision, a.dirty, a.text, r.parts, r.digest, r.sans_files, a.stopped,
    a.interrupted, a.outcomes, a.not_run, a.usage, a.file, a.waiting"""


def apply_row(row: tuple[Any, ...]) -> ApplyRow:
    """From the values of APPLY_COLUMNS."""
    (number, started, ended, sweep, total, to_run, backend, capacity, max_parallel) = row[:9]
    (host, user, pid, version, commit, dirty, text, parts, digest, sans_files) = row[9:19]
    (stopped, interrupted, outcomes, not_run, usage, file, waiting) = row[19:]
    return ApplyRow(
        number=number,
        started=started,
        ended=ended,
        sweep=sweep,
        total=total,
        to_run=to_run,
        backend=backend,
        capacity={name: _amount(amount) for name, amount in json.loads(capacity).items()},
        max_parallel=max_parallel,
        host=host,
        user=user,
        pid=pid,
        version=version,
        commit=commit,
        dirty=None if dirty is None else bool(dirty),
        text=text,
        recipe=Recipe(json.loads(parts), digest, sans_files),
        stopped=stopped,
        interrupted=interrupted,
        waiting=waiting,
        outcomes={Outcome(outcome): count for outcome, count in json.loads(outcomes or "{}").items()},
        not_run=not_run,
        usage=Usage(**json.loads(usage)) if usage else None,
        file=file,
    )


def together(applies: Iterable[ApplyRow], now: float | None = None) -> float | None:
    """The seconds in which at least one of them ran. An apply without an end counts until `now`; without `now`, None."""
    total, reached = 0.0, -math.inf
    for apply in sorted(applies, key=lambda apply: apply.started):
        end = apply.ended if apply.ended is not None else now
        if end is None:
            return None
        total += max(0.0, end - max(apply.started, reached))
        reached = max(reached, end)
    return total


def _amount(text: str) -> Amount:
    amount = Fraction(text)
    return amount.numerator if amount.denominator == 1 else amount


def runs_on(backend: str, job: str | None) -> bool:
    """True if a job without an end may run although no runner does. Local jobs end with their runner."""
    return job is not None and backend != "local"


def status_after(outcome: Outcome | None, live: bool) -> Status:
    """The status of a session after its last attempt. Without an outcome it is running if the state is held."""
    if outcome is not None:
        return STATUS_AFTER[outcome]
    return Status.RUNNING if live else Status.INTERRUPTED
