"""How a job ended, from all that may be known of it: its own word on the console, else the cluster's. Pure."""

from __future__ import annotations

from runner.backends.backendai.api import Seen
from runner.backends.backendai.console import Console, End
from runner.backends.backendai.upload import builds
from runner.model import Attempt, AttemptEnd, Cause, Outcome, Reason

REJECTED_AS = {
    "pending-timeout": "the cluster gave up looking for room",
    "failed-to-create": "the cluster could not create its container",
    "failed-to-start": "the cluster could not start it",
}

LOST_AS = {
    "self-terminated": "its container ended by itself or was killed",
    "agent-termination": "its agent went away",
    "agent-lost": "its agent was lost",
    "terminated-unknown-container": "its container is unknown to the cluster",
    "hang-timeout": "it hung while the cluster started or ended it",
    "restart-timeout": "the cluster could not restart it",
    "not-found-in-manager": "the cluster no longer knows it",
}

CANCELLED_AS = {
    "user-requested": "ended by its owner or an administrator, outside of runner",
    "force-terminated": "ended by force, outside of runner",
    "idle-timeout": "ended by the cluster as idle",
    "idle-session-lifetime": "ended by the cluster: its longest life time is over",
    "idle-utilization": "ended by the cluster for using too little of what it has",
    "task-cancelled": "cancelled by the cluster",
}


def ended(
    seen: Seen | None, exit_code: int | None, console: Console, attempt: Attempt | None, *, asked: bool = False
) -> AttemptEnd:
    """`seen` is the session as it was last listed, None where the cluster does not know it; `exit_code` came by an event;
    `asked` says that we wanted its end before anybody knew of one.
    """
    if console.end is not None and console.end.why != "asked":
        return _by_wrapper(console.end, attempt)
    if console.end is not None:
        return _as_recorded(console.end, Outcome.CANCELLED, Reason(Cause.REQUEST))
    if seen is None:
        return _ended(Outcome.LOST, Cause.NO_RECORD, "the cluster no longer knows it")
    if asked and seen.result != "SUCCESS":
        return AttemptEnd(outcome=Outcome.CANCELLED, exit_code=exit_code, reason=Reason(Cause.REQUEST))
    if seen.result == "SUCCESS":
        return AttemptEnd(outcome=Outcome.SUCCEEDED, exit_code=0)
    if seen.result is not None:
        return _by_cluster(exit_code, console)
    return _by_reason(seen)


def _by_wrapper(end: End, attempt: Attempt | None) -> AttemptEnd:
    if end.why == "timeout":
        return _as_recorded(end, Outcome.TIMED_OUT, Reason(Cause.TIMEOUT, limit=attempt.timeout if attempt else None))
    if end.why == "broken":
        reason = Reason(Cause.NOT_STARTED, "its files could not be laid out in the container")
        return AttemptEnd(outcome=Outcome.FAILED, exit_code=end.code, reason=reason)
    if end.out_of_memory and end.code:
        return _as_recorded(end, Outcome.OUT_OF_MEMORY, Reason(Cause.MEMORY, "the container ran out of memory"))
    if end.code == 0 and end.left_out and attempt is not None and builds(attempt):
        return _ended(Outcome.FAILED, Cause.BACKEND, "what it built is too large to be brought back")
    return _as_recorded(end, Outcome.FAILED if end.code else Outcome.SUCCEEDED)


def _by_cluster(exit_code: int | None, console: Console) -> AttemptEnd:
    """It failed, and its wrapper died before it could say how."""
    if console.oom_noticed:
        reason = Reason(Cause.MEMORY, "the container ran out of memory")
        return AttemptEnd(outcome=Outcome.OUT_OF_MEMORY, exit_code=exit_code, reason=reason)
    if exit_code is None or exit_code <= 0:
        return _ended(Outcome.FAILED, Cause.BACKEND, "the cluster says that it failed; its exit code is unknown")
    return AttemptEnd(outcome=Outcome.FAILED, exit_code=exit_code)


def _by_reason(seen: Seen) -> AttemptEnd:
    words = f": {seen.fault}" if seen.fault else ""
    why = seen.info or seen.status.lower()
    if seen.status == "ERROR" or why in REJECTED_AS:
        waited = f" ({seen.waits_for})" if seen.waits_for else ""
        detail = f"{REJECTED_AS.get(why, 'the cluster failed to start it')}{words}{waited}"
        return _ended(Outcome.REJECTED, Cause.REFUSED, detail)
    if why in LOST_AS:
        return _ended(Outcome.LOST, Cause.NODE_FAILED, LOST_AS[why] + words)
    if why in CANCELLED_AS or (seen.status == "CANCELLED" and not words):
        return _ended(Outcome.CANCELLED, Cause.BACKEND, CANCELLED_AS.get(why, f"cancelled by the cluster: {why}"))
    return _ended(Outcome.LOST, Cause.BACKEND, f"ended by the cluster: {why}{words}")


def _ended(outcome: Outcome, cause: Cause, detail: str) -> AttemptEnd:
    return AttemptEnd(outcome=outcome, reason=Reason(cause, detail))


def _as_recorded(end: End, outcome: Outcome, reason: Reason | None = None) -> AttemptEnd:
    """With the exit code and the usage that the wrapper recorded."""
    return AttemptEnd(
        outcome=outcome, exit_code=end.code, reason=reason, duration=end.ran, cpu_time=end.cpu, max_rss=end.peak
    )
