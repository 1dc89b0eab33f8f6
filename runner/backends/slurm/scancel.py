"""Requests to end jobs: those of the same moment go to Slurm as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import trio

from runner.backends.slurm.cli import Refused, Unreachable, call
from runner.backends.slurm.spool import Array

MOMENT = 0.03
"""Seconds for which requests are gathered."""

Task = tuple[Array, int]


class Signals:
    """A request is only a request: whoever wants an end looks whether it comes, and asks again."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._wanted: dict[tuple[str, ...], dict[Task, None]] = {}
        self._came = trio.Event()
        self._flying = 0

    def send(self, task: Task, name: str) -> None:
        """Send its wrapper this signal, if it runs."""
        self._want(task, "--batch", f"--signal={name}")

    def end(self, task: Task) -> None:
        """Have Slurm end it: what waits leaves the queue, and what runs is sent TERM, and KILL after Slurm's own time.

        `scancel --state=PENDING` would do only the first, but takes all that waits of an array for one job.
        """
        self._want(task)

    async def run(self) -> None:
        """Never returns. `scancel` may take seconds for jobs that are just being started: nobody waits for it."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._came.wait()
                await trio.sleep(MOMENT)
                self._came = trio.Event()
                wanted, self._wanted = self._wanted, {}
                for how, tasks in wanted.items():
                    self._flying += 1
                    nursery.start_soon(self._scancel, [*how, *compressed(tasks)])

    async def flush(self) -> None:
        """Return when nothing that was wanted is left to do."""
        while self._wanted or self._flying:
            self._came.set()
            await trio.sleep(MOMENT)

    def _want(self, task: Task, *how: str) -> None:
        self._wanted.setdefault(how, {})[task] = None
        self._came.set()

    async def _scancel(self, words: list[str]) -> None:
        try:
            await call(self._environ, "scancel", "--quiet", *words, seconds=60)
        except (Refused, Unreachable):
            pass  # also where it has ended meanwhile
        finally:
            self._flying -= 1


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
