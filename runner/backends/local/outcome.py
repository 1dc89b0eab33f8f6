"""How an attempt ended, from the supervisor's report. Pure."""

from __future__ import annotations

from runner.backends.local.protocol import Ended
from runner.model import AttemptEnd, Cause, Outcome, Reason


def attempt_end(ended: Ended, mem: int | None) -> AttemptEnd:
    """`mem` is the attempt's memory limit in bytes."""
    if ended.lost is not None:
        return AttemptEnd(outcome=Outcome.LOST, reason=Reason(Cause.NO_RECORD, ended.lost))
    code = ended.code
    signalled = code is not None and code < 0
    return AttemptEnd(
        outcome=_outcome(ended),
        exit_code=None if signalled else code,
        signal=-code if code is not None and signalled else None,
        reason=_reason(ended, mem),
        duration=_microseconds(ended.duration),
        cpu_time=_microseconds(ended.cpu_time),
        max_rss=ended.max_rss,
        drained=ended.drained,
    )


def _outcome(ended: Ended) -> Outcome:
    if ended.cancelled:
        return Outcome.CANCELLED
    if ended.out_of_memory:
        return Outcome.OUT_OF_MEMORY
    return Outcome.FAILED if ended.code else Outcome.SUCCEEDED


def _reason(ended: Ended, mem: int | None) -> Reason | None:
    if ended.out_of_memory and not ended.cancelled:
        return Reason(Cause.MEMORY, limit=mem or 0, used=ended.max_rss or 0)
    if ended.left_behind and not (ended.cancelled or ended.code):
        return Reason(Cause.LEFT_BEHIND)
    if ended.reason is None:
        return None
    return Reason(Cause.REQUEST if ended.cancelled else Cause.NOT_STARTED, ended.reason)


def _microseconds(seconds: float | None) -> float | None:
    """Rounded to the resolution of the clocks."""
    return None if seconds is None else round(seconds, 6)
