"""A session's `mem` is enforced for its whole tree, in each of the ways that this machine allows."""

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
from runner.errors import EnvironmentFailed
from runner.model import Attempt, AttemptEnd, Outcome
from runner.reasons import describe
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


needs_v1 = pytest.mark.skipif(not usable(), reason="no version 1 memory groups can be made here")
RUNGS = [pytest.param("cgroup-v1", marks=needs_v1), "sampling"]


@pytest.fixture(params=RUNGS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return Site(lambda: LocalBackend(os.environ, memory_method=request.param), tmp_path)


def limited(site: Site, command: Command, mem: int = 100 * MIB) -> Attempt:
    return replace(site.attempt(command), resources={"mem": mem}, grace=0.2)


def groups_of(attempt: Attempt) -> list[str]:
    return [path for groups in cgroups.possible() if os.path.exists(path := groups.path(attempt.name))]


def test_above_the_limit(site: Site) -> None:
    """A session that holds more than its limit ends as out-of-memory, with what it held and what it might."""
    attempt = limited(site, (sys.executable, "-c", HOG))
    ended = site.end_of(attempt)
    assert (ended.outcome, ended.exit_status) == (Outcome.OUT_OF_MEMORY, 137)
    assert ended.max_rss is not None
    assert ended.max_rss >= 99 * MIB
    assert (describe(ended) or "").endswith(" MiB of its 100 MiB of memory")
    assert not groups_of(attempt)


def test_grandchild_above_the_limit(site: Site, tmp_path: Path) -> None:
    """The limit holds for the tree: also where the program itself hides its child's death behind an exit of 0."""
    hog = limited(site, f"{sys.executable} -c '{HOG}' || true; echo $$ >> pids; sleep 2; exit 0")
    assert site.end_of(hog).outcome is Outcome.OUT_OF_MEMORY


def test_sum_above_the_limit(site: Site) -> None:
    """Nor does it help to be several: what counts is the sum."""
    part = "x = bytearray(60 << 20); import time; time.sleep(1000)"
    ended = site.end_of(limited(site, f"{sys.executable} -c '{part}' & {sys.executable} -c '{part}' & wait"))
    assert ended.outcome is Outcome.OUT_OF_MEMORY


def test_below_the_limit(site: Site) -> None:
    """A session within its limit is left alone, and so is its own way to fail."""
    attempt = limited(site, (sys.executable, "-c", "bytearray(40 << 20); raise SystemExit(3)"))
    ended = site.end_of(attempt)
    assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 3)
    assert ended.max_rss is not None
    assert 40 * MIB < ended.max_rss < 100 * MIB
    assert not groups_of(attempt)


def test_page_cache_is_no_crime(site: Site, tmp_path: Path) -> None:
    """Files written are not memory held: a session may write more than its limit."""
    ended = site.end_of(limited(site, ("dd", "if=/dev/zero", "of=big", "bs=1M", "count=150"), mem=50 * MIB))
    (tmp_path / "big").unlink()
    assert ended.outcome is Outcome.SUCCEEDED


def test_shared_pages_count_once(tmp_path: Path) -> None:
    """Forks that share their pages are not summed up as if each had its own."""
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


def test_program_that_cannot_be_started(site: Site) -> None:
    """A limit changes nothing about what is not found, and leaves no group."""
    attempt = limited(site, ("no-such-program",))
    assert site.end_of(attempt).exit_code == 127
    assert not groups_of(attempt)


@needs_v1
def test_born_inside(tmp_path: Path) -> None:
    """A session is in its group from its first instruction on; the spawner, which has been for that instant, is not."""
    site = Site(lambda: LocalBackend(os.environ, memory_method="cgroup-v1"), tmp_path)
    left = 'while grep -q "$RUNNER_JOB" /proc/$PPID/cgroup; do :; done'
    attempt = limited(site, ("sh", "-c", f"cat /proc/$$/cgroup; {left}"))
    assert site.end_of(attempt).outcome is Outcome.SUCCEEDED
    (memory,) = (line for line in site.stdout(attempt).splitlines() if ":memory:" in line)
    assert memory.endswith(f"/runner-{attempt.name}")


@needs_v1
def test_orphan_is_known_by_its_group(tmp_path: Path) -> None:
    """Even without environment, session or parent, a process in a job's group is the job's."""
    site = Site(lambda: LocalBackend(os.environ, memory_method="cgroup-v1"), tmp_path)
    command = "(setsid env -i sh -c 'echo $$ >> pids; exec sleep 1000' &) ; while [ ! -s pids ]; do :; done"

    async def body(backend: Backend) -> AttemptEnd:
        await backend.submit(site.attempt(("sleep", "1000"), "other"))
        ended = await backend.wait(await backend.submit(limited(site, command)))
        assert not [pid for pid in pids(tmp_path, 1) if lives(pid)]
        return ended

    assert site.run(body).outcome is Outcome.SUCCEEDED


@needs_v1
def test_groups_of_the_dead_are_removed(tmp_path: Path) -> None:
    """What a killed runner and spawner have left goes with its job: processes, by their group alone, and group."""
    command = "exec env -i sh -c 'echo $$ >> pids; exec sleep 1000'"
    with hosted(tmp_path, command, memory="cgroup-v1") as (host, spawner):
        trio.run(until, lambda: pids(tmp_path, 1))
        os.kill(spawner, signal.SIGSTOP)
        os.kill(host, signal.SIGKILL)
        os.kill(spawner, signal.SIGKILL)
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


def test_a_rung_that_does_not_hold(tmp_path: Path) -> None:
    """Insisting on what this machine does not have is an error that says why, not a session without a limit."""
    try:
        cgroups.open_v2(cgroups.own_folder(cgroups.V2), ())
    except UnusableError:
        pass
    else:
        pytest.skip("version 2 memory groups can be made here")
    site = Site(lambda: LocalBackend(os.environ, memory_method="cgroup-v2"), tmp_path)
    with pytest.raises(EnvironmentFailed, match=r"the memory controller is not delegated|not mounted"):
        site.end_of(limited(site, ("true",)))


@needs_v1
def test_a_limit_too_small_for_anything(tmp_path: Path) -> None:
    """A limit below what any program needs ends its session, and never the spawner, which was inside for a moment."""
    site = Site(lambda: LocalBackend(os.environ, memory_method="cgroup-v1"), tmp_path)

    async def body(backend: Backend) -> None:
        for number in range(20):
            tiny = replace(site.attempt(("true",), f"tiny-{number}"), resources={"mem": 4096})
            await backend.wait(await backend.submit(tiny))
        ended = await backend.wait(await backend.submit(limited(site, (sys.executable, "-c", "pass"), mem=MIB)))
        assert ended.outcome is Outcome.OUT_OF_MEMORY
        assert (await backend.wait(await backend.submit(site.attempt(("true",), "after")))).exit_code == 0

    site.run(body)
