"""Messages between the local backend and its supervisor.

On the stream a message is a frame: four bytes of length (little-endian), then a marshalled tuple of the message's type number and
its fields in their order. Both ends are the same interpreter, so they agree on the format of marshal.
Names, values and paths are bytes, as the kernel takes them. `key` is the backend's number for an attempt.
The end of the stream makes the supervisor end every job, and then itself.
"""

from __future__ import annotations

import marshal
from collections import namedtuple

TYPE_CHECKING = False  # the supervisor does not load `typing`: that is a fifth of its start-up
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**_):
        return lambda decorator: decorator


_TYPES: list[Any] = []
_NUMBERS: dict[type, int] = {}


@dataclass_transform(kw_only_default=True, frozen_default=True)
def _message(cls: type[T]) -> type[T]:
    """Make the class a named tuple of its annotated fields: the fastest to encode and decode.

    Type checkers see a frozen dataclass instead, whose constructor takes keywords only.
    """
    make: Any = namedtuple
    fields = tuple(cls.__annotations__)
    made = make(cls.__name__, fields, defaults=[vars(cls)[field] for field in fields if field in vars(cls)])
    made.__doc__ = cls.__doc__
    _NUMBERS[made] = len(_TYPES)
    _TYPES.append(made)
    return made  # type: ignore[no-any-return]


# From the backend to the supervisor


@_message
class Configure:
    """The first message."""

    environ: dict[bytes, bytes]
    """Variables that every job gets, before its own."""
    memory_method: str | None
    """How to enforce memory limits (see `memory_limits`); None selects the best method that this machine has."""


@_message
class Spawn:
    """Start an attempt, now or once fewer attempts like it run."""

    key: int
    name: str
    command: bytes | list[bytes]
    """A string for `/bin/sh -c`, or the arguments."""
    env: dict[bytes, bytes]
    workdir: bytes
    stdout: bytes
    stderr: bytes
    mem: int | None
    """The memory limit in bytes."""
    grace: float
    """Seconds between SIGTERM and SIGKILL where the supervisor ends the job without being asked."""
    shape: int
    """Equal for attempts that need the same resources."""
    start_when_below: int | None
    """If not None, the attempt starts once fewer than this many attempts of its shape run."""
    preload: list[bytes] | None
    """If not None, the command is a Python program to be forked from a server that has imported these modules."""


@_message
class Cancel:
    """End an attempt's process tree: SIGTERM now, SIGKILL after `grace` seconds. A later one can shorten the grace."""

    key: int
    grace: float


# From the supervisor to the backend


@_message
class NotForked:
    """The attempt cannot be forked from a preloaded interpreter, for `reason`; it starts its own."""

    key: int
    reason: str


@_message
class Spawned:
    """The leader of the attempt's process tree runs."""

    key: int
    pid: int
    at: float
    """Unix time."""


@_message
class Refused:
    """The attempt was not started, and the environment is at fault."""

    key: int
    reason: str


@_message
class Ended:
    """The attempt has ended and no process of its tree is left, or its command could not be started."""

    key: int
    code: int | None = None
    """The exit code, or minus the number of the signal; None if nothing was started."""
    reason: str | None = None
    """Why nothing was started."""
    lost: str | None = None
    """If not None, `code` is meaningless, for this reason."""
    cancelled: bool = False
    """True if Cancel ended the leader."""
    out_of_memory: bool = False
    left_behind: bool = False
    """True if processes that the leader left running were ended."""
    duration: float | None = None
    """Seconds."""
    cpu_time: float | None = None
    """Seconds of user and system time."""
    max_rss: int | None = None
    """The peak in bytes; None where it may be the supervisor's own."""
    drained: bool = True
    """True if no process that could write to the attempt's files is left."""


def never_started(key: int) -> Ended:
    """The end of an attempt that was cancelled before its start."""
    return Ended(key=key, reason="cancelled before it began", cancelled=True)


@_message
class Stuck:
    """The attempt should have been killed, but a process of it lives on."""

    key: int
    reason: str


@_message
class Crashed:
    """The supervisor has a bug; it ends every job, and itself."""

    traceback: str


def encode(message: Any) -> bytes:
    """The message as a frame."""
    return frame((_NUMBERS[type(message)], *message))


def decode(content: tuple[Any, ...]) -> Any:
    """The message in the content of a frame."""
    number, *fields = content
    return _TYPES[number]._make(fields)


def frame(content: tuple[Any, ...]) -> bytes:
    """Content as it goes over the stream."""
    body = marshal.dumps(content)
    return len(body).to_bytes(4, "little") + body


class Frames:
    """Splits a stream of bytes, in pieces of any size, into the content of frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[Any, ...]]:
        """The frames that `data` completes. The caller exhausts the iterator before it calls again."""
        data = self._rest + data if self._rest else data
        at = 0
        while len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at : at + 4], "little")
            if end > len(data):
                break
            yield marshal.loads(data[at + 4 : end])
            at = end
        self._rest = data[at:]
