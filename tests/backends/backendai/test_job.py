"""One job on a fake manager: its start, end, logs and cancellation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import trio

from runner.model import Outcome
from runner.text.reasons import describe
from tests.contract import Site, ignore
from tests.fake_backendai import Behavior, FakeManager, simulate


def test_streams_and_usage_come_from_the_console(manager: FakeManager, site: Site) -> None:
    manager.behavior = lambda script: Behavior(stdout=bytes(range(256)) * 500, stderr=b"warn", duration=2.5)
    attempt = site.attempt(("true",))
    end = site.end_of(attempt)
    assert Path(attempt.stdout).read_bytes() == bytes(range(256)) * 500
    assert Path(attempt.stderr).read_bytes() == b"warn"
    assert (end.duration, end.cpu_time, end.max_rss) == (2.5, 0.15, 2 << 20)


def test_session_is_terminated_when_wait_returns(manager: FakeManager, site: Site) -> None:
    """Its resources are free for the next job."""

    async def body() -> None:
        async with manager.client() as backend:
            job = await backend.submit(site.attempt(("true",)))
            await backend.wait(job)
            assert manager.sessions[job].terminated

    simulate(manager, body)


def test_session_that_is_not_terminated_is_destroyed(manager: FakeManager, site: Site) -> None:
    """`result` is the end, even if the status stays RUNNING."""
    manager.behavior = lambda script: Behavior(not_terminated=True)
    assert site.end_of(site.attempt(("true",))).outcome is Outcome.SUCCEEDED
    assert all(session.terminated for session in manager.sessions.values())


def test_killed_container_is_lost(manager: FakeManager, site: Site) -> None:
    manager.behavior = lambda script: Behavior(killed_after=3.0)
    end = site.end_of(site.attempt(("true",)))
    assert (end.outcome, end.exit_code) == (Outcome.LOST, None)
    assert describe(end) == "its container ended by itself or was killed"


def test_console_without_any_line(manager: FakeManager, site: Site) -> None:
    manager.truncate = lambda log: ""
    attempt = site.attempt(("true",))
    assert site.end_of(attempt).outcome is Outcome.SUCCEEDED
    assert "lost the job's console" in Path(attempt.stderr).read_text()


def test_console_that_is_stored_late(manager: FakeManager, site: Site) -> None:
    manager.behavior = lambda script: Behavior(killed_after=1.0, stdout=b"whole")
    manager.console_delay = 0.4
    attempt = site.attempt(("true",))
    assert site.end_of(attempt).outcome is Outcome.LOST
    assert site.stdout(attempt) == "whole"


def test_console_without_its_end(manager: FakeManager, site: Site) -> None:
    """The exit code comes from the event then, and stderr notes what is missing."""
    manager.behavior = lambda script: Behavior(code=7, stdout=b"x" * 9000)
    manager.truncate = lambda log: log[: log.find(":o:6000:")]
    attempt = site.attempt(("true",))
    end = site.end_of(attempt)
    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 7)
    assert Path(attempt.stdout).read_bytes() == b"x" * 6000
    assert "the end of the job's console is missing" in Path(attempt.stderr).read_text()


def test_reason_for_waiting_is_reported_once(manager: FakeManager, site: Site) -> None:
    """A full quota is not an error: the job starts when the quota allows."""
    manager.quota = 1
    reasons: list[str] = []

    async def body() -> None:
        async with manager.client() as backend:
            first = await backend.submit(site.attempt(("sleep", "1000"), "first"))
            await backend.started(first, ignore)
            second = await backend.submit(site.attempt(("true",), "second"))
            started = await backend.started(second, reasons.append)
            assert started.host == "i-fake"
            assert (await backend.wait(second)).outcome is Outcome.SUCCEEDED

    simulate(manager, body)
    assert reasons == ["You cannot run more than 1 concurrent sessions"]


def test_refresh_writes_the_output_so_far(manager: FakeManager, site: Site) -> None:
    manager.behavior = lambda script: Behavior(duration=1000, stdout=b"so far")
    attempt = site.attempt(("true",))

    async def body() -> None:
        async with manager.client() as backend:
            job = await backend.submit(attempt)
            await backend.started(job, ignore)
            await trio.sleep(1)
            assert await backend.refresh(job)
            assert site.stdout(attempt) == "so far"

    simulate(manager, body)


def test_queued_job_is_cancelled(manager: FakeManager, site: Site) -> None:
    manager.quota = 0

    async def body() -> None:
        async with manager.client() as backend:
            job = await backend.submit(site.attempt(("true",)))
            await backend.cancel(job, 10)
            assert (await backend.wait(job)).outcome is Outcome.CANCELLED

    simulate(manager, body)
    assert [session.status for session in manager.sessions.values()] == ["CANCELLED"]


def test_cancel_interrupts_before_it_destroys(manager: FakeManager, site: Site) -> None:
    """The wrapper gets the grace period to end the command and to report its exit code."""
    attempt = replace(site.attempt(("sleep", "1000")), grace=10.0)

    async def body() -> None:
        async with manager.client() as backend:
            job = await backend.submit(attempt)
            await backend.started(job, ignore)
            await trio.sleep(1)
            await backend.cancel(job, 10)
            end = await backend.wait(job)
            assert (end.outcome, end.exit_code) == (Outcome.CANCELLED, 143)
            assert manager.sessions[job].interrupts == 1

    simulate(manager, body)
