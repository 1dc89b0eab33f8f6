"""How a session ended, from its state, its own record and Slurm's last row. Pure."""

from __future__ import annotations

from runner.backends.slurm.job import JobState
from runner.backends.slurm.spool import EndRecord
from runner.backends.slurm.squeue import TaskRow
from runner.model import AttemptEnd, Cause, Outcome, Reason
from runner.text.reasons import signal_name

NOTHING_TO_RUN = 125
"""Exit code of the batch script if the array's folder does not exist on the node."""

_LAUNCH_FAILED = 53
"""The signal that Slurm reports for a job that the node could not launch."""

_BY_STATE = {
    "CANCELLED": (Outcome.CANCELLED, Reason(Cause.BACKEND, "cancelled outside of runner")),
    "TIMEOUT": (Outcome.TIMED_OUT, Reason(Cause.TIMEOUT, "reached its time limit at Slurm")),
    "DEADLINE": (Outcome.TIMED_OUT, Reason(Cause.TIMEOUT, "reached its deadline at Slurm")),
    "OUT_OF_MEMORY": (Outcome.OUT_OF_MEMORY, Reason(Cause.MEMORY, "the job ran out of memory")),
    "NODE_FAIL": (Outcome.LOST, Reason(Cause.NODE_FAILED, "its node failed")),
    "PREEMPTED": (Outcome.LOST, Reason(Cause.PREEMPTED, "preempted by another job")),
    "BOOT_FAIL": (Outcome.LOST, Reason(Cause.NODE_FAILED, "its node did not start")),
}

_ON_REQUEST = Reason(Cause.REQUEST)


def attempt_end(
    state: JobState,
    record: EndRecord | None,
    row: TaskRow | None,
    *,
    began: bool,
    alone: bool,
    marked: bool,
    limit: float | None,
) -> AttemptEnd:
    """The end of a session whose state is settled.

    row: its task as Slurm last listed it, None if Slurm does not know it.
    began: whether its command may have begun.
    alone: whether its task has no other session.
    marked: whether runner has asked for its end.
    limit: its timeout in seconds, None if unknown.
    """
    if record is not None:
        return _from_record(record, row, limit)
    if state is JobState.IMPOSSIBLE and not marked:
        detail = f"the cluster can never run it: {row.reason if row else 'unknown reason'}"
        return AttemptEnd(outcome=Outcome.REJECTED, reason=Reason(Cause.REFUSED, detail), began=False)
    if state is JobState.REMOVED:
        reason = _ON_REQUEST if marked else _BY_STATE["CANCELLED"][1]
        return AttemptEnd(outcome=Outcome.CANCELLED, reason=reason, began=False)
    final = row if row is not None and row.final else None
    if marked and (final is None or final.state == "CANCELLED" or final.ended_by_request):
        return AttemptEnd(outcome=Outcome.CANCELLED, reason=_ON_REQUEST, began=began)
    if final is None:
        return _lost(Cause.NO_RECORD, "left Slurm's queue without a record of its end", began=began)
    return _from_row(final, began, alone)


def _from_record(record: EndRecord, row: TaskRow | None, limit: float | None) -> AttemptEnd:
    code = record.code

    def end(outcome: Outcome, reason: Reason | None = None, *, began: bool = True) -> AttemptEnd:
        return AttemptEnd(
            outcome=outcome,
            exit_code=code,
            reason=reason,
            duration=record.ran,
            cpu_time=record.cpu,
            max_rss=record.peak,
            began=began,
        )

    if record.why == "asked":
        return end(Outcome.CANCELLED, _ON_REQUEST, began=code is not None)
    if record.why == "timeout":
        return end(Outcome.TIMED_OUT, Reason(Cause.TIMEOUT, limit=limit))
    if record.why == "broken":
        reason = Reason(Cause.NOT_STARTED, "its logs could not be written on the node")
        return AttemptEnd(outcome=Outcome.FAILED, exit_code=code, reason=reason, began=False)
    if code is None:
        return _lost(Cause.NO_RECORD, "its record is damaged")
    state = row.state if row else ""
    if code and (record.killed or (record.killed is None and state == "OUT_OF_MEMORY")):
        return end(*_BY_STATE["OUT_OF_MEMORY"])
    if record.why == "slurm" and state not in ("COMPLETED", "FAILED"):
        unknown = (Outcome.LOST, Reason(Cause.BACKEND, "ended by Slurm for an unknown reason"))
        return end(*_BY_STATE.get(state, unknown))
    return end(Outcome.FAILED if code else Outcome.SUCCEEDED)


def _from_row(row: TaskRow, began: bool, alone: bool) -> AttemptEnd:
    """The end of a session whose wrapper could not write a record."""
    if row.state in _BY_STATE:
        outcome, reason = _BY_STATE[row.state]
        if not (began or alone or outcome is Outcome.CANCELLED):
            return _lost(reason.cause, f"not started: its Slurm task ended first ({reason.detail})", began=False)
        return AttemptEnd(outcome=outcome, reason=reason, began=began and row.state != "BOOT_FAIL")
    if row.signal == _LAUNCH_FAILED:
        return _lost(Cause.NODE_FAILED, "its node could not start it", began=False)
    if row.signal:
        return _lost(Cause.NO_RECORD, f"its wrapper was killed by {signal_name(row.signal)}", began=began)
    if row.code == NOTHING_TO_RUN:
        detail = "its node does not see the state's folder: is that folder shared with the nodes?"
        return _lost(Cause.NO_RECORD, detail, began=False)
    if not alone:
        return _lost(Cause.NO_RECORD, "its Slurm task ended without a record of it", began=began)
    if row.code is None:
        detail = f"{row.reason}; Slurm's accounting does not say which"
        return AttemptEnd(outcome=Outcome.FAILED, reason=Reason(Cause.BACKEND, detail))
    return AttemptEnd(outcome=Outcome.FAILED if row.code else Outcome.SUCCEEDED, exit_code=row.code)


def _lost(cause: Cause, detail: str, *, began: bool = True) -> AttemptEnd:
    return AttemptEnd(outcome=Outcome.LOST, reason=Reason(cause, detail), began=began)
