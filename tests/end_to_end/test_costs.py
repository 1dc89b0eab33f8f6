"""What one session costs, by counts that no busy machine changes: a regression in them is one in speed (`tests/benchmarks`)."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.benchmarks.measured import environ

SIZES = (100, 1200)
"""Counted between these, so that the start does not count; nor how many are ahead at once, which differs from run to run."""

COUNTING = """
import collections, functools, json, resource, sqlite3, sys, trio
counts = collections.Counter()

class Traced(sqlite3.Connection):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.set_trace_callback(lambda statement: counts.update([statement.split(" ", 1)[0]]))

sqlite3.connect = functools.partial(sqlite3.connect, factory=Traced)
sys.addaudithook(lambda event, _: counts.update([event]))

class Steps(trio.abc.Instrument):
    def before_task_step(self, task):
        counts[task.name.rpartition(".")[2]] += 1

enter = trio.CancelScope.__enter__
trio.CancelScope.__enter__ = lambda scope: (counts.update(["scopes"]), enter(scope))[1]
trio.run = functools.partial(trio.run, instruments=[Steps()])
from runner.__main__ import main
try:
    main()
finally:
    for who, name in ((resource.RUSAGE_SELF, "own cpu"), (resource.RUSAGE_CHILDREN, "children's cpu")):
        usage = resource.getrusage(who)
        counts[name] = usage.ru_utime + usage.ru_stime
    print(json.dumps(counts))
"""


def run(folder: Path, count: int, *command: str) -> str:
    """Apply a sweep of `count` silent sessions with this command; return its stdout."""
    place = folder / str(count)
    place.mkdir()
    (place / "sweep.yaml").write_text(f"exec: [/bin/true]\nrepeat: {count}\nmax_parallel: 4\n")
    arguments = [*command, "apply", "sweep.yaml"]
    done = subprocess.run(arguments, cwd=place, env=environ(), capture_output=True, text=True, check=True)
    return done.stdout


def per_session(small: Mapping[str, float], large: Mapping[str, float]) -> dict[str, float]:
    """Return the costs of one session: the difference of two runs, divided by the difference of their sizes."""
    new = SIZES[1] - SIZES[0]
    return defaultdict(float, {name: (count - small.get(name, 0)) / new for name, count in large.items()})


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """The costs of one session: audit events (file operations), SQL statements, and seconds of CPU."""
    folder = tmp_path_factory.mktemp("costs")
    counts = []
    for count in SIZES:
        counted = json.loads(run(folder, count, sys.executable, "-c", COUNTING))
        journal = sqlite3.connect(folder / str(count) / ".runner/sweep/journal.db")
        (sessions,) = journal.execute("SELECT sum(cpu_time) FROM attempts").fetchone()
        journal.close()
        counted["session's cpu"] = sessions
        counted["supervisor's cpu"] = counted.pop("children's cpu") - sessions
        counts.append(counted)
    return per_session(*counts)


def test_events_of_a_session_share_commits(costs: dict[str, float]) -> None:
    """Three events for each session. Its end shares a commit with the next intent, and mostly with a start too."""
    assert costs["COMMIT"] <= 2.1
    assert costs["INSERT"] == pytest.approx(3, abs=0.1)
    assert costs["UPDATE"] == pytest.approx(3, abs=0.1)
    assert costs["SELECT"] <= 0.1


def test_task_of_a_session_waits_for_what_it_needs_only(costs: dict[str, float]) -> None:
    """It begins, and is woken at most when the session is accepted, when it has ended, and when it gets a lease."""
    assert costs["_attend"] <= 4.05
    assert costs["scopes"] <= 2.6  # two of its own; `commit_in_time` has those of its sleeps, 200 a second


def test_silent_session_creates_and_removes_no_files(costs: dict[str, float]) -> None:
    """Its files are those of a session that has ended, renamed."""
    assert costs["os.rename"] <= 4.1
    assert costs["open"] <= 1.1
    for event in ("os.mkdir", "os.rmdir", "os.remove", "os.chmod"):
        assert costs[event] <= 0.1, event
    assert costs["os.scandir"] <= 1.1
    assert costs["subprocess.Popen"] == 0


def test_cpu_time_of_runner_per_session(costs: dict[str, float]) -> None:
    """Beside the CPU time of `/bin/true` in the same run; 1.5 and 0.4 times as much when counted as here."""
    assert costs["own cpu"] <= 2.5 * costs["session's cpu"]
    assert costs["supervisor's cpu"] <= costs["session's cpu"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace counts the system calls")
def test_system_calls_of_runner_per_session(tmp_path: Path) -> None:
    """Measured where the bound was set: 31."""
    counts = []
    for count in SIZES:
        out = tmp_path / f"{count}.calls"
        run(tmp_path, count, "strace", "-c", "-o", str(out), sys.executable, "-m", "runner")
        rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", out.read_text(), re.MULTILINE)
        counts.append({name: int(calls) for calls, name in rows if name != "total"})
    calls = per_session(*counts)
    assert sum(calls.values()) <= 45, calls
    assert calls["rename"] <= 4.1
    assert calls["fsync"] + calls["fdatasync"] <= 0.05
