"""Decisions on a process table: descendants, and the job that a process belongs to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.backends.local.procfs import Process, descendants, lives, mark, owners, process, settled_mark
from runner.backends.local.supervisor.memory_limits import memory_use
from tests.paths import TESTS
from tests.processes import HANG, wait_for


def row(pid: int, ppid: int, sid: int = 0, pgid: int = 0) -> Process:
    return Process(pid=pid, ppid=ppid, pgid=pgid or pid, sid=sid or pid, state="S", start=1, rss=0)


def table(*rows: Process) -> dict[int, Process]:
    return {process.pid: process for process in rows}


def test_owner_by_session_group_descent_or_mark() -> None:
    """Each of the four is enough by itself."""
    rows = table(
        row(10, 1),
        row(11, 1, sid=10),
        row(12, 1, sid=99, pgid=10),
        row(13, 12, sid=13),
        row(14, 13, sid=14),
        row(15, 1),
        row(16, 15),
        row(17, 1),
    )
    found = owners(rows, {10: "a"}, {15: "b"}.get)
    assert found == {10: "a", 11: "a", 12: "a", 13: "a", 14: "a", 15: "b", 16: "b"}


def test_descent_wins_over_the_mark_of_a_nested_runner() -> None:
    rows = table(row(10, 1), row(20, 10), row(30, 20))
    assert owners(rows, {10: "outer"}, {30: "inner"}.get) == {10: "outer", 20: "outer", 30: "outer"}


@given(st.dictionaries(st.integers(2, 30), st.integers(1, 30)))
def test_table_with_gaps_and_circles(parents: dict[int, int]) -> None:
    """A table that is read while processes start and end can have any content."""
    parents = {2: 1, **parents}
    rows = table(*(row(pid, ppid) for pid, ppid in parents.items()))

    def below(pid: int) -> bool:
        seen = set()
        while pid in parents and pid not in seen:
            seen.add(pid)
            pid = parents[pid]
            if pid == 2:
                return True
        return False

    expected = {pid for pid in parents if pid != 2 and below(pid)}
    assert set(descendants(rows, 2)) == expected
    assert set(owners(rows, {2: "a"}, lambda _: None)) == expected | {2}


def test_chain_of_20000_processes() -> None:
    """No recursion."""
    rows = table(*(row(pid, pid - 1) for pid in range(10, 20_000)))
    assert len(descendants(rows, 9)) == len(owners(rows, {10: "a"}, lambda _: None)) == 19_990


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_process_without_its_first_thread_is_alive(tmp_path: Path) -> None:
    """State, memory and mark are those of the other threads, and SIGSTOP shows, until the last one has ended."""
    command = [sys.executable, str(TESTS / "no_first_thread.py")]
    with subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "RUNNER_JOB": "headless"}) as headless:
        try:
            wait_for((tmp_path / "pids").exists)
            row = process(headless.pid)
            assert row is not None
            assert Path(f"/proc/{row.pid}/stat").read_text().rpartition(") ")[2][0] == "Z"
            assert row.alive
            assert row.state in "SDR"
            assert row.rss > 1 << 20
            assert memory_use([row], limit=0) > 1 << 20
            assert mark(row.pid) == settled_mark(row.pid) == "headless"
            headless.send_signal(signal.SIGSTOP)
            wait_for(lambda: (stopped := process(headless.pid)) is not None and stopped.state == "T")
        finally:
            headless.kill()
        os.waitid(os.P_PID, headless.pid, os.WEXITED | os.WNOWAIT)
        assert not lives(headless.pid)
        assert headless.wait(HANG) == -signal.SIGKILL
