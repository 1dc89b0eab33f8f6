"""Starts one process: program lookup, working directory, streams, and words for each error."""

from __future__ import annotations

import errno
import os
import signal
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_STRING = 131072
"""Linux's MAX_ARG_STRLEN: bytes of one argument or `NAME=value`, its final NUL included (execve(2))."""

_SHORTAGES = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}

_DEFAULT_SIGNALS = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
"""A child would inherit those that Python, the supervisor or a parent of runner ignores."""


class LaunchError(Exception):
    """The command cannot be started. `code` is 127 if a program is not found, else 126."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class StreamError(Exception):
    """A file for stdout or stderr cannot be opened: the environment is at fault, not the command."""


class ShortageError(Exception):
    """No process, memory or file descriptor is free at the moment."""


def launch(
    command: bytes | list[bytes], env: Mapping[bytes, bytes], workdir: bytes, stdout: bytes, stderr: bytes
) -> int:
    """Start `command` as the leader of a session of its own, and return its pid.

    Its stdin is the caller's. Changes the caller's working directory. Raises LaunchError, StreamError, ShortageError.
    """
    if isinstance(command, bytes):
        dashes = [b"--"] if command[:1] in (b"-", b"+") else []
        command = [b"/bin/sh", b"-c", *dashes, command]
    _enter(workdir)
    files: list[int] = []
    try:
        for path in (stdout, stderr):
            files.append(_open(path))
        program = command[0] if b"/" in command[0] else _look_up(command[0], env.get(b"PATH"))
        return _spawn(program, command, env, files)
    finally:
        for file in files:
            os.close(file)


def _spawn(program: bytes, command: list[bytes], env: Mapping[bytes, bytes], files: list[int]) -> int:
    streams = [(os.POSIX_SPAWN_DUP2, file, number) for number, file in enumerate(files, 1)]
    try:
        try:
            return os.posix_spawn(
                program, command, env, file_actions=streams, setsid=True, setsigmask=(), setsigdef=_DEFAULT_SIGNALS
            )
        except NotImplementedError:  # an older macOS has no setsid here: a process group instead
            return os.posix_spawn(
                program, command, env, file_actions=streams, setpgroup=0, setsigmask=(), setsigdef=_DEFAULT_SIGNALS
            )
    except OSError as error:
        raise _explain(error, command, env) from None
    except ValueError as error:  # a NUL inside, or a `=` in a name
        raise LaunchError(126, f"{_quoted(command[0])} cannot be run: {error}") from None


def _enter(workdir: bytes) -> None:
    try:
        os.chdir(workdir)
    except OSError as error:
        fault = "does not exist" if error.errno == errno.ENOENT else f"cannot be entered: {error.strerror}"
        raise LaunchError(126, f"the working directory {_quoted(workdir)} {fault}") from None


def _open(path: bytes) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno in _SHORTAGES:
            raise ShortageError(error.strerror) from None
        raise StreamError(f"{_quoted(path)} cannot be opened: {error.strerror}") from None


def _look_up(name: bytes, path: bytes | None) -> bytes:
    """The first executable file of this name on the session's own PATH, as execvp(3) finds it. Raises LaunchError."""
    exists = False
    for folder in (os.defpath.encode() if path is None else path).split(b":"):
        candidate = folder + b"/" + name if folder else b"./" + name
        try:
            mode = os.stat(candidate).st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode):
            if os.access(candidate, os.X_OK):
                return candidate
            exists = True
    if exists:
        raise LaunchError(126, f"{_quoted(name)} is not executable")
    raise LaunchError(127, f"{_quoted(name)} not found")


def _explain(error: OSError, command: list[bytes], env: Mapping[bytes, bytes]) -> Exception:
    name = _quoted(command[0])
    if error.errno in _SHORTAGES:
        return ShortageError(error.strerror)
    if error.errno == errno.ENOENT:
        if os.path.exists(command[0]):
            return LaunchError(127, f"the interpreter in the first line of {name} is not found")
        return LaunchError(127, f"{name} not found")
    if error.errno == errno.EACCES:
        return LaunchError(126, f"{name} is a directory" if os.path.isdir(command[0]) else f"{name} is not executable")
    if error.errno == errno.ENOEXEC:
        return LaunchError(
            126, f"{name} is not a program: neither a binary for this machine nor a script with a `#!` line"
        )
    if error.errno == errno.E2BIG:
        strings = [*command, *(key + b"=" + value for key, value in env.items())]
        longest = max(map(len, strings)) + 1
        if longest > LONGEST_STRING:
            return LaunchError(
                126, f"a string of {longest} bytes is over the limit of {LONGEST_STRING} for one argument"
            )
        total = sum(len(string) + 9 for string in strings)  # each has a NUL, and a pointer to it
        limit = os.sysconf("SC_ARG_MAX")
        return LaunchError(126, f"{total} bytes of arguments and environment are over the limit of {limit}")
    return LaunchError(126, f"{name} cannot be run: {error.strerror}")


def _quoted(text: bytes) -> str:
    return f"`{os.fsdecode(text)}`"
