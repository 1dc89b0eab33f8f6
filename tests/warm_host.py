"""A process that hosts a local backend with warm sessions, to be killed: `python -m tests.warm_host FOLDER CODE…`.

It submits each CODE, a Python program, with a grace of 0.2 seconds, says `ready` and waits for its death. PRELOAD in the
environment names the module to preload.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import trio

from runner.backends.local.backend import LocalBackend
from tests.contract import Site, unique
from tests.local_host import children


async def main(folder: Path, programs: list[str]) -> None:
    site = Site(lambda: LocalBackend(os.environ), folder)
    modules = (os.environ.get("PRELOAD", "json"),)
    async with LocalBackend(os.environ) as backend, trio.open_nursery() as nursery:
        for number, code in enumerate(programs):
            attempt = replace(site.attempt((sys.executable, "-c", code)), grace=0.2, preload=modules)
            nursery.start_soon(backend.submit, replace(attempt, name=unique(f"host-{number}", folder)))
        [spawner] = children(os.getpid())
        print("ready", spawner, flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), sys.argv[2:])
