"""Signals that ask runner to end, as a trio task."""

from __future__ import annotations

import signal
from collections.abc import Callable

import trio

WATCHED = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}


async def watch_signals(interrupt: Callable[[int, str], None]) -> None:
    """Call `interrupt(number, what)` for each SIGINT, SIGTERM and SIGHUP until cancelled.

    A signal that was ignored when runner started stays ignored: `nohup runner apply` outlives its terminal.
    """
    heeded = [number for number in WATCHED if signal.getsignal(number) is not signal.SIG_IGN]
    if not heeded:
        await trio.sleep_forever()
    with trio.open_signal_receiver(*heeded) as received:
        async for number in received:
            interrupt(number, WATCHED[signal.Signals(number)])
