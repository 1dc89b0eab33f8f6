"""The local backend: what a process gets, what it gives back, and what is said where it cannot be started."""

from __future__ import annotations

import os
import resource
import signal
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from runner.backends.base import Backend
from runner.backends.local.backend import LocalBackend
from runner.errors import EnvironmentFailed
from runner.model import Outcome
from runner.reasons import describe
from tests.contract import AheadContract, Site, until
from tests.local_host import lives, marked, parent, pids


class TestContract(AheadContract):
    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        return Site(lambda: LocalBackend(os.environ), tmp_path)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(lambda: LocalBackend(os.environ), tmp_path)


# What a process gets


def test_environment_is_the_callers_then_the_sessions(tmp_path: Path) -> None:
    """The base environment is what the backend was given, no more; the session's own variables come on top."""
    base = {"PATH": os.environ["PATH"], "KEPT": "base", "CHANGED": "base"}
    site = Site(lambda: LocalBackend(base), tmp_path)
    attempt = site.attempt(("env",), CHANGED="session")
    site.end_of(attempt)
    assert set(site.stdout(attempt).splitlines()) == {
        f"PATH={base['PATH']}",
        "KEPT=base",
        "CHANGED=session",
        f"RUNNER_JOB={attempt.name}",
    }


def test_program_is_looked_up_on_the_sessions_path(site: Site, tmp_path: Path) -> None:
    """A name without a slash is found on the PATH that the session has, not on runner's."""
    program = tmp_path / "bin" / "only-here"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    attempt = site.attempt(("only-here",), PATH=f"/nowhere:{program.parent}:/usr/bin:/bin")
    assert site.end_of(attempt).outcome is Outcome.SUCCEEDED
    assert site.stdout(attempt) == "found\n"
    assert site.end_of(site.attempt(("only-here",))).exit_code == 127


def test_program_with_a_slash_is_relative_to_the_working_directory(site: Site, tmp_path: Path) -> None:
    """`./program` means the working directory of the session."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "program").write_text("#!/bin/sh\npwd\n")
    (folder / "program").chmod(0o755)
    attempt = replace(site.attempt(("./program",)), workdir=str(folder))
    assert site.end_of(attempt).outcome is Outcome.SUCCEEDED
    assert site.stdout(attempt) == f"{folder}\n"


def test_signals_are_as_if_fresh_from_a_shell(site: Site) -> None:
    """No signal is ignored or blocked in a session, whatever Python and runner do with theirs."""
    attempt = site.attempt(("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"))
    site.end_of(attempt)
    masks = [int(line.split()[1], 16) for line in site.stdout(attempt).splitlines()]
    private = 0b11 << 31  # 32 and 33 are glibc's own, and its posix_spawn ignores them
    assert [mask & ~private for mask in masks] == [0, 0]


def test_no_descriptor_is_inherited(site: Site) -> None:
    """A session has its three streams and nothing of runner's: nothing keeps a file or a socket open by accident."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        attempt = site.attempt(("sh", "-c", "ls /proc/$$/fd"))
        site.end_of(attempt)
    finally:
        os.close(read)
        os.close(write)
    assert site.stdout(attempt).split() == ["0", "1", "2"]


def test_session_and_group_of_its_own(site: Site) -> None:
    """A session leads its own session and group: no terminal's signal reaches it past runner."""
    attempt = site.attempt(("sh", "-c", "echo $$; cut -d' ' -f5,6 /proc/$$/stat"))
    site.end_of(attempt)
    pid, group = site.stdout(attempt).splitlines()
    assert group == f"{pid} {pid}"


def test_umask_and_limits_are_the_callers(site: Site) -> None:
    """What the caller has set for its children holds for sessions too."""
    attempt = site.attempt("umask; ulimit -c")
    before, limits = os.umask(0o027), resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, limits[1]))
    try:
        site.end_of(attempt)
    finally:
        os.umask(before)
        resource.setrlimit(resource.RLIMIT_CORE, limits)
    assert site.stdout(attempt).split() == ["0027", "0"]
    assert stat.S_IMODE(os.stat(attempt.stdout).st_mode) == 0o640


def test_streams_are_appended(site: Site) -> None:
    """What a file already holds stays, and what two processes write into one file does not overwrite each other."""
    attempt = site.attempt("echo one; echo two >&2")
    attempt = replace(attempt, stderr=attempt.stdout)
    Path(attempt.stdout).write_text("before\n")
    site.end_of(attempt)
    assert site.stdout(attempt) == "before\none\ntwo\n"


def test_a_long_argument(site: Site) -> None:
    """100 kB in one argument arrive whole."""
    attempt = site.attempt(("printf", "%s", "x" * 100_000))
    site.end_of(attempt)
    assert site.stdout(attempt) == "x" * 100_000


# What cannot be started


def test_not_found(site: Site) -> None:
    """The reason names what was looked for."""
    ended = site.end_of(site.attempt(("no-such-program",)))
    assert (ended.exit_status, describe(ended)) == (127, "`no-such-program` not found")


def test_not_found_by_path(site: Site) -> None:
    """The same for a program given by its path."""
    ended = site.end_of(site.attempt(("./no-such-program",)))
    assert (ended.exit_status, describe(ended)) == (127, "`./no-such-program` not found")


def test_interpreter_not_found(site: Site, tmp_path: Path) -> None:
    """A script whose first line names a missing interpreter is not itself missing."""
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    ended = site.end_of(site.attempt((str(script),)))
    assert (ended.exit_status, describe(ended)) == (
        127,
        f"the interpreter in the first line of `{script}` is not found",
    )


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (0o644, "`./file` is not executable"),
        (0o755, "`./file` is not a program: neither a binary for this machine nor a script with a `#!` line"),
    ],
)
def test_not_executable(site: Site, tmp_path: Path, mode: int, reason: str) -> None:
    """A file that is no program is told apart from one that only lacks the permission."""
    (tmp_path / "file").write_text("hello\n")
    (tmp_path / "file").chmod(mode)
    ended = site.end_of(site.attempt(("./file",)))
    assert (ended.exit_status, describe(ended)) == (126, reason)


def test_not_executable_on_the_path(site: Site, tmp_path: Path) -> None:
    """A file on the PATH without the permission is no program, and a folder there is passed over."""
    (tmp_path / "file").write_text("hello\n")
    (tmp_path / "folder").mkdir()
    ended = site.end_of(site.attempt(("file",), PATH=str(tmp_path)))
    assert (ended.exit_status, describe(ended)) == (126, "`file` is not executable")
    ended = site.end_of(site.attempt(("folder",), PATH=str(tmp_path)))
    assert (ended.exit_status, describe(ended)) == (127, "`folder` not found")


def test_directory(site: Site) -> None:
    """A directory has execute permission and is no program."""
    ended = site.end_of(site.attempt(("/etc",)))
    assert (ended.exit_status, describe(ended)) == (126, "`/etc` is a directory")


def test_argument_too_long(site: Site) -> None:
    """The system's limit on one argument is named, and what was over it."""
    ended = site.end_of(site.attempt(("true", "x" * 131_072)))
    assert (ended.exit_status, describe(ended)) == (
        126,
        "a string of 131073 bytes is over the limit of 131072 for one argument",
    )


def test_arguments_too_long(site: Site) -> None:
    """The system's limit on all arguments together is named."""
    limit = os.sysconf("SC_ARG_MAX")
    ended = site.end_of(site.attempt(("true", *["x" * 100_000] * (limit // 100_000 + 1))))
    assert ended.exit_code == 126
    assert (describe(ended) or "").endswith(f"bytes of arguments and environment are over the limit of {limit}")


def test_nul_in_an_argument(site: Site) -> None:
    """What no program can be given is a failed session, not an error of runner's."""
    ended = site.end_of(site.attempt(("true", "a\0b")))
    assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 126)


def test_lone_surrogate_in_an_argument(site: Site) -> None:
    """The same for text that has no bytes."""
    ended = site.end_of(site.attempt(("true", "\ud800")))
    assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 126)


def test_missing_working_directory(site: Site) -> None:
    """A working directory that is not there fails its session with 126, and that is said."""
    ended = site.end_of(replace(site.attempt(("true",)), workdir="/no/such/folder"))
    assert (ended.exit_status, describe(ended)) == (126, "the working directory `/no/such/folder` does not exist")


def test_stream_that_cannot_be_opened(site: Site) -> None:
    """A folder that takes no logs is the environment's fault: nothing has run, and the backend goes on."""

    async def body(backend: Backend) -> None:
        attempt = site.attempt(("true",))
        with pytest.raises(EnvironmentFailed, match="`/no/such/out` cannot be opened: No such file"):
            await backend.submit(replace(attempt, stdout="/no/such/out"))
        assert (await backend.wait(await backend.submit(attempt))).outcome is Outcome.SUCCEEDED

    site.run(body)


# What is measured


def test_signal_is_named(site: Site) -> None:
    """128 and the number for a shell's eyes, the name for people's."""
    ended = site.end_of(site.attempt("kill -SEGV $$"))
    assert (ended.exit_status, describe(ended)) == (139, "killed by SIGSEGV")


def test_cpu_time_covers_children(site: Site) -> None:
    """cpu_time is user and system time of the program and of the children it has waited for."""
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    ended = site.end_of(site.attempt(("sh", "-c", f"{sys.executable} -c '{burn}'; true")))
    assert ended.cpu_time is not None
    assert 0.2 <= ended.cpu_time < 5
    assert ended.duration is not None
    assert ended.duration >= 0.2


def test_peak_memory_is_the_sessions_own(site: Site) -> None:
    """max_rss is what the session held, however fat runner is; None where it cannot be told from the spawner's."""
    fat = bytearray(300 << 20)
    small = site.end_of(site.attempt(("true",)))
    large = site.end_of(site.attempt((sys.executable, "-c", "bytearray(60 << 20)"), "large"))
    del fat
    assert small.max_rss is None
    assert large.max_rss is not None
    assert 60 << 20 < large.max_rss < 120 << 20


# The backend's own life


def test_cancelled_submit_leaves_no_process(site: Site) -> None:
    """A submission that is cut short, whose job id nobody learns, ends what it may have started."""
    attempt = site.attempt(("sleep", "1000"))

    async def body(backend: Backend) -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await backend.submit(attempt)
        job = await backend.find(attempt.name)
        assert job is not None
        assert (await backend.wait(job)).outcome is not Outcome.SUCCEEDED
        assert not marked(attempt.name)

    site.run(body)


def test_errors_pass_through_unwrapped(site: Site) -> None:
    """What is raised inside the backend's block comes out as it is, not in an exception group."""

    async def body(backend: Backend) -> None:
        await backend.submit(site.attempt(("sleep", "1000")))
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        site.run(body)


def test_nothing_is_left_open(site: Site) -> None:
    """A backend that has been left holds no descriptor and no process, not even a zombie."""

    def held() -> int:
        return len(os.listdir("/proc/self/fd"))

    site.end_of(site.attempt(("true",)))
    before = held()
    site.end_of(site.attempt(("true",), "again"))
    assert held() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_jobs_are_forgotten_in_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with the sweep: of what has ended and been told, only the latest are remembered."""
    monkeypatch.setattr("runner.backends.local.backend.KEPT_ENDS", 5)

    async def body(backend: Backend) -> None:
        attempts = [site.attempt(("true",), f"n-{number}") for number in range(10)]
        for attempt in attempts:
            await backend.wait(await backend.submit(attempt))
        found = [await backend.find(attempt.name) for attempt in attempts]
        assert [job is not None for job in found] == [False] * 5 + [True] * 5

    site.run(body)


def test_spawner_killed(site: Site, tmp_path: Path) -> None:
    """If the spawner dies, its jobs are lost and ended, submissions fail, and the context can still be left."""
    command = "setsid sleep 1000 & echo $$ > pids; echo $! >> pids; wait"

    async def body(backend: Backend) -> None:
        job = await backend.submit(site.attempt(command))
        await until(lambda: pids(tmp_path, 2))
        os.kill(parent(job), signal.SIGKILL)
        assert (await backend.wait(job)).outcome is Outcome.LOST
        assert not [pid for pid in pids(tmp_path, 2) if lives(pid)]
        with pytest.raises(EnvironmentFailed, match=r"the supervisor process died \(killed by SIGKILL\)"):
            await backend.submit(site.attempt(("true",), "after"))

    site.run(body)


def test_terminal_signals_do_not_reach_the_spawner(site: Site) -> None:
    """Runner alone decides what Ctrl-C, TERM and HUP mean: the spawner shrugs at them."""

    async def body(backend: Backend) -> None:
        job = await backend.submit(site.attempt(("sleep", "1000")))
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(parent(job), signum)
        assert (await backend.wait(await backend.submit(site.attempt(("true",), "after")))).exit_code == 0
        assert lives(job)

    site.run(body)
