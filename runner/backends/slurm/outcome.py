"""How a session ended, from its state, its own record and Slurm's last row. Pure."""

from __future__ import annotations

from runner.backends.outcome import exit_text, signal_name
from runner.backends.slurm.job import JobState
from runner.backends.slurm.spool import EndRecord
from runner.backends.slurm.squeue import TaskRow
from runner.model import AttemptEnd, Outcome

NOTHING_TO_RUN = 125
"""Exit code of the batch script if the array's folder does not exist on the node."""

_LAUNCH_FAILED = 53
"""The signal that Slurm reports for a job that the node could not launch."""

_BY_STATE = {
    "CANCELLED": (Outcome.CANCELLED, "cancelled outside of runner"),
    "TIMEOUT": (Outcome.TIMED_OUT, "reached its time limit at Slurm"),
    "DEADLINE": (Outcome.TIMED_OUT, "reached its deadline at Slurm"),
    "OUT_OF_MEMORY": (Outcome.OUT_OF_MEMORY, "the job ran out of memory"),
    "NODE_FAIL": (Outcome.LOST, "its node failed"),
    "PREEMPTED": (Outcome.LOST, "preempted by another job"),
    "BOOT_FAIL": (Outcome.LOST, "its node did not start"),
}

_ON_REQUEST = "ended on request"


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
        reason = f"the cluster can never run it: {row.reason if row else 'unknown reason'}"
        return AttemptEnd(Outcome.REJECTED, None, reason, began=False)
    if state is JobState.REMOVED:
        return AttemptEnd(Outcome.CANCELLED, None, _ON_REQUEST if marked else _BY_STATE["CANCELLED"][1], began=False)
    final = row if row is not None and row.final else None
    if marked and (final is None or final.state == "CANCELLED" or final.ended_by_request):
        return AttemptEnd(Outcome.CANCELLED, None, _ON_REQUEST, began=began)
    if final is None:
        return AttemptEnd(Outcome.LOST, None, "left Slurm's queue without a record of its end", began=began)
    return _from_row(final, began, alone)


def _from_record(record: EndRecord, row: TaskRow | None, limit: float | None) -> AttemptEnd:
    used = (record.ran, record.cpu, record.peak)
    code = record.code
    if record.why == "asked":
        return AttemptEnd(Outcome.CANCELLED, code, _ON_REQUEST, *used, began=code is not None)
    if record.why == "timeout":
        reason = f"ran longer than {limit:g}s" if limit is not None else "ran longer than allowed"
        return AttemptEnd(Outcome.TIMED_OUT, code, reason, *used)
    if record.why == "broken":
        return AttemptEnd(Outcome.FAILED, code, "its logs could not be written on the node", began=False)
    if code is None:
        return AttemptEnd(Outcome.LOST, None, "its record is damaged")
    state = row.state if row else ""
    if code and (record.killed or (record.killed is None and state == "OUT_OF_MEMORY")):
        return AttemptEnd(Outcome.OUT_OF_MEMORY, code, "the job ran out of memory", *used)
    if record.why == "slurm" and state not in ("COMPLETED", "FAILED"):
        outcome, reason = _BY_STATE.get(state, (Outcome.LOST, "ended by Slurm for an unknown reason"))
        return AttemptEnd(outcome, code, reason, *used)
    if code == 0:
        return AttemptEnd(Outcome.SUCCEEDED, 0, None, *used)
    return AttemptEnd(Outcome.FAILED, code, exit_text(code), *used)


def _from_row(row: TaskRow, began: bool, alone: bool) -> AttemptEnd:
    """The end of a session whose wrapper could not write a record."""
    if row.state in _BY_STATE:
        outcome, reason = _BY_STATE[row.state]
        if not (began or alone or outcome is Outcome.CANCELLED):
            return AttemptEnd(Outcome.LOST, None, f"not started: its Slurm task ended first ({reason})", began=False)
        return AttemptEnd(outcome, None, reason, began=began and row.state != "BOOT_FAIL")
    if row.signal == _LAUNCH_FAILED:
        return AttemptEnd(Outcome.LOST, None, "its node could not start it", began=False)
    if row.signal:
        return AttemptEnd(Outcome.LOST, None, f"its wrapper was killed by {signal_name(row.signal)}", began=began)
    if row.code == NOTHING_TO_RUN:
        reason = "its node does not see the state's folder: is that folder shared with the nodes?"
        return AttemptEnd(Outcome.LOST, None, reason, began=False)
    if not alone:
        return AttemptEnd(Outcome.LOST, None, "its Slurm task ended without a record of it", began=began)
    if row.code is None:
        return AttemptEnd(Outcome.FAILED, None, f"{row.reason}; Slurm's accounting does not say which")
    if row.code == 0:
        return AttemptEnd(Outcome.SUCCEEDED, 0, None)
    return AttemptEnd(Outcome.FAILED, row.code, exit_text(row.code))
