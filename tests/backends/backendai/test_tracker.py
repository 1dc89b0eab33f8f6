"""Following sessions on a fake manager: events, polling, and sessions without progress."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from runner.model import Outcome
from runner.text.reasons import describe
from tests.contract import Site
from tests.fake_backendai import Behavior, FakeManager, run_all, simulate


def test_following_sixty_jobs_takes_few_requests(manager: FakeManager, site: Site) -> None:
    """One creation and two console logs for each job; queries and the event stream are shared."""

    async def body() -> None:
        async with manager.client() as backend:
            await run_all(backend, [site.attempt(("true",), f"many-{n}") for n in range(60)])

    manager.behavior = lambda script: Behavior(duration=600)
    simulate(manager, body)
    assert manager.requests["POST /session"] == 60
    assert manager.requests["GET /session/ID/logs"] == 120, "one for the progress check, one at the end"
    assert manager.requests["POST /admin/gql"] < 60
    assert manager.requests["GET /events/session"] == 1


@pytest.mark.parametrize(
    "delays", [(), (0.0, 0.0, 0.0), (120.0,), (3.0, 9.0)], ids=["never", "three times", "too late", "late and again"]
)
def test_end_is_found_however_events_arrive(manager: FakeManager, site: Site, delays: tuple[float, ...]) -> None:
    manager.event_delays = lambda event: delays

    async def body() -> None:
        async with manager.client() as backend:
            began = trio.current_time()
            ends = await run_all(backend, [site.attempt(("sh", "-c", "exit 3"), f"job-{n}") for n in range(5)])
            assert {(end.outcome, end.exit_code) for end in ends} == {(Outcome.FAILED, 3)}
            assert trio.current_time() - began < 40

    simulate(manager, body)


def test_event_stream_is_reopened_after_a_cut(manager: FakeManager, site: Site) -> None:
    async def body() -> None:
        async with manager.client() as backend:
            job = await backend.submit(site.attempt(("sleep", "1000")))
            for _ in range(3):
                await trio.sleep(100)
                manager.cut_streams()
            assert (await backend.wait(job)).outcome is Outcome.SUCCEEDED

    simulate(manager, body)
    assert manager.requests["GET /events/session"] == 4


@pytest.mark.parametrize(
    "behavior", [Behavior(never_started=True), Behavior(stuck_preparing=True)], ids=["running", "preparing"]
)
def test_session_whose_command_never_starts_is_destroyed(manager: FakeManager, site: Site, behavior: Behavior) -> None:
    manager.behavior = lambda script: behavior
    end = site.end_of(site.attempt(("true",)))
    assert (end.outcome, describe(end), end.began) == (Outcome.LOST, "the cluster never started its command", False)
    assert all(session.terminated for session in manager.sessions.values())


@pytest.mark.parametrize("status", ["PREPARING", "RUNNING"])
def test_end_that_the_manager_missed_is_read_from_the_console(manager: FakeManager, site: Site, status: str) -> None:
    manager.behavior = lambda script: Behavior(missed_from=status, code=3, stdout=b"whole")
    attempt = site.attempt(("sh", "-c", "exit 3"))
    end = site.end_of(attempt)
    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 3)
    assert site.stdout(attempt) == "whole"
    assert all(session.terminated for session in manager.sessions.values())


async def outage(manager: FakeManager, at: float, seconds: float) -> None:
    await trio.sleep(at)
    manager.down = True
    await trio.sleep(seconds)
    manager.down = False


def test_end_during_an_outage_is_found_soon_after_it(manager: FakeManager, site: Site) -> None:
    manager.behavior = lambda script: Behavior(missed_from="RUNNING", duration=100)

    async def body() -> None:
        async with manager.client() as backend, trio.open_nursery() as nursery:
            job = await backend.submit(site.attempt(("true",)))
            nursery.start_soon(outage, manager, 95, 20)
            assert (await backend.wait(job)).outcome is Outcome.SUCCEEDED
            assert trio.current_time() < 180

    simulate(manager, body)


def test_session_forgotten_during_an_outage_is_given_up_sooner(manager: FakeManager, site: Site) -> None:
    manager.behavior = lambda script: Behavior(stuck_preparing=True)

    async def body() -> None:
        async with manager.client() as backend, trio.open_nursery() as nursery:
            job = await backend.submit(site.attempt(("true",)))
            nursery.start_soon(outage, manager, 2, 20)
            assert not (await backend.wait(job)).began
            assert trio.current_time() < 300

    simulate(manager, body)


def test_bootstrap_script_may_take_any_time(manager: FakeManager, site: Site, tmp_path: Path) -> None:
    """The session is PREPARING until the script ends."""
    (tmp_path / "boot.sh").write_text("sleep 5000")
    manager.preparing_time = 5000.0

    async def body() -> None:
        async with manager.client(bootstrap_script=str(tmp_path / "boot.sh")) as backend:
            assert (await backend.wait(await backend.submit(site.attempt(("true",))))).outcome is Outcome.SUCCEEDED

    simulate(manager, body)
    assert len(manager.sessions) == 1
