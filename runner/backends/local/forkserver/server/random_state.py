"""Fresh random states, so that no two forks draw the same numbers; and the like, noted once at an import."""

from __future__ import annotations

import ctypes
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WORDS = 624
"""The state of a Mersenne twister: so many words of 32 bits, then the place of the next, an int."""


class Chance:
    """Of the modules that are there by now; `random` sees to itself."""

    def __init__(self) -> None:
        self._numpy = sys.modules.get("numpy.random")
        self._state = None if self._numpy is None else _state_of(self._numpy)
        self._torch = getattr(sys.modules.get("torch"), "default_generator", None)
        self._multiprocessing: Any = sys.modules.get("multiprocessing.process")

    def renew(self) -> None:
        if self._state is not None:
            _fill(self._state)
        elif self._numpy is not None:
            self._numpy.seed()
        if self._torch is not None:
            self._torch.seed()
        if self._multiprocessing is not None:
            self._multiprocessing.ORIGINAL_DIR = os.path.abspath(os.getcwd())
            self._multiprocessing.current_process().authkey = os.urandom(32)


def _state_of(numpy_random: Any) -> int | None:
    """Where the state of numpy's global generator is, if it is as it has always been: to write it costs a tenth of `seed()`."""
    try:
        address: int = numpy_random.mtrand._rand._bit_generator.ctypes.state_address
        numpy_random.seed(0)
        _fill(address)
        kind, key, position, has_gauss, _ = numpy_random.get_state()
        written = ctypes.string_at(address, _WORDS * 4)
        if (kind, position, has_gauss, key.tobytes()) == ("MT19937", _WORDS, 0, written):
            return address
    except Exception:  # another numpy
        pass
    numpy_random.seed()
    return None


def _fill(address: int) -> None:
    ctypes.memmove(address, os.urandom(_WORDS * 4) + _WORDS.to_bytes(4, sys.byteorder), (_WORDS + 1) * 4)
