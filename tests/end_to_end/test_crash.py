"""Crash safety: a real runner is killed at random moments, and the same command continues."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes import HANG, wait_for, with_environment

KILLS = 50

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for left-over processes in /proc")


@contextmanager
def start(folder: Path, mark: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start `runner apply`, and kill it at the end of the block. Every process that it starts inherits the mark."""
    with subprocess.Popen(
        [sys.executable, "-m", "runner", "apply", *arguments],
        cwd=folder,
        env={**os.environ, "TEST_MARK": mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as runner:
        try:
            yield runner
        finally:
            runner.kill()


def results(folder: Path) -> list[dict[str, object]]:
    command = [sys.executable, "-m", "runner", "results", "--format", "json"]
    return list(json.loads(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout))


@linux
def test_fifty_kills_lose_and_repeat_no_session(tmp_path: Path) -> None:
    """Every session succeeds in the end, none runs after its success was recorded, no process outlives its session."""
    mark = f"mark-{os.getpid()}-{tmp_path.name}"
    text = (
        "exec: [sh, -c, 'touch begun; sleep $2 & setsid sleep $2 & wait; echo done $1', sh, $x, $t]\n"
        "ranges: {x: 'range:COUNT', t: ['0.03', '0.3']}\nmax_parallel: 6\n"
    )
    count = 40
    chance = random.Random(20261123)
    kills = 0
    while kills < KILLS:
        (tmp_path / "sweep.yaml").write_text(text.replace("COUNT", str(count)))
        (tmp_path / "begun").unlink(missing_ok=True)
        with start(tmp_path, mark) as runner:
            if kills % 3:  # while sessions run; else at any moment, also while it starts
                wait_for(lambda: (tmp_path / "begun").exists() or runner.poll() is not None)
            time.sleep(chance.uniform(0, 0.6))
            killed = runner.poll() is None
            runner.kill()
        kills += killed
        if not killed:  # it has finished: add sessions
            count += 20
    with start(tmp_path, mark) as runner:
        _, errors = runner.communicate(timeout=HANG)
        assert runner.returncode == 0, errors.decode()
    assert {row["status"] for row in results(tmp_path)} == {"succeeded"}
    assert with_environment(mark.encode()) == []
    journal = sqlite3.connect(tmp_path / ".runner/sweep/journal.db")
    rows = journal.execute("SELECT session, number, outcome FROM attempts ORDER BY session, number").fetchall()
    journal.close()
    by_session: dict[int, list[str]] = {}
    for session, _, outcome in rows:
        by_session.setdefault(session, []).append(outcome)
    for outcomes in by_session.values():
        assert outcomes[-1] == "succeeded"
        assert set(outcomes[:-1]) <= {"lost"}
    assert any(len(outcomes) > 1 for outcomes in by_session.values()), "no kill ever hit a running session"


@linux
def test_next_apply_ends_sessions_of_a_killed_supervisor(tmp_path: Path) -> None:
    """Without a supervisor the sessions are left over. The next apply ends them and prints that."""
    mark = f"mark-{os.getpid()}-{tmp_path.name}"
    (tmp_path / "sweep.yaml").write_text(
        "exec: [sh, -c, 'touch started; test -e second || setsid sleep 1000', sh, $x]\nranges: {x: [7]}\n"
    )
    with start(tmp_path, mark) as runner:
        wait_for(lambda: (tmp_path / "started").exists())
        wait_for(lambda: any(is_left_over(pid) for pid in with_environment(mark.encode())))
        supervisor = [pid for pid in with_environment(mark.encode()) if b"python" in cmdline(pid).split(b"\0")[0]]
        assert len(supervisor) == 2
        for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first: neither can react to the end of the other
            for pid in supervisor:
                os.kill(pid, number)
    assert any(is_left_over(pid) for pid in with_environment(mark.encode()))
    (tmp_path / "second").touch()
    with start(tmp_path, mark) as runner:
        _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == 0
    assert b"lost (runner died before it ended; it still ran, and was ended): x=7\n" in errors
    assert with_environment(mark.encode()) == []
    assert [row["attempts"] for row in results(tmp_path)] == [2]


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def is_left_over(pid: int) -> bool:
    return cmdline(pid).startswith(b"sleep\x001000")


@linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_sessions_and_same_command_resumes(tmp_path: Path, number: int) -> None:
    """After the first signal no session is started; running ones get TERM and their grace. Runner dies by the signal."""
    mark = f"mark-{os.getpid()}-{tmp_path.name}"
    # Not a shell: dash loses a signal that comes in the moment when its child begins.
    (tmp_path / "wait.py").write_text(
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('ending'), sys.exit(0)))\n"
        "open(f'started.{sys.argv[1]}', 'w').close()\n"
        "while not os.path.exists('go'):\n    time.sleep(0.02)\n"
    )
    (tmp_path / "sweep.yaml").write_text(
        f"exec: ['{sys.executable}', wait.py, $x]\nranges: {{x: 'range:4'}}\nmax_parallel: 2\n"
    )
    with start(tmp_path, mark) as runner:
        wait_for(lambda: all((tmp_path / f"started.{x}").exists() for x in (0, 1)))
        runner.send_signal(number)
        _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == -number, errors.decode()
    assert with_environment(mark.encode()) == []
    rows = results(tmp_path)
    assert [row["status"] for row in rows] == ["cancelled", "cancelled", "new", "new"]
    assert Path(str(rows[0]["stdout"])).read_text() == "ending\n"
    (tmp_path / "go").touch()
    with start(tmp_path, mark) as runner:
        runner.communicate(timeout=HANG)
    assert runner.returncode == 0


@linux
def test_second_interrupt_kills_without_grace(tmp_path: Path) -> None:
    """A session that ignores TERM, with a grace of an hour, is gone at the second Ctrl-C."""
    mark = f"mark-{os.getpid()}-{tmp_path.name}"
    (tmp_path / "sweep.yaml").write_text(
        "exec: [sh, -c, 'trap \"\" TERM; touch started; while :; do sleep 0.02; done']\ngrace: 1h\n"
    )
    with start(tmp_path, mark) as runner:
        wait_for(lambda: (tmp_path / "started").exists())
        runner.send_signal(signal.SIGINT)
        wait_for(lambda: "interrupted" in last_apply(tmp_path))
        assert runner.poll() is None
        runner.send_signal(signal.SIGINT)
        runner.communicate(timeout=HANG)
    assert runner.returncode == -signal.SIGINT
    assert with_environment(mark.encode()) == []
    assert [row["status"] for row in results(tmp_path)] == ["cancelled"]


@linux
def test_an_ignored_hangup_stays_ignored(tmp_path: Path) -> None:
    """`nohup runner apply` outlives its terminal."""
    (tmp_path / "sweep.yaml").write_text("exec: [sh, -c, 'touch started; while test ! -e go; do sleep 0.02; done']\n")
    command = f"trap '' HUP; exec {sys.executable} -m runner apply"
    with subprocess.Popen(["sh", "-c", command], cwd=tmp_path, stderr=subprocess.PIPE) as runner:
        wait_for(lambda: (tmp_path / "started").exists())
        runner.send_signal(signal.SIGHUP)
        (tmp_path / "go").touch()
        _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == 0, errors.decode()


@linux
def test_inherited_signal_mask_and_ignored_sigchld_do_no_harm(tmp_path: Path) -> None:
    """A thread of a server or an IDE may start runner with signals blocked: the end of a session and Ctrl-C still arrive."""
    (tmp_path / "sweep.yaml").write_text(
        "exec: [sh, -c, 'test $1 = 0 || { touch started; exec sleep 1000; }', sh, $x]\nranges: {x: 'range:2'}\n"
        "max_parallel: 1\n"
    )

    def unfit() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

    command = [sys.executable, "-m", "runner", "apply"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, preexec_fn=unfit) as runner:
        try:
            wait_for(lambda: (tmp_path / "started").exists())
            runner.send_signal(signal.SIGINT)
            _, errors = runner.communicate(timeout=HANG)
        finally:
            runner.kill()
    assert runner.returncode == -signal.SIGINT, errors.decode()
    assert [row["status"] for row in results(tmp_path)] == ["succeeded", "cancelled"]


@linux
def test_few_file_descriptors_are_enough(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(
        "exec: [sh, -c, 'echo $1', sh, $x]\nranges: {x: 'range:100'}\nmax_parallel: 80\n"
    )
    command = f"ulimit -n 64; exec {sys.executable} -m runner apply"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stderr.decode()


@linux
def test_second_interrupt_ends_sessions_of_a_stopped_supervisor(tmp_path: Path) -> None:
    """A stopped supervisor cannot end a session; the second Ctrl-C still ends it."""
    mark = f"mark-{os.getpid()}-{tmp_path.name}"
    (tmp_path / "sweep.yaml").write_text("exec: [sh, -c, 'touch started; sleep 1000']\ngrace: 1h\n")
    with start(tmp_path, mark) as runner:
        wait_for(lambda: (tmp_path / "started").exists())
        (supervisor,) = [pid for pid in with_environment(mark.encode()) if b"__main__.py" in cmdline(pid)]
        os.kill(supervisor, signal.SIGSTOP)
        runner.send_signal(signal.SIGINT)
        wait_for(lambda: "interrupted" in last_apply(tmp_path))
        runner.send_signal(signal.SIGINT)
        runner.communicate(timeout=25)
    assert runner.returncode == -signal.SIGINT
    assert with_environment(mark.encode()) == []


def last_apply(folder: Path) -> str:
    """Why the last apply was interrupted; empty while it was not."""
    journal = sqlite3.connect(f"file:{folder}/.runner/sweep/journal.db?mode=ro", uri=True)
    (reason,) = journal.execute("SELECT interrupted FROM applies ORDER BY n DESC LIMIT 1").fetchone()
    journal.close()
    return str(reason or "")
