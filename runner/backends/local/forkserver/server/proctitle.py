"""What the process table shows of a fork, its own command line and environment instead of the parent's, and C's `environ`.

The kernel reads both from where they stood when the parent was started (proc(5), `arg_start` to `env_end`), so a fork
writes its own there. The mark by which a session is found after a crash of everything above it is in that environment.
`environ` then points to the very same strings, as in any process: to set each variable would write to many more pages.
"""

from __future__ import annotations

import ctypes
import os
import struct
from itertools import accumulate

from runner.backends.local.forkserver.server.preload import UnfitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    Block = tuple[memoryview, bytes]
    """What is to be written over the beginning of a piece of memory."""

_FIRST = 48
"""The number of `arg_start` among the fields of /proc/self/stat; `arg_end`, `env_start` and `env_end` follow."""

_MARK = b"RUNNER_JOB"
_TO_WRITE = 0x200  # PyBUF_WRITE
_POINTER = struct.calcsize("P")
_SPARE = 64
"""Variables by which a session may have more than the parent."""


class Titles:
    """To be made before anything is imported that could write to where they stand; `settle` once nothing will any more.

    `own` is the command line and `given` the environment that the process was started with.
    """

    def __init__(self, stat: str = "/proc/self/stat") -> None:
        """Raises UnfitError where the kernel does not tell where they stand."""
        try:
            with open(stat, "rb") as file:
                words = file.read().rpartition(b")")[2].split()
        except OSError as error:
            raise UnfitError(f"`{stat}` cannot be read: {error.strerror}") from None
        command, end, self._address, environ_end = (int(word) for word in words[_FIRST - 3 : _FIRST + 1])
        if not command or not self._address:
            raise UnfitError(f"`{stat}` does not tell where the environment stands")
        self._command = _memory(command, end - command)
        self._environ = _memory(self._address, environ_end - self._address)
        given = (text.partition(b"=") for text in bytes(self._environ).split(b"\0") if b"=" in text)
        self.given = {name: value for name, _, value in given}
        for name, value in os.environb.items():
            os.putenv(name, value)  # a copy of its own: what stands there now will be overwritten
        with open("/proc/self/cmdline", "rb") as cmdline:
            self.own = cmdline.read().split(b"\0")[:-2]  # without its room for others
        shown = b"\0".join(self.own)
        self._used = len(shown)
        write([_block(self._command, shown, len(self._command)), _block(self._environ, b"", len(self._environ))])

    def settle(self, written: set[bytes]) -> None:
        """What has been set or removed since, by whomever, stays so in each fork; `written` are names that certainly were."""
        self._environ_of_c = ctypes.c_void_p.in_dll(ctypes.pythonapi, "environ")
        own = _strings(self._environ_of_c.value)
        texts = {text.partition(b"=")[0]: (text, at) for at in own if (text := ctypes.string_at(at))}
        self._fixed = {
            name: at
            for name, (text, at) in texts.items()
            if name in written or text.partition(b"=")[2] != self.given.get(name)
        }
        self._removed = [name for name in self.given if name not in texts]
        table = bytearray((len(own) + _SPARE) * _POINTER)
        self._pointers = memoryview(table)
        write([(self._pointers, _packed(own))])
        self._environ_of_c.value = _address(table)
        self._place = _memory(ctypes.addressof(self._environ_of_c), _POINTER)

    def prepare(self, command: list[bytes], environ: dict[bytes, bytes]) -> list[Block]:
        """What to `write`: as much of them as there is room for, the mark first, and C's environment."""
        shown = environ
        if _MARK in environ:
            shown = {_MARK: environ[_MARK], **environ}
        pairs = list(map(b"=".join, shown.items()))  # (in words of C: functions are objects, too)
        strings = b"\0".join(pairs)
        blocks = [_block(self._command, b"\0".join(command), self._used), _block(self._environ, strings, 0)]
        address = self._address
        if len(strings) >= len(self._environ):
            self._strings = bytearray(strings + b"\0")  # of this request, as long as it is the last
            address = _address(self._strings)
        places = dict(zip(shown, accumulate(map((1).__add__, map(len, pairs)), initial=address)))
        places.update(self._fixed)
        names = {**environ, **self._fixed}
        for name in self._removed:
            names.pop(name, None)
        table = _packed(list(map(places.__getitem__, names)))
        if len(table) <= len(self._pointers):
            blocks.append((self._pointers, table))
        else:
            self._table = bytearray(table)
            blocks.append((self._place, _packed([_address(self._table)])[:_POINTER]))
        return blocks


def _block(memory: memoryview, text: bytes, used: int) -> Block:
    """`text` for the beginning of it, of which so much is to be blank but for that."""
    last = len(memory) - 1
    return memory, text[:last].ljust(min(used, last), b"\0") + b"\0"


def write(blocks: list[Block]) -> None:
    for memory, block in blocks:
        memory[: len(block)] = block


def _packed(pointers: list[int]) -> bytes:
    """As C's `environ` has them, with the null pointer at their end."""
    return struct.pack(f"{len(pointers) + 1}P", *pointers, 0)


def _strings(environ: int | None) -> list[int]:
    """Where those are that C's `environ` points to, which may be null."""
    pointers = ctypes.cast(environ or 0, ctypes.POINTER(ctypes.c_void_p))
    found: list[int] = []
    while environ and (address := pointers[len(found)]):
        found.append(address)
    return found


def _address(memory: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def _memory(address: int, size: int) -> memoryview:
    """So many bytes, to be written to: a memoryview touches fewer pages than a call by ctypes."""
    view = ctypes.pythonapi.PyMemoryView_FromMemory
    view.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int)
    view.restype = ctypes.py_object
    memory: memoryview = view(address, size, _TO_WRITE)
    return memory
