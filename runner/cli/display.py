"""The display of a running apply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runner.apply.apply import Applied
from runner.events import Event


@dataclass(frozen=True)
class Display:
    """The functions that an apply calls to show its progress."""

    consumers: Sequence[Callable[[Event], None]]
    """Called with each event, after the journal has committed it."""
    seconds: float
    """The interval of `tick`."""
    tick: Callable[[], None]
    finish: Callable[[Applied], None]
    """Called once, when the apply has ended."""
    leave_terminal: tuple[Callable[[], None], Callable[[], None]] | None = None
    """Called before the process stops for Ctrl-Z, and when it continues."""
