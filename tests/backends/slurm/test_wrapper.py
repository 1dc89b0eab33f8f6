"""wrapper.sh under real shells, and its twin pack/task.py: real processes, signals and records, without Slurm."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from runner.backends.slurm.outcome import NOTHING_TO_RUN
from runner.backends.slurm.spool import EndRecord, JobArray, Spool
from runner.model import Attempt
from tests.fake_slurm import make_attempt
from tests.processes import HANG, wait_for

SHELLS = [shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]


@dataclass(frozen=True)
class TaskRunner:
    """What runs a task: a shell alone, or, for packs, a shell that hands over to `python`."""

    shell: tuple[str, ...]
    python: str = ""

    def make(self, spool: Spool, attempts: Sequence[Attempt], setup: str = "") -> JobArray:
        return spool.create(attempts, 5 if self.python or len(attempts) > 1 else 1, setup, self.python)

    def start(self, script: str, **environ: str) -> subprocess.Popen[bytes]:
        environ = {
            **os.environ,
            "SLURM_ARRAY_TASK_ID": "0",
            "SLURM_ARRAY_JOB_ID": "7",
            "SLURMD_NODENAME": "n1",
        } | environ
        return subprocess.Popen([*self.shell, "-c", script], env=environ, stderr=subprocess.PIPE)


class RunningTask:
    """A task of one pack that runs as a process of this test."""

    def __init__(self, task_runner: TaskRunner, folder: Path, attempts: Sequence[Attempt], setup: str = "") -> None:
        self._below = bool(task_runner.python)
        self.array = task_runner.make(Spool(folder / "spool"), attempts, setup)
        self.process = task_runner.start((self.array.folder / "script").read_text())

    @property
    def pid(self) -> int:
        """The pid of the process that handles signals: the shell, or the interpreter that it has started."""
        pid = self.process.pid
        return int(children(pid)) if self._below else pid

    def send(self, number: signal.Signals, took_effect: Callable[[], object]) -> None:
        """Repeat a signal until it has an effect, as runner does: bash loses one that comes at the moment it begins to wait."""
        deadline = time.monotonic() + HANG
        while time.monotonic() < deadline:
            self.process.send_signal(number)
            for _ in range(100):
                if took_effect():
                    return
                time.sleep(0.01)
        raise AssertionError(f"{number.name} had no effect")

    def end(self, number: signal.Signals | None = None) -> list[EndRecord]:
        """Its records, once it has ended; if given, `number` is the signal that ends it."""
        if number is not None:
            self.send(number, lambda: self.process.poll() is not None)
        self.process.communicate(timeout=HANG)
        self.array.read_records()
        return [self.array.records[place] for place in sorted(self.array.records)]


RUNNERS = {shell[0]: TaskRunner(tuple(shell)) for shell in SHELLS} | {
    "python": TaskRunner(tuple(SHELLS[0]), sys.executable)
}


def taken(pid: int, number: int) -> bool:
    """Whether no such signal is pending for a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    masks = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigPnd:", "ShdPnd:"))]
    return not any(mask >> (number - 1) & 1 for mask in masks)


def state(pid: int) -> str:
    """The state of a process, in one letter as in `ps`."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def children(pid: int) -> str:
    """The pids of its children."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


def send_and_wait(task: RunningTask, number: int) -> None:
    """Send a signal, and return once it has been handled: all processes wait again, with the children that they had before."""
    pids = {task.process.pid, task.pid}
    before = [children(pid) for pid in pids]
    task.process.send_signal(number)

    def handled() -> bool:
        assert task.process.poll() is None, "the signal has ended the program"
        return all(taken(pid, number) and state(pid) == "S" for pid in pids) and before == [
            children(pid) for pid in pids
        ]

    wait_for(handled)


@pytest.mark.parametrize("task_runner", RUNNERS.values(), ids=RUNNERS)
class TestTask:
    def test_hostile_text_stays_text(self, task_runner: TaskRunner, tmp_path: Path) -> None:
        """In folders, arguments and variables."""
        odd = tmp_path / "a 'b' $(id)"
        odd.mkdir()
        hostile = "a'b\"$(id)`id`\n*;é🐍"
        one = make_attempt(
            "x", odd, ("sh", "-c", 'printf "%s|%s|%s" "$PLAIN" "$1" "$PWD"', "sh", hostile), PLAIN=hostile
        )
        [record] = RunningTask(task_runner, odd, [one]).end()
        assert (record.code, record.why, record.host, record.job) == (0, "", "n1", "7")
        assert Path(one.stdout).read_text() == f"{hostile}|{hostile}|{odd}"

    def test_setup_sees_job_and_passes_its_variables(self, task_runner: TaskRunner, tmp_path: Path) -> None:
        """The file's own variables win."""
        script = 'echo "$MADE|$PLAIN"'
        one = make_attempt("x", tmp_path, script, PLAIN="a 'b'")
        [record] = RunningTask(task_runner, tmp_path, [one], "export MADE=$SLURM_ARRAY_JOB_ID PLAIN=setup").end()
        assert (record.code, Path(one.stdout).read_text()) == (0, "7|a 'b'\n")

    def test_each_session_of_a_pack_has_its_own_end(self, task_runner: TaskRunner, tmp_path: Path) -> None:
        commands = ["exit 3", "kill -9 $$", "sleep 0.01", "echo fine"]
        ends = RunningTask(task_runner, tmp_path, [make_attempt(c[:4], tmp_path, c) for c in commands]).end()
        assert [record.code for record in ends] == [3, 137, 0, 0]
        assert [record.by_shell for record in ends] == [False] * 4
        assert (tmp_path / "echo.out").read_text() == "fine\n"

    def test_session_that_cannot_be_started(self, task_runner: TaskRunner, tmp_path: Path) -> None:
        """Its log says why, if it can be written; the next session runs."""
        missing, folder = make_attempt("a", tmp_path, ("no-such-program",)), make_attempt("b", tmp_path, ("/dev/null",))
        nowhere = replace(make_attempt("c", tmp_path), workdir=str(tmp_path / "gone"))
        unwritable = replace(make_attempt("d", tmp_path), stdout=str(tmp_path / "gone" / "d.out"))
        ends = RunningTask(
            task_runner, tmp_path, [missing, folder, nowhere, unwritable, make_attempt("e", tmp_path)]
        ).end()
        assert [(record.code, record.why) for record in ends] == [
            (127, ""),
            (126, ""),
            (126, ""),
            (126, "broken"),
            (0, ""),
        ]
        assert "no-such-program" in Path(missing.stderr).read_text()

    def test_timeout_ends_the_whole_tree(self, task_runner: TaskRunner, tmp_path: Path) -> None:
        """TERM first, then KILL for the processes that ignore it."""
        deaf = replace(make_attempt("x", tmp_path, "(trap '' TERM; sleep 100); true"), timeout=0.2, grace=0.2)
        [record] = RunningTask(task_runner, tmp_path, [deaf]).end()
        assert (record.why, record.code) == ("timeout", 143)

    def test_unreached_timeout_under_nohup(self, task_runner: TaskRunner, tmp_path: Path) -> None:
        """A trap of the shell cannot undo an ignored SIGHUP."""
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            task = RunningTask(task_runner, tmp_path, [replace(make_attempt("x", tmp_path, "sleep 0.1"), timeout=100)])
        finally:
            signal.signal(signal.SIGHUP, before)
        [record] = task.end()
        assert (record.why, record.code) == ("", 0)

    def test_marked_session_ends_and_unmarked_one_gets_the_signal(
        self, task_runner: TaskRunner, tmp_path: Path
    ) -> None:
        script = "trap 'echo usr1' USR1; trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"
        task = RunningTask(
            task_runner, tmp_path, [make_attempt("x", tmp_path, script), make_attempt("y", tmp_path, "echo y")]
        )
        log = tmp_path / "x.out"
        wait_for(lambda: log.exists() and "ready" in log.read_text())
        task.send(signal.SIGUSR1, lambda: "usr1" in log.read_text())
        task.array.mark(0)
        first, second = task.end(signal.SIGUSR1)
        assert (first.why, first.code) == ("asked", 7)
        assert (second.why, second.code) == ("", 0)

    def test_signal_for_a_waiting_session_spares_the_running_one(self, task_runner: TaskRunner, tmp_path: Path) -> None:
        script = "echo ready; while [ ! -e go ]; do sleep 0.05; done"
        task = RunningTask(
            task_runner, tmp_path, [make_attempt("x", tmp_path, script), make_attempt("y", tmp_path, "echo y")]
        )
        log = tmp_path / "x.out"
        wait_for(lambda: log.exists() and "ready" in log.read_text())
        task.array.mark(1)
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            send_and_wait(task, number)  # if it were passed on, it would end the program
        (tmp_path / "go").touch()
        first, second = task.end()
        assert (first.why, first.code) == ("", 0)
        assert (second.why, second.code) == ("asked", None)

    def test_signal_for_an_ended_session_spares_the_next_one(self, task_runner: TaskRunner, tmp_path: Path) -> None:
        script = "echo ready; while [ ! -e go ]; do sleep 0.05; done"
        task = RunningTask(
            task_runner, tmp_path, [make_attempt("x", tmp_path, "exit 3"), make_attempt("y", tmp_path, script)]
        )
        log = tmp_path / "y.out"
        wait_for(lambda: log.exists() and "ready" in log.read_text())
        task.array.mark(0)
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            send_and_wait(task, number)
        (tmp_path / "go").touch()
        assert [(record.why, record.code) for record in task.end()] == [("", 3), ("", 0)]

    @pytest.mark.parametrize("by_itself", [False, True])
    def test_slurm_ends_task_and_program_at_once(
        self, task_runner: TaskRunner, tmp_path: Path, by_itself: bool
    ) -> None:
        """Slurm sends TERM to the program, too: the record names Slurm, also where the program exits with a code of its own."""
        script = "echo $$; while [ ! -e go ]; do sleep 0.05; done; exit 3"
        task = RunningTask(
            task_runner, tmp_path, [make_attempt("x", tmp_path, script), make_attempt("y", tmp_path, "echo y")]
        )
        log = tmp_path / "x.out"
        wait_for(lambda: log.exists() and log.read_text().endswith("\n"))
        runner_pid, program = task.pid, int(log.read_text())
        os.kill(runner_pid, signal.SIGSTOP)
        wait_for(lambda: state(runner_pid) == "T")
        if by_itself:
            (tmp_path / "go").touch()
        else:
            os.kill(program, signal.SIGTERM)
        wait_for(lambda: state(program) == "Z")
        os.kill(runner_pid, signal.SIGTERM)
        os.kill(runner_pid, signal.SIGCONT)
        expected = ("slurm", 3 if by_itself else 143)  # a program that handles TERM may exit with any code, also with 0
        assert [(record.why, record.code) for record in task.end()] == [expected]

    @pytest.mark.skipif(shutil.which("strace") is None, reason="strace shows the system calls")
    def test_folder_is_reopened_before_marks_are_looked_for(self, task_runner: TaskRunner, tmp_path: Path) -> None:
        """An NFS client may otherwise answer from its cache."""
        calls = tmp_path / "calls"
        traced = ("strace", "-D", "-f", "-e", "trace=file", "-o", str(calls), *task_runner.shell)
        one = make_attempt("x", tmp_path, "echo ready; while :; do sleep 0.05; done")
        task = RunningTask(replace(task_runner, shell=traced), tmp_path, [one])
        log = tmp_path / "x.out"
        wait_for(lambda: log.exists() and "ready" in log.read_text())
        task.array.mark(0)
        [record] = task.end(signal.SIGUSR1)
        assert record.why == "asked"
        folder = re.escape(str(task.array.folder))
        looks = re.findall(rf'(open)\w*\([^"]*"{folder}"|"{folder}/0\.(ask)"', calls.read_text())
        assert re.fullmatch("ask open( ask)+", " ".join("".join(look) for look in looks))

    def test_usr2_ends_a_marked_session_without_grace(self, task_runner: TaskRunner, tmp_path: Path) -> None:
        one = replace(
            make_attempt("x", tmp_path, "trap '' TERM; echo ready; while :; do sleep 0.05; done"), grace=1000.0
        )
        task = RunningTask(task_runner, tmp_path, [one])
        log = tmp_path / "x.out"
        wait_for(lambda: log.exists() and "ready" in log.read_text())
        task.array.mark(0)
        [record] = task.end(signal.SIGUSR2)
        assert (record.why, record.code) == ("asked", 137)

    def test_requeued_task_continues_where_slurm_ended_it(self, task_runner: TaskRunner, tmp_path: Path) -> None:
        commands = [
            f"echo a >>{tmp_path}/ran",
            f"echo b | tee -a {tmp_path}/ran; sleep 0.05; test -e {tmp_path}/go || sleep 1000",
        ]
        attempts = [
            make_attempt(str(place), tmp_path, command) for place, command in enumerate([*commands, commands[0]])
        ]
        task = RunningTask(task_runner, tmp_path, attempts)
        wait_for(lambda: (tmp_path / "1.out").exists() and "b" in (tmp_path / "1.out").read_text())
        assert [(record.code, record.why) for record in task.end(signal.SIGTERM)] == [(0, ""), (143, "slurm")]
        (tmp_path / "go").touch()
        task.process = task_runner.start((task.array.folder / "script").read_text(), SLURM_RESTART_COUNT="1")
        assert [(record.code, record.why) for record in task.end()] == [(0, "")] * 3
        assert (tmp_path / "ran").read_text() == "a\nb\nb\na\n"
        assert (tmp_path / "1.out").read_text() == "b\n"

    def test_session_marked_before_its_start_does_not_start(self, task_runner: TaskRunner, tmp_path: Path) -> None:
        array = task_runner.make(Spool(tmp_path / "spool"), [make_attempt("x", tmp_path, "touch ran")])
        array.mark(0)
        task_runner.start((array.folder / "script").read_text()).communicate(timeout=HANG)
        array.read_records()
        assert (array.records[0].why, array.records[0].code) == ("asked", None)
        assert not (tmp_path / "ran").exists()

    def test_nothing_runs_of_a_withdrawn_array(self, task_runner: TaskRunner, tmp_path: Path) -> None:
        spool = Spool(tmp_path / "spool")
        array = task_runner.make(spool, [make_attempt("x", tmp_path, "touch ran")])
        script = (array.folder / "script").read_text()
        spool.withdraw(array)
        process = task_runner.start(script)
        process.communicate(timeout=HANG)
        assert process.returncode == NOTHING_TO_RUN
        assert not (tmp_path / "ran").exists()


def test_leftover_processes_end_before_the_next_session(tmp_path: Path) -> None:
    script = f"(trap '' HUP; setsid sleep 1000 & echo $! >{tmp_path}/pid) & wait; exit 4"
    after = make_attempt("y", tmp_path, f"! kill -0 $(cat {tmp_path}/pid)")
    first, second = RunningTask(RUNNERS["python"], tmp_path, [make_attempt("x", tmp_path, script), after]).end()
    assert (first.code, first.why, second.code) == (4, "", 0)


def test_shell_runs_the_pack_without_an_interpreter(tmp_path: Path) -> None:
    """Each record says so."""
    broken = TaskRunner(tuple(SHELLS[0]), "/bin/false")
    ends = RunningTask(broken, tmp_path, [make_attempt("x", tmp_path, "exit 3"), make_attempt("y", tmp_path)]).end()
    assert [(record.code, record.by_shell) for record in ends] == [(3, True), (0, True)]


@pytest.mark.parametrize("unlike", ["sys.version_info = (3, 8, 18)", "sys.modules['ctypes'] = None"])
def test_shell_runs_the_pack_if_the_interpreter_is_unfit(tmp_path: Path, unlike: str) -> None:
    """The node's own interpreter may be too old or lack a module. Nothing is started twice."""
    python = tmp_path / "python3"
    program = f"import runpy, sys; {unlike}; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    python.write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} -I -S -c "{program}" "$@"\n')
    python.chmod(0o755)
    old = TaskRunner(tuple(SHELLS[0]), str(python))
    ends = RunningTask(old, tmp_path, [make_attempt("x", tmp_path, f"echo x >>{tmp_path}/ran; exit 3")]).end()
    assert [(record.code, record.by_shell) for record in ends] == [(3, True)]
    assert (tmp_path / "ran").read_text() == "x\n"
