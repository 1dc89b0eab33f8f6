"""The families of failure, each with the exit code the process ends with.

A message states the fault: lower case, no full stop, backticks round code. Only `hint` advises.
"""

from __future__ import annotations


class RunnerError(Exception):
    """Anything runner stops for on purpose. Caught once, at the command line's error boundary."""

    exit_code = 70

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(RunnerError):
    """The command line or the file is wrong; nothing was started."""

    exit_code = 2


class EnvironmentFailed(RunnerError):
    """The world failed, not the input: a full disk, a lock held, an unreachable backend. Apply again resumes."""

    exit_code = 3


class Damaged(EnvironmentFailed):
    """A journal cannot be read any more."""
