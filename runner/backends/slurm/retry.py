"""How long to go on asking a controller that does not answer."""

from __future__ import annotations

import random
from collections.abc import Callable

import trio

from runner.backends.slurm.cli import Unconfigured, Unreachable
from runner.errors import EnvironmentFailed

LONGEST, AT_FIRST = 3600.0, 120.0
"""Seconds; the second for one that has never answered yet."""

UNANSWERED = "for Slurm's controller to answer"
"""What is waited for, in words."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


class Controller:
    """What all who ask it know: whether it has ever answered, and whether it is `away` just now."""

    def __init__(self) -> None:
        self.answered = False
        self.away = False


class Patience:
    """For one question. Pauses grow, with jitter; `on_waiting` is told of the first."""

    def __init__(self, controller: Controller, on_waiting: Callable[[str], None] | None = None) -> None:
        self._controller = controller
        self._on_waiting = on_waiting
        self._pause = _SHORTEST_PAUSE
        self._since: float | None = None

    async def wait(self, fault: Unreachable) -> None:
        """Pause before the next try. Raises EnvironmentFailed when it has been long enough."""
        if isinstance(fault, Unconfigured) and not self._controller.answered:
            raise EnvironmentFailed(fault.words, "let SLURM_CONF name its slurm.conf") from fault
        now = trio.current_time()
        if self._since is None:
            self._since = now
            if self._on_waiting is not None:
                self._on_waiting(UNANSWERED)
        self._controller.away = True
        if now - self._since >= (LONGEST if self._controller.answered else AT_FIRST):
            raise EnvironmentFailed(
                f"Slurm's controller cannot be reached: {fault.words}",
                "jobs that run go on, and the same command takes them up again",
            ) from fault
        await trio.sleep(self._pause * random.uniform(0.5, 1.0))
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)

    def over(self) -> None:
        """It has answered."""
        self._pause = _SHORTEST_PAUSE
        self._since = None
        self._controller.answered = True
        self._controller.away = False
