"""The backend on a fake manager: submission, adoption, memory."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from runner.backends.backendai.backend import MAX_ENDED_JOBS
from runner.backends.base import Rejected
from runner.errors import InputsChanged
from runner.model import Outcome
from tests.contract import Contract, Site
from tests.fake_backendai import IMAGE, Behavior, FakeManager, behavior_of, run_all, simulate


class TestContract(Contract):
    @pytest.fixture
    def site(self, site: Site) -> Site:
        return site


def test_request_carries_options_resources_and_image(manager: FakeManager, site: Site) -> None:
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
    request = session.body
    expected = {
        "type": "batch",
        "image": IMAGE,
        "enqueueOnly": True,
        "reuseIfExists": False,
        "clusterSize": 2,
        "clusterMode": "multi-node",
        "architecture": "aarch64",
        "tag": "nightly",
        "starts_at": "2026-12-24T00:00:00+09:00",
        "group": "lab",
        "domain": "research",
    }
    assert {key: request[key] for key in expected} == expected
    config = request["config"]
    assert config["resources"] == {"cpu": "2", "mem": str(256 << 20)}
    assert config["mounts"] == ["data", "models", "code"]
    assert config["mount_map"] == {"models": "/opt/models", "code": "src"}
    assert (config["resource_opts"], config["scalingGroup"]) == ({"shmem": "64m"}, "gpu-pool")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": "nope:1"}, "No such environment image: Unknown image references"),
        ({"image": None}, "needs an `image`"),
        ({"resources": {"cuda.shares": 1}}, "Unknown slot type: 'cuda.shares'"),
    ],
)
def test_invalid_request_is_rejected_with_the_managers_message(
    site: Site, change: dict[str, object], message: str
) -> None:
    attempt = replace(site.attempt(("true",)), **change)  # type: ignore[arg-type]
    with pytest.raises(Rejected, match=message):
        site.end_of(attempt)


def test_too_large_files_are_rejected(site: Site, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(2 << 20))
    attempt = replace(site.attempt(("true",)), root=str(tmp_path), files=("big",))
    with pytest.raises(Rejected, match="its files are 2 MiB, a job takes at most 750 KiB"):
        site.end_of(attempt)


@pytest.mark.parametrize(("content", "how"), [(b"new", "changed"), (None, "was removed")])
def test_file_that_is_not_that_of_the_id_is_not_sent(
    site: Site, manager: FakeManager, tmp_path: Path, content: bytes | None, how: str
) -> None:
    if content is not None:
        (tmp_path / "a.py").write_bytes(content)
    digests = {"a.py": hashlib.sha256(b"old").hexdigest()}
    attempt = replace(site.attempt(("true",)), root=str(tmp_path), files=("a.py",), digests=digests)
    with pytest.raises(InputsChanged, match=f"`a.py` {how}"):
        site.end_of(attempt)
    assert not manager.sessions


def test_creation_that_always_fails_is_rejected(manager: FakeManager, site: Site) -> None:
    """A real manager answers some invalid requests with 500."""
    manager.create_fails = True
    with pytest.raises(Rejected, match="Internal server error"):
        site.end_of(site.attempt(("true",)))


def test_omitted_checkpoints_are_noted_on_stderr(site: Site, tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    (output / "large").write_bytes(bytes(300_000))
    attempt = replace(site.attempt(("true",)), number=2, output=str(output), root=str(tmp_path), files=())
    assert site.end_of(attempt).outcome is Outcome.SUCCEEDED
    assert "1 output file of earlier attempts did not fit" in Path(attempt.stderr).read_text()


def test_jobs_of_a_dead_client_are_adopted(manager: FakeManager, site: Site) -> None:
    """A running and an ended job are found with one query, and nothing is submitted again."""
    attempts = [site.attempt(("sleep", "1000"), "long"), site.attempt(("true",), "short")]
    manager.behavior = lambda script: replace(behavior_of(script), stdout=b"kept")

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
                for name in (*(attempt.name for attempt in attempts), "never-submitted"):
                    nursery.start_soon(find, name)
            assert [found[attempt.name] for attempt in attempts] == jobs
            assert found["never-submitted"] is None
            assert manager.requests["POST /admin/gql"] == 1
            assert await backend.live_jobs(attempts[0].name[:4]) == {attempts[0].name: jobs[0]}
            for attempt in attempts:
                end = await backend.wait(await backend.submit(attempt))
                assert end.outcome is Outcome.SUCCEEDED
                assert site.stdout(attempt) == "kept"
        assert manager.requests["POST /session"] == 0

    simulate(manager, body)


def test_closing_the_backend_leaves_jobs_running(manager: FakeManager, site: Site) -> None:
    async def body() -> None:
        async with manager.client() as backend:
            await backend.submit(site.attempt(("sleep", "1000")))
        await trio.sleep(60)
        assert [session.status for session in manager.sessions.values()] == ["RUNNING"]

    simulate(manager, body)


def test_lost_answer_to_a_creation_creates_no_second_session(manager: FakeManager, site: Site) -> None:
    manager.faults = ["after"]

    async def body() -> None:
        async with manager.client() as backend:
            job = await backend.submit(site.attempt(("true",)))
            assert (await backend.wait(job)).outcome is Outcome.SUCCEEDED
            assert [job] == list(manager.sessions)

    simulate(manager, body)


def test_lost_answer_for_a_session_that_has_ended(manager: FakeManager, site: Site) -> None:
    """Its name is free again, but the session is found all the same."""
    manager.faults = ["after", "503", "503", "503", "503", "503"]
    manager.behavior = lambda script: Behavior(duration=0)
    assert site.end_of(site.attempt(("true",))).outcome is Outcome.SUCCEEDED
    assert len(manager.sessions) == 1


def test_list_of_several_pages_is_read_completely(manager: FakeManager, site: Site) -> None:
    manager.page = 7

    async def body() -> None:
        async with manager.client() as backend:
            assert len(await run_all(backend, [site.attempt(("true",), f"job-{n}") for n in range(30)])) == 30

    simulate(manager, body)


def test_ended_jobs_are_forgotten(manager: FakeManager, site: Site) -> None:
    """The attempts of a long sweep, secrets included, must not stay in memory until its end."""

    async def body() -> None:
        async with manager.client() as backend:
            await run_all(backend, [site.attempt(("true",), f"job-{n}") for n in range(MAX_ENDED_JOBS + 50)])
            assert len(backend._jobs) == len(backend._ids) == len(backend._tracker._sessions) == MAX_ENDED_JOBS

    simulate(manager, body)
