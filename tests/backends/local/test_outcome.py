"""The end of an attempt, from the supervisor's report."""

from __future__ import annotations

import pytest

from runner.backends.local.outcome import attempt_end
from runner.backends.local.protocol import Ended
from runner.model import AttemptEnd, Cause, Outcome, Reason

MIB = 1 << 20


@pytest.mark.parametrize(
    ("ended", "end"),
    [
        (Ended(key=1, code=0), AttemptEnd(outcome=Outcome.SUCCEEDED, exit_code=0, drained=True)),
        (Ended(key=1, code=3), AttemptEnd(outcome=Outcome.FAILED, exit_code=3, drained=True)),
        (Ended(key=1, code=-9), AttemptEnd(outcome=Outcome.FAILED, signal=9, drained=True)),
        (
            Ended(key=1, code=127, reason="`x` not found"),
            AttemptEnd(
                outcome=Outcome.FAILED,
                exit_code=127,
                reason=Reason(Cause.NOT_STARTED, "`x` not found"),
                drained=True,
            ),
        ),
        (
            Ended(key=1, code=-15, cancelled=True),
            AttemptEnd(outcome=Outcome.CANCELLED, signal=15, drained=True),
        ),
        (Ended(key=1, code=0, cancelled=True), AttemptEnd(outcome=Outcome.CANCELLED, exit_code=0, drained=True)),
        (
            Ended(key=1, cancelled=True, reason="early"),
            AttemptEnd(outcome=Outcome.CANCELLED, reason=Reason(Cause.REQUEST, "early"), drained=True),
        ),
        (
            Ended(key=1, code=-9, out_of_memory=True, max_rss=12 * MIB),
            AttemptEnd(
                outcome=Outcome.OUT_OF_MEMORY,
                signal=9,
                reason=Reason(Cause.MEMORY, limit=10 * MIB, used=12 * MIB),
                max_rss=12 * MIB,
                drained=True,
            ),
        ),
        (
            Ended(key=1, code=-9, out_of_memory=True, cancelled=True),
            AttemptEnd(outcome=Outcome.CANCELLED, signal=9, drained=True),
        ),
        (
            Ended(key=1, code=0, lost="its end was not seen"),
            AttemptEnd(outcome=Outcome.LOST, reason=Reason(Cause.NO_RECORD, "its end was not seen")),
        ),
    ],
)
def test_end_of_each_kind(ended: Ended, end: AttemptEnd) -> None:
    assert attempt_end(ended, 10 * MIB) == end


def test_times_are_in_microseconds() -> None:
    end = attempt_end(Ended(key=1, code=0, duration=0.12345678, cpu_time=1e-9, drained=False), None)
    assert (end.duration, end.cpu_time, end.drained) == (0.123457, 0.0, False)
