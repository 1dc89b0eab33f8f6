"""How forked sessions end: cancelled, over their memory limit, with or without runner, supervisor and fork server."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from runner.backends.base import Backend
from runner.backends.local import orphans
from runner.backends.local.backend import LocalBackend
from runner.model import AttemptEnd, Outcome
from runner.text.reasons import describe
from tests.backends.local.test_memory import MIB, RUNGS, groups_of
from tests.backends.local.test_process_tree import Tree, each_tree
from tests.contract import ignore, until
from tests.forkserver_host import forkserver_host
from tests.forkserver_site import fork_site, module, python, run_all
from tests.local_host import lives, marked, parent, pids

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sessions are forked on Linux only")

WRITE_PID = "import os; open('pids', 'a').write(f'{os.getpid()}\\n')"

FORKS = f"""
import os, time
{WRITE_PID}
if not os.fork():
    os.setsid()
    if not os.fork():
        {WRITE_PID}
        time.sleep(1000)
    os._exit(0)
os.wait()
"""
"""Leaves an orphan in a session of its own that has not replaced its environment."""

SLEEPS = "time.sleep(1000)"
ENDS = "while len(open('pids').readlines()) < 2: pass\nos._exit(5)"


@each_tree
def test_cancel_ends_the_process_tree(tmp_path: Path, tree: Tree) -> None:
    site = fork_site(tmp_path)
    command = python(f"import subprocess; subprocess.run({tree.command!r}, shell=True)")
    attempt = replace(site.attempt(command), grace=0.2)

    async def body(backend: Backend) -> None:
        job = await backend.submit(attempt)
        if not tree.leaves:
            await until(lambda: pids(tmp_path, tree.count))
            await backend.cancel(job, 0.2)
        await backend.wait(job)

    site.run(body)
    found = pids(tmp_path, tree.count)
    assert found
    assert not any(lives(pid) for pid in found)
    assert not marked(attempt.name)


@pytest.mark.parametrize("rest", [SLEEPS, ENDS], ids=["leader sleeps", "leader ends"])
def test_orphan_that_has_only_forked_is_ended(tmp_path: Path, rest: str) -> None:
    """It has the mark of its own session, although the kernel shows the environment of the server."""
    site = fork_site(tmp_path)
    attempt = replace(site.attempt(python(FORKS + rest)), grace=0.2)
    other = site.attempt(site.sleeping, "other")

    async def body(backend: Backend) -> None:
        running = await backend.submit(other)
        job = await backend.submit(attempt)
        await until(lambda: pids(tmp_path, 2))
        if rest is SLEEPS:
            assert set(marked(attempt.name)) == set(pids(tmp_path, 2))
            await backend.cancel(job, 0.2)
        await backend.wait(job)
        assert not any(lives(pid) for pid in pids(tmp_path, 2))
        assert lives(running)
        await backend.cancel(running, 0)

    site.run(body)


def test_sessions_end_when_runner_is_killed(tmp_path: Path) -> None:
    with forkserver_host(tmp_path, FORKS + SLEEPS) as (host, supervisor):
        trio.run(until, lambda: pids(tmp_path, 2))
        server = parent(pids(tmp_path, 2)[0])
        host.kill()
        trio.run(until, lambda: not lives(supervisor))
    assert not any(lives(pid) for pid in (*pids(tmp_path, 2), server))


def test_orphans_are_found_when_the_supervisor_is_killed_too(tmp_path: Path) -> None:
    """By the mark alone; the server ends by itself."""
    with forkserver_host(tmp_path, FORKS + SLEEPS) as (host, supervisor):
        trio.run(until, lambda: pids(tmp_path, 2))
        leader = pids(tmp_path, 2)[0]
        server = parent(leader)
        os.kill(host.pid, signal.SIGSTOP)
        os.kill(supervisor, signal.SIGKILL)
        host.kill()
    trio.run(until, lambda: not lives(server))
    entries = Path(f"/proc/{leader}/environ").read_bytes().split(b"\0")
    [name] = [entry.decode().partition("=")[2] for entry in entries if entry.startswith(b"RUNNER_JOB=")]
    assert orphans.find(name, None) == leader
    trio.run(orphans.end, {name: None}, 0.0, print)
    assert not any(lives(pid) for pid in pids(tmp_path, 2))


def test_server_ends_when_the_supervisor_is_killed_during_the_import(tmp_path: Path) -> None:
    endless = module(tmp_path, "endless", f"{WRITE_PID}\nwhile True: pass")
    with forkserver_host(tmp_path, "pass", **endless, PRELOAD="endless") as (host, supervisor):
        trio.run(until, lambda: pids(tmp_path, 1))
        os.kill(host.pid, signal.SIGSTOP)
        os.kill(supervisor, signal.SIGKILL)
        host.kill()
    trio.run(until, lambda: not lives(pids(tmp_path, 1)[0]))


def test_sessions_go_on_when_their_server_is_killed(tmp_path: Path) -> None:
    """Their exit codes are known as ever. The next session may be sent to the dead server: it begins all the same."""
    site = fork_site(tmp_path)
    waits = f"{WRITE_PID}; import sys\nwhile not os.path.exists('go'): pass\nprint(os.getppid()); sys.exit(7)"
    first, second = (site.attempt(python(waits), name) for name in ("first", "second"))
    third, fourth = (site.attempt(python("import os; print(os.getppid())"), name) for name in ("third", "fourth"))

    async def body(backend: Backend) -> tuple[AttemptEnd, AttemptEnd, AttemptEnd]:
        jobs = [await backend.submit(attempt) for attempt in (first, second)]
        await until(lambda: pids(tmp_path, 2))
        os.kill(parent(jobs[0]), signal.SIGKILL)
        after = await backend.wait(await backend.submit(third))
        again = await backend.submit(fourth)
        assert (await backend.started(again, ignore)).cold is None
        await backend.wait(again)
        (tmp_path / "go").touch()
        one, two = [await backend.wait(job) for job in jobs]
        return one, two, after

    one, two, after = site.run(body)
    assert (one.exit_status, two.exit_status, after.exit_status) == (7, 7, 0)
    assert site.stdout(first) == site.stdout(second) != site.stdout(fourth)
    assert one.max_rss is not None


@pytest.mark.parametrize(
    ("signum", "reason"),
    [
        (signal.SIGKILL, "the interpreter that imports `slow` died (killed by SIGKILL)"),
        (signal.SIGALRM, "to import `slow` takes more than 600 seconds"),
    ],
)
def test_server_killed_during_the_import(tmp_path: Path, signum: signal.Signals, reason: str) -> None:
    """The session starts cold. The alarm of the server itself is what ends an import that takes too long."""
    env = module(tmp_path, "slow", f"{WRITE_PID}; import time\ntime.sleep(1000)")
    site = fork_site(tmp_path, "slow")
    attempt = site.attempt(site.failing, **env)

    async def body(backend: Backend) -> tuple[AttemptEnd, str | None]:
        jobs: list[str] = []

        async def submit() -> None:
            jobs.append(await backend.submit(attempt))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(submit)
            await until(lambda: pids(tmp_path, 1))
            os.kill(pids(tmp_path, 1)[0], signum)
        return await backend.wait(jobs[0]), (await backend.started(jobs[0], ignore)).cold

    end, cold = site.run(body)
    assert (end.exit_status, cold) == (3, reason)


DIES_WITH_A_STATUS = """
import os
wait4 = os.wait4
def die(pid, options):
    reaped = wait4(pid, options)
    if reaped[0]:
        os.kill(os.getpid(), 9)
    return reaped
os.wait4 = die
"""


def test_session_is_lost_when_its_server_dies_with_its_status(tmp_path: Path) -> None:
    """The server has reaped it, and dies before it reports that."""
    env = module(tmp_path, "dies", DIES_WITH_A_STATUS)
    site = fork_site(tmp_path, "dies")
    end = site.end_of(site.attempt(site.succeeding, **env))
    assert end.outcome is Outcome.LOST
    assert "the interpreter that it was forked from died (killed by SIGKILL)" in (describe(end) or "")


def test_cancel_before_the_start(tmp_path: Path) -> None:
    """The session waits for the imports of its server."""
    env = module(tmp_path, "endless", "open('importing', 'w').close()\nwhile True: pass")
    site = fork_site(tmp_path, "endless")
    attempt = site.attempt(python("open('ran', 'w')"), **env)

    async def body(backend: Backend) -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(backend.submit, attempt)
                await until(lambda: (tmp_path / "importing").exists())
                scope.cancel()

    site.run(body)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("ending", [signal.SIGCONT, signal.SIGKILL])
def test_cancel_after_the_request(tmp_path: Path, ending: signal.Signals) -> None:
    """The server, which is stopped, goes on or dies: it does not begin, or is ended at once."""
    site = fork_site(tmp_path)
    attempt = site.attempt(python("import time; time.sleep(0.1); open('ran', 'w')"), "cancelled")

    async def body(backend: Backend) -> None:
        first = await backend.submit(site.attempt(site.sleeping, "first"))
        server = parent(first)
        os.kill(server, signal.SIGSTOP)

        async def go_on() -> None:
            await trio.testing.wait_all_tasks_blocked(0.05)
            os.kill(server, ending)

        async with trio.open_nursery() as outside:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(backend.submit, attempt)
                    await trio.testing.wait_all_tasks_blocked(0.05)
                    outside.start_soon(go_on)
                    scope.cancel()
        await backend.wait(await backend.submit(site.attempt(python("import time; time.sleep(0.5)"), "after")))
        await backend.cancel(first, 0)

    site.run(body)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("rung", RUNGS)
def test_memory_limit_holds_for_the_session_alone(tmp_path: Path, rung: str) -> None:
    """Not for the memory that it shares with its server."""
    site = replace(fork_site(tmp_path), open=lambda: LocalBackend(os.environ, memory_method=rung))
    hog = "x = bytearray(200 << 20); import time; time.sleep(1000)"
    attempts = [
        replace(site.attempt(python(code), name), resources={"mem": 100 * MIB}, grace=0.2)
        for name, code in (("hog", hog), ("modest", "x = bytearray(20 << 20); print(len(x))"))
    ]
    (hungry, modest), cold = run_all(site, attempts)
    assert cold == [None, None]
    assert (hungry.outcome, hungry.exit_status) == (Outcome.OUT_OF_MEMORY, 137)
    assert modest.outcome is Outcome.SUCCEEDED
    assert not groups_of(attempts[0])
