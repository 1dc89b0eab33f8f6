"""How a job ended, from all that may be known of it: its own word on the console, else the cluster's. Pure."""

from __future__ import annotations

import signal

from runner.backends.backendai.api import Seen
from runner.backends.backendai.console import Console, End
from runner.backends.backendai.upload import builds
from runner.model import Attempt, AttemptEnd, Outcome

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
        return AttemptEnd(Outcome.CANCELLED, console.end.code, "ended on request", *_used(console.end))
    if seen is None:
        return AttemptEnd(Outcome.LOST, None, "the cluster no longer knows it")
    if asked and seen.result != "SUCCESS":
        return AttemptEnd(Outcome.CANCELLED, exit_code, "ended on request")
    if seen.result == "SUCCESS":
        return AttemptEnd(Outcome.SUCCEEDED, 0, None)
    if seen.result is not None:
        return _by_cluster(exit_code, console)
    return _by_reason(seen)


def _by_wrapper(end: End, attempt: Attempt | None) -> AttemptEnd:
    code = end.code
    if end.why == "timeout":
        limit = attempt.timeout if attempt else None
        reason = f"ran longer than {limit:g}s" if limit is not None else "ran longer than allowed"
        return AttemptEnd(Outcome.TIMED_OUT, code, reason, *_used(end))
    if end.why == "broken":
        return AttemptEnd(Outcome.FAILED, code, "its files could not be laid out in the container")
    if end.out_of_memory and code:
        return AttemptEnd(Outcome.OUT_OF_MEMORY, code, "the container ran out of memory", *_used(end))
    if code == 0 and end.left_out and attempt is not None and builds(attempt):
        return AttemptEnd(Outcome.FAILED, None, "what it built is too large to be brought back")
    if code == 0:
        return AttemptEnd(Outcome.SUCCEEDED, 0, None, *_used(end))
    return AttemptEnd(Outcome.FAILED, code, _exit(code), *_used(end))


def _by_cluster(exit_code: int | None, console: Console) -> AttemptEnd:
    """It failed, and its wrapper did not live to tell how."""
    if console.oom_noticed:
        return AttemptEnd(Outcome.OUT_OF_MEMORY, exit_code, "the container ran out of memory")
    if exit_code is None or exit_code <= 0:
        return AttemptEnd(Outcome.FAILED, None, "the cluster says that it failed; its exit code is unknown")
    return AttemptEnd(Outcome.FAILED, exit_code, _exit(exit_code))


def _by_reason(seen: Seen) -> AttemptEnd:
    words = f": {seen.fault}" if seen.fault else ""
    why = seen.info or seen.status.lower()
    if seen.status == "ERROR" or why in REJECTED_AS:
        waited = f" ({seen.waits_for})" if seen.waits_for else ""
        return AttemptEnd(
            Outcome.REJECTED, None, f"{REJECTED_AS.get(why, 'the cluster failed to start it')}{words}{waited}"
        )
    if why in LOST_AS:
        return AttemptEnd(Outcome.LOST, None, LOST_AS[why] + words)
    if why in CANCELLED_AS or (seen.status == "CANCELLED" and not words):
        return AttemptEnd(Outcome.CANCELLED, None, CANCELLED_AS.get(why, f"cancelled by the cluster: {why}"))
    return AttemptEnd(Outcome.LOST, None, f"ended by the cluster: {why}{words}")


def _used(end: End) -> tuple[float, float | None, int | None]:
    return end.ran, end.cpu, end.peak


def _exit(code: int) -> str:
    if code > 128:
        try:
            return f"exit code {code} ({signal.Signals(code - 128).name})"
        except ValueError:
            pass
    return f"exit code {code}"
