"""Requests to end jobs, collected for a moment so that one `scancel` carries many."""

from __future__ import annotations

from collections.abc import Iterable

import trio

from runner.backends.slurm.cli import CommandRefused, Controller, Unreachable
from runner.backends.slurm.spool import JobArray

COLLECT_TIME = 0.03
"""Seconds for which requests are collected."""

ArrayTask = tuple[JobArray, int]


class ScancelQueue:
    """Sends requests without waiting for their effect. A request may get lost: callers check for the end and repeat it."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._requests: dict[tuple[str, ...], dict[ArrayTask, None]] = {}
        self._added = trio.Event()
        self._running = 0

    def signal(self, task: ArrayTask, name: str) -> None:
        """Send the batch script of a running task this signal."""
        self._add(task, "--batch", f"--signal={name}")

    def end(self, task: ArrayTask) -> None:
        """Have Slurm end a task: a pending one leaves the queue, a running one gets TERM, and KILL after Slurm's KillWait.

        `scancel --state=PENDING` is of no use: it treats the pending tasks of an array as one job.
        """
        self._add(task)

    async def run(self) -> None:
        """Send requests until cancelled. `scancel` may take seconds for jobs that are starting, so several run at once."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._added.wait()
                await trio.sleep(COLLECT_TIME)
                self._added = trio.Event()
                requests, self._requests = self._requests, {}
                for options, tasks in requests.items():
                    self._running += 1
                    nursery.start_soon(self._scancel, [*options, *compress(tasks)])

    async def flush(self) -> None:
        """Return once all requests have been sent."""
        while self._requests or self._running:
            self._added.set()
            await trio.sleep(COLLECT_TIME)

    def _add(self, task: ArrayTask, *options: str) -> None:
        self._requests.setdefault(options, {})[task] = None
        self._added.set()

    async def _scancel(self, arguments: list[str]) -> None:
        try:
            await self._controller.call("scancel", "--quiet", *arguments)
        except (CommandRefused, Unreachable):
            pass  # also if the job has just ended
        finally:
            self._running -= 1


def compress(tasks: Iterable[ArrayTask]) -> list[str]:
    """Tasks as Slurm's commands take them: `123` for a whole array, `123_[0-4,7]` for some of its tasks."""
    arrays: dict[JobArray, list[int]] = {}
    for array, task in tasks:
        arrays.setdefault(array, []).append(task)
    found = []
    for array, indices in arrays.items():
        if len(indices) == array.tasks:
            found.append(str(array.job))
        else:
            found += [f"{array.job}_{part}" for part in _ranges(sorted(indices))]
    return found


def _ranges(indices: list[int], limit: int = 500) -> list[str]:
    """Sorted indices as `[0-4,7]`, at most `limit` ranges in one pair of brackets."""
    ranges: list[list[int]] = []
    for index in indices:
        if ranges and index == ranges[-1][1] + 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    words = [str(low) if low == high else f"{low}-{high}" for low, high in ranges]
    return [f"[{','.join(words[start : start + limit])}]" for start in range(0, len(words), limit)]
