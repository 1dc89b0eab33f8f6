"""The families of errors, each with the exit code of the process.

A message states the fault: lower case, no full stop, backticks round code. Only `hint` advises.
"""

from __future__ import annotations

from collections.abc import Sequence


class RunnerError(Exception):
    """Any error with a message for the user. Caught once, at the error boundary of the command line."""

    exit_code = 70

    def __init__(self, message: str, hint: str | None = None, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        """One line."""
        self.hint = hint
        """One line."""
        self.details = details
        """Lines below the message."""


class InvalidInput(RunnerError):
    """The command line or the sweep file is wrong; nothing was started."""

    exit_code = 2


class EnvironmentFailed(RunnerError):
    """The environment failed: a full disk, a held lock, an unreachable backend. Another apply resumes."""

    exit_code = 3


class Damaged(EnvironmentFailed):
    """A journal is damaged and cannot be read."""


class InputsChanged(EnvironmentFailed):
    """A file of `files` is not what the ids were made from any more. `message` says which."""
