"""Frames between the backend and its spawner: four bytes of length, then a marshalled tuple.

Both ends are the same interpreter, so marshal needs no agreement on versions. The first item says what it is:

    to the spawner                                           | to the backend
    (HELLO, environ, memory)                                 | (SPAWNED, key, pid, at)
    (SPAWN, kin, most, key, name, command, env, workdir,     | (REFUSED, key, message)
        stdout, stderr, mem, grace)                          | (ENDED, key, code, reason, asked, out_of_memory,
    (CANCEL, key, grace)                                     |     duration, cpu_time, max_rss, over)
    (SPAWN_WARM, … as SPAWN, modules)                        | (CRASHED, traceback)
                                                             | (COLD, key, reason)
                                                             | (LOST, key, reason)

`key` is the backend's number for the attempt. Names, values and paths are bytes, as the kernel takes them;
`command` is bytes for `/bin/sh -c` or a list of bytes; `mem` is in bytes or None; `code` is an exit code, or
minus a signal's number; `asked` says that CANCEL was what ended it, `over` that nothing of it can live on.
Attempts with the same resources are of one `kin`, a number; with a `most`, it waits until fewer of them than that run.
SPAWN_WARM is for a Python program that shall be forked from an interpreter which has imported `modules`; COLD says,
before SPAWNED, why it was not. LOST says that nobody knows how it ended. The end of the stream tells the spawner to end
everything.
"""

from __future__ import annotations

import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

HELLO, SPAWN, CANCEL = 1, 2, 3
SPAWNED, REFUSED, ENDED, CRASHED = 4, 5, 6, 7
SPAWN_WARM, COLD, LOST = 8, 9, 10


def frame(message: tuple[Any, ...]) -> bytes:
    body = marshal.dumps(message)
    return len(body).to_bytes(4, "little") + body


class Frames:
    """Turns a stream of bytes, cut anywhere, back into messages."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[Any, ...]]:
        """The messages that `data` completes; to be used up before the next call."""
        data = self._rest + data if self._rest else data
        at = 0
        while len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at : at + 4], "little")
            if end > len(data):
                break
            yield marshal.loads(data[at + 4 : end])
            at = end
        self._rest = data[at:]
