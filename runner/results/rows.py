"""One row for each session of a plan, in plan order: the data behind `results` in every format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from runner.config.metrics import Metric
from runner.events import iso
from runner.model import Metrics, Outcome, Session, Status, Value, metric_values, missing_reasons
from runner.results.collected import Definitions, MissingMetrics
from runner.state import State
from runner.state.rows import AttemptRow, runs_on


class SessionPoint(Protocol):
    """What a row needs of a session: a rendered `Session` has it, and so has a `PlannedPoint`."""

    @property
    def index(self) -> int: ...
    @property
    def id(self) -> str: ...
    @property
    def repeat(self) -> int: ...
    @property
    def params(self) -> Mapping[str, Value]: ...


class Result(NamedTuple):
    """A session and its last attempt."""

    session: Session
    last: AttemptRow | None
    """None if the session was never attempted."""
    status: str
    """The last outcome, else `new` or `running`."""
    again: float | None = None
    """Unix time at which the live apply retries the session, if it does."""


def results(
    sessions: Iterable[Session], state: State | None, metrics: Mapping[str, Metric] | None = None
) -> Iterator[Result]:
    """Each session with its last attempt and status, in their order. Holds a few hundred sessions at a time.

    An attempt without an end is `running` while the state is held or its cluster has the job, else `lost`: that is what the
    next apply records. A session that the live apply is about to retry is `running`.

    metrics: a value of another definition than here is left out; None: as it is stored.
    """
    if state is None:
        for session in sessions:
            yield Result(session, None, Status.NEW.value)
        return
    live = state.holder is not None
    retrying = state.journal.retrying() if live else None
    definitions = None if metrics is None else Definitions(metrics)
    for session, last in state.journal.latest(sessions):
        if last is not None and definitions is not None:
            last = last._replace(metrics=definitions.present(last.metrics, last.definitions))
        if last is None:
            yield Result(session, None, Status.NEW.value)
        elif retrying is not None and last.retry_at is not None and last.apply == retrying:
            yield Result(session, last, Status.RUNNING.value, last.retry_at)
        else:
            yield Result(session, last, last.outcome or _without_end(last.backend, last.job, live))


def _without_end(backend: str, job: str | None, live: bool) -> str:
    """The status of a session whose last attempt has no end."""
    return Status.RUNNING.value if live or runs_on(backend, job) else Outcome.LOST.value


class ResultRow(NamedTuple):
    """The columns that every sweep has, then the metrics. None where a value is unknown or does not exist yet."""

    index: int  # type: ignore[assignment]  # tuples have a method of this name
    id: str
    params: Mapping[str, Value]
    repeat: int
    status: str
    exit_code: int | None
    reason: str | None
    attempts: int
    backend: str | None
    job: str | None
    host: str | None
    started: str | None
    """ISO 8601, UTC."""
    duration: float | None
    """Seconds of wall time."""
    cpu_time: float | None
    """Seconds of user and system time."""
    max_rss: int | None
    """Bytes."""
    output: str | None
    """Path of the output folder; None if it is empty. The same goes for the two logs."""
    stdout: str | None
    stderr: str | None
    metrics: Metrics

    def to_json(self) -> dict[str, Any]:
        """The row as `schemas/results.schema.json` has it."""
        return {
            "index": self.index,
            "id": self.id,
            "repeat": self.repeat,
            "params": {name: value.data for name, value in self.params.items()},
            "status": self.status,
            "exit_code": self.exit_code,
            "reason": self.reason,
            "attempts": self.attempts,
            "backend": self.backend,
            "job": self.job,
            "host": self.host,
            "started": self.started,
            "duration": self.duration,
            "cpu_time": self.cpu_time,
            "max_rss": self.max_rss,
            "metrics": metric_values(self.metrics),
            "missing": missing_reasons(self.metrics),
            "output": self.output,
            "stdout": self.stdout,
            "stderr": self.stderr,
        }


_COLUMNS = """
    a.outcome, a.exit_code, a.reason, a.number, a.backend, a.job, a.host, a.started, a.duration, a.cpu_time, a.max_rss,
    a.metrics, a.retry_at, a.apply, a.definitions"""


_NEW_CELLS = (Status.NEW.value, None, None, 0, *[None] * 10)
"""The cells between `repeat` and the metrics of a session that was never attempted."""


def result_rows(
    sessions: Iterable[SessionPoint], state: State | None, metrics: Mapping[str, Metric]
) -> Iterator[ResultRow]:
    """The row of each session, in their order, with the statuses of `results`. Holds a few hundred sessions at a time."""
    definitions = Definitions(metrics)
    for session, cells, stored, of in _cells(sessions, state):
        first = (session.index, session.id, session.params, session.repeat)
        yield ResultRow._make((*first, *cells, definitions.metrics(stored, of)))


def csv_rows(
    sessions: Iterable[SessionPoint], state: State | None, metrics: Mapping[str, Metric], missing: MissingMetrics
) -> Iterator[list[Any]]:
    """The cells of `Columns.every` for `csv.writer`. They are those of `result_rows`, in half the time: no object is made.

    What succeeded sessions lack is added to `missing`.
    """
    definitions, names = Definitions(metrics), tuple(metrics)
    for session, cells, stored, of in _cells(sessions, state):
        texts = [value.text for value in session.params.values()]
        values = definitions.cells(stored, of, names, missing if cells[0] == Outcome.SUCCEEDED else None)
        yield [session.index, session.id, *texts, session.repeat, *cells, *values]


def _cells(
    sessions: Iterable[SessionPoint], state: State | None
) -> Iterator[tuple[SessionPoint, tuple[Any, ...], str | None, str | None]]:
    """Each session, its cells between `repeat` and the metrics, and its columns `metrics` and `definitions`."""
    if state is None:
        for session in sessions:
            yield session, _NEW_CELLS, None, None
        return
    live = state.holder is not None
    retrying = state.journal.retrying() if live else None
    # A live apply writes files while its rows are read, so a list of their names would be out of date.
    files = state.written_files(listed=not live)
    for session, row in state.journal.latest_columns(sessions, _COLUMNS):
        if row is None:
            yield session, _NEW_CELLS, None, None
            continue
        outcome, exit_code, reason, number, backend, job, host, started, duration, cpu_time, max_rss, stored = row[:12]
        retry_at, apply, of = row[12:15]
        if outcome is None:
            outcome = _without_end(backend, job, live)
        elif retrying is not None and retry_at is not None and apply == retrying:
            outcome = Status.RUNNING.value
        began = None if started is None else iso(started)
        measured = (outcome, exit_code, reason, number, backend, job, host, began, duration, cpu_time, max_rss)
        yield session, (*measured, *files.of(session.id, number)), stored, of


def result_row(result: Result, state: State | None) -> ResultRow:
    """The row of one result."""
    session, last, status, _ = result
    if last is None or state is None:
        return _new(session)._replace(status=status)
    output, stdout, stderr = state.written(session.id, last.number)
    return ResultRow(
        index=session.index,
        id=session.id,
        params=session.params,
        repeat=session.repeat,
        status=status,
        exit_code=last.exit_code,
        reason=last.reason,
        attempts=last.number,
        backend=last.backend,
        job=last.job,
        host=last.host,
        started=None if last.started is None else iso(last.started),
        duration=last.duration,
        cpu_time=last.cpu_time,
        max_rss=last.max_rss,
        output=output,
        stdout=stdout,
        stderr=stderr,
        metrics=last.metrics,
    )


def _new(session: SessionPoint) -> ResultRow:
    """The row of a session that was never attempted."""
    return ResultRow._make((session.index, session.id, session.params, session.repeat, *_NEW_CELLS, {}))
