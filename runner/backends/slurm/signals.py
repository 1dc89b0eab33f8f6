"""Requests to end jobs: those of the same moment go to Slurm as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

import trio

from runner.backends.slurm.commands import Refused, Unreachable, call
from runner.backends.slurm.spool import Array

MOMENT = 0.03
"""Seconds for which requests are gathered."""

Task = tuple[Array, int]


class Signals:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._dequeue: dict[Task, None] = {}
        self._signal: dict[str, dict[Task, None]] = {}
        self._round: trio.Event | None = None
        self._turn = trio.Lock()

    async def dequeue(self, task: Task) -> None:
        """If it waits, take it out of the queue."""
        self._dequeue[task] = None
        await self._send()

    async def send(self, task: Task, name: str) -> None:
        """If it runs, send its wrapper this signal; with KILL, have Slurm end it."""
        self._signal.setdefault(name, {})[task] = None
        await self._send()

    async def _send(self) -> None:
        """Whoever comes first sends for all that come within the moment. A controller that is away is asked again later."""
        if self._round is not None:
            await self._round.wait()
            return
        this = self._round = trio.Event()
        try:
            await trio.sleep(MOMENT)
            self._round = None
            dequeue, self._dequeue = self._dequeue, {}
            signals, self._signal = self._signal, {}
            async with self._turn:
                if dequeue:
                    await self._scancel("--state=PENDING", ids=compressed(dequeue))
                for name, tasks in signals.items():
                    how = () if name == "KILL" else ("--batch", f"--signal={name}")
                    await self._scancel(*how, ids=compressed(tasks))
        finally:
            if self._round is this:
                self._round = None
            this.set()

    async def _scancel(self, *how: str, ids: Iterable[str]) -> None:
        with suppress(Refused, Unreachable):  # also for one that has ended meanwhile
            await call(self._environ, "scancel", "--quiet", *how, *ids, seconds=60)


def compressed(tasks: Iterable[Task]) -> list[str]:
    """Ids as Slurm takes them: `123` for a whole array, `123_[0-4,7]` for a part."""
    arrays: dict[Array, list[int]] = {}
    for array, task in tasks:
        arrays.setdefault(array, []).append(task)
    found = []
    for array, indices in arrays.items():
        if len(indices) == array.tasks:
            found.append(str(array.job))
        else:
            found += [f"{array.job}_{part}" for part in _parts(sorted(indices))]
    return found


def _parts(indices: list[int], most: int = 500) -> list[str]:
    """Ranges, in brackets of at most so many."""
    ranges: list[list[int]] = []
    for index in indices:
        if ranges and index == ranges[-1][1] + 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    words = [str(low) if low == high else f"{low}-{high}" for low, high in ranges]
    return [f"[{','.join(words[start : start + most])}]" for start in range(0, len(words), most)]
