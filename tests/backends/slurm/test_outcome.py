"""The outcome of a session, from its state, its record and Slurm's row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.backends.slurm.job import JobState
from runner.backends.slurm.outcome import attempt_end
from runner.backends.slurm.spool import EndRecord, parse_record
from runner.backends.slurm.squeue import TaskRow
from runner.model import AttemptEnd, Outcome

ROW = TaskRow("RUNNING", 0, 0, 1.0, "n1", "None")
RECORD = EndRecord(0, "", 1.0, 2.0, None, None, 0, "n1", "7")


def end(
    state: JobState = JobState.ENDED,
    record: EndRecord | None = None,
    row: TaskRow | None = None,
    *,
    began: bool = True,
    alone: bool = True,
    marked: bool = False,
) -> AttemptEnd:
    return attempt_end(state, record, row, began=began, alone=alone, marked=marked, limit=60)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (replace(ROW, state="COMPLETED"), (Outcome.SUCCEEDED, 0)),
        (replace(ROW, state="FAILED", code=3), (Outcome.FAILED, 3)),
        (replace(ROW, state="FAILED", code=137), (Outcome.FAILED, 137)),
        (replace(ROW, state="FAILED", code=None, reason="exit code 9 or 137"), (Outcome.FAILED, None)),
        (replace(ROW, state="FAILED", code=0, signal=11), (Outcome.LOST, None)),
        (replace(ROW, state="FAILED", code=15, signal=53), (Outcome.LOST, None)),
        (replace(ROW, state="FAILED", code=125), (Outcome.LOST, None)),
        (replace(ROW, state="OUT_OF_MEMORY"), (Outcome.OUT_OF_MEMORY, None)),
        (replace(ROW, state="TIMEOUT", signal=15), (Outcome.TIMED_OUT, None)),
        (replace(ROW, state="CANCELLED", signal=15), (Outcome.CANCELLED, None)),
        (replace(ROW, state="NODE_FAIL"), (Outcome.LOST, None)),
        (replace(ROW, state="PREEMPTED"), (Outcome.LOST, None)),
        (ROW, (Outcome.LOST, None)),
        (None, (Outcome.LOST, None)),
    ],
)
def test_without_a_record_slurm_decides(row: TaskRow | None, expected: tuple[Outcome, int | None]) -> None:
    """A job that left the queue without a record and without a final row is lost, never succeeded."""
    ended = end(row=row)
    assert (ended.outcome, ended.exit_code) == expected


@pytest.mark.parametrize(
    ("record", "row", "expected"),
    [
        (RECORD, None, (Outcome.SUCCEEDED, 0)),
        (RECORD._replace(code=3), None, (Outcome.FAILED, 3)),
        (RECORD._replace(code=1, killed=1), None, (Outcome.OUT_OF_MEMORY, 1)),
        (RECORD._replace(killed=1), None, (Outcome.SUCCEEDED, 0)),
        (RECORD._replace(code=137, killed=None), replace(ROW, state="OUT_OF_MEMORY"), (Outcome.OUT_OF_MEMORY, 137)),
        (RECORD._replace(code=137, killed=None), replace(ROW, state="FAILED"), (Outcome.FAILED, 137)),
        (RECORD._replace(code=9, why="timeout"), None, (Outcome.TIMED_OUT, 9)),
        (RECORD._replace(code=143, why="asked"), None, (Outcome.CANCELLED, 143)),
        (RECORD._replace(code=126, why="broken"), None, (Outcome.FAILED, 126)),
        (RECORD._replace(code=9, why="slurm"), replace(ROW, state="TIMEOUT"), (Outcome.TIMED_OUT, 9)),
        (RECORD._replace(code=0, why="slurm"), replace(ROW, state="CANCELLED"), (Outcome.CANCELLED, 0)),
        (RECORD._replace(code=0, why="slurm"), replace(ROW, state="PREEMPTED"), (Outcome.LOST, 0)),
        (RECORD._replace(code=0, why="slurm"), None, (Outcome.LOST, 0)),
        (parse_record("", 10.0), None, (Outcome.LOST, None)),
    ],
)
def test_record_decides(record: EndRecord, row: TaskRow | None, expected: tuple[Outcome, int | None]) -> None:
    ended = end(JobState.RECORDED, record, row)
    assert (ended.outcome, ended.exit_code) == expected


@pytest.mark.parametrize(
    ("state", "row", "marked", "expected"),
    [
        (JobState.IMPOSSIBLE, replace(ROW, state="PENDING", reason="PartitionConfig"), False, Outcome.REJECTED),
        (JobState.IMPOSSIBLE, replace(ROW, state="PENDING", reason="PartitionConfig"), True, Outcome.CANCELLED),
        (JobState.REMOVED, replace(ROW, state="PENDING"), False, Outcome.CANCELLED),
        (JobState.REMOVED, replace(ROW, state="PENDING"), True, Outcome.CANCELLED),
        (JobState.WITHHELD, replace(ROW, state="PENDING"), True, Outcome.CANCELLED),
        (JobState.ENDED, replace(ROW, state="CANCELLED"), True, Outcome.CANCELLED),
        (JobState.ENDED, replace(ROW, state="FAILED", signal=10), True, Outcome.CANCELLED),
        (JobState.ENDED, replace(ROW, state="NODE_FAIL"), True, Outcome.LOST),
        (JobState.ENDED, None, True, Outcome.CANCELLED),
    ],
)
def test_end_of_a_session_that_did_not_begin_or_was_marked(
    state: JobState, row: TaskRow, marked: bool, expected: Outcome
) -> None:
    assert end(state, None, row, began=False, marked=marked).outcome is expected


def test_completed_pack_says_nothing_about_its_sessions() -> None:
    ended = end(row=replace(ROW, state="COMPLETED"), began=False, alone=False)
    assert (ended.outcome, ended.began) == (Outcome.LOST, False)


def test_session_whose_pack_ended_first_did_not_begin() -> None:
    ended = end(row=replace(ROW, state="TIMEOUT"), began=False, alone=False)
    assert (ended.outcome, ended.began) == (Outcome.LOST, False)
