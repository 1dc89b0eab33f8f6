"""The output of the one session there is, as it runs, though it is written elsewhere."""

from __future__ import annotations

from contextlib import suppress

import trio

from runner.backends.base import Backend
from runner.errors import EnvironmentFailed
from runner.executor.executor import Executor

REFRESH, SLOWEST_REFRESH = 2.0, 15.0
"""Seconds between two looks; the longer it takes, the more rarely."""


async def refreshing(backend: Backend, executor: Executor) -> None:
    """Have the backend bring what there is, again and again. Where that fails, it comes at the end: nothing depends on it."""
    seconds = REFRESH
    with suppress(EnvironmentFailed):
        while True:
            await trio.sleep(seconds)
            for running in executor.snapshot().running:
                if running.job is not None and running.started is not None:
                    await backend.refresh(running.job)
                    seconds = min(SLOWEST_REFRESH, seconds * 1.2)
