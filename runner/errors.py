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


_SHORTAGES = {
    "can't start new thread": "no thread can be started",
    "Cannot allocate memory": "no memory is left",
    "failed to map segment": "no memory is left",
    "error return without exception set": "no memory is left",
    "Resource temporarily unavailable": "no process or thread can be started",
    "Too many open files": "no file descriptor is free",
}


def shortage(error: BaseException | None) -> EnvironmentFailed | None:
    """What this process is short of, if the error or one that it comes from says so: memory, threads, file descriptors."""
    seen = []
    while error is not None and error not in seen:
        seen.append(error)
        if isinstance(error, MemoryError):
            return EnvironmentFailed("no memory is left", "`ulimit -v` shows a limit; run the same command again")
        if isinstance(error, (OSError, RuntimeError, ImportError, SystemError)):
            for text, fault in _SHORTAGES.items():
                if text in str(error):
                    return EnvironmentFailed(fault, "`ulimit -a` shows the limits; run the same command again")
        error = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error.__context__
    return None


class InputsChanged(EnvironmentFailed):
    """A file of `files` is not what the ids were made from any more. `message` says which."""
