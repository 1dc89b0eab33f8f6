"""Memory in huge pages, of which a fork takes one entry over instead of 512.

What a fork then writes to is copied in small pages as ever. Large heaps gain, as those of scikit-learn; where the kernel
does not have it (before Linux 6.1) or does not tell what is in use, nothing happens.
"""

from __future__ import annotations

import ctypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SIZE = 1 << 21
_COLLAPSE = 25
_FULL = 0.9
"""How much of a piece of memory has to be there: what is missing is allocated."""


def collapse(smaps: str = "/proc/self/smaps") -> None:
    """Move what this process has in memory of its own into huge pages, where it fills them."""
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for begin, end in _full(smaps):
        for place in range(-(-begin // _SIZE) * _SIZE, end - _SIZE + 1, _SIZE):
            madvise(place, _SIZE, _COLLAPSE)


def _full(smaps: str) -> list[tuple[int, int]]:
    """The heap and what else is of no file, from where to where, if next to all of it is in use."""
    try:
        with open(smaps) as file:
            return list(_in_use(file))
    except OSError:
        return []


def _in_use(lines: Iterable[str]) -> Iterator[tuple[int, int]]:
    begin = end = 0
    for line in lines:
        words = line.split()
        if not words[0].endswith(":"):
            own = words[1] == "rw-p" and (len(words) < 6 or words[5] == "[heap]")
            begin, end = (int(word, 16) for word in words[0].split("-")) if own else (0, 0)
        elif words[0] == "Rss:" and int(words[1]) * 1024 > _FULL * (end - begin) > 0:
            yield begin, end
