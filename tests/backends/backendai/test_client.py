"""Requests on a fake manager: retries, outages, clocks, keys and the rate limit."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
import trio

from runner.backends.backendai.backend import BackendAI
from runner.errors import EnvironmentFailed
from runner.model import Outcome
from tests.contract import Site, ignore
from tests.fake_backendai import ENVIRON, FakeManager, clock, run_all, simulate


def test_temporary_errors_are_retried(manager: FakeManager, site: Site) -> None:
    manager.faults = ["503", "before", "", "503", "before", "after", "", "503", "after"]

    async def body() -> None:
        async with manager.client() as backend:
            ends = await run_all(backend, [site.attempt(("true",), f"job-{n}") for n in range(4)])
            assert {end.outcome for end in ends} == {Outcome.SUCCEEDED}

    simulate(manager, body)
    assert len(manager.sessions) == 4


def test_query_that_meets_a_database_conflict_is_retried(manager: FakeManager, site: Site) -> None:
    manager.query_errors = 3
    assert site.end_of(site.attempt(("true",))).outcome is Outcome.SUCCEEDED
    assert manager.query_errors == 0


def test_query_that_always_fails_is_an_error(manager: FakeManager) -> None:
    manager.query_errors = 1000

    async def body() -> None:
        async with manager.client() as backend:
            with pytest.raises(EnvironmentFailed, match="does not list sessions: could not serialize access"):
                await backend.live_jobs("some")
            assert trio.current_time() < 60

    simulate(manager, body)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(200, text="<html>"), "answers 200, but not as a Backend.AI manager does"),
        (httpx.Response(200, json=[1]), "answers 200, but not as a Backend.AI manager does"),
        (httpx.Response(302, headers={"Location": "/login"}), "answers 302"),
        (httpx.Response(403, text="forbidden"), "answers 403"),
    ],
)
def test_endpoint_of_another_server_is_an_error_at_once(site: Site, answer: httpx.Response, message: str) -> None:
    """A web console, or a proxy's own page."""

    async def body() -> None:
        transport = httpx.MockTransport(lambda request: httpx.Response(answer.status_code, content=answer.content))
        async with BackendAI({}, ENVIRON, transport) as backend:
            with pytest.raises(EnvironmentFailed, match=message):
                await backend.submit(site.attempt(("true",)))
            with pytest.raises(EnvironmentFailed, match=message):
                await backend.find("name")

    trio.run(body, clock=clock())


def test_outage_of_five_minutes_loses_nothing(manager: FakeManager, site: Site) -> None:
    async def body() -> None:
        async with manager.client() as backend:
            jobs = [await backend.submit(site.attempt(("true",), f"job-{n}")) for n in range(3)]
            manager.down = True
            manager.cut_streams()

            async def repair() -> None:
                await trio.sleep(300)
                manager.down = False

            async with trio.open_nursery() as nursery:
                nursery.start_soon(repair)
                for job in jobs:
                    assert (await backend.wait(job)).outcome is Outcome.SUCCEEDED

    simulate(manager, body)


def test_manager_that_never_answered_is_an_error_soon(manager: FakeManager, site: Site) -> None:
    """The message shows no part of the keys."""
    manager.down = True

    async def body() -> None:
        async with manager.client() as backend:
            with pytest.raises(EnvironmentFailed, match="cannot be reached") as failed:
                await backend.submit(site.attempt(("true",)))
            assert trio.current_time() < 30
            assert "AKIA" not in str(failed.value)
            assert "secret" not in f"{failed.value} {failed.value.hint}"

    simulate(manager, body)


def test_manager_that_stays_away_is_an_error_after_ten_minutes(manager: FakeManager, site: Site) -> None:
    async def body() -> None:
        async with manager.client() as backend:
            job = await backend.submit(site.attempt(("sleep", "1000")))
            await backend.started(job, ignore)
            manager.down = True
            manager.cut_streams()
            with pytest.raises(EnvironmentFailed, match="cannot be reached"):
                await backend.wait(job)
            assert trio.current_time() > 600

    simulate(manager, body)


@pytest.mark.parametrize("minutes", [20, -20])
def test_signatures_use_the_managers_clock(manager: FakeManager, site: Site, minutes: int) -> None:
    manager.skew = timedelta(minutes=minutes)
    assert site.end_of(site.attempt(("true",))).outcome is Outcome.SUCCEEDED


def test_wrong_keys_are_an_error(manager: FakeManager, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        async with manager.client() as backend:
            monkeypatch.setitem(ENVIRON, "BACKEND_SECRET_KEY", "another")  # the manager's copy
            with pytest.raises(EnvironmentFailed, match="does not accept the keys"):
                await backend.submit(site.attempt(("true",)))

    simulate(manager, body)


def test_rate_limit_delays_jobs_and_few_requests_are_refused(manager: FakeManager, site: Site) -> None:
    """A manager counts refused requests, too: retrying at once would keep the account refused."""
    manager.limit = 60

    async def body() -> None:
        async with manager.client() as backend:
            ends = await run_all(backend, [site.attempt(("true",), f"job-{n}") for n in range(30)])
            assert {end.outcome for end in ends} == {Outcome.SUCCEEDED}
            assert trio.current_time() > manager.window

    simulate(manager, body)
    assert len(manager.sessions) == 30
    assert 0 < manager.refused < 60


def test_retry_after_delays_all_requests(manager: FakeManager, site: Site) -> None:
    manager.limit, manager.window, manager.retry_after = 10, 60.0, "60"

    async def body() -> None:
        async with manager.client() as backend:
            manager.request_times = [trio.current_time()] * 10
            job = await backend.submit(site.attempt(("true",)))
            assert (await backend.wait(job)).outcome is Outcome.SUCCEEDED
            assert trio.current_time() > 60

    simulate(manager, body)
    assert manager.refused <= 2, "the creation, and the event stream that was opened at the same time"


def test_account_that_stays_rate_limited_is_an_error(manager: FakeManager, site: Site) -> None:
    manager.limit = 0

    async def body() -> None:
        async with manager.client() as backend:
            with pytest.raises(EnvironmentFailed, match="rate limit is used up"):
                await backend.submit(site.attempt(("true",)))
            assert trio.current_time() > 1800  # no upper bound: the clock also jumps while a loaded machine works

    simulate(manager, body)
