"""No process of a job outlives it, for each way to hide and each way to end. Real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trio

from runner.backends.base import Backend
from runner.backends.local.backend import LocalBackend
from runner.backends.local.procfs import MARK
from runner.model import AttemptEnd, Outcome
from runner.text.reasons import describe
from tests.contract import PATIENCE, Site, unique, until
from tests.local_host import children, lives, marked, parent, pids
from tests.paths import ROOT, TESTS

SAY = "echo $$ >> pids"
"""Each process of a test writes its pid into one file."""


@dataclass(frozen=True)
class Tree:
    """A shell command that starts several processes."""

    command: str
    count: int
    """How many processes write their pid."""
    leaves: bool = False
    """True if the leader ends by itself and leaves processes behind."""


HEADLESS = f"exec {sys.executable} {TESTS}/no_first_thread.py"

TREES = {
    "grandchild in a session of its own": Tree(f"setsid sh -c '{SAY}; exec sleep 1000' & {SAY}; wait", 2),
    "double-forked orphan": Tree(f"(setsid sh -c '{SAY}; exec sleep 1000' &) ; {SAY}; exec sleep 1000", 2),
    "ignores TERM": Tree(f"trap '' TERM; {SAY}; (trap '' TERM; {SAY}; while :; do sleep 1; done)", 2),
    "stopped": Tree(f"{SAY}; kill -STOP $$; exec sleep 1000", 1),
    "stopped and ignores TERM": Tree(f"trap '' TERM; {SAY}; kill -STOP $$; exec sleep 1000", 1),
    "orphan without its environment": Tree(
        f"(setsid env -i sh -c '{SAY}; exec sleep 1000' &) ; {SAY}; exec sleep 1000", 2
    ),
    "leader leaves a child behind": Tree(
        f"sh -c '{SAY}; exec sleep 1000' & while [ ! -s pids ]; do :; done", 1, leaves=True
    ),
    "leader leaves an orphan that ignores TERM": Tree(
        f"(setsid sh -c 'trap \"\" TERM; {SAY}; sleep 1000; sleep 1000' &) ; while [ ! -s pids ]; do :; done",
        1,
        leaves=True,
    ),
    "leader leaves an orphan without its environment": Tree(
        f"(setsid env -i sh -c '{SAY}; exec sleep 1000' &) ; while [ ! -s pids ]; do :; done", 1, leaves=True
    ),
    "leader leaves a process that holds its streams": Tree(
        f"nohup sh -c '{SAY}; exec sleep 1000' & while [ ! -s pids ]; do :; done", 1, leaves=True
    ),
}
if sys.platform == "linux":
    TREES |= {
        "first thread has ended": Tree(HEADLESS, 1),
        "first thread has ended, stopped": Tree(f"{HEADLESS} stop", 1),
        "leader leaves a process whose first thread has ended": Tree(
            f"({HEADLESS}) & while [ ! -s pids ]; do :; done", 1, leaves=True
        ),
    }

each_tree = pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
each_lasting = pytest.mark.parametrize(
    "tree",
    [tree for tree in TREES.values() if not tree.leaves],
    ids=[n for n in TREES if not TREES[n].leaves],
)

REFORKING = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("pids", "w").write(f"{os.getpid()}\\n")
while True:
    if os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(0.003)
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(lambda: LocalBackend(os.environ), tmp_path)


@each_lasting
def test_cancel_ends_the_tree(site: Site, tmp_path: Path, tree: Tree) -> None:
    """No process of the job is left when `cancel` returns."""
    attempt = site.attempt(tree.command)

    async def body(backend: Backend) -> None:
        job = await backend.submit(attempt)
        await until(lambda: pids(tmp_path, tree.count))
        await backend.cancel(job, 0.2)
        assert not [pid for pid in pids(tmp_path, tree.count) if lives(pid)]
        assert not marked(attempt.name)

    site.run(body)


@pytest.mark.parametrize(
    "tree", [tree for tree in TREES.values() if tree.leaves], ids=[n for n in TREES if TREES[n].leaves]
)
def test_end_of_the_leader_ends_the_tree(site: Site, tmp_path: Path, tree: Tree) -> None:
    """The job succeeds when its tree is gone: the processes that the leader left behind are ended first."""
    attempt = replace(site.attempt(tree.command), grace=0.2)

    async def body(backend: Backend) -> AttemptEnd:
        ended = await backend.wait(await backend.submit(attempt))
        assert not marked(attempt.name)
        await until(lambda: pids(tmp_path, 1))
        assert not [pid for pid in pids(tmp_path, 1) if lives(pid)]
        return ended

    end = site.run(body)
    assert end.outcome is Outcome.SUCCEEDED
    # One without its mark belongs to the only job there is.
    assert describe(end) == "the processes that it left running were ended"


def test_process_that_is_about_to_end_was_not_left_running(site: Site) -> None:
    """Python's resource tracker, say, ends a moment after its program."""
    program = (
        "import subprocess, sys\n"
        "code = 'import os, signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.close(1); sys.stdin.read()'\n"
        "child = subprocess.Popen([sys.executable, '-c', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdout.read()\n"
    )
    end = site.end_of(site.attempt((sys.executable, "-c", program)))
    assert (end.outcome, describe(end)) == (Outcome.SUCCEEDED, None)


def test_orphan_has_the_grace_to_handle_sigterm(site: Site) -> None:
    """Orphans get their owners before the end of the leader counts as the end of the job."""
    orphan = f"trap 'echo bye; exit' TERM; {SAY}; while :; do sleep 0.05; done"
    command = '(setsid sh -c "$ORPHAN" &) ; while [ ! -s pids ]; do :; done'
    attempt = replace(site.attempt(command, ORPHAN=orphan), grace=10 * PATIENCE)
    assert site.end_of(attempt).outcome is Outcome.SUCCEEDED
    assert site.stdout(attempt) == "bye\n"


def test_cancel_after_the_end_of_the_leader_keeps_its_outcome(site: Site, tmp_path: Path) -> None:
    """The leader has succeeded; only an orphan that ignores SIGTERM is left for the whole grace."""
    tree = TREES["leader leaves an orphan that ignores TERM"]
    attempt = replace(site.attempt(tree.command), grace=10 * PATIENCE)

    async def body(backend: Backend) -> AttemptEnd:
        job = await backend.submit(attempt)
        await until(lambda: pids(tmp_path, 1) and not lives(job))
        await backend.cancel(job, 0)
        return await backend.wait(job)

    assert site.run(body).outcome is Outcome.SUCCEEDED


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no tree is proven gone")
def test_job_with_a_possible_orphan_is_not_drained(site: Site, tmp_path: Path) -> None:
    """An orphan that cannot be attributed may belong to any job that ran when it appeared."""
    hidden = f"(setsid env -i sh -c '{SAY}; exec sleep 1000' &) ; while [ ! -s pids ]; do :; done"

    async def body(backend: Backend) -> list[bool]:
        plain = await backend.wait(await backend.submit(replace(site.attempt("true"), name=unique("plain", tmp_path))))
        other = await backend.submit(replace(site.attempt("sleep 1000"), name=unique("other", tmp_path)))
        suspect = await backend.wait(await backend.submit(site.attempt(hidden)))
        [orphan] = pids(tmp_path, 1)
        assert lives(orphan)
        await backend.cancel(other, 0)
        return [plain.drained, suspect.drained]

    assert site.run(body) == [True, False]


@each_tree
def test_closing_the_backend_ends_the_tree(site: Site, tmp_path: Path, tree: Tree) -> None:
    """At once, however long the grace is."""
    attempt = replace(site.attempt(tree.command), grace=1000.0)

    async def body(backend: Backend) -> None:
        await backend.submit(attempt)
        await until(lambda: pids(tmp_path, 1))

    site.run(body)
    assert not [pid for pid in pids(tmp_path, 1) if lives(pid)]
    assert not marked(attempt.name)


def host_command(folder: Path, memory: str, *commands: str) -> list[str]:
    return [sys.executable, "-m", "tests.local_host", str(folder), memory, *commands]


@contextmanager
def hosted(folder: Path, *commands: str, memory: str = "") -> Iterator[tuple[int, int]]:
    """A process with a backend that runs these commands: its pid and its supervisor's, once all are submitted."""
    with subprocess.Popen(
        host_command(folder, memory, *commands),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as host:
        assert host.stdout
        try:
            word, supervisor = host.stdout.readline().split()
            assert word == "ready"
            yield host.pid, int(supervisor)
        finally:
            host.kill()


@each_tree
def test_kill_of_runner_ends_the_tree(tmp_path: Path, tree: Tree) -> None:
    """And the supervisor."""
    with hosted(tmp_path, tree.command) as (host, supervisor):
        trio.run(until, lambda: pids(tmp_path, tree.count))
        os.kill(host, signal.SIGKILL)
    trio.run(until, lambda: not lives(supervisor))
    assert not [pid for pid in pids(tmp_path, tree.count) if lives(pid)]


LAGGING = """
import os, signal, sys, trio
from pathlib import Path
from trio.testing import wait_all_tasks_blocked
from runner.backends.local.backend import LocalBackend
from tests.contract import Site
from tests.local_host import children

async def main(folder, before):
    site = Site(lambda: LocalBackend(os.environ), folder)
    async with site.open() as backend, trio.open_nursery() as nursery:
        [supervisor] = children(os.getpid())
        for number in range(before):
            await backend.wait(await backend.submit(site.attempt(("true",), f"before-{number}")))
        os.kill(supervisor, signal.SIGSTOP)
        os.waitid(os.P_PID, supervisor, os.WSTOPPED)
        for number in range(3):
            nursery.start_soon(backend.submit, site.attempt(("true",), f"late-{number}"))
        await wait_all_tasks_blocked()
        print(supervisor, flush=True)
        await trio.sleep_forever()

trio.run(main, Path(sys.argv[1]), int(sys.argv[2]))
"""


@pytest.mark.parametrize("before", [0, 1], ids=["supervisor just started", "supervisor has started jobs"])
def test_late_supervisor_starts_nothing_for_a_dead_runner(tmp_path: Path, before: int) -> None:
    """Messages that are unread when runner dies start no jobs: a later runner may have taken them over."""
    with subprocess.Popen(
        [sys.executable, "-c", LAGGING, str(tmp_path), str(before)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as host:
        assert host.stdout
        try:
            supervisor = int(host.stdout.readline())
        finally:
            host.kill()
    os.kill(supervisor, signal.SIGCONT)
    trio.run(until, lambda: not lives(supervisor))
    assert [file.name for file in tmp_path.glob("*.out")] == [f"before-{number}.out" for number in range(before)]


@pytest.mark.parametrize(
    ("command", "count"),
    [
        (f"trap '' TERM; {SAY}; (setsid sh -c '{SAY}; exec sleep 1000' &) ; while :; do sleep 1000; done", 2),
        (HEADLESS, 1),
        (f"({HEADLESS} stop) & wait", 1),
    ],
    ids=["ignores TERM, with an orphan", "first thread has ended", "child, stopped, whose first thread has ended"],
)
def test_jobs_of_a_killed_runner_and_supervisor_are_found(site: Site, tmp_path: Path, command: str, count: int) -> None:
    """A later runner finds them by name and ends their trees; their outcome is lost."""
    with hosted(tmp_path, command) as (host, supervisor):
        trio.run(until, lambda: pids(tmp_path, count))
        os.kill(supervisor, signal.SIGSTOP)
        os.kill(host, signal.SIGKILL)
        os.kill(supervisor, signal.SIGKILL)

    async def body(backend: Backend) -> None:
        job = await backend.find(name(tmp_path))
        assert job is not None
        assert job in map(str, marked(name(tmp_path)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(backend.cancel, job, 0.2)
            assert (await backend.wait(job)).outcome is Outcome.LOST
        assert await backend.find(name(tmp_path)) is None

    assert [pid for pid in pids(tmp_path, count) if lives(pid)]
    site.run(body)
    assert not [pid for pid in pids(tmp_path, count) if lives(pid)]


def name(folder: Path) -> str:
    return unique("host-0", folder)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere orphans go to the system's first process")
@pytest.mark.parametrize("leader", ["exec sleep 1000", "while [ ! -s pids ]; do :; done"], ids=["runs", "has ended"])
def test_death_of_the_supervisor_leaves_no_orphan_behind(site: Site, tmp_path: Path, leader: str) -> None:
    """Not even one that nothing shows the owner of: it becomes a child of runner. What runner has started itself lives on."""
    hidden = f"(setsid env -i sh -c '{SAY}; setsid sleep 1000 & sleep 1000' &) ; {leader}"

    async def body(backend: Backend) -> None:
        keeper = await backend.submit(replace(site.attempt("sleep 1000"), name=unique("keeper", tmp_path)))
        await backend.submit(site.attempt(hidden))
        await until(lambda: pids(tmp_path, 1))
        [orphan] = pids(tmp_path, 1)
        await until(lambda: len(children(orphan)) == 2)
        below = children(orphan)
        with subprocess.Popen(["sleep", "1000"], env={**os.environ, MARK: "metrics"}) as own:  # noqa: ASYNC220
            os.kill(parent(keeper), signal.SIGKILL)
            assert (await backend.wait(keeper)).outcome is Outcome.LOST
            assert not [pid for pid in (orphan, *below) if lives(pid)]
            assert own.poll() is None
            own.kill()

    site.run(body)


def test_cancel_of_an_unknown_pid_does_nothing(site: Site, tmp_path: Path) -> None:
    """A job that was not found by its name before cannot be ended."""
    with hosted(tmp_path, f"{SAY}; exec sleep 1000"):
        trio.run(until, lambda: pids(tmp_path, 1))
        [pid] = pids(tmp_path, 1)

        async def body(backend: Backend) -> None:
            await backend.cancel(str(pid), 0)

        site.run(body)
        assert lives(pid)


def test_process_that_reforks_all_the_time_is_ended(site: Site, tmp_path: Path) -> None:
    """It forks, leaves its session and exits, each few milliseconds."""
    attempt = site.attempt((sys.executable, "-c", REFORKING))

    async def body(backend: Backend) -> None:
        job = await backend.submit(attempt)
        await until(lambda: pids(tmp_path, 1))
        await backend.cancel(job, 0.05)
        assert not marked(attempt.name)

    site.run(body)
    assert not marked(attempt.name)


def test_orphan_ends_with_its_own_job_only(site: Site, tmp_path: Path) -> None:
    command = f"(setsid sh -c '{SAY}; exec sleep 1000' &) ; exec sleep 1000"

    async def body(backend: Backend) -> None:
        long = await backend.submit(site.attempt(command, "long"))
        await until(lambda: pids(tmp_path, 1))
        for number in range(3):
            short = await backend.submit(site.attempt("sleep 1000 & true", f"short-{number}"))
            assert (await backend.wait(short)).outcome is Outcome.SUCCEEDED
        [orphan] = pids(tmp_path, 1)
        assert lives(orphan)
        await backend.cancel(long, 1)
        assert not lives(orphan)

    site.run(body)


def test_unattributed_orphan_ends_with_the_last_possible_owner(site: Site, tmp_path: Path) -> None:
    """It has no session, group or mark of a job."""
    command = f"(setsid env -i sh -c '{SAY}; exec sleep 1000' &) ; while [ ! -s pids ]; do :; done"

    async def body(backend: Backend) -> None:
        first = await backend.submit(site.attempt(("sleep", "1000"), "first"))
        assert (await backend.wait(await backend.submit(site.attempt(command)))).outcome is Outcome.SUCCEEDED
        [orphan] = pids(tmp_path, 1)
        await backend.cancel(first, 1)
        await until(lambda: not lives(orphan))

    site.run(body)


def test_orphan_is_attributed_by_its_mark(site: Site, tmp_path: Path) -> None:
    """It ends with its job while another job runs."""
    command = f"(setsid sh -c '{SAY}; exec sleep 1000' &) ; while [ ! -s pids ]; do :; done"

    async def body(backend: Backend) -> None:
        other = await backend.submit(site.attempt(("sleep", "1000"), "other"))
        assert (await backend.wait(await backend.submit(site.attempt(command)))).outcome is Outcome.SUCCEEDED
        assert not [pid for pid in pids(tmp_path, 1) if lives(pid)]
        assert lives(other)

    site.run(body)


def test_stopped_process_can_handle_sigterm(site: Site) -> None:
    """It is continued."""
    attempt = site.attempt("trap 'exit 7' TERM; echo ready; kill -STOP $$; while :; do :; done")

    async def body(backend: Backend) -> AttemptEnd:
        job = await backend.submit(attempt)
        await until(lambda: "T (stopped)" in Path(f"/proc/{job}/status").read_text())
        await backend.cancel(job, 10 * PATIENCE)
        return await backend.wait(job)

    assert site.run(body).exit_code == 7


def test_process_that_handles_sigterm_has_the_grace(site: Site) -> None:
    attempt = site.attempt("trap 'sleep 0.2; echo bye; exit 7' TERM; echo ready; while :; do :; done")

    async def body(backend: Backend) -> AttemptEnd:
        job = await backend.submit(attempt)
        await until(lambda: "ready" in site.stdout(attempt))
        await backend.cancel(job, 10 * PATIENCE)
        return await backend.wait(job)

    assert site.run(body).exit_code == 7
    assert site.stdout(attempt) == "ready\nbye\n"


def test_200_jobs_with_64_file_descriptors(tmp_path: Path) -> None:
    """A running job needs no descriptor of runner or the supervisor."""
    commands = [f"{SAY}; exec sleep 1000"] * 200
    with subprocess.Popen(
        ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", *host_command(tmp_path, "", *commands)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as host:
        assert host.stdout
        assert host.stdout.readline().startswith("ready")
        trio.run(until, lambda: len(pids(tmp_path, 200)) == 200)
        host.kill()
    trio.run(until, lambda: not [pid for pid in pids(tmp_path, 200) if lives(pid)])


def test_shortage_of_processes_is_waited_out(tmp_path: Path) -> None:
    """A job that cannot be started because of `pids.max` starts once another one has ended."""
    group = Path("/sys/fs/cgroup/pids", f"runner-test-{os.getpid()}")
    try:
        group.mkdir()
        (group / "pids.max").write_text("6\n")  # the host, its supervisor, and four sessions
    except OSError:
        pytest.skip("needs a version 1 pids group, because root has no other limit on processes")
    commands = [f"{SAY}; exec sleep 0.1"] * 20
    script = f'echo $$ > {group}/cgroup.procs; exec "$@"'
    try:
        with subprocess.Popen(
            ["sh", "-c", script, "sh", *host_command(tmp_path, "", *commands)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        ) as host:
            assert host.stdout
            assert host.stdout.readline().startswith("ready")
            trio.run(until, lambda: len(pids(tmp_path, 20)) == 20)
            assert "max 0" not in (group / "pids.events").read_text()
            host.kill()
        trio.run(until, lambda: not (group / "cgroup.procs").read_text())
    finally:
        group.rmdir()
