"""The local backend with real processes: what a session gets, how it can fail to start, what is measured."""

from __future__ import annotations

import os
import resource
import signal
import stat
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from runner.backends.base import Backend
from runner.backends.local.backend import LocalBackend
from runner.errors import EnvironmentFailed
from runner.model import AttemptEnd, Outcome
from runner.text.reasons import describe
from tests.contract import AheadContract, Site, until
from tests.local_host import lives, marked, parent, pids


class TestContract(AheadContract):
    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        return Site(lambda: LocalBackend(os.environ), tmp_path)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(lambda: LocalBackend(os.environ), tmp_path)


# What a session gets


def test_session_variables_override_the_base_environment(tmp_path: Path) -> None:
    """A session gets the environment that the backend was opened with, its own variables and the mark."""
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


def test_program_is_looked_up_on_the_path_of_the_session(site: Site, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "only-here"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    attempt = site.attempt(("only-here",), PATH=f"/nowhere:{program.parent}:/usr/bin:/bin")
    assert site.end_of(attempt).outcome is Outcome.SUCCEEDED
    assert site.stdout(attempt) == "found\n"
    assert site.end_of(site.attempt(("only-here",))).exit_code == 127


def test_relative_program_starts_at_the_working_directory(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "program").write_text("#!/bin/sh\npwd\n")
    (folder / "program").chmod(0o755)
    attempt = replace(site.attempt(("./program",)), workdir=str(folder))
    assert site.end_of(attempt).outcome is Outcome.SUCCEEDED
    assert site.stdout(attempt) == f"{folder}\n"


@pytest.fixture
def unfit_signals() -> Iterator[None]:
    """A process that has every signal blocked, and ignores several."""
    ignored = (signal.SIGCHLD, signal.SIGALRM, signal.SIGTSTP, signal.SIGWINCH, signal.SIGRTMIN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@pytest.mark.usefixtures("unfit_signals")
def test_no_signal_is_ignored_or_blocked(site: Site) -> None:
    """Python ignores some, so does the supervisor, and more are inherited. The end of the session is noticed."""
    attempt = site.attempt(("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"))
    assert site.end_of(attempt).outcome is Outcome.SUCCEEDED
    masks = [int(line.split()[1], 16) for line in site.stdout(attempt).splitlines()]
    private = 0b11 << 31  # glibc's posix_spawn ignores 32 and 33, which are its own
    assert [mask & ~private for mask in masks] == [0, 0]


def test_only_the_three_streams_are_open(site: Site) -> None:
    """Also with an inheritable file descriptor in runner."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        attempt = site.attempt(("sh", "-c", "ls /proc/$$/fd"))
        site.end_of(attempt)
    finally:
        os.close(read)
        os.close(write)
    assert site.stdout(attempt).split() == ["0", "1", "2"]


def test_job_leads_a_session_and_a_process_group(site: Site) -> None:
    """So signals of the terminal go to runner alone."""
    attempt = site.attempt(("sh", "-c", "echo $$; cut -d' ' -f5,6 /proc/$$/stat"))
    site.end_of(attempt)
    pid, group = site.stdout(attempt).splitlines()
    assert group == f"{pid} {pid}"


def test_umask_and_limits_are_inherited(site: Site) -> None:
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


def test_streams_are_opened_for_append(site: Site) -> None:
    """The content of the file stays, and stdout and stderr can share it."""
    attempt = site.attempt("echo one; echo two >&2")
    attempt = replace(attempt, stderr=attempt.stdout)
    Path(attempt.stdout).write_text("before\n")
    site.end_of(attempt)
    assert site.stdout(attempt) == "before\none\ntwo\n"


def test_argument_of_100_kb(site: Site) -> None:
    attempt = site.attempt(("printf", "%s", "x" * 100_000))
    site.end_of(attempt)
    assert site.stdout(attempt) == "x" * 100_000


# Commands that cannot be started


def test_program_not_found_on_the_path(site: Site) -> None:
    ended = site.end_of(site.attempt(("no-such-program",)))
    assert (ended.exit_status, describe(ended)) == (127, "`no-such-program` not found")


def test_program_not_found_by_its_path(site: Site) -> None:
    ended = site.end_of(site.attempt(("./no-such-program",)))
    assert (ended.exit_status, describe(ended)) == (127, "`./no-such-program` not found")


def test_interpreter_of_a_script_not_found(site: Site, tmp_path: Path) -> None:
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
def test_file_that_is_not_executable(site: Site, tmp_path: Path, mode: int, reason: str) -> None:
    (tmp_path / "file").write_text("hello\n")
    (tmp_path / "file").chmod(mode)
    ended = site.end_of(site.attempt(("./file",)))
    assert (ended.exit_status, describe(ended)) == (126, reason)


def test_file_on_the_path_that_is_not_executable(site: Site, tmp_path: Path) -> None:
    """A folder of the name is passed over."""
    (tmp_path / "file").write_text("hello\n")
    (tmp_path / "folder").mkdir()
    ended = site.end_of(site.attempt(("file",), PATH=str(tmp_path)))
    assert (ended.exit_status, describe(ended)) == (126, "`file` is not executable")
    ended = site.end_of(site.attempt(("folder",), PATH=str(tmp_path)))
    assert (ended.exit_status, describe(ended)) == (127, "`folder` not found")


def test_directory_as_program(site: Site) -> None:
    ended = site.end_of(site.attempt(("/etc",)))
    assert (ended.exit_status, describe(ended)) == (126, "`/etc` is a directory")


def test_argument_over_the_limit(site: Site) -> None:
    ended = site.end_of(site.attempt(("true", "x" * 131_072)))
    assert (ended.exit_status, describe(ended)) == (
        126,
        "a string of 131073 bytes is over the limit of 131072 for one argument",
    )


def test_arguments_over_the_limit_together(site: Site) -> None:
    limit = os.sysconf("SC_ARG_MAX")
    ended = site.end_of(site.attempt(("true", *["x" * 100_000] * (limit // 100_000 + 1))))
    assert ended.exit_code == 126
    assert (describe(ended) or "").endswith(f"bytes of arguments and environment are over the limit of {limit}")


def test_nul_in_an_argument(site: Site) -> None:
    ended = site.end_of(site.attempt(("true", "a\0b")))
    assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 126)


def test_lone_surrogate_in_an_argument(site: Site) -> None:
    """It has no bytes in any encoding of a file system."""
    ended = site.end_of(site.attempt(("true", "\ud800")))
    assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 126)


def test_missing_working_directory(site: Site) -> None:
    ended = site.end_of(replace(site.attempt(("true",)), workdir="/no/such/folder"))
    assert (ended.exit_status, describe(ended)) == (126, "the working directory `/no/such/folder` does not exist")


def test_stream_that_cannot_be_opened(site: Site) -> None:
    """The environment is at fault: the submission fails, and the backend still works."""

    async def body(backend: Backend) -> None:
        attempt = site.attempt(("true",))
        with pytest.raises(EnvironmentFailed, match="`/no/such/out` cannot be opened: No such file"):
            await backend.submit(replace(attempt, stdout="/no/such/out"))
        assert (await backend.wait(await backend.submit(attempt))).outcome is Outcome.SUCCEEDED

    site.run(body)


# Measurements


def test_signal_in_exit_code_and_reason(site: Site) -> None:
    ended = site.end_of(site.attempt("kill -SEGV $$"))
    assert (ended.exit_status, describe(ended)) == (139, "killed by SIGSEGV")


def test_cpu_time_covers_children(site: Site) -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    ended = site.end_of(site.attempt(("sh", "-c", f"{sys.executable} -c '{burn}'; true")))
    assert ended.cpu_time is not None
    assert 0.2 <= ended.cpu_time < 5
    assert ended.duration is not None
    assert ended.duration >= 0.2


def test_peak_memory_does_not_include_runner(site: Site) -> None:
    """max_rss is None where it may be the supervisor's own."""
    fat = bytearray(300 << 20)
    small = site.end_of(site.attempt(("true",)))
    large = site.end_of(site.attempt((sys.executable, "-c", "bytearray(60 << 20)"), "large"))
    del fat
    assert small.max_rss is None
    assert large.max_rss is not None
    assert 60 << 20 < large.max_rss < 120 << 20


# The backend and its supervisor


def test_cancelled_submit_leaves_no_process(site: Site) -> None:
    """The caller of a cancelled submission does not learn the job's id, so the backend ends the job."""
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


def test_error_of_the_caller_is_not_wrapped(site: Site) -> None:
    """In no exception group."""

    async def body(backend: Backend) -> None:
        await backend.submit(site.attempt(("sleep", "1000")))
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        site.run(body)


def test_closed_backend_leaves_no_descriptor_and_no_child(site: Site) -> None:
    """Nor a zombie."""

    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    site.end_of(site.attempt(("true",)))
    before = open_files()
    site.end_of(site.attempt(("true",), "again"))
    assert open_files() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_only_the_latest_ends_are_kept(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with the sweep."""
    monkeypatch.setattr("runner.backends.local.backend.KEPT_ENDS", 5)

    async def body(backend: Backend) -> None:
        attempts = [site.attempt(("true",), f"n-{number}") for number in range(10)]
        for attempt in attempts:
            await backend.wait(await backend.submit(attempt))
        found = [await backend.find(attempt.name) for attempt in attempts]
        assert [job is not None for job in found] == [False] * 5 + [True] * 5

    site.run(body)


def test_death_of_the_supervisor(site: Site, tmp_path: Path) -> None:
    """Its jobs are ended as lost, submissions fail, and the backend can be closed."""
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


def test_supervisor_ignores_signals_of_the_terminal(site: Site) -> None:
    """Runner decides what SIGINT, SIGTERM and SIGHUP mean."""

    async def body(backend: Backend) -> None:
        job = await backend.submit(site.attempt(("sleep", "1000")))
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(parent(job), signum)
        after = await backend.wait(await backend.submit(site.attempt(("true",), "after")))
        assert after.outcome is Outcome.SUCCEEDED
        assert lives(job)

    site.run(body)


@pytest.mark.parametrize("first", ["session", "supervisor"])
@pytest.mark.parametrize("code", [0, 3, 143])
def test_signal_to_all_processes_cancels(site: Site, tmp_path: Path, first: str, code: int) -> None:
    """`systemctl stop` sends TERM to each process, in no order: what exits with 0 then has not succeeded."""
    leave = f"import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit({code}));"
    program = (sys.executable, "-c", f"{leave} open('pids', 'w').write('1\\n'); signal.pause()")

    async def body(backend: Backend) -> AttemptEnd:
        job = await backend.submit(site.attempt(program))
        await until(lambda: pids(tmp_path, 1))
        order = [int(job), parent(job)]
        os.kill(parent(job), signal.SIGSTOP)  # so that the order is the one to be tested, however busy the machine is
        if first == "session":
            os.kill(order[0], signal.SIGTERM)
            await until(lambda: not lives(job))
        os.kill(order[1], signal.SIGTERM)
        os.kill(order[1], signal.SIGCONT)
        if first == "supervisor":
            os.kill(order[0], signal.SIGTERM)
        return await backend.wait(job)

    end = site.run(body)
    assert (end.outcome, end.exit_status) == (Outcome.CANCELLED, code)
    assert describe(end) == "a signal to all processes of runner"
