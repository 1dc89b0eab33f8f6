"""The Backend.AI backend on an honest fake of a manager, in simulated time."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import trio
from trio.testing import MockClock

from runner.backends.backendai import upload
from runner.backends.backendai.backend import REMEMBERED, BackendAI
from runner.backends.base import Backend, Rejected
from runner.errors import EnvironmentFailed
from runner.model import Attempt, AttemptEnd, Outcome
from runner.reasons import describe
from tests.contract import Contract, Site, ignore
from tests.fake_backendai import ENVIRON, IMAGE, Doing, FakeManager

PROGRAMS = {
    "sleep 1000": Doing(duration=1000),
    "exit 3": Doing(code=3),
    "no-such-program-anywhere": Doing(duration=0, code=127),
    "/dev/null": Doing(duration=0, code=126),
}


def pretend(script: str) -> Doing:
    """By the last words of the command."""
    command = script[script.index("command() {") : script.index("put() {")]
    return next(
        (doing for words, doing in PROGRAMS.items() if f"\n{words}\n" in command or f"{words}'" in command), Doing()
    )


def clock() -> MockClock:
    # The packing of files and the reading of consoles happen in threads: time may jump only when they are done.
    return MockClock(autojump_threshold=0.02)


class TestContract(Contract):
    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        return site_of(FakeManager(pretend), tmp_path)


def site_of(manager: FakeManager, folder: Path) -> Site:
    def opened() -> AbstractAsyncContextManager[Backend]:
        return manager.both()

    return Site(opened, folder, real=False, clock=clock(), image=IMAGE, patience=100_000.0)


@pytest.fixture
def manager() -> FakeManager:
    return FakeManager(pretend)


@pytest.fixture
def site(manager: FakeManager, tmp_path: Path) -> Site:
    return site_of(manager, tmp_path)


def simulate(manager: FakeManager, body: Callable[[], Awaitable[None]]) -> None:
    """Run with the manager alive throughout, so that clients may come and go."""

    async def main() -> None:
        with trio.fail_after(100_000):
            async with manager.running():
                await body()

    trio.run(main, clock=clock())


async def run_many(backend: BackendAI, attempts: list[Attempt]) -> list[AttemptEnd]:
    ends: list[AttemptEnd] = []

    async def one(attempt: Attempt) -> None:
        ends.append(await backend.wait(await backend.submit(attempt)))

    async with trio.open_nursery() as nursery:
        for attempt in attempts:
            nursery.start_soon(one, attempt)
    return ends


# What is asked for


def test_a_job_asks_for_what_the_sweep_says(manager: FakeManager, site: Site) -> None:
    """Options, resources and image arrive as the official client would send them."""
    options = {
        "scaling_group": "gpu-pool",
        "cluster_size": 2,
        "cluster_mode": "multi-node",
        "mounts": ["data", "models=/opt/models", "code:src"],
        "resource_opts": {"shmem": "64m"},
        "tag": "nightly",
        "starts_at": "2026-12-24T00:00:00+09:00",
        "architecture": "aarch64",
        "group": "lab",
        "domain": "research",
    }

    async def body() -> None:
        async with manager.client(**options) as backend:
            attempt = replace(site.attempt(("true",)), resources={"cpu": 2, "mem": 256 << 20, "license": 3})
            await backend.submit(attempt)

    simulate(manager, body)
    [session] = manager.sessions.values()
    asked = session.body
    assert (asked["type"], asked["image"], asked["enqueueOnly"], asked["reuseIfExists"]) == (
        "batch",
        IMAGE,
        True,
        False,
    )
    assert (asked["clusterSize"], asked["clusterMode"], asked["architecture"]) == (2, "multi-node", "aarch64")
    assert (asked["tag"], asked["starts_at"], asked["group"], asked["domain"]) == (
        "nightly",
        "2026-12-24T00:00:00+09:00",
        "lab",
        "research",
    )
    config = asked["config"]
    assert config["resources"] == {"cpu": "2", "mem": str(256 << 20)}
    assert config["mounts"] == ["data", "models", "code"]
    assert config["mount_map"] == {"models": "/opt/models", "code": "src"}
    assert (config["resource_opts"], config["scalingGroup"]) == ({"shmem": "64m"}, "gpu-pool")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": "nope:1"}, "No such environment image: Unknown image references"),
        ({"image": None}, "needs an `image`"),
        ({"resources": {"cuda.shares": 1}}, "Unknown slot type: 'cuda.shares'"),
    ],
)
def test_what_cannot_heal_is_rejected_in_the_servers_words(site: Site, change: dict[str, object], words: str) -> None:
    attempt = replace(site.attempt(("true",)), **change)  # type: ignore[arg-type]
    with pytest.raises(Rejected, match=words):
        site.end_of(attempt)


def test_what_is_too_large_is_rejected(site: Site, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(2 << 20))
    attempt = replace(site.attempt(("true",)), root=str(tmp_path), files=("big",))
    with pytest.raises(Rejected, match="its files come to"):
        site.end_of(attempt)


# Watching


def test_streams_and_usage_come_from_the_console(manager: FakeManager, site: Site) -> None:
    manager.doing = lambda script: Doing(stdout=bytes(range(256)) * 500, stderr=b"warn", duration=2.5)
    attempt = site.attempt(("true",))
    ended = site.end_of(attempt)
    assert Path(attempt.stdout).read_bytes() == bytes(range(256)) * 500
    assert Path(attempt.stderr).read_bytes() == b"warn"
    assert (ended.duration, ended.cpu_time, ended.max_rss) == (2.5, 0.15, 2 << 20)


def test_watching_many_costs_little(manager: FakeManager, site: Site) -> None:
    """Sixty jobs: a creation and a console for each, and a query now and then for all."""

    async def body() -> None:
        async with manager.client() as backend:
            await run_many(backend, [site.attempt(("true",), f"many-{number}") for number in range(60)])

    manager.doing = lambda script: Doing(duration=600)
    simulate(manager, body)
    assert manager.requests["POST /session"] == 60
    assert manager.requests["GET /session/ID/logs"] == 120, "whether it has begun, and at the end"
    assert manager.requests["POST /admin/gql"] < 60
    assert manager.requests["GET /events/session"] == 1


@pytest.mark.parametrize(
    "delays", [(), (0.0, 0.0, 0.0), (120.0,), (3.0, 9.0)], ids=["never", "three times", "too late", "late and again"]
)
def test_events_are_only_hints(manager: FakeManager, site: Site, delays: tuple[float, ...]) -> None:
    """However they come, every job ends as it did, with its own exit code."""
    manager.deliver = lambda event: delays

    async def body() -> None:
        async with manager.client() as backend:
            began = trio.current_time()
            ends = await run_many(backend, [site.attempt(("sh", "-c", "exit 3"), f"job-{n}") for n in range(5)])
            assert {(end.outcome, end.exit_code) for end in ends} == {(Outcome.FAILED, 3)}
            assert trio.current_time() - began < 40

    simulate(manager, body)


def test_a_stream_that_is_cut_is_opened_again(manager: FakeManager, site: Site) -> None:
    async def body() -> None:
        async with manager.client() as backend:
            job = await backend.submit(site.attempt(("sleep", "1000")))
            for _ in range(3):
                await trio.sleep(100)
                manager.cut_streams()
            assert (await backend.wait(job)).outcome is Outcome.SUCCEEDED

    simulate(manager, body)
    assert manager.requests["GET /events/session"] == 4


def test_a_session_that_stays_after_its_end_is_cleared_away(manager: FakeManager, site: Site) -> None:
    """`result` is the end, whatever the status says; and nothing is left on the cluster."""
    manager.doing = lambda script: Doing(stays=True)
    assert site.end_of(site.attempt(("true",))).outcome is Outcome.SUCCEEDED
    assert all(session.over for session in manager.sessions.values())


def test_a_killed_container_is_lost(manager: FakeManager, site: Site) -> None:
    manager.doing = lambda script: Doing(vanishes=3.0)
    ended = site.end_of(site.attempt(("true",)))
    assert (ended.outcome, ended.exit_status) == (Outcome.LOST, None)
    assert describe(ended) == "its container ended by itself or was killed"


@pytest.mark.parametrize("doing", [Doing(never=True), Doing(forgotten=True)], ids=["running", "preparing"])
def test_a_command_that_is_never_started(manager: FakeManager, site: Site, doing: Doing) -> None:
    """The session runs, or is prepared, for ever with nothing in it: it is given up, does not stay, and never began."""
    manager.doing = lambda script: doing
    ended = site.end_of(site.attempt(("true",)))
    assert (ended.outcome, describe(ended), ended.began) == (
        Outcome.LOST,
        "the cluster never started its command",
        False,
    )
    assert all(session.over for session in manager.sessions.values())


@pytest.mark.parametrize("status", ["PREPARING", "RUNNING"])
def test_an_end_that_the_manager_has_missed(manager: FakeManager, site: Site, status: str) -> None:
    """Its own console tells: it is collected, with its exit code and streams, and the session is cleared away."""
    manager.doing = lambda script: Doing(deaf=status, code=3, stdout=b"whole")
    attempt = site.attempt(("sh", "-c", "exit 3"))
    ended = site.end_of(attempt)
    assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 3)
    assert site.stdout(attempt) == "whole"
    assert all(session.over for session in manager.sessions.values())


def test_an_end_that_the_manager_missed_while_it_was_away_is_found_at_once(manager: FakeManager, site: Site) -> None:
    manager.doing = lambda script: Doing(deaf="RUNNING", duration=100)

    async def body() -> None:
        async with manager.client() as backend:
            job = await backend.submit(site.attempt(("true",)))

            async def away() -> None:
                await trio.sleep(95)
                manager.down = True
                await trio.sleep(20)
                manager.down = False

            async with trio.open_nursery() as nursery:
                nursery.start_soon(away)
                assert (await backend.wait(job)).outcome is Outcome.SUCCEEDED
            assert trio.current_time() < 180

    simulate(manager, body)


def test_a_bootstrap_script_may_take_as_long_as_it_likes(manager: FakeManager, site: Site, tmp_path: Path) -> None:
    """The cluster says PREPARING meanwhile."""
    (tmp_path / "boot.sh").write_text("sleep 5000")
    manager.preparing = 5000.0

    async def body() -> None:
        async with manager.client(bootstrap_script=str(tmp_path / "boot.sh")) as backend:
            assert (await backend.wait(await backend.submit(site.attempt(("true",))))).outcome is Outcome.SUCCEEDED

    simulate(manager, body)
    assert len(manager.sessions) == 1


def test_a_lost_console_is_said(manager: FakeManager, site: Site) -> None:
    """The cluster knows the end, and nothing of what was written."""
    manager.truncate = lambda log: ""
    attempt = site.attempt(("true",))
    assert site.end_of(attempt).outcome is Outcome.SUCCEEDED
    assert "lost the job's console" in Path(attempt.stderr).read_text()


def test_checkpoints_go_along_as_far_as_there_is_room(manager: FakeManager, site: Site, tmp_path: Path) -> None:
    """The newest ones; what stays behind is told, and is no reason to refuse the attempt."""
    output = tmp_path / "output"
    output.mkdir()
    for age, size in enumerate((1000, 200_000, 200_000)):
        (output / f"c{age}").write_bytes(bytes(size))
        os.utime(output / f"c{age}", (1e9 - age, 1e9 - age))
    attempt = replace(site.attempt(("true",)), number=2, output=str(output), root=str(tmp_path), files=())
    items, behind = upload.kept(attempt)
    assert [item.place for item in items] == ['"$output"/c0', '"$output"/c1']
    assert behind == 1
    assert site.end_of(attempt).outcome is Outcome.SUCCEEDED
    assert "1 output file of earlier attempts did not go along" in Path(attempt.stderr).read_text()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(200, text="<html>"), "no answer of a Backend.AI manager"),
        (httpx.Response(200, json=[1]), "no answer of a Backend.AI manager"),
        (httpx.Response(302, headers={"Location": "/login"}), "answers 302"),
        (httpx.Response(403, text="forbidden"), "answers 403"),
    ],
)
def test_what_answers_is_no_manager(site: Site, answer: httpx.Response, words: str) -> None:
    """A web console, or a proxy's own page: that is said, and nothing is tried for ten minutes."""

    async def body() -> None:
        transport = httpx.MockTransport(lambda request: httpx.Response(answer.status_code, content=answer.content))
        async with BackendAI({}, ENVIRON, transport) as backend:
            with pytest.raises(EnvironmentFailed, match=words):
                await backend.submit(site.attempt(("true",)))
            with pytest.raises(EnvironmentFailed, match=words):
                await backend.find("name")

    trio.run(body, clock=clock())


def test_a_creation_that_the_manager_fails_on_is_rejected(manager: FakeManager, site: Site) -> None:
    """With an error of its own each time: that is how it says no to some things."""
    manager.failing = True
    with pytest.raises(Rejected, match="Internal server error"):
        site.end_of(site.attempt(("true",)))


def test_refreshing_spends_no_request_where_there_are_few(manager: FakeManager, site: Site) -> None:
    manager.limit = 20
    manager.doing = lambda script: Doing(duration=1000)

    async def body() -> None:
        async with manager.client() as backend:
            job = await backend.submit(site.attempt(("true",)))
            await backend.started(job, ignore)
            manager.requests.clear()
            assert await backend.refresh(job)
            assert not manager.requests

    simulate(manager, body)


def test_jobs_are_forgotten_in_time(manager: FakeManager, site: Site) -> None:
    """A sweep of a hundred thousand must not be held, with its secrets, until its end."""

    async def body() -> None:
        async with manager.client() as backend:
            await run_many(backend, [site.attempt(("true",), f"job-{number}") for number in range(REMEMBERED + 50)])
            assert len(backend._attempts) == len(backend._ended) == len(backend._watch._jobs) == REMEMBERED

    simulate(manager, body)


def test_a_session_forgotten_while_the_manager_was_away_is_given_up_sooner(manager: FakeManager, site: Site) -> None:
    manager.doing = lambda script: Doing(forgotten=True)

    async def body() -> None:
        async with manager.client() as backend:
            job = await backend.submit(site.attempt(("true",)))

            async def away() -> None:
                await trio.sleep(2)
                manager.down = True
                await trio.sleep(20)
                manager.down = False

            async with trio.open_nursery() as nursery:
                nursery.start_soon(away)
                assert not (await backend.wait(job)).began
            assert trio.current_time() < 300

    simulate(manager, body)


def test_a_console_that_comes_late_is_waited_for(manager: FakeManager, site: Site) -> None:
    manager.doing = lambda script: Doing(stdout=b"whole")
    manager.console_delay = 4.0
    attempt = site.attempt(("true",))
    assert site.end_of(attempt).duration == 1.0
    assert site.stdout(attempt) == "whole"


def test_a_console_without_its_end(manager: FakeManager, site: Site) -> None:
    """The cluster's own word counts then, and the log says that it is not whole."""
    manager.doing = lambda script: Doing(code=7, stdout=b"x" * 9000)
    manager.truncate = lambda log: log[: log.find(":o:6000:")]
    attempt = site.attempt(("true",))
    ended = site.end_of(attempt)
    assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 7)
    assert Path(attempt.stdout).read_bytes() == b"x" * 6000
    assert "the end of the job's console is missing" in Path(attempt.stderr).read_text()


def test_why_a_job_waits(manager: FakeManager, site: Site) -> None:
    """Quota is no error: it is told while it lasts, once, and the job runs when there is room."""
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


def test_refresh_brings_what_there_is_so_far(manager: FakeManager, site: Site) -> None:
    manager.doing = lambda script: Doing(duration=1000, stdout=b"so far")
    attempt = site.attempt(("true",))

    async def body() -> None:
        async with manager.client() as backend:
            job = await backend.submit(attempt)
            await backend.started(job, ignore)
            await trio.sleep(1)
            await backend.refresh(job)
            assert site.stdout(attempt) == "so far"

    simulate(manager, body)


# Nothing twice, nothing leaked


def test_a_lost_answer_starts_nothing_twice(manager: FakeManager, site: Site) -> None:
    """The connection is lost after the session was made: it is found by its name."""
    manager.faults = ["after"]

    async def body() -> None:
        async with manager.client() as backend:
            job = await backend.submit(site.attempt(("true",)))
            assert (await backend.wait(job)).outcome is Outcome.SUCCEEDED
            assert [job] == list(manager.sessions)

    simulate(manager, body)


def test_a_lost_answer_to_what_is_over_already(manager: FakeManager, site: Site) -> None:
    """Its name would be free again: the session is found all the same."""
    manager.faults = ["after", "503", "503", "503", "503", "503"]
    manager.doing = lambda script: Doing(duration=0)
    assert site.end_of(site.attempt(("true",))).outcome is Outcome.SUCCEEDED
    assert len(manager.sessions) == 1


def test_a_dead_clients_jobs_are_found_and_adopted(manager: FakeManager, site: Site) -> None:
    """One that runs and one that has ended meanwhile; all by one query, and nothing is submitted again."""
    attempts = [site.attempt(("sleep", "1000"), "long"), site.attempt(("true",), "short")]
    manager.doing = lambda script: replace(pretend(script), stdout=b"kept")

    async def body() -> None:
        async with manager.client() as dead:
            jobs = [await dead.submit(attempt) for attempt in attempts]
        await trio.sleep(100)
        manager.requests.clear()
        found: dict[str, str | None] = {}
        async with manager.client() as backend:

            async def find(name: str) -> None:
                found[name] = await backend.find(name)

            async with trio.open_nursery() as nursery:
                for name in (*(attempt.name for attempt in attempts), "never-heard-of"):
                    nursery.start_soon(find, name)
            assert [found[attempt.name] for attempt in attempts] == jobs
            assert found["never-heard-of"] is None
            assert manager.requests["POST /admin/gql"] == 1
            assert await backend.live_jobs(attempts[0].name[:4]) == {attempts[0].name: jobs[0]}
            for attempt in attempts:
                ended = await backend.wait(await backend.submit(attempt))
                assert ended.outcome is Outcome.SUCCEEDED
                assert site.stdout(attempt) == "kept"
        assert manager.requests["POST /session"] == 0

    simulate(manager, body)


def test_cancel_of_one_that_still_waits(manager: FakeManager, site: Site) -> None:
    manager.quota = 0

    async def body() -> None:
        async with manager.client() as backend:
            job = await backend.submit(site.attempt(("true",)))
            await backend.cancel(job, 10)
            assert (await backend.wait(job)).outcome is Outcome.CANCELLED

    simulate(manager, body)
    assert [session.status for session in manager.sessions.values()] == ["CANCELLED"]


def test_leaving_leaves_the_jobs(manager: FakeManager, site: Site) -> None:
    async def body() -> None:
        async with manager.client() as backend:
            await backend.submit(site.attempt(("sleep", "1000")))
        await trio.sleep(60)
        assert [session.status for session in manager.sessions.values()] == ["RUNNING"]

    simulate(manager, body)


# Trouble


def test_what_can_heal_is_tried_again(manager: FakeManager, site: Site) -> None:
    manager.faults = ["503", "before", "", "503", "before", "after", "", "503", "after"]

    async def body() -> None:
        async with manager.client() as backend:
            ends = await run_many(backend, [site.attempt(("true",), f"job-{number}") for number in range(4)])
            assert {end.outcome for end in ends} == {Outcome.SUCCEEDED}

    simulate(manager, body)
    assert len(manager.sessions) == 4


def test_a_query_that_loses_to_another_is_asked_again(manager: FakeManager, site: Site) -> None:
    """As PostgreSQL has it do, where the manager does not."""
    manager.busy = 3
    assert site.end_of(site.attempt(("true",))).outcome is Outcome.SUCCEEDED
    assert manager.busy == 0


def test_a_query_that_is_never_answered(manager: FakeManager, site: Site) -> None:
    manager.busy = 1000

    async def body() -> None:
        async with manager.client() as backend:
            with pytest.raises(EnvironmentFailed, match="does not list sessions: could not serialize access"):
                await backend.live_jobs("some")
            assert trio.current_time() < 60

    simulate(manager, body)


def test_a_manager_that_restarts_loses_nothing(manager: FakeManager, site: Site) -> None:
    async def body() -> None:
        async with manager.client() as backend:
            jobs = [await backend.submit(site.attempt(("true",), f"job-{number}")) for number in range(3)]
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


def test_a_cluster_that_was_never_there(manager: FakeManager, site: Site) -> None:
    """A wrong address is said soon, not after ten minutes; and nothing of the keys with it."""
    manager.down = True

    async def body() -> None:
        async with manager.client() as backend:
            with pytest.raises(EnvironmentFailed, match="cannot be reached") as failed:
                await backend.submit(site.attempt(("true",)))
            assert trio.current_time() < 30
            assert "AKIA" not in str(failed.value)
            assert "secret" not in f"{failed.value} {failed.value.hint}"

    simulate(manager, body)


def test_a_cluster_that_stays_away(manager: FakeManager, site: Site) -> None:
    """Whoever waits is told in the end; what runs, runs on."""

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
def test_a_clock_that_is_wrong(manager: FakeManager, site: Site, minutes: int) -> None:
    """Signatures go by the cluster's time once it has complained."""
    manager.skew = timedelta(minutes=minutes)
    assert site.end_of(site.attempt(("true",))).outcome is Outcome.SUCCEEDED


def test_wrong_keys_end_it(manager: FakeManager, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        async with manager.client() as backend:
            monkeypatch.setitem(ENVIRON, "BACKEND_SECRET_KEY", "another")  # the manager's side of it
            with pytest.raises(EnvironmentFailed, match="does not accept the keys"):
                await backend.submit(site.attempt(("true",)))

    simulate(manager, body)


# The rate limit


def test_a_small_budget_is_enough_for_three_jobs(manager: FakeManager, site: Site) -> None:
    """Twenty requests in 15 minutes: none is refused."""
    manager.limit = 20

    async def body() -> None:
        async with manager.client() as backend:
            ends = await run_many(backend, [site.attempt(("true",), f"job-{number}") for number in range(3)])
            assert {end.outcome for end in ends} == {Outcome.SUCCEEDED}

    simulate(manager, body)
    assert manager.refused == 0


def test_a_budget_that_is_too_small_takes_longer_and_is_kept(manager: FakeManager, site: Site) -> None:
    manager.limit = 6

    async def body() -> None:
        async with manager.client() as backend:
            ends = await run_many(backend, [site.attempt(("true",), f"job-{number}") for number in range(6)])
            assert {end.outcome for end in ends} == {Outcome.SUCCEEDED}
            assert trio.current_time() > 900

    simulate(manager, body)
    assert manager.refused == 0


def test_a_refusal_pauses_everything(manager: FakeManager, site: Site) -> None:
    """Somebody else has used the account up: few requests are wasted until there are some again."""
    manager.limit = 3

    async def body() -> None:
        manager._times = [trio.current_time()] * 3
        async with manager.client() as backend:
            assert (await backend.wait(await backend.submit(site.attempt(("true",))))).outcome is Outcome.SUCCEEDED

    simulate(manager, body)
    assert manager.refused <= 6


def test_more_jobs_than_an_answer_holds(manager: FakeManager, site: Site) -> None:
    """Paging: the list is asked for the rest until it is whole."""
    manager.page = 7

    async def body() -> None:
        async with manager.client() as backend:
            ends = await run_many(backend, [site.attempt(("true",), f"job-{number}") for number in range(30)])
            assert len(ends) == 30

    simulate(manager, body)
