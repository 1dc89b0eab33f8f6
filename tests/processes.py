"""Real processes in tests: wait for a condition, find processes by their environment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

HANG = 300.0
"""Seconds after which a process counts as hanging, however loaded the machine is."""


def wait_for(condition: Callable[[], bool], seconds: float = HANG) -> None:
    """Return when the condition holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition does not hold after {seconds:g} seconds"
        time.sleep(0.005)


def with_environment(text: bytes) -> list[int]:
    """The living processes that have this text in their environment or command line, without this process."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            state = (folder / "stat").read_bytes().rpartition(b")")[2].split()[0]
            if state != b"Z" and text in (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def children(pid: int) -> list[int]:
    """The living children of a process."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]
