"""From a fresh fork to the process that a new interpreter would be at the first line of its program."""

from __future__ import annotations

import errno
import io
import os
import sys

from runner.backends.local.warm.parent.titles import Titles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

SCRIPT, MODULE, CODE = 1, 2, 3

_STREAMS = (sys.stdin, sys.stdout, sys.stderr)
"""As this interpreter makes them, before a preloaded module can have changed them: encoding, errors and buffering."""

_STARTED_WITH = dict(os.environb)
_UNBUFFERED = isinstance(getattr(sys.stdout, "buffer", None), io.RawIOBase)


class Request:
    """One session: `command[at]` names its program, in the `mode` SCRIPT, MODULE or CODE.

    `join` is the file of a memory group through which the writing process gets in, None if there is none.
    """

    __slots__ = ("at", "command", "env", "join", "key", "mode", "stderr", "stdout", "workdir")

    def __init__(
        self,
        key: int,
        mode: int,
        at: int,
        command: list[bytes],
        env: dict[bytes, bytes],
        workdir: bytes,
        stdout: bytes,
        stderr: bytes,
        join: bytes | None,
    ) -> None:
        self.key, self.mode, self.at, self.command, self.env = key, mode, at, command, env
        self.workdir, self.stdout, self.stderr, self.join = workdir, stdout, stderr, join


def become(request: Request, titles: Titles) -> tuple[int | None, str] | None:
    """None when done; else an exit code (None if the place is at fault, not the session) and why it cannot begin."""
    os.setsid()
    titles.show(request.command, request.env)
    try:
        if request.join is not None:
            _write(request.join, b"0")
        fault = _enter(request.workdir) or _open(request.stdout, 1) or _open(request.stderr, 2)
    except OSError as error:
        fault = (None, f"no memory group can be joined: {error.strerror}")
    if fault:
        return fault
    _set_environment(request.env)
    _set_streams()
    _set_arguments(request)
    _forget_the_past()
    return None


def _write(path: bytes, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, data)
    finally:
        os.close(file)


def _enter(workdir: bytes) -> tuple[int | None, str] | None:
    try:
        os.chdir(workdir)
    except OSError as error:
        fault = "does not exist" if error.errno == errno.ENOENT else f"cannot be entered: {error.strerror}"
        return 126, f"the working directory `{os.fsdecode(workdir)}` {fault}"
    return None


def _open(path: bytes, number: int) -> tuple[int | None, str] | None:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError as error:
        return None, f"`{os.fsdecode(path)}` cannot be opened: {error.strerror}"
    os.dup2(file, number)
    os.close(file)
    return None


def _set_environment(env: dict[bytes, bytes]) -> None:
    """The session's variables, and on top what the preloaded modules have set or removed, as their import would have."""
    now = dict(os.environb)
    changed = {name: value for name, value in now.items() if _STARTED_WITH.get(name) != value}
    removed = [name for name in _STARTED_WITH if name not in now]
    os.environb.clear()
    os.environb.update(env)
    os.environb.update(changed)
    for name in removed:
        os.environb.pop(name, None)


def _set_streams() -> None:
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = _stream(number, name, _STREAMS[number])
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _stream(number: int, name: str, like: TextIO) -> TextIO:
    mode = "r" if name == "stdin" else "w"
    raw_too: Any = {"buffering": 0} if _UNBUFFERED and mode == "w" else {}
    buffer = open(number, mode + "b", closefd=False, **raw_too)  # noqa: SIM115
    raw: Any = getattr(buffer, "raw", buffer)
    raw.name = f"<{name}>"
    old: Any = like
    options = {"line_buffering": old.line_buffering, "write_through": old.write_through}
    stream = io.TextIOWrapper(buffer, old.encoding, old.errors, "\n", **options)
    stream.mode = mode  # type: ignore[misc]
    return stream


def _set_arguments(request: Request) -> None:
    words = [os.fsdecode(word) for word in request.command]
    target = {SCRIPT: words[request.at], MODULE: "-m", CODE: "-c"}[request.mode]
    sys.argv = [target, *words[request.at + 1 :]]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv = words


def _forget_the_past() -> None:
    """What is drawn at random or noted at an import must not be the same in all sessions."""
    # `random` reseeds itself after a fork.
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    torch: Any = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "default_generator"):
        torch.default_generator.seed()
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.ORIGINAL_DIR = os.path.abspath(os.getcwd())
        process.current_process().authkey = os.urandom(32)
