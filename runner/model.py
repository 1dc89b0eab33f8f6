"""The terms of the project as immutable data. Pure: no I/O, no YAML, no event loop."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
"""What a YAML scalar resolves to in the YAML 1.2 core schema."""

Amount: TypeAlias = int | Fraction
"""An amount of a resource. Exact: ten times 0.1 is 1. Memory is in bytes."""

Resources: TypeAlias = Mapping[str, Amount]


class Value(NamedTuple):
    """One value of a variable: the text for templates, and the typed value for JSON."""

    text: str
    data: Scalar


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a metric has no value.

    reason: the same words for all sessions with the same fault.
    unread: it may have a value, but could not be read. The next apply looks for it again.
    """

    reason: str
    unread: bool = False


Metrics: TypeAlias = Mapping[str, Value | Missing]
"""The metrics of an attempt by name. The text of a number is as the session wrote it: `1.10`, `0012`."""


def metric_values(metrics: Metrics) -> dict[str, Scalar]:
    """The values as plain data. None: the session has no such value. One that could not be read is left out."""
    return {
        name: metric.data if isinstance(metric, Value) else None
        for name, metric in metrics.items()
        if isinstance(metric, Value) or not metric.unread
    }


def missing_reasons(metrics: Metrics) -> dict[str, str]:
    """Why metrics have no value, by name."""
    return {name: metric.reason for name, metric in metrics.items() if isinstance(metric, Missing)}


class Outcome(enum.StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    OUT_OF_MEMORY = "out-of-memory"
    CANCELLED = "cancelled"
    LOST = "lost"
    REJECTED = "rejected"
    STALE = "stale"
    """Its inputs were not, or perhaps not, those of its id while it ran."""


class Status(enum.StrEnum):
    """The status of a session, as `plan` shows it."""

    NEW = "new"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    RUNNING = "running"


STATUS_AFTER: Mapping[Outcome, Status] = {
    Outcome.SUCCEEDED: Status.SUCCEEDED,
    Outcome.FAILED: Status.FAILED,
    Outcome.TIMED_OUT: Status.FAILED,
    Outcome.OUT_OF_MEMORY: Status.FAILED,
    Outcome.REJECTED: Status.FAILED,
    Outcome.CANCELLED: Status.INTERRUPTED,
    Outcome.LOST: Status.INTERRUPTED,
    Outcome.STALE: Status.INTERRUPTED,
}


class Session(NamedTuple):
    """One point of a sweep, rendered: everything that decides what it computes.

    index: place in the plan, from 0.
    id: 16 hex digits, the digest of variables, repeat and recipe (see `plan.ids`).
    point: the digest of variables and repeat alone.
    exec: a string for `/bin/sh -c`, a tuple for argv, or None if the sweep has `code`.
    """

    index: int  # type: ignore[assignment]  # a name that tuples have, too
    id: str
    point: str
    repeat: int
    params: Mapping[str, Value]
    exec: str | tuple[str, ...] | None
    env: Mapping[str, str]
    build: str | None
    workdir: str
    image: str | None
    resources: Resources


class PlannedAttempt(NamedTuple):
    """A session to run.

    attempt: the number of the attempt to make, or of the one to adopt.
    adopt: id of the job that an earlier runner has submitted for this attempt; None: submit a new one.
    """

    session: Session
    attempt: int
    adopt: str | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """What all sessions of a sweep share: the part of their ids that does not depend on variables.

    parts: maps `exec` (or `code`), `env`, `build`, `image`, `workdir`, `python` and `files` to plain JSON data; `files`
        maps each path to the hex digest of its content.
    digest: of all parts.
    sans_files: the digest of all parts but `files`.
    """

    parts: Mapping[str, Any]
    digest: str
    sans_files: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a session, complete: what a backend needs to run it. No policy.

    Paths are absolute and belong to this machine.

    name: unique across all states (state id, session id, attempt number).
    env: variables added to the environment that the job inherits.
    secrets: likewise; never stored, never displayed.
    files: inputs below `root` that a backend without this machine's disks has to upload; None: everything below `root`.
    digests: SHA-256 of these files, in hex digits: an upload of other content would be of another session.
    preload: modules that a backend may have imported before it forks the Python program; None: not a Python program to fork.
    start_when_below: if not None, the backend starts the attempt once fewer than this many jobs with the same resources run.
    moves: how often signatures of inputs had moved when it was made (`config.inputs`).
    """

    name: str
    session: str
    number: int
    command: str | tuple[str, ...]
    env: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    workdir: str
    stdout: str
    stderr: str
    output: str
    resources: Resources
    image: str | None
    timeout: float | None
    grace: float
    root: str = ""
    files: tuple[str, ...] | None = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    preload: tuple[str, ...] | None = None
    start_when_below: int | None = None
    moves: int = 0


class Cause(enum.StrEnum):
    """Why an attempt ended as it did, where its outcome, exit code and signal do not say it."""

    TIMEOUT = "timeout"
    MEMORY = "memory"
    REQUEST = "request"
    """Somebody asked for its end: Ctrl-C, `runner cancel`, an error of runner."""
    NOT_STARTED = "not-started"
    """The command could not be executed."""
    REFUSED = "refused"
    """The backend will never run it."""
    CAPACITY = "capacity"
    """It needs more than the capacity has in all."""
    BUILD = "build"
    """The build that it needs failed."""
    INPUTS = "inputs"
    """Its inputs were not those of its id."""
    LEFT_BEHIND = "left-behind"
    """It has succeeded, but processes that it left running were ended."""
    RUNNER_DIED = "runner-died"
    SUPERVISOR_DIED = "supervisor-died"
    NODE_FAILED = "node-failed"
    PREEMPTED = "preempted"
    NO_RECORD = "no-record"
    """The job is gone, and nothing says how it ended."""
    BACKEND = "backend"
    """In the words of the backend alone."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A cause and its data; `runner.text.reasons` makes the sentence.

    detail: words of the operating system, of the backend or of the one who asked, without a full stop.
    limit: seconds after TIMEOUT, bytes after MEMORY.
    used: bytes, after MEMORY.
    """

    cause: Cause
    detail: str | None = None
    limit: float | None = None
    used: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnd:
    """How an attempt ended, as the backend saw it. The executor replaces outcome and reason where it asked for the end.

    exit_code: of the program itself; None after a signal, and where unknown.
    signal: number of the signal that killed the program, as far as the backend can tell.
    reason: None where exit code or signal say all.
    duration, cpu_time: seconds, None where unknown.
    max_rss: bytes, None where unknown.
    began: False if the command has certainly never begun, so that another attempt repeats nothing.
    drained: True if no process of the attempt can be alive: its files are not written to any more.
    """

    outcome: Outcome
    exit_code: int | None = None
    signal: int | None = None
    reason: Reason | None = None
    duration: float | None = None
    cpu_time: float | None = None
    max_rss: int | None = None
    began: bool = True
    drained: bool = False

    @property
    def exit_status(self) -> int | None:
        """The exit code as a shell gives it: 128+n after signal n."""
        return self.exit_code if self.signal is None else 128 + self.signal


@dataclass(frozen=True, slots=True)
class Usage:
    """How busy the capacity was.

    seconds: the time measured.
    busy: the average share of each limit in use, from 0 to 1.
    limited_by: for what share of the time each limit held up the next session. For the rest, no session waited.
    """

    seconds: float
    busy: Mapping[str, float]
    limited_by: Mapping[str, float]

    @property
    def bottleneck(self) -> str | None:
        """The limit that held up sessions most of the time; None if no session waited for longer than that."""
        name = max(self.limited_by, key=self.limited_by.__getitem__, default=None)
        return name if name is not None and self.limited_by[name] >= 1.0 - sum(self.limited_by.values()) else None


@dataclass(frozen=True, slots=True)
class Retry:
    """`limit`: retries of a session in one apply. The n-th comes `backoff` * 2**(n-1) seconds after the end before it."""

    limit: int = 0
    backoff: float = 1.0
    on: frozenset[Outcome] = frozenset((Outcome.FAILED, Outcome.TIMED_OUT, Outcome.LOST))


@dataclass(frozen=True, slots=True)
class Stop:
    """Start nothing more once this many sessions, or this share of those to run, have failed for good."""

    failures: int | None = None
    share: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules for the executor. Times in seconds."""

    timeout: float | None = None
    grace: float = 10.0
    retry: Retry = Retry()
    stop: Stop | None = None
