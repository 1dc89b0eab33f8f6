"""How a job ended, from all that may be known of it: its own record, else what Slurm says. Pure."""

from __future__ import annotations

import signal

from runner.backends.slurm.record import Record
from runner.backends.slurm.squeue import Row
from runner.model import AttemptEnd, Outcome

NO_FOLDER = 125
"""The wrapper's exit code where it finds nothing to do."""

_LAUNCH = 53
"""What Slurm gives as the signal of a job that the node could not launch."""


def undecided(record: Record) -> bool:
    """Whether Slurm has to be heard, too: it wanted the end, or it alone knows whether memory was the reason."""
    return record.why == "slurm" or (record.code == 137 and record.killed is None)


def ended(
    record: Record | None,
    row: Row | None,
    *,
    began: bool,
    alone: bool,
    asked: bool,
    limit: float | None,
) -> AttemptEnd:
    """`row` is the task as Slurm knows it at last, None where it does not. `began` says whether the command may have; `alone`
    that the task has only this session; `asked` that we wanted its end; `limit` is its timeout in seconds, if known.
    """
    if record is not None:
        return _by_record(record, row, limit)
    if asked and (row is None or row.state == "CANCELLED" or row.by_request):
        return AttemptEnd(Outcome.CANCELLED, None, "ended on request", began=began)
    if row is None:
        return AttemptEnd(Outcome.LOST, None, "it left the queue without a record of its end", began=began)
    return _by_slurm(row, began, alone)


def impossible(row: Row) -> AttemptEnd:
    """For one that would wait for ever."""
    return AttemptEnd(Outcome.REJECTED, None, f"the cluster can never run it: {row.reason}", began=False)


def cancelled(*, asked: bool) -> AttemptEnd:
    """For one that was taken out of the queue."""
    reason = "ended on request" if asked else _STATES["CANCELLED"][1]
    return AttemptEnd(Outcome.CANCELLED, None, reason, began=False)


def _by_record(record: Record, row: Row | None, limit: float | None) -> AttemptEnd:
    used = (record.ran, record.cpu, record.peak)
    code = record.code
    if record.why == "asked":
        return AttemptEnd(Outcome.CANCELLED, code, "ended on request", *used, began=code is not None)
    if record.why == "timeout":
        reason = f"ran longer than {limit:g}s" if limit is not None else "ran longer than allowed"
        return AttemptEnd(Outcome.TIMED_OUT, code, reason, *used)
    if record.why == "broken":
        return AttemptEnd(Outcome.FAILED, code, "its logs could not be written where it ran", began=False)
    if code is None:
        return AttemptEnd(Outcome.LOST, None, "its record is not whole")
    state = row.state if row else ""
    if code and (record.killed or (record.killed is None and state == "OUT_OF_MEMORY")):
        return AttemptEnd(Outcome.OUT_OF_MEMORY, code, "the job ran out of memory", *used)
    if record.why == "slurm" and state not in ("COMPLETED", "FAILED"):
        outcome, reason = _STATES.get(state, (Outcome.LOST, "Slurm ended it, and does not say why"))
        return AttemptEnd(outcome, code, reason, *used)
    if code == 0:
        return AttemptEnd(Outcome.SUCCEEDED, 0, None, *used)
    return AttemptEnd(Outcome.FAILED, code, _exit(code), *used)


_STATES = {
    "CANCELLED": (Outcome.CANCELLED, "cancelled outside of runner"),
    "TIMEOUT": (Outcome.TIMED_OUT, "ran past the time limit it has at Slurm"),
    "DEADLINE": (Outcome.TIMED_OUT, "its deadline at Slurm has passed"),
    "OUT_OF_MEMORY": (Outcome.OUT_OF_MEMORY, "the job ran out of memory"),
    "NODE_FAIL": (Outcome.LOST, "its node failed"),
    "PREEMPTED": (Outcome.LOST, "preempted by another job"),
    "BOOT_FAIL": (Outcome.LOST, "its node did not start"),
}


def _by_slurm(row: Row, began: bool, alone: bool) -> AttemptEnd:
    """Its wrapper did not live to tell, or could not write."""
    if row.state in _STATES:
        outcome, reason = _STATES[row.state]
        if not (began or alone or outcome is Outcome.CANCELLED):
            return AttemptEnd(Outcome.LOST, None, f"it was still to come when its task ended: {reason}", began=False)
        return AttemptEnd(outcome, None, reason, began=began and row.state != "BOOT_FAIL")
    if row.signal == _LAUNCH:
        return AttemptEnd(Outcome.LOST, None, "the node could not start it", began=False)
    if row.signal:
        return AttemptEnd(Outcome.LOST, None, f"its wrapper was killed by {_name(row.signal)}", began=began)
    if row.code == NO_FOLDER:
        reason = "it found nothing to do: is the state in a folder that the nodes share?"
        return AttemptEnd(Outcome.LOST, None, reason, began=False)
    if not alone:
        return AttemptEnd(Outcome.LOST, None, "its task ended without a record of it", began=began)
    if row.code is None:
        return AttemptEnd(Outcome.FAILED, None, f"{row.reason}: that is all that Slurm's accounting says")
    if row.code == 0:
        return AttemptEnd(Outcome.SUCCEEDED, 0, None)
    return AttemptEnd(Outcome.FAILED, row.code, _exit(row.code))


def _exit(code: int | None) -> str | None:
    if code is not None and code > 128:
        return f"exit code {code} ({_name(code - 128)})"
    return None if code is None else f"exit code {code}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
