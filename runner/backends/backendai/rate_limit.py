"""The account's rate limit: after a 429, all requests pause.

The manager counts requests in a rolling window, refused ones included, and sends no Retry-After. The pause therefore
belongs to the account, not to one request, and doubles while requests are refused.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import trio

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 120.0
"""Seconds without a request after a 429 that names no Retry-After; doubles from the first to the second."""

LONGEST_RETRY_AFTER = 900.0
"""Seconds of a Retry-After that are respected at most: the window of the manager's own rate limit."""

JITTER = 0.25
"""Requests that waited for the end of a pause are sent within this share of it, not all at once."""


class RateLimit:
    """Pauses requests after a 429. `limit`, `remaining` and `window` (seconds) are the manager's figures, None until known."""

    def __init__(self) -> None:
        self.limit: int | None = None
        self.remaining: int | None = None
        self.window: float | None = None
        self._pause = FIRST_PAUSE
        self._resume_at = -math.inf

    async def wait(self) -> None:
        """Return when a request may be sent."""
        while trio.current_time() < self._resume_at:  # noqa: ASYNC110  # a 429 may extend the pause
            await trio.sleep_until(self._resume_at + random.uniform(0, JITTER * self._pause))

    def accepted(self, headers: Mapping[str, str]) -> None:
        """Record an answer other than 429."""
        self._pause = FIRST_PAUSE
        try:
            self.limit = int(headers["x-ratelimit-limit"])
            self.remaining = int(headers["x-ratelimit-remaining"])
            self.window = float(headers["x-ratelimit-window"])
        except (KeyError, ValueError):
            pass

    def refused(self, headers: Mapping[str, str]) -> None:
        """Record a 429: pause for as long as its Retry-After says, else for twice as long as the last time."""
        now = trio.current_time()
        pause = _retry_after(headers.get("retry-after", ""))
        if pause is None:
            if now < self._resume_at:
                return  # sent before the pause began
            pause = self._pause
            self._pause = min(LONGEST_PAUSE, 2 * self._pause)
        self._resume_at = max(self._resume_at, now + pause)


def _retry_after(text: str) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3: a number or a date); None where it cannot be read."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(LONGEST_RETRY_AFTER, max(0.0, seconds))
