"""What tests need to know of real processes: who carries the mark of a state, and waiting for a condition."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

HANG = 300.0
"""Seconds after which a process counts as hanging, however loaded the machine is."""


def wait_for(condition: Callable[[], bool], seconds: float = HANG) -> None:
    """Look again and again until the condition holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def with_environment(text: bytes) -> list[int]:
    """The living processes whose environment, or command line, holds this text; never this one."""
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
