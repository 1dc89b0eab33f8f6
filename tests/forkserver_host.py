"""A local backend with forked sessions in a process to be killed: `python -m tests.forkserver_host FOLDER CODE…`.

It submits each CODE, a Python program, with a grace of 0.2 seconds, prints `ready` and the pid of the supervisor, and waits.
The environment variable PRELOAD names the module to preload, `json` if it is not set.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import trio

from runner.backends.local.backend import LocalBackend
from tests.contract import Site, unique
from tests.local_host import children
from tests.paths import ROOT


@contextmanager
def forkserver_host(folder: Path, code: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run this module with one program; yields the process, which the test kills, and the pid of its supervisor."""
    command = [sys.executable, "-m", "tests.forkserver_host", str(folder), code]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.PIPE, text=True) as host:
        try:
            assert host.stdout
            _, supervisor = host.stdout.readline().split()
            yield host, int(supervisor)
        finally:
            host.kill()


async def main(folder: Path, programs: list[str]) -> None:
    site = Site(lambda: LocalBackend(os.environ), folder)
    modules = (os.environ.get("PRELOAD", "json"),)
    async with LocalBackend(os.environ) as backend, trio.open_nursery() as nursery:
        for number, code in enumerate(programs):
            attempt = replace(site.attempt((sys.executable, "-c", code)), grace=0.2, preload=modules)
            nursery.start_soon(backend.submit, replace(attempt, name=unique(f"host-{number}", folder)))
        [supervisor] = children(os.getpid())
        print("ready", supervisor, flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), sys.argv[2:])
