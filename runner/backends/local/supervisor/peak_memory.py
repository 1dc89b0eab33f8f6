"""Peak memory of children, as wait4 reports it: never below the peak of the process that spawned them.

A child inherits the count from its parent, across exec. So the supervisor keeps its own peak low, and reports no peak for
a child where the two cannot be distinguished.
"""

from __future__ import annotations

import os

from runner.backends.local import procfs

_MADV_DONTNEED = 4
"""Of madvise(2)."""

_INACCURACY = 1 << 20
"""Bytes by which the kernel's count of a process's memory may be off, because it counts per CPU."""


class PeakFloor:
    """The supervisor's own peak."""

    def __init__(self) -> None:
        self._bytes = own_peak()

    def is_below(self, peak: int) -> bool:
        """True if a child's `peak` (bytes) is the child's own, not inherited."""
        if peak > self._bytes + _INACCURACY:
            self._bytes = max(self._bytes, own_peak())
        return peak > self._bytes + _INACCURACY


def own_peak() -> int:
    """The highest memory use of this process so far, in bytes; 0 if unknown."""
    for line in (procfs.read("/proc/self/status") or b"").splitlines():
        if line.startswith(b"VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def lower_own_peak() -> None:
    """Release memory that only start-up needed, then reset this process's peak to its current use (Linux)."""
    if procfs.LINUX:
        _drop_clean_pages()
        _reset_own_peak()


def _drop_clean_pages() -> None:
    """Release the pages of programs and libraries; the kernel reads those that are still needed again.

    Only private mappings of files without a changed page: relocated or written pages stay.
    """
    import ctypes

    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    start, end, private_file = 0, 0, False
    for line in (procfs.read("/proc/self/smaps") or b"").splitlines():
        words = line.split()
        if words[0] == b"Anonymous:" and words[1] == b"0" and private_file:
            madvise(start, end - start, _MADV_DONTNEED)
        elif not words[0].endswith(b":"):
            first, _, last = words[0].partition(b"-")
            start, end = int(first, 16), int(last, 16)
            private_file = words[1].endswith(b"p") and words[-1].startswith(b"/")


def _reset_own_peak() -> None:
    """See `clear_refs` in proc(5)."""
    try:
        file = os.open("/proc/self/clear_refs", os.O_WRONLY)
    except OSError:
        return
    try:
        os.write(file, b"5")
    finally:
        os.close(file)
