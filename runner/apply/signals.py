"""Trio tasks that react to signals: end the apply, or give up the terminal while runner is stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable

import trio

WATCHED = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}


async def watch_stops(hide: Callable[[], None], show: Callable[[], None]) -> None:
    """Call `hide` before Ctrl-Z stops this process, and `show` whenever it continues; until cancelled."""
    if signal.getsignal(signal.SIGTSTP) is not signal.SIG_DFL:
        await trio.sleep_forever()
    with trio.open_signal_receiver(signal.SIGTSTP, signal.SIGCONT) as received:
        ours = signal.getsignal(signal.SIGTSTP)
        shown = False
        async for number in received:
            if number == signal.SIGTSTP:
                hide()
                signal.signal(signal.SIGTSTP, signal.SIG_DFL)
                signal.raise_signal(signal.SIGTSTP)
                signal.signal(signal.SIGTSTP, ours)
                show()
                shown = True  # the SIGCONT that continued us is still in the queue
            elif shown:
                shown = False
            else:
                show()


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
