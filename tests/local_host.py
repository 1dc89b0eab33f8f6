"""A process that hosts a local backend, to be killed: `python -m tests.local_host FOLDER MEMORY COMMAND…`.

It submits each COMMAND (a shell string) with a grace of 0.2 seconds, prints `ready` and the pid of its supervisor, and waits
for its death. MEMORY is a method to enforce memory limits, or empty. Also here: questions about processes by pid.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import trio

from runner.backends.local.backend import LocalBackend
from tests.contract import Site, unique


def lives(pid: int | str) -> bool:
    """True if a thread of the process has not ended: the kernel shows a zombie once the first one has."""
    try:
        states = [stat.read_text().rsplit(")")[1].split()[0] for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return any(state not in "ZX" for state in states)


def parent(pid: int | str) -> int:
    """The pid of its parent."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[1])


def children(pid: int) -> list[int]:
    """The pids of its children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def pids(folder: Path, count: int) -> list[int]:
    """The pids that `count` processes have written into the file `pids`, a line each; empty until all have."""
    file = folder / "pids"
    lines = file.read_text().splitlines() if file.exists() else []
    return [int(line) for line in lines] if len(lines) >= count else []


def marked(name: str) -> list[int]:
    """The living processes whose environment carries the mark of this job."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        for file in Path(f"/proc/{entry}/task").glob("*/environ"):
            try:
                environ = file.read_bytes().split(b"\0")
            except OSError:
                continue
            if f"RUNNER_JOB={name}".encode() in environ and lives(entry):
                found.append(int(entry))
                break
    return found


async def main(folder: Path, memory: str, commands: list[str]) -> None:
    site = Site(lambda: LocalBackend(os.environ), folder)
    async with LocalBackend(os.environ, memory_method=memory or None) as backend:
        for number, command in enumerate(commands):
            attempt = replace(site.attempt(command), name=unique(f"host-{number}", folder), grace=0.2)
            await backend.submit(replace(attempt, resources={"mem": 256 << 20} if memory else {}))
        [supervisor] = children(os.getpid())
        print("ready", supervisor, flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
