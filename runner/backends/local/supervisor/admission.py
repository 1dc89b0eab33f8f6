"""Who may begin: attempts that were handed over ahead of their room begin when one of their kin has ended."""

from __future__ import annotations

from collections import Counter, deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Turns:
    """`begin` is given the kind and the rest of each message whose turn it is. A key counts from then until it has `ended`.

    All that waits at one time is of one kin (runner sees to that), so only the first has to be looked at.
    """

    def __init__(self, begin: Callable[[int, tuple[Any, ...]], None]) -> None:
        self._begin = begin
        self._kin: dict[int, int] = {}
        self._running: Counter[int] = Counter()
        self._ahead: deque[tuple[int, int, int, tuple[Any, ...]]] = deque()

    @property
    def waiting(self) -> bool:
        """Whether there are attempts whose turn it is not yet."""
        return bool(self._ahead)

    def take(self, kind: int, kin: int, most: int | None, *message: Any) -> None:
        """An attempt; its key is the first of `message`."""
        if most is None or self._running[kin] < most:
            self._let_in(kind, kin, message)
        else:
            self._ahead.append((kind, kin, most, message))

    def ended(self, key: int) -> None:
        """It has ended, or cannot begin: the next one may."""
        kin = self._kin.pop(key)
        self._running[kin] -= 1
        if not self._running[kin]:
            del self._running[kin]
        while self._ahead and self._running[self._ahead[0][1]] < self._ahead[0][2]:
            kind, kin, _, message = self._ahead.popleft()
            self._let_in(kind, kin, message)

    def withdraw(self, key: int) -> bool:
        """Whether it was still to begin, and is forgotten now."""
        for waiting in self._ahead:
            if waiting[3][0] == key:
                self._ahead.remove(waiting)
                return True
        return False

    def withdraw_all(self) -> None:
        self._ahead.clear()

    def _let_in(self, kind: int, kin: int, message: tuple[Any, ...]) -> None:
        self._kin[message[0]] = kin
        self._running[kin] += 1
        self._begin(kind, message)
