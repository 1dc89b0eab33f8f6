"""Submissions come one by one, and arrays are what Slurm wants: what comes within a short moment goes there together."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import trio

from runner.model import Attempt

QUIET, LONGEST, LONGEST_OF_MANY = 0.1, 1.0, 2.0
"""Seconds: no more is waited for when so long nothing came, or after so long; longer where many arrays go out."""

MANY = 20
"""Arrays within a minute."""

MOST_BYTES = 16 << 20
"""Of the sessions' commands and variables in one array."""

Key = tuple[object, ...]


@dataclass(eq=False)
class Entry:
    attempt: Attempt
    key: Key
    taken: bool = False
    done: trio.Event = field(default_factory=trio.Event)
    error: Exception | None = None


class Gathering:
    """`submit` takes attempts of the same key, `most` at once; it raises what shall be raised for each of them.

    What comes before `room` returns goes together, too.
    """

    def __init__(
        self,
        submit: Callable[[Sequence[Attempt]], Awaitable[None]],
        most: int,
        room: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
    ) -> None:
        self.most = most
        self._submit = submit
        self._room = room
        self._entries: dict[str, Entry] = {}
        self._came = trio.Event()
        self._sent: deque[float] = deque()

    async def add(self, attempt: Attempt, key: Key) -> None:
        """Return once its array is accepted. Whoever gives up leaves it there: `settle` says what came of it."""
        entry = self._entries.get(attempt.name)
        if entry is None:
            entry = self._entries[attempt.name] = Entry(attempt, key)
            self._came.set()
        await entry.done.wait()
        if entry.error is not None:
            raise entry.error

    async def settle(self, name: str) -> None:
        """Withdraw an attempt, or, where that is too late, wait until it is accepted or refused."""
        entry = self._entries.get(name)
        if entry is None:
            return
        if entry.taken:
            await entry.done.wait()
        else:
            del self._entries[name]

    async def run(self) -> None:
        """Never returns."""
        while True:
            await self._came.wait()
            await self._pause()
            await self._room()
            groups: dict[Key, list[Entry]] = {}
            for entry in self._entries.values():
                if not entry.taken:
                    entry.taken = True
                    groups.setdefault(entry.key, []).append(entry)
            for entries in groups.values():
                for chunk in self._chunks(entries):
                    await self._send(chunk)

    async def _pause(self) -> None:
        """Until nothing more comes, but not for ever."""
        now = trio.current_time()
        while self._sent and self._sent[0] < now - 60:
            self._sent.popleft()
        many = len(self._sent) >= MANY
        deadline = now + (LONGEST_OF_MANY if many else LONGEST)
        while trio.current_time() < deadline:
            self._came = trio.Event()
            with trio.move_on_at(deadline if many else min(deadline, trio.current_time() + QUIET)) as quiet:
                await self._came.wait()
            if quiet.cancelled_caught:
                break
        self._came = trio.Event()

    def _chunks(self, entries: list[Entry]) -> list[list[Entry]]:
        # They come in any order; Slurm starts an array's tasks in theirs.
        entries = sorted(entries, key=lambda entry: int(entry.attempt.env.get("RUNNER_INDEX", 0)))
        largest = max(_size(entry.attempt) for entry in entries)
        size = max(1, min(self.most, MOST_BYTES // largest))
        # Chunks of nearly the same size, and no small rest.
        size = math.ceil(len(entries) / math.ceil(len(entries) / size))
        return [entries[start : start + size] for start in range(0, len(entries), size)]

    async def _send(self, entries: list[Entry]) -> None:
        self._sent.append(trio.current_time())
        error: Exception | None = None
        try:
            await self._submit([entry.attempt for entry in entries])
        except Exception as raised:
            error = raised
        for entry in entries:
            entry.error = error
            self._entries.pop(entry.attempt.name, None)
            entry.done.set()


def _size(attempt: Attempt) -> int:
    command = attempt.command if isinstance(attempt.command, str) else " ".join(attempt.command)
    return 1024 + len(command) + sum(len(name) + len(value) for name, value in attempt.env.items())
