"""Checks of the inputs while an apply runs: before attempts start, and after each has ended.

The check after the end decides, so it has to begin after the end is known. Many ends share one: those that come while a
check runs wait for the next one. The check before a start only avoids work in vain, and may be a moment old.
"""

from __future__ import annotations

import time
from dataclasses import replace

import trio

from runner.config.inputs import Change, Inputs
from runner.model import AttemptEnd, Cause, Outcome, Reason
from runner.reasons import describe

INLINE, INLINE_BYTES = 100, 16 << 20
"""Files, and their size, up to which a check does not take a thread: 2 µs for each `stat`, where a thread costs 100 µs."""

SHARE = 0.1
"""How much of the time checks before starts may take."""


class InputCheck:
    """inputs: what the attempts of this apply read; None if they read private copies, which nothing else changes."""

    def __init__(self, inputs: Inputs | None) -> None:
        self._inputs = inputs if inputs is not None and inputs.size else None
        self._inline = inputs is not None and inputs.size <= INLINE and inputs.bytes <= INLINE_BYTES
        self._begun = 0
        self._checking = trio.Lock()
        self._next_start = 0.0

    @property
    def moves(self) -> int:
        return 0 if self._inputs is None else self._inputs.moves

    async def before_start(self) -> str | None:
        """Why no attempt may start under the ids of the plan; None if nothing has changed, as of just now."""
        if self._inputs is None:
            return None
        if self._inputs.change is None and time.monotonic() >= self._next_start:
            begin = time.monotonic()
            await self._check()
            now = time.monotonic()
            self._next_start = now + (now - begin) / SHARE
        change = self._inputs.change
        return None if change is None else stop_reason(change)

    async def verified(self, end: AttemptEnd, since: int | None, began: float | None) -> AttemptEnd:
        """The end of an attempt, `stale` if it may have read other inputs. `since`: `moves` when it was made, if known."""
        if self._inputs is None:
            return end
        await self._check()
        change = self._inputs.verdict(since, began)
        if change is None:
            return end
        how = describe(end)
        reason = f"{change} while it ran{f'; {how}' if how else ''}"
        return replace(end, outcome=Outcome.STALE, reason=Reason(Cause.INPUTS, reason))

    async def _check(self) -> None:
        """Return after a check that began after this call."""
        assert self._inputs is not None
        if self._inline:
            self._inputs.check()
            return
        arrived = self._begun
        async with self._checking:
            if self._begun == arrived:  # else one began while this call waited, and has ended
                self._begun += 1
                await trio.to_thread.run_sync(self._inputs.check)


def stop_reason(change: Change) -> str:
    """Why an apply starts nothing more, and what to do."""
    return (
        f"{change} since this apply read it; the next apply runs the sessions with the new content"
        " (if a session writes it, take it out of `files`)"
    )
