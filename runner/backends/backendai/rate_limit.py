"""The account's rate limit as one budget that all requests share.

The cluster counts requests in a rolling window, refused ones too, so that hammering never recovers: nothing is sent that
would be refused, and after a refusal everything pauses.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

import trio

FIRST_PAUSE = 60.0
"""Seconds without any request after a refusal; twice as long after each further one, up to the window."""


MARGIN = 5.0
"""Seconds from our sending a request to the cluster's counting it, at most."""


class Budget:
    """`pace` is how far apart requests that can wait should be, in seconds: so that what is left lasts for the window."""

    def __init__(self) -> None:
        self.limit: int | None = None
        self.window = 900.0
        self._left = math.inf
        self._sent: deque[float] = deque()
        self._paused_until = -math.inf
        self._refusals = 0
        self._under_way = 0
        self._unknown = 2  # so many answers without a limit, and there is none
        self._answered = trio.Event()

    @property
    def left(self) -> float:
        """How many requests may still be sent, for all that is known; infinity before the first answer."""
        return self._left

    def pace(self, reserve: int) -> float:
        """`reserve` requests are kept for what cannot wait."""
        if math.isinf(self._left):
            return 0.0
        return self.window / max(1.0, self._left - reserve)

    async def take(self) -> None:
        """Return when one more request may be sent, and count it. Its answer has to be `heard`, or it was `unheard`.

        One at a time while nothing is known of a limit, and after a refusal.
        """
        while (self._unknown or self._refusals) and self._under_way:
            await self._answered.wait()
        while (until := self._free_at()) > trio.current_time():  # noqa: ASYNC110  # others may take it meanwhile
            await trio.sleep_until(until)
        self._left -= 1
        self._under_way += 1
        self._sent.append(trio.current_time())

    def unheard(self) -> None:
        """No answer came."""
        self._back()

    def heard(self, headers: Mapping[str, str]) -> None:
        """What an answer says of the limit."""
        self._back()
        try:
            limit, left = int(headers["x-ratelimit-limit"]), int(headers["x-ratelimit-remaining"])
            self.window = float(headers.get("x-ratelimit-window", self.window))
        except (KeyError, ValueError):
            self._unknown = max(0, self._unknown - 1)
            return
        self._unknown = self._refusals = 0
        self.limit = limit
        # Answers overtake each other: while others are under way, this one may be older than what is known.
        if not self._under_way or left < self._left:
            self._left = left
            self._expired(0.0)  # those are no longer in what the cluster counts

    def refused(self) -> None:
        """The cluster said 429."""
        self._back()
        self._unknown = 0
        self._refusals += 1
        self._left = 0.0
        pause = min(self.window, FIRST_PAUSE * 2.0 ** (self._refusals - 1))
        self._paused_until = trio.current_time() + pause

    def _back(self) -> None:
        self._under_way -= 1
        self._answered.set()
        self._answered = trio.Event()

    def _expired(self, margin: float = MARGIN) -> int:
        """Forget requests of ours that have left the window, and say how many."""
        count = 0
        while self._sent and self._sent[0] + self.window + margin <= trio.current_time():
            self._sent.popleft()
            count += 1
        return count

    def _free_at(self) -> float:
        self._left += self._expired()
        if trio.current_time() < self._paused_until:
            return self._paused_until
        if self._left >= 1:
            return -math.inf
        if self._refusals:
            return -math.inf  # the pause is over: ask once
        return self._sent[0] + self.window + MARGIN if self._sent else -math.inf
