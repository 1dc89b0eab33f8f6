"""Processes that cannot be killed. How trees end is in test_process_tree.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.backends.local.procfs import Process
from runner.backends.local.supervisor.termination import STUCK_AFTER, STUCK_PAUSE, Termination
from tests.paths import ROOT
from tests.processes import HANG, wait_for

root = pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process of another user")

SIGNAL = """
import os, resource
from runner.backends.local.supervisor.termination import send
from runner.backends.local.procfs import process
if os.getuid() == 0:
    os.setuid(65534)
init = process(1)
print(send(init, 0))
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
print(send(init, 0))
"""

TERMINATE = """
import os, subprocess
from runner.backends.local.supervisor.termination import Termination
from runner.backends.local.procfs import process
child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
row = process(child.pid)
os.setresuid(65534, 65534, 0)
termination = Termination(0.0, 1.0)
termination.step(0.0, [row])
assert termination.stuck is None
termination.step(1.0, [row])
print(termination.stuck.pid == child.pid, termination.stuck.text.replace(str(child.pid), "PID"))
os.seteuid(0)
child.kill()
"""

REPORT = """
import os, subprocess, time
from runner.backends.local.supervisor.job import LocalJob
from runner.backends.local.supervisor.memory_limits import MemoryLimits
from runner.backends.local.supervisor.running_jobs import RunningJobs
reports = []
jobs = RunningJobs(MemoryLimits(), print, reports.append)
child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
job = LocalJob(key=7, name="x", mem=None, grace=1.0, started=time.monotonic())
job.pid = child.pid
jobs.add(job)
os.setresuid(65534, 65534, 0)
jobs.terminate(job, 0.0)
for _ in range(3):
    job.check_at = 0.0
    jobs.tick()
print([(report.key, str(child.pid) in report.reason) for report in reports], len(jobs))
os.seteuid(0)
child.kill()
"""

RECOVER = """
import os, subprocess, time, trio
from runner.backends.local import orphans
begun = time.time()
leader = subprocess.Popen("sleep 1000 & echo $!", shell=True, start_new_session=True, stdout=subprocess.PIPE)
left = int(leader.stdout.readline())
leader.wait()
own = subprocess.Popen("env -i sleep 1000 & echo $!", shell=True, start_new_session=True, user=65534, stdout=subprocess.PIPE)
stranger = int(own.stdout.readline())
own.wait()

def refuse(obstacle):
    raise ZeroDivisionError(obstacle.pid == left)

os.setresuid(65534, 65534, 0)
try:
    print(orphans.leads(leader.pid, begun, "x"), orphans.find("x", leader.pid) == left)
    print(orphans.leads(leader.pid, begun + 60, "x"))  # it began before
    print(orphans.leads(own.pid, begun, "x"))  # its pid may be used again: what could be killed is left alone
    trio.run(orphans.end, {"x": leader.pid}, 0.0, refuse)
except ZeroDivisionError as error:
    print(error)
os.seteuid(0)
os.kill(left, 9)
os.kill(stranger, 9)
"""


def output(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_signal_to_a_process_of_another_user_is_refused() -> None:
    """With a pidfd, and without one because no file descriptor is free."""
    assert output(SIGNAL) == ["False", "False"]


@root
def test_process_that_may_not_be_signalled_is_named() -> None:
    assert output(TERMINATE) == ["True process PID (sleep) may not be signalled, it runs as another user"]


@root
def test_supervisor_reports_once_what_it_cannot_kill() -> None:
    """The job goes on: it has not ended."""
    assert output(REPORT) == ["[(7, True)] 1"]


@root
def test_recovery_knows_what_it_may_not_kill() -> None:
    """Of a job whose leader has ended, only a process of another user is left."""
    assert output(RECOVER) == ["True True", "False", "False", "True"]


def test_process_that_lives_on_after_sigkill_is_named() -> None:
    """Such as one that waits for a file server. Here it is one that has ended: its pid is never signalled."""
    row = Process(pid=os.getpid(), ppid=1, pgid=1, sid=1, state="D", start=1, rss=0)
    termination = Termination(0.0, 10.0)
    for now in (0.0, 10.0, 10.0 + STUCK_AFTER / 2):
        termination.step(now, [row])
        assert termination.stuck is None
    assert termination.step(10.0 + STUCK_AFTER, [row]) == STUCK_PAUSE
    assert termination.stuck is not None
    assert termination.stuck.text.endswith("does not end after SIGKILL")


@root
def test_apply_starts_no_second_copy_of_what_it_may_not_kill(tmp_path: Path) -> None:
    """It says so, keeps the attempt open, and goes on once the process has ended."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("needs setpriv of util-linux")
    other_user = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable]
    usable = "import os, sys; sys.exit(not os.access(sys.executable, os.X_OK))"
    if subprocess.run([*other_user, "-c", usable], check=False).returncode:
        pytest.skip("another user cannot run this interpreter")
    folder = tmp_path / "sweep"
    folder.mkdir()
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o777)
    shutil.copy(setpriv, folder / "as-root")
    (folder / "as-root").chmod(0o4755)
    (folder / "sweep.yaml").write_text(
        "exec: 'test -e go || ./as-root --reuid=0 sh -c \"echo \\$\\$ > pid; exec sleep 1000\"'\ntimeout: 1s\ngrace: 0s\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(folder)}
    with subprocess.Popen(
        [*other_user, "-m", "runner", "apply"], cwd=folder, env=environ, stderr=subprocess.PIPE, text=True
    ) as runner:
        assert runner.stderr is not None
        said = runner.stderr.readline()
        runner.kill()
    pid = (folder / "pid").read_text().strip()
    assert said.startswith(f"waiting: the session cannot be ended: process {pid} (sleep) may not be signalled")
    again = [
        subprocess.run(
            [*other_user, "-m", "runner", command],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=HANG,
            check=False,
        )
        for command in ("apply", "cancel")
    ]
    for done in again:
        assert done.returncode == 3, done.stderr
        assert f"`sudo kill -KILL {pid}`" in done.stderr
    os.kill(int(pid), 9)
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
    (folder / "go").touch()
    subprocess.run([*other_user, "-m", "runner", "apply"], cwd=folder, env=environ, timeout=HANG, check=True)
