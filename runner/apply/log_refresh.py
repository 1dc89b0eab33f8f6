"""Fetch the log of a remote session while it runs, so that it can be followed."""

from __future__ import annotations

from contextlib import suppress

import trio

from runner.backends.base import Backend
from runner.errors import EnvironmentFailed
from runner.executor.executor import Executor

REFRESH, SLOWEST_REFRESH = 2.0, 15.0
"""Seconds between two refreshes of the log of a remote session, at first and after a while."""


async def refresh_log(backend: Backend, executor: Executor) -> None:
    """Fetch the log of the only session again and again while it runs at a cluster.

    Where that fails, the log comes with the end of the attempt.
    """
    seconds = REFRESH
    with suppress(EnvironmentFailed):
        while True:
            await trio.sleep(seconds)
            for running in executor.snapshot().running:
                if running.job is not None and running.started is not None:
                    await backend.refresh(running.job)
                    seconds = min(SLOWEST_REFRESH, seconds * 1.2)
