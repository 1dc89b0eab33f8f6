"""The memory limit of a job's whole process tree, enforced by each method that this machine allows."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from runner.backends.base import Backend
from runner.backends.local import cgroups
from runner.backends.local.backend import LocalBackend
from runner.backends.local.cgroups import UnusableError, open_v1
from runner.backends.local.supervisor.memory_limits import SAMPLE_INTERVAL
from runner.errors import EnvironmentFailed
from runner.model import Attempt, AttemptEnd, Outcome
from runner.text.reasons import describe
from tests.backends.local.test_process_tree import hosted
from tests.contract import Command, Site, unique, until
from tests.local_host import lives, pids

MIB = 1 << 20
HOG = "x = bytearray(200 << 20); import time; time.sleep(1000)"


def usable() -> bool:
    try:
        open_v1()
    except UnusableError:
        return False
    return True


needs_v1 = pytest.mark.skipif(not usable(), reason="no version 1 memory cgroup can be created here")
RUNGS = [pytest.param("cgroup-v1", marks=needs_v1), "sampling"]


@pytest.fixture(params=RUNGS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return Site(lambda: LocalBackend(os.environ, memory_method=request.param), tmp_path)


def limited(site: Site, command: Command, mem: int = 100 * MIB) -> Attempt:
    return replace(site.attempt(command), resources={"mem": mem}, grace=0.2)


def groups_of(attempt: Attempt) -> list[str]:
    return [path for groups in cgroups.possible() if os.path.exists(path := groups.path(attempt.name))]


def test_orphan_of_an_unknown_job_counts_for_none(tmp_path: Path) -> None:
    """It could belong to either job when it appeared; the one that has no limit ends, the other one did nothing."""
    site = Site(lambda: LocalBackend(os.environ, memory_method="sampling"), tmp_path)
    hidden = f'{sys.executable} -c \'open("pids", "w").write("1"); {HOG}\''

    async def body(backend: Backend) -> AttemptEnd:
        other = replace(
            limited(site, "while [ ! -e go ]; do sleep 0.02; done", 50 * MIB), name=unique("other", tmp_path)
        )
        job = await backend.submit(other)
        await backend.wait(
            await backend.submit(site.attempt(f"(setsid env -i {hidden} &) ; while [ ! -s pids ]; do :; done"))
        )
        await trio.sleep(2.5 * SAMPLE_INTERVAL)
        (tmp_path / "go").touch()
        return await backend.wait(job)

    assert site.run(body).outcome is Outcome.SUCCEEDED


def test_job_above_its_limit_is_out_of_memory(site: Site) -> None:
    attempt = limited(site, (sys.executable, "-c", HOG))
    ended = site.end_of(attempt)
    assert (ended.outcome, ended.exit_status) == (Outcome.OUT_OF_MEMORY, 137)
    assert ended.max_rss is not None
    assert ended.max_rss >= 99 * MIB
    assert (describe(ended) or "").endswith(" MiB of its 100 MiB of memory")
    assert not groups_of(attempt)


def test_child_above_the_limit_of_a_leader_that_exits_with_0(site: Site, tmp_path: Path) -> None:
    hog = limited(site, f"{sys.executable} -c '{HOG}' || true; echo $$ >> pids; sleep 2; exit 0")
    assert site.end_of(hog).outcome is Outcome.OUT_OF_MEMORY


def test_sum_of_two_processes_above_the_limit(site: Site) -> None:
    part = "x = bytearray(60 << 20); import time; time.sleep(1000)"
    ended = site.end_of(limited(site, f"{sys.executable} -c '{part}' & {sys.executable} -c '{part}' & wait"))
    assert ended.outcome is Outcome.OUT_OF_MEMORY


def test_failure_below_the_limit_keeps_its_exit_code(site: Site) -> None:
    attempt = limited(site, (sys.executable, "-c", "bytearray(40 << 20); raise SystemExit(3)"))
    ended = site.end_of(attempt)
    assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 3)
    assert ended.max_rss is not None
    assert 40 * MIB < ended.max_rss < 100 * MIB
    assert not groups_of(attempt)


def test_page_cache_does_not_count(site: Site, tmp_path: Path) -> None:
    """A job may write files larger than its limit."""
    ended = site.end_of(limited(site, ("dd", "if=/dev/zero", "of=big", "bs=1M", "count=150"), mem=50 * MIB))
    (tmp_path / "big").unlink()
    assert ended.outcome is Outcome.SUCCEEDED


def test_pages_shared_by_forks_count_once(tmp_path: Path) -> None:
    program = """
import os, time
x = bytearray(40 << 20)
for _ in range(4):
    if not os.fork():
        time.sleep(1000)
time.sleep(2.5)
"""
    site = Site(lambda: LocalBackend(os.environ, memory_method="sampling"), tmp_path)
    assert site.end_of(limited(site, (sys.executable, "-c", program))).outcome is Outcome.SUCCEEDED


def test_program_not_found_leaves_no_cgroup(site: Site) -> None:
    attempt = limited(site, ("no-such-program",))
    assert site.end_of(attempt).exit_code == 127
    assert not groups_of(attempt)


@needs_v1
def test_job_starts_inside_its_cgroup(tmp_path: Path) -> None:
    """The supervisor enters it for the start, and leaves it."""
    site = Site(lambda: LocalBackend(os.environ, memory_method="cgroup-v1"), tmp_path)
    left = 'while grep -q "$RUNNER_JOB" /proc/$PPID/cgroup; do :; done'
    attempt = limited(site, ("sh", "-c", f"cat /proc/$$/cgroup; {left}"))
    assert site.end_of(attempt).outcome is Outcome.SUCCEEDED
    (memory,) = (line for line in site.stdout(attempt).splitlines() if ":memory:" in line)
    assert memory.endswith(f"/runner-{attempt.name}")


@needs_v1
def test_orphan_is_attributed_by_its_cgroup(tmp_path: Path) -> None:
    """It has no mark, and its session and parent say nothing."""
    site = Site(lambda: LocalBackend(os.environ, memory_method="cgroup-v1"), tmp_path)
    command = "(setsid env -i sh -c 'echo $$ >> pids; exec sleep 1000' &) ; while [ ! -s pids ]; do :; done"

    async def body(backend: Backend) -> AttemptEnd:
        await backend.submit(site.attempt(("sleep", "1000"), "other"))
        ended = await backend.wait(await backend.submit(limited(site, command)))
        assert not [pid for pid in pids(tmp_path, 1) if lives(pid)]
        return ended

    assert site.run(body).outcome is Outcome.SUCCEEDED


@needs_v1
def test_cgroup_of_a_killed_runner_is_ended_and_removed(tmp_path: Path) -> None:
    """Its process is found by the cgroup alone. The supervisor was killed, too."""
    command = "exec env -i sh -c 'echo $$ >> pids; exec sleep 1000'"
    with hosted(tmp_path, command, memory="cgroup-v1") as (host, supervisor):
        trio.run(until, lambda: pids(tmp_path, 1))
        os.kill(supervisor, signal.SIGSTOP)
        os.kill(host, signal.SIGKILL)
        os.kill(supervisor, signal.SIGKILL)
    site = Site(lambda: LocalBackend(os.environ), tmp_path)
    attempt = replace(site.attempt("true"), name=unique("host-0", tmp_path))
    assert groups_of(attempt)

    async def body(backend: Backend) -> None:
        job = await backend.find(attempt.name)
        assert job == str(pids(tmp_path, 1)[0])
        await backend.cancel(job, 0)

    site.run(body)
    assert not lives(pids(tmp_path, 1)[0])
    assert not groups_of(attempt)


@needs_v1
def test_cgroup_of_a_job_that_outlived_its_supervisor_is_removed(tmp_path: Path) -> None:
    """It ended by itself, so no process leads to it. That of a process which lives stays, and that of another state."""
    commands = ["echo $$ >> pids; while [ ! -e go ]; do :; done", "echo $$ >> pids; exec sleep 1000"]
    with hosted(tmp_path, *commands, memory="cgroup-v1") as (host, supervisor):
        trio.run(until, lambda: pids(tmp_path, 2))
        os.kill(supervisor, signal.SIGSTOP)
        os.kill(host, signal.SIGKILL)
        os.kill(supervisor, signal.SIGKILL)
    site = Site(lambda: LocalBackend(os.environ), tmp_path)
    ended, living = (replace(site.attempt("true"), name=unique(f"host-{number}", tmp_path)) for number in range(2))
    (tmp_path / "go").touch()
    trio.run(until, lambda: sum(map(lives, pids(tmp_path, 2))) == 1)

    async def body(backend: Backend) -> None:
        await backend.live_jobs("other-")
        assert groups_of(ended)
        await backend.live_jobs(ended.name)  # no shorter: other tests run beside this one
        await backend.live_jobs(living.name)
        assert not groups_of(ended)
        assert groups_of(living)
        job = await backend.find(living.name)
        assert job is not None
        await backend.cancel(job, 0)
        assert not groups_of(living)

    site.run(body)


def test_unusable_method_refuses_a_job_with_a_limit(tmp_path: Path) -> None:
    try:
        cgroups.open_v2(cgroups.own_folder(cgroups.V2), ())
    except UnusableError:
        pass
    else:
        pytest.skip("version 2 memory cgroups can be created here")
    site = Site(lambda: LocalBackend(os.environ, memory_method="cgroup-v2"), tmp_path)
    with pytest.raises(EnvironmentFailed, match=r"the memory controller is not delegated|not mounted"):
        site.end_of(limited(site, ("true",)))


@needs_v1
def test_limit_too_small_for_any_program(tmp_path: Path) -> None:
    """It ends the job, and never the supervisor, which was inside the cgroup for the start."""
    site = Site(lambda: LocalBackend(os.environ, memory_method="cgroup-v1"), tmp_path)

    async def body(backend: Backend) -> None:
        for number in range(20):
            tiny = replace(site.attempt(("true",), f"tiny-{number}"), resources={"mem": 4096})
            await backend.wait(await backend.submit(tiny))
        ended = await backend.wait(await backend.submit(limited(site, (sys.executable, "-c", "pass"), mem=MIB)))
        assert ended.outcome is Outcome.OUT_OF_MEMORY
        assert (await backend.wait(await backend.submit(site.attempt(("true",), "after")))).exit_code == 0

    site.run(body)
