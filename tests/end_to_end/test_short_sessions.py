"""Many short sessions as real processes: the next one begins without asking runner, and never too many of them at once."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import HANG
from tests.reporters.test_streams import shell

CROWD = """\
exec: [sh, -c, 'mkdir here/$$$$; ls here | wc -l; rmdir here/$$$$']
repeat: 400
max_parallel: 3
workdir: .
metrics: {at_once: {regex: '(\\d+)'}}
"""


def test_short_sessions_never_exceed_the_capacity(tmp_path: Path) -> None:
    """A prefetched session starts only after another one has ended."""
    (tmp_path / "sweep.yaml").write_text(CROWD)
    (tmp_path / "here").mkdir()
    done = shell(tmp_path, "runner apply")
    assert done.returncode == 0, done.stderr
    rows = json.loads(shell(tmp_path, "runner results --format json").stdout)
    at_once = [int(row["metrics"]["at_once"]) for row in rows]
    assert len(at_once) == 400
    assert max(at_once) <= 3


def test_started_events_never_exceed_the_capacity(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: [echo, hello]\nrepeat: 300\nmax_parallel: 2\n")
    done = shell(tmp_path, "runner apply --format jsonl")
    running: set[str] = set()
    ahead = most = 0
    for line in done.stdout.splitlines():
        event = json.loads(line)
        ahead += event.get("ahead", False)
        if event["event"] == "attempt-started":
            running.add(event["session"])
        elif event["event"] == "attempt-ended":
            running.discard(event["session"])
        most = max(most, len(running))
    assert most == 2
    assert ahead > 100, "short sessions are prefetched"


@pytest.mark.parametrize("preload", ["", "python: {preload: [json]}\n"])
def test_session_that_cannot_start_admits_the_next(tmp_path: Path, preload: str) -> None:
    programs = [
        "true",
        "true",
        "true",
        "python3",
        "true",
        "nosuchprogram",
        "python3",
        "true",
        "nosuchprogram",
        "python3",
    ]
    columns = {"n": list(range(50)), "prog": programs * 5}
    (tmp_path / "sweep.yaml").write_text(
        f"exec: [$prog, -c, pass, $n]\nmax_parallel: 1\n{preload}ranges: {json.dumps(columns)}\nzip: [[n, prog]]\n"
    )
    done = shell(tmp_path, "runner apply")
    assert done.returncode == 1, done.stderr
    journal = sqlite3.connect(tmp_path / ".runner/sweep/journal.db")
    counts = dict(journal.execute("SELECT exit_code, count(*) FROM attempts GROUP BY exit_code"))
    journal.close()
    assert counts == {0: 40, 127: 10}


SLOW = """\
import os, time
here = os.path.dirname(__file__)
open(here + "/importing", "w").close()
while not os.path.exists(here + "/go"):
    time.sleep(0.01)
"""
WARM = """\
exec: [python3, -c, "import os; open('began-' + os.environ['RUNNER_INDEX'], 'w')"]
repeat: 6
max_parallel: 2
python: {preload: [slow]}
"""


def test_session_that_waits_for_its_fork_server_is_not_started_after_an_interrupt(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "sweep.yaml").write_text(WARM)
    runner = subprocess.Popen(
        [sys.executable, "-m", "runner", "apply"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + HANG
        while not (tmp_path / "importing").exists():
            assert runner.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(runner.pid, signal.SIGTERM)
        assert runner.stderr is not None
        while "ending the running sessions" not in (line := runner.stderr.readline()):
            assert line
        runner.communicate(timeout=HANG)
    finally:
        (tmp_path / "go").touch()
        runner.kill()
    assert not list(tmp_path.glob("began-*"))
    journal = sqlite3.connect(tmp_path / ".runner/sweep/journal.db")
    ends = journal.execute("SELECT outcome, started, exit_code FROM attempts").fetchall()
    journal.close()
    assert ends == [("cancelled", None, None)] * 2
