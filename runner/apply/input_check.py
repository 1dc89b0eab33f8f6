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
from runner.text.reasons import describe

INLINE, INLINE_BYTES = 100, 16 << 20
"""Files, and their size, up to which a check does not take a thread: 2 µs for each `stat`, where a thread costs 100 µs."""

SHARE = 0.1
"""How much of the time checks before starts may take."""


class InputCheck:
    """Until `watch` or `refuse` is called, nothing is checked: the attempts read private copies, which nothing else changes.

    queued: whether attempts may wait at the backend. Then a change between their submission and their beginning, taken back by
    then, does not count; by the times of files, which are as good as the clocks are.
    """

    def __init__(self, *, queued: bool) -> None:
        self._queued = queued
        self._inputs: Inputs | None = None
        self._refusal: str | None = None
        self._inline = True
        self._begun = 0
        self._checking = trio.Lock()
        self._next_start = 0.0

    def watch(self, inputs: Inputs) -> None:
        """Check these inputs: what the attempts of this apply read."""
        if inputs.size:
            self._inputs = inputs
            self._inline = inputs.size <= INLINE and inputs.bytes <= INLINE_BYTES

    def refuse(self, reason: str) -> None:
        """Let no attempt start."""
        self._refusal = reason

    @property
    def moves(self) -> int:
        return 0 if self._inputs is None else self._inputs.moves

    async def before_start(self) -> str | None:
        """Why no attempt may start under the ids of the plan; None if nothing has changed, as of just now."""
        if self._inputs is None or self._refusal is not None:
            return self._refusal
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
        change = self._inputs.verdict(since, began if self._queued else None)
        return end if change is None else stale(end, change)

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


def stale(end: AttemptEnd, change: Change) -> AttemptEnd:
    """The end of an attempt that may have read what has changed."""
    how = describe(end)
    reason = f"{change} while it ran{f'; {how}' if how else ''}"
    return replace(end, outcome=Outcome.STALE, reason=Reason(Cause.INPUTS, reason))


def stop_reason(change: Change) -> str:
    """Why an apply starts nothing more, and what to do."""
    return (
        f"{change} since this apply read it; the next apply runs the sessions with the new content"
        " (if a session writes it, take it out of `files`)"
    )
