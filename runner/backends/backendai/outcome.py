"""How an attempt ended: by its own record on the console, else by the manager's. Pure."""

from __future__ import annotations

from runner.backends.backendai.api import SessionInfo
from runner.backends.backendai.console import ConsoleLog, WrapperEnd
from runner.backends.backendai.inputs import is_build
from runner.model import Attempt, AttemptEnd, Cause, Outcome, Reason

REJECTED = {
    "pending-timeout": "the cluster gave up scheduling it",
    "failed-to-create": "the cluster could not create its container",
    "failed-to-start": "the cluster could not start it",
}
"""Reasons by `status_info` of a session that did not run."""

LOST = {
    "self-terminated": "its container ended by itself or was killed",
    "agent-termination": "its agent was shut down",
    "agent-lost": "its agent was lost",
    "terminated-unknown-container": "its container is unknown to the cluster",
    "hang-timeout": "it hung while the cluster started or terminated it",
    "restart-timeout": "the cluster could not restart it",
    "not-found-in-manager": "the cluster no longer has a record of it",
}

CANCELLED = {
    "user-requested": "ended by its owner or an administrator, outside of runner",
    "force-terminated": "ended by force, outside of runner",
    "idle-timeout": "ended by the cluster: idle for too long",
    "idle-session-lifetime": "ended by the cluster: its maximum lifetime was reached",
    "idle-utilization": "ended by the cluster: it used too little of its resources",
    "task-cancelled": "cancelled by the cluster",
}


def attempt_end(
    info: SessionInfo | None,
    exit_code: int | None,
    console: ConsoleLog,
    attempt: Attempt | None,
    *,
    cancelled: bool = False,
) -> AttemptEnd:
    """Return the end of an attempt.

    `info` is the session as last listed, None if the manager does not know it; `exit_code` came with an event;
    `cancelled` means that runner asked for the end before the session had one.
    """
    if console.end is not None:
        return _from_wrapper(console.end, attempt)
    if info is None:
        return _end(Outcome.LOST, Cause.NO_RECORD, LOST["not-found-in-manager"])
    if info.result == "SUCCESS":
        return AttemptEnd(outcome=Outcome.SUCCEEDED, exit_code=0)
    if cancelled:
        return AttemptEnd(outcome=Outcome.CANCELLED, exit_code=exit_code, reason=Reason(Cause.REQUEST))
    if info.result is not None:
        return _from_event(exit_code, console)
    return _from_status(info)


def _from_wrapper(end: WrapperEnd, attempt: Attempt | None) -> AttemptEnd:
    if end.cause == "broken":
        not_started = Reason(Cause.NOT_STARTED, "its input files could not be created in the container")
        return AttemptEnd(outcome=Outcome.FAILED, exit_code=end.exit_code, reason=not_started)
    if end.exit_code == 0 and end.cause == "" and end.omitted and attempt is not None and is_build(attempt):
        return _end(Outcome.FAILED, Cause.BACKEND, "the files that it built are too large to be brought back")
    outcome, reason = _wrapper_outcome(end, attempt)
    return AttemptEnd(
        outcome=outcome,
        exit_code=end.exit_code,
        reason=reason,
        duration=end.duration,
        cpu_time=end.cpu_time,
        max_rss=end.max_rss,
    )


def _wrapper_outcome(end: WrapperEnd, attempt: Attempt | None) -> tuple[Outcome, Reason | None]:
    if end.cause == "asked":
        return Outcome.CANCELLED, Reason(Cause.REQUEST)
    if end.cause == "timeout":
        return Outcome.TIMED_OUT, Reason(Cause.TIMEOUT, limit=attempt.timeout if attempt else None)
    if end.out_of_memory and end.exit_code:
        return Outcome.OUT_OF_MEMORY, Reason(Cause.MEMORY, "the container ran out of memory")
    return Outcome.FAILED if end.exit_code else Outcome.SUCCEEDED, None


def _from_event(exit_code: int | None, console: ConsoleLog) -> AttemptEnd:
    """Return the end of a command that failed and whose wrapper could not report how."""
    if console.oom_noticed:
        reason = Reason(Cause.MEMORY, "the container ran out of memory")
        return AttemptEnd(outcome=Outcome.OUT_OF_MEMORY, exit_code=exit_code, reason=reason)
    if exit_code is None or exit_code <= 0:
        return _end(Outcome.FAILED, Cause.BACKEND, "the cluster reports a failure; the exit code is unknown")
    return AttemptEnd(outcome=Outcome.FAILED, exit_code=exit_code)


def _from_status(info: SessionInfo) -> AttemptEnd:
    error = f": {info.error}" if info.error else ""
    status = info.status_info or info.status.lower()
    if info.status == "ERROR" or status in REJECTED:
        pending = f" ({info.pending_reason})" if info.pending_reason else ""
        detail = f"{REJECTED.get(status, 'the cluster failed to start it')}{error}{pending}"
        return _end(Outcome.REJECTED, Cause.REFUSED, detail)
    if status in LOST:
        return _end(Outcome.LOST, Cause.NODE_FAILED, LOST[status] + error)
    if status in CANCELLED or (info.status == "CANCELLED" and not error):
        return _end(Outcome.CANCELLED, Cause.BACKEND, CANCELLED.get(status, f"cancelled by the cluster: {status}"))
    return _end(Outcome.LOST, Cause.BACKEND, f"ended by the cluster: {status}{error}")


def _end(outcome: Outcome, cause: Cause, detail: str) -> AttemptEnd:
    return AttemptEnd(outcome=outcome, reason=Reason(cause, detail))
