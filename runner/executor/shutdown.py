"""When nothing more is started, and what happens to the jobs then."""

from __future__ import annotations

import enum
from collections.abc import Callable

from runner.executor.runners import Runners


class Mode(enum.Enum):
    STARTING = enum.auto()
    """Attempts are started as capacity allows."""
    DRAINING = enum.auto()
    """Nothing more is started; what runs continues. After the stop rule."""
    ENDING = enum.auto()
    """Nothing more is started; jobs are cancelled, or left to run on. After an interrupt or an error."""


class Shutdown:
    """The mode of an executor, which only moves forward, and the first error.

    outlives_client: whether the jobs outlive runner.
    on_change: called when the mode changes or jobs are cancelled.
    """

    def __init__(self, runners: Runners, *, outlives_client: bool, on_change: Callable[[], None]) -> None:
        self.mode = Mode.STARTING
        self.error: Exception | None = None
        self._runners = runners
        self._outlives_client = outlives_client
        self._on_change = on_change

    @property
    def closing(self) -> bool:
        """Whether nothing more is started."""
        return self.mode is not Mode.STARTING

    def drain(self) -> None:
        """Start nothing more; let what runs end by itself."""
        self.mode = Mode.DRAINING

    def cancel_all(self, reason: str, grace: float | None = None) -> None:
        """Start nothing more and cancel all jobs. grace: seconds; None: the grace of each attempt."""
        self.mode = Mode.ENDING
        self._runners.cancel_all(reason, grace)
        self._on_change()

    def give_up(self, reason: str) -> None:
        """Start nothing more. Leave jobs that outlive runner to a later apply, and cancel all others."""
        if not self._outlives_client:
            self.cancel_all(reason)
            return
        self.mode = Mode.ENDING
        self._runners.leave_all()
        self._on_change()

    def fail(self, error: Exception) -> None:
        """Give up because of an error. The first one is kept."""
        if self.error is None:
            single = plain_error(error)
            self.error = single if isinstance(single, Exception) else error
        self.give_up(f"runner stopped: {self.error}")


def plain_error(error: BaseException) -> BaseException:
    """The first exception of a group that is not itself a group: a nursery makes a group even of one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
