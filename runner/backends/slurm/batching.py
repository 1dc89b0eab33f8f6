"""Collects submissions that come one by one into batches: each batch becomes one job array."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import trio

from runner.model import Attempt

QUIET_TIME = 0.1
"""Seconds without a new attempt after which a batch is complete."""

LONGEST_WAIT, LONGEST_WAIT_WHEN_BUSY = 1.0, 2.0
"""Seconds after which a batch is complete in any case."""

BUSY = 20
"""Batches in the last minute from which on the longer wait holds."""

MAX_BATCH_BYTES = 16 << 20
"""Size of all commands and variables in one batch."""

ROOM_INTERVAL = 1.0
"""Seconds between two checks whether there is room for a batch."""

BatchKey = tuple[object, ...]


class BatchTooLarge(Exception):
    """The cluster does not take so many attempts at once; it may take fewer."""


@dataclass(eq=False)
class BatchEntry:
    """An attempt that waits to be submitted."""

    attempt: Attempt
    key: BatchKey
    taken: bool = False
    """Whether it is in the batch that is being submitted."""
    done: trio.Event = field(default_factory=trio.Event)
    error: Exception | None = None


async def _always(attempts: Sequence[Attempt]) -> bool:
    return True


class Batcher:
    """Calls `submit` with attempts that have the same key, in the order of their plan, one batch at a time.

    `submit` raises the error that each of these attempts gets, or BatchTooLarge to be called again with half of them. A batch
    waits until `has_room` returns True for it; attempts that arrive while it waits join it.
    """

    def __init__(
        self,
        submit: Callable[[Sequence[Attempt]], Awaitable[None]],
        *,
        max_batch: int,
        has_room: Callable[[Sequence[Attempt]], Awaitable[bool]] = _always,
    ) -> None:
        self.max_batch = max_batch
        """The largest number of attempts in a batch."""
        self._submit = submit
        self._has_room = has_room
        self._accepted_size = max_batch
        """The largest batch that the cluster may take; learned from its refusals."""
        self._entries: dict[str, BatchEntry] = {}
        self._added = trio.Event()
        self._sent_at: deque[float] = deque()

    async def add(self, attempt: Attempt, key: BatchKey) -> None:
        """Return once the attempt's batch is accepted, or raise its error. If cancelled, the attempt stays: see `withdraw`."""
        entry = self._entries.get(attempt.name)
        if entry is None:
            entry = self._entries[attempt.name] = BatchEntry(attempt, key)
            self._added.set()
        await entry.done.wait()
        if entry.error is not None:
            raise entry.error

    async def withdraw(self, name: str) -> None:
        """Remove an attempt; if it is being submitted already, wait until it is accepted or refused."""
        entry = self._entries.get(name)
        if entry is None:
            return
        if entry.taken:
            await entry.done.wait()
        else:
            del self._entries[name]

    async def run(self) -> None:
        """Submit batches until cancelled."""
        while True:
            await self._collect()
            while entries := self._next_batch():
                if await self._has_room([entry.attempt for entry in entries]):
                    await self._send(entries)
                    break
                await trio.sleep(ROOM_INTERVAL)

    async def _collect(self) -> None:
        """Return once there are attempts, and no more have arrived for a moment."""
        while not self._entries:
            self._added = trio.Event()
            await self._added.wait()
        now = trio.current_time()
        while self._sent_at and self._sent_at[0] < now - 60:
            self._sent_at.popleft()
        busy = len(self._sent_at) >= BUSY
        deadline = now + (LONGEST_WAIT_WHEN_BUSY if busy else LONGEST_WAIT)
        while trio.current_time() < deadline:
            self._added = trio.Event()
            with trio.move_on_at(deadline if busy else min(deadline, trio.current_time() + QUIET_TIME)) as quiet:
                await self._added.wait()
            if quiet.cancelled_caught:
                break

    def _next_batch(self) -> list[BatchEntry]:
        """The attempts that have the oldest one's key: all, or the first of several batches of nearly the same size."""
        if not self._entries:
            return []
        key = next(iter(self._entries.values())).key
        entries = [entry for entry in self._entries.values() if entry.key == key]
        entries.sort(key=lambda entry: int(entry.attempt.env.get("RUNNER_INDEX", 0)))
        largest = max(_size(entry.attempt) for entry in entries)
        limit = max(1, min(self.max_batch, self._accepted_size, MAX_BATCH_BYTES // largest))
        return entries[: math.ceil(len(entries) / math.ceil(len(entries) / limit))]

    async def _send(self, entries: list[BatchEntry]) -> None:
        for entry in entries:
            entry.taken = True
        self._sent_at.append(trio.current_time())
        error: Exception | None = None
        try:
            await self._submit([entry.attempt for entry in entries])
        except BatchTooLarge:
            self._accepted_size = max(1, len(entries) // 2)
            for entry in entries:
                entry.taken = False
            return
        except Exception as raised:
            error = raised
        else:
            self._accepted_size = min(self.max_batch, max(self._accepted_size, 2 * len(entries)))
        for entry in entries:
            entry.error = error
            del self._entries[entry.attempt.name]
            entry.done.set()


def _size(attempt: Attempt) -> int:
    """Roughly the bytes that an attempt adds to the array's files."""
    command = attempt.command if isinstance(attempt.command, str) else " ".join(attempt.command)
    return 1024 + len(command) + sum(len(name) + len(value) for name, value in attempt.env.items())
