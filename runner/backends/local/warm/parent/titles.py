"""What the process table shows of a fork, its own command line and environment instead of the parent's, and C's `environ`.

The kernel reads both from where they stood when the parent was started (proc(5), `arg_start` to `env_end`), so a fork
writes its own there. The mark by which a session is found after a crash of everything above it is in that environment.
`environ` then points to the very same strings, as in any process: to set each variable would write to many more pages.
"""

from __future__ import annotations

import ctypes
import os
import struct

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
    """To be made before anything can have changed the process's original environment; `settle` once nothing will any more."""

    def __init__(self) -> None:
        with open("/proc/self/stat", "rb") as stat:
            words = stat.read().rpartition(b")")[2].split()
        command, end, self._address, environ_end = (int(word) for word in words[_FIRST - 3 : _FIRST + 1])
        self._command = _memory(command, end - command)
        self._environ = _memory(self._address, environ_end - self._address)
        self._before = dict(os.environb)
        for name, value in self._before.items():
            os.putenv(name, value)  # a copy of its own: what stands there now will be overwritten
        with open("/proc/self/cmdline", "rb") as cmdline:
            self.own = cmdline.read().split(b"\0")[:-2]  # without its room for others
        self._used = (len(self._command), len(self._environ))
        write(self._strings(self.own, []))
        self._used = (len(b"\0".join(self.own)), 0)

    def settle(self) -> None:
        """What has been set since, by whomever, stays as it is in each fork."""
        place = ctypes.c_void_p.in_dll(ctypes.pythonapi, "environ")
        pointers = ctypes.cast(place.value or 0, ctypes.POINTER(ctypes.c_void_p))
        own: list[int] = []
        while address := pointers[len(own)]:
            own.append(address)
        texts = {text.partition(b"=")[0]: (text, at) for at in own if (text := ctypes.string_at(at))}
        self._fixed = {
            name: at for name, (text, at) in texts.items() if text.partition(b"=")[2] != self._before.get(name)
        }
        self._whole = texts.keys() >= self._before.keys()
        table = bytearray((len(own) + _SPARE) * _POINTER)
        self._pointers = memoryview(table)
        write([(self._pointers, _packed(own))])
        place.value = ctypes.addressof(ctypes.c_char.from_buffer(table))

    def prepare(self, command: list[bytes], environ: dict[bytes, bytes]) -> tuple[list[Block], bool]:
        """What to `write`: as much of them as there is room for, the mark first; whether that sets C's environment, too."""
        shown = environ
        if _MARK in environ:
            shown = {_MARK: environ[_MARK], **environ}
        pairs = [name + b"=" + value for name, value in shown.items()]
        blocks = self._strings(command, pairs)
        places = dict(self._fixed)
        at = self._address
        for name, pair in zip(shown, pairs):
            places.setdefault(name, at)
            at += len(pair) + 1
        if at > self._address + len(self._environ):
            return blocks, False
        order = [places[name] for name in {**environ, **self._fixed}]
        table = _packed(order)
        if len(table) > len(self._pointers):
            return blocks, False
        blocks.append((self._pointers, table))
        return blocks, self._whole

    def _strings(self, command: list[bytes], pairs: list[bytes]) -> list[Block]:
        texts = (b"\0".join(command), b"\0".join(pairs))
        return [
            (memory, text[: len(memory) - 1].ljust(min(used, len(memory) - 1), b"\0") + b"\0")
            for memory, text, used in zip((self._command, self._environ), texts, self._used)
        ]


def write(blocks: list[Block]) -> None:
    for memory, block in blocks:
        memory[: len(block)] = block


def _packed(pointers: list[int]) -> bytes:
    """As C's `environ` has them, with the null pointer at their end."""
    return struct.pack(f"{len(pointers) + 1}P", *pointers, 0)


def _memory(address: int, size: int) -> memoryview:
    """So many bytes, to be written to: a memoryview touches fewer pages than a call by ctypes."""
    view = ctypes.pythonapi.PyMemoryView_FromMemory
    view.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int)
    view.restype = ctypes.py_object
    memory: memoryview = view(address, size, _TO_WRITE)
    return memory
