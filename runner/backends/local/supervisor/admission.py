"""Admission: an attempt that was submitted before there was capacity for it starts when one of the same shape has ended.

The executor uses this for short attempts (see `executor.prefetch`), so that no round trip to runner lies between two of them.
"""

from __future__ import annotations

from collections import Counter, deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.backends.local.protocol import Spawn


class Admission:
    """Passes each attempt to `start`, at once or later."""

    # Invariants:
    # 1. `_running[shape]` is the number of attempts of that shape that were passed to `start` and not yet released.
    #    `_shapes` has exactly these attempts. A shape without any has no entry in `_running`.
    # 2. An attempt with `start_when_below` = n is passed to `start` only while `_running[shape]` < n. The executor sets n to
    #    the number of attempts that run on the capacity in use, so admission never exceeds that capacity.
    # 3. After each call, the head of `_waiting` does not fulfil (2). So no attempt waits although it could start:
    #    the executor submits ahead only while every running attempt has the same shape as the next one, so that all waiting
    #    attempts have one shape and the head is the first that could start.

    def __init__(self, start: Callable[[Spawn], None]) -> None:
        self._start = start
        self._shapes: dict[int, int] = {}  # by key
        self._running: Counter[int] = Counter()  # by shape
        self._waiting: deque[Spawn] = deque()

    @property
    def waiting(self) -> bool:
        """True if there are attempts that were not admitted yet."""
        return bool(self._waiting)

    def submit(self, spawn: Spawn) -> None:
        """Start the attempt now if it may start, else when another one is released."""
        if self._may_start(spawn):
            self._admit(spawn)
        else:
            self._waiting.append(spawn)

    def release(self, key: int) -> None:
        """An admitted attempt has ended or cannot start: admit those that wait for it."""
        shape = self._shapes.pop(key)  # (1)
        self._running[shape] -= 1
        if not self._running[shape]:
            del self._running[shape]
        while self._waiting and self._may_start(self._waiting[0]):  # (3)
            self._admit(self._waiting.popleft())

    def withdraw(self, key: int) -> bool:
        """Forget an attempt that waits; False if it does not."""
        for spawn in self._waiting:
            if spawn.key == key:
                self._waiting.remove(spawn)
                return True
        return False

    def withdraw_all(self) -> None:
        """Forget every attempt that waits."""
        self._waiting.clear()

    def _may_start(self, spawn: Spawn) -> bool:
        return spawn.start_when_below is None or self._running[spawn.shape] < spawn.start_when_below  # (2)

    def _admit(self, spawn: Spawn) -> None:
        self._shapes[spawn.key] = spawn.shape  # (1)
        self._running[spawn.shape] += 1
        self._start(spawn)
