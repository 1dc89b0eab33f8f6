"""The events of an apply: the interface between execution and everything that stores or displays it.

The executor emits them through one synchronous `emit`. The journal writes and commits them before any display gets them.
`at` is Unix time in seconds. A change here is a change of the journal's version and of `schemas/events.schema.json`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

from runner.model import Metrics, Outcome, Recipe, Resources, Session, Usage, metric_values, missing_reasons


@dataclass(frozen=True, slots=True)
class ApplyStarted:
    at: float
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
    file: str | None = None
    """The sweep file, relative to the folder of the state; None if there is none."""
    definitions: Mapping[str, str] = field(default_factory=dict)
    """The digests of the definitions of the metrics, by name."""


@dataclass(frozen=True, slots=True)
class BuildStarted:
    """The intent to submit a build, like AttemptSubmitted. A later runner looks for `name` after a crash."""

    at: float
    build: str
    command: str
    name: str
    backend: str


@dataclass(frozen=True, slots=True)
class BuildEnded:
    at: float
    build: str
    outcome: Outcome
    exit_code: int | None
    reason: str | None
    duration: float | None


@dataclass(frozen=True, slots=True)
class AttemptSubmitted:
    """The intent to submit an attempt, committed before the submission. A later runner looks for `name` after a crash.

    ahead: whether it is submitted before capacity is free. It uses no capacity until AttemptStarted.
    """

    at: float
    session: Session
    attempt: int
    name: str
    backend: str
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class AttemptAccepted:
    """The backend has accepted the attempt; it may be queued there."""

    at: float
    session: str
    attempt: int
    job: str


@dataclass(frozen=True, slots=True)
class AttemptWaiting:
    """The attempt is queued at the backend, for this reason."""

    at: float
    session: str
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """The command has begun. `cold`: why a Python program was not forked from a preloaded interpreter, if it was to be."""

    at: float
    session: str
    attempt: int
    job: str
    host: str | None
    devices: tuple[str, ...]
    cold: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptAdopted:
    """The job of an earlier runner was found, running or ended, and is followed from here on."""

    at: float
    session: Session
    attempt: int
    job: str


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """`retry_in`: seconds before the next attempt of this apply, None if there is none."""

    at: float
    session: str
    attempt: int
    outcome: Outcome
    exit_code: int | None
    reason: str | None
    duration: float | None
    cpu_time: float | None
    max_rss: int | None
    metrics: Metrics
    retry_in: float | None


@dataclass(frozen=True, slots=True)
class MetricsCollected:
    """The metrics of an attempt that an earlier apply has recorded, collected again: some had another definition."""

    at: float
    session: str
    attempt: int
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class StopReached:
    """The limit on failures is reached, or inputs have changed: nothing more is started, what runs continues."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class ApplyInterrupted:
    """A signal or `runner cancel` ends the apply. `now`: at once, since it was the second."""

    at: float
    reason: str
    now: bool


@dataclass(frozen=True, slots=True)
class ApplyWaiting:
    """Sessions wait for what another runner on this machine holds, such as a GPU. `reason` is None once none waits."""

    at: float
    reason: str | None


@dataclass(frozen=True, slots=True)
class ApplyEnded:
    """`outcomes` counts the last outcomes of the sessions of this apply; `not_run` counts those without one."""

    at: float
    outcomes: Mapping[Outcome, int]
    not_run: int
    usage: Usage


Event: TypeAlias = (
    ApplyStarted
    | BuildStarted
    | BuildEnded
    | AttemptSubmitted
    | AttemptAccepted
    | AttemptWaiting
    | AttemptStarted
    | AttemptAdopted
    | AttemptEnded
    | MetricsCollected
    | StopReached
    | ApplyInterrupted
    | ApplyWaiting
    | ApplyEnded
)

Emit: TypeAlias = Callable[[Event], None]

_LEFT_OUT = frozenset(("text", "recipe", "point", "file", "definitions"))
"""Fields that are stored in the journal, but are too long for a line of JSON."""


def to_json(event: Event) -> dict[str, Any]:
    """The event as `schemas/events.schema.json` describes it: its name in kebab case, times in ISO 8601 UTC."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", type(event).__name__).lower()
    data = {field.name: _plain(getattr(event, field.name)) for field in fields(event) if field.name not in _LEFT_OUT}
    if isinstance(event, AttemptEnded | MetricsCollected):
        data |= {"metrics": metric_values(event.metrics), "missing": missing_reasons(event.metrics)}
    return {"event": name, **data, "at": iso(event.at)}


def iso(at: float) -> str:
    """Unix time as ISO 8601 UTC with milliseconds."""
    day, milliseconds = divmod(round(at * 1e6) // 1000, 86_400_000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    return f"{_day(day)}T{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}Z"


@lru_cache
def _day(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day * 86_400))


def _plain(value: Any) -> Any:
    if isinstance(value, Session):
        return value.id
    if isinstance(value, Usage):
        return asdict(value)
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else float(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
