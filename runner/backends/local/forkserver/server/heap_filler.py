"""Filling the holes that imports have left in the interpreter's memory, so that what is made from then on lies together.

Each fork copies every page that it writes to, as the parent does after each fork; new objects would be strewn over all the
pools that are half empty.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_HEADER = sys.getsizeof(b"")
_POOL = (16384 if sys.version_info >= (3, 10) else 4096) - 48
"""Bytes that the allocator (Objects/obmalloc.c) has for objects of one size, a multiple of 16, before it takes another pool."""

_LARGEST = 512
"""In bytes: what is larger comes from C's allocator."""

_MOST = 10_000
"""For an interpreter with another allocator."""


def fill() -> list[object]:
    """The objects that fill them: to be kept."""
    kept: list[object] = []
    for size in range(48, _LARGEST + 1, 16):
        kept += _filling(size, lambda: bytes(size - _HEADER))  # noqa: B023
    kept += _filling(32, lambda: complex(len(kept), 1))
    kept += _filling(16, object)
    return kept


def _filling(size: int, make: Callable[[], object]) -> list[object]:
    """Objects of this size, up to those of which a whole pool lies in a row."""
    kept: list[object] = []
    whole = _POOL // size
    while len(kept) < _MOST:
        batch = [make() for _ in range(2 * whole + 128)]  # the list itself is in such pools as long as it is short
        row = before = 0
        for at, place in enumerate(map(id, batch), 1):
            row = row + 1 if place == before + size else 1
            if row == whole:
                return kept + batch[: at - whole]
            before = place
        kept += batch
    return kept
