"""What shows an apply while it runs and when it has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runner.apply.apply import Applied
from runner.events import Event


@dataclass(frozen=True)
class Display:
    """Who looks on: consumers of events, what is called every `seconds`, and what closes the picture.

    `leave_terminal` are called before somebody else gets the terminal, and when it is ours again.
    """

    consumers: Sequence[Callable[[Event], None]]
    seconds: float
    tick: Callable[[], None]
    finish: Callable[[Applied], None]
    leave_terminal: tuple[Callable[[], None], Callable[[], None]] | None = None
