"""When the end of a job is reported, and as what, without processes."""

from __future__ import annotations

from time import monotonic

import pytest

from runner.backends.local.protocol import Ended, Stuck
from runner.backends.local.supervisor.job import LocalJob
from runner.backends.local.supervisor.memory_limits import MemoryLimits
from runner.backends.local.supervisor.running_jobs import LONGEST_HELD, RunningJobs


@pytest.fixture
def reports() -> list[Ended]:
    return []


@pytest.fixture
def jobs(reports: list[Ended]) -> RunningJobs:
    def stuck(message: Stuck) -> None:
        pytest.fail(message.reason)

    return RunningJobs(MemoryLimits(), reports.append, stuck)


def end(jobs: RunningJobs, seconds: float) -> None:
    """A job that has run for so long ends with 0."""
    job = LocalJob(key=1, name="x", mem=None, grace=1.0, started=monotonic() - seconds)
    jobs.add(job)
    jobs.leader_reaped(job, 0, 0.0, 0)
    jobs.leader_ended(job)


def test_end_of_a_short_job_is_reported_at_once(jobs: RunningJobs, reports: list[Ended]) -> None:
    end(jobs, seconds=0.0)
    assert [report.cancelled for report in reports] == [False]


def test_end_of_a_long_job_is_held_back(jobs: RunningJobs, reports: list[Ended]) -> None:
    """Until it is certain that no stop signal has ended it."""
    before = monotonic()
    end(jobs, seconds=100.0)
    due = jobs.due()
    assert due is not None
    assert before + LONGEST_HELD <= due <= monotonic() + LONGEST_HELD
    assert reports == []
    while jobs.due() is not None:
        jobs.tick()
    assert [report.cancelled for report in reports] == [False]


def test_end_just_before_a_stop_signal_is_cancelled(jobs: RunningJobs, reports: list[Ended]) -> None:
    end(jobs, seconds=100.0)
    jobs.stop_signal()
    assert [report.cancelled for report in reports] == [True]
    assert jobs.due() is None


def test_job_that_starts_after_a_stop_signal_succeeds(jobs: RunningJobs, reports: list[Ended]) -> None:
    jobs.stop_signal()
    end(jobs, seconds=0.0)
    assert [report.cancelled for report in reports] == [False]


def test_cancel_of_a_held_job_reports_it_once(jobs: RunningJobs, reports: list[Ended]) -> None:
    """It has ended by itself."""
    end(jobs, seconds=100.0)
    job = jobs.get(1)
    assert job is not None
    jobs.cancel(job, 0.0)
    while jobs.due() is not None:
        jobs.tick()
    assert [report.cancelled for report in reports] == [False]
