"""The state of a session: a table of facts and decisions, and how the facts accumulate."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from runner.backends.slurm.job import RECORD_DELAY, SETTLED, JobState, SlurmFacts, SlurmJob, decide
from runner.backends.slurm.spool import EndRecord, JobArray
from runner.backends.slurm.squeue import TaskRow

RUNNING = TaskRow("RUNNING", 0, 0, 1.0, "n1", "None")
PENDING = TaskRow("PENDING", 0, 0, None, None, "Resources")
IMPOSSIBLE = replace(PENDING, reason="PartitionConfig")
FAILED = replace(RUNNING, state="FAILED", code=1)
NEVER_BEGAN = replace(FAILED, state="CANCELLED", began=None)
BY_REQUEST = replace(FAILED, signal=10)

RECORD = EndRecord(0, "", 1.0, 2.0, None, None, 0, "n1", "7")
BY_SLURM = RECORD._replace(code=143, why="slurm")
MEMORY_UNKNOWN = RECORD._replace(code=137, killed=None)

MEMORY = 60.0
POLL = 10.0
"""Seconds between the polls of the tables below; the first is at 100."""


def facts(*rows: TaskRow | None, gap: float = POLL) -> SlurmFacts:
    """The facts after polls that listed these rows."""
    found = SlurmFacts()
    for number, row in enumerate(rows):
        found = found.after_poll(row, 100 + number * gap)
    return found


def state(
    known: SlurmFacts,
    record: EndRecord | None = None,
    *,
    began: bool = False,
    marked_at: float | None = None,
    now: float = math.inf,
) -> JobState:
    return decide(known, record, began=began, marked_at=marked_at, now=now, memory=MEMORY)


@pytest.mark.parametrize(
    ("known", "record", "expected"),
    [
        (facts(), None, JobState.QUEUED),
        (facts(PENDING), None, JobState.QUEUED),
        (facts(PENDING, RUNNING), None, JobState.RUNNING),
        (facts(RUNNING, None), None, JobState.MISSING),
        (facts(RUNNING, None, RUNNING), None, JobState.RUNNING),
        (facts(RUNNING, None, None), None, JobState.MISSING),  # accounting has not been asked yet
        (facts(RUNNING, None, None).after_accounting(None), None, JobState.ENDED),
        (facts(None, None).after_accounting(FAILED), None, JobState.ENDED),
        (facts(RUNNING, FAILED), None, JobState.ENDED),
        (facts(RUNNING, FAILED, None), None, JobState.ENDED),
        (facts(RUNNING, FAILED, PENDING), None, JobState.QUEUED),  # requeued
        (facts(PENDING, None), None, JobState.MISSING),
        (facts(PENDING, None, None), None, JobState.REMOVED),
        (facts(PENDING, None, None, gap=MEMORY), None, JobState.MISSING),
        (facts(IMPOSSIBLE), None, JobState.QUEUED),
        (facts(IMPOSSIBLE, IMPOSSIBLE), None, JobState.IMPOSSIBLE),
        (facts(IMPOSSIBLE, PENDING, IMPOSSIBLE), None, JobState.QUEUED),
        (facts(RUNNING), RECORD, JobState.RECORDED),
        (facts(), RECORD, JobState.RECORDED),
        (facts(PENDING, None, None), RECORD, JobState.RECORDED),
        (facts(RUNNING), BY_SLURM, JobState.RECORD_DUE),
        (facts(RUNNING), MEMORY_UNKNOWN, JobState.RECORD_DUE),
        (facts(RUNNING, FAILED), BY_SLURM, JobState.RECORDED),
        (facts(RUNNING, None, None).after_accounting(None), MEMORY_UNKNOWN, JobState.RECORDED),
    ],
)
def test_state_follows_the_facts(known: SlurmFacts, record: EndRecord | None, expected: JobState) -> None:
    assert state(known, record) is expected


@pytest.mark.parametrize(
    ("known", "began", "marked_at", "expected"),
    [
        (facts(PENDING), False, 99.0, JobState.WITHHELD),
        (facts(PENDING), False, 101.0, JobState.QUEUED),  # listed before the mark: it may start at any moment
        (facts(RUNNING), False, 99.0, JobState.WITHHELD),  # in a pack, behind a running session
        (facts(RUNNING), True, 99.0, JobState.RUNNING),
        (facts(), False, 99.0, JobState.QUEUED),
    ],
)
def test_marked_session_that_has_not_begun_is_withheld(
    known: SlurmFacts, began: bool, marked_at: float, expected: JobState
) -> None:
    assert state(known, began=began, marked_at=marked_at) is expected


@pytest.mark.parametrize(
    ("known", "marked_at", "delay"),
    [
        (facts(RUNNING, FAILED), None, RECORD_DELAY),
        (facts(RUNNING, NEVER_BEGAN), None, 0.0),
        (facts(RUNNING, BY_REQUEST), 99.0, 0.0),
        (facts(RUNNING, BY_REQUEST), None, RECORD_DELAY),
        (facts(None, None).after_accounting(NEVER_BEGAN), None, 0.0),
        (facts(None, None).after_accounting(None), None, RECORD_DELAY),
    ],
)
def test_record_has_some_seconds_to_appear(known: SlurmFacts, marked_at: float | None, delay: float) -> None:
    ended_at = 100 + POLL
    assert state(known, began=True, marked_at=marked_at, now=ended_at + delay) is JobState.ENDED
    if delay:
        assert state(known, began=True, marked_at=marked_at, now=ended_at + delay - 1) is JobState.RECORD_DUE


def test_delay_counts_from_the_first_poll_that_found_the_end() -> None:
    assert facts(RUNNING, FAILED, FAILED, None).gone_at == 100 + POLL


def test_session_begins_when_those_before_it_have_ended(tmp_path: Path) -> None:
    array = JobArray(tmp_path, ("a", "b", "c", "d"), 2, "7")
    first, second, third = (SlurmJob(array, index) for index in range(3))
    for job in (first, second, third):
        job.facts = facts(RUNNING)
    assert [job.began for job in (first, second, third)] == [True, False, True]
    array.records[0] = RECORD
    assert second.began
    array.records[0] = BY_SLURM
    assert not second.began


def test_settled_states_are_those_with_an_end() -> None:
    assert set(JobState) - SETTLED == {JobState.QUEUED, JobState.RUNNING, JobState.MISSING, JobState.RECORD_DUE}
