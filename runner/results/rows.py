"""One row for each session of a plan, in plan order: what `results` prints, whatever the form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from runner.events import iso
from runner.model import Outcome, Session, Status
from runner.state import State
from runner.state.rows import AttemptRow, runs_on


class Result(NamedTuple):
    """A session and its last attempt, None if there was none yet; `running` if that has not ended, and a holder or a cluster
    has it, or if the holder is to try it again, at the Unix time `again`.
    """

    session: Session
    last: AttemptRow | None
    status: str
    again: float | None = None


def results(sessions: Iterable[Session], state: State | None) -> Iterator[Result]:
    """The last outcome of each session, else `new` or `running`. Streams: holds a few hundred at a time.

    What a dead runner began and nobody has settled yet is `lost`: that is what the next apply will find.
    """
    if state is None:
        for session in sessions:
            yield Result(session, None, Status.NEW.value)
        return
    live = state.holder is not None
    retrying = state.journal.retrying() if live else None
    for session, last in state.journal.latest(sessions):
        if last is not None and last.retry_at is not None and last.apply == retrying:
            yield Result(session, last, Status.RUNNING.value, last.retry_at)
        else:
            yield Result(session, last, _status(last, live))


def _status(last: AttemptRow | None, live: bool) -> str:
    if last is None:
        return Status.NEW.value
    if last.outcome is not None:
        return last.outcome.value
    return Status.RUNNING.value if live or runs_on(last.backend, last.job) else Outcome.LOST.value


def to_row(result: Result, state: State | None) -> dict[str, Any]:
    """The row as plain JSON data; its shape is `schemas/results.schema.json`. Paths are null where nothing was written."""
    session, last = result.session, result.last
    output, stdout, stderr = _paths(state, session.id, last.number) if state and last else (None, None, None)
    return {
        "index": session.index,
        "id": session.id,
        "repeat": session.repeat,
        "params": {name: value.data for name, value in session.params.items()},
        "status": result.status,
        "exit_code": last.exit_code if last else None,
        "reason": last.reason if last else None,
        "attempts": last.number if last else 0,
        "backend": last.backend if last else None,
        "job": last.job if last else None,
        "host": last.host if last else None,
        "started": iso(last.started) if last and last.started is not None else None,
        "duration": last.duration if last else None,
        "cpu_time": last.cpu_time if last else None,
        "max_rss": last.max_rss if last else None,
        "metrics": dict(last.metrics) if last else {},
        "output": output,
        "stdout": stdout,
        "stderr": stderr,
    }


def _paths(state: State, session: str, attempt: int) -> tuple[str | None, str | None, str | None]:
    places, kept = state.paths(session, attempt), state.kept(session, attempt)
    return (
        str(places.output) if kept.output else None,
        str(places.stdout) if kept.stdout else None,
        str(places.stderr) if kept.stderr else None,
    )
